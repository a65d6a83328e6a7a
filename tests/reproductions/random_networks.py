"""Feature networks with random weights, for tests."""

import torch

from reproductions.measures.networks import NETWORKS
from reproductions.measures.networks.base import FeatureNetwork


def meta(make):
    """What `make` makes, without memory behind it."""
    with torch.device("meta"):
        return make()


def random_state(module, seed=0):
    """Random weights under the module's names: activations stay of order 1, variances positive; no counters."""
    make = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in module.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            fan = max(1, value[0].numel()) if value.dim() > 1 else 1
            x = torch.randn(value.shape, generator=make) / fan**0.5
            state[name] = x.abs() + 0.5 if name.endswith(("running_var", "bn.weight")) else x
    return state


def randomised(module, seed=0):
    """The module with such weights, ready for use."""
    module.load_state_dict(random_state(module, seed), strict=False)
    return module.eval()


def network(name, module):
    """The module as the feature network of that name."""
    return FeatureNetwork(NETWORKS[name], module, "0" * 64, {})
