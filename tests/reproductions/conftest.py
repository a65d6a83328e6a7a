"""One thread for torch: the models here are tiny, and threads that wait for each other cost more than they bring."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)
