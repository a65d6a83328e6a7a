"""Feature networks: finding, checking and reading weight files, and what every network answers."""

import dataclasses
import io
import os
import pickle
import re
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from random_networks import meta, random_state
from safetensors.torch import save_file
from torch import nn

from kiloframe.errors import UserError
from reproductions.measures import networks
from reproductions.measures.names import named
from reproductions.measures.networks import NETWORKS, OWN, files, load, markdown, names
from reproductions.measures.networks.alexnet import CHANNELS
from reproductions.measures.networks.archive import read_archive
from reproductions.measures.networks.clip import CLIPImage
from reproductions.measures.networks.i3d import I3D
from reproductions.measures.networks.inception import InceptionV3

WEIGHTS = NETWORKS["inception"].weights


@pytest.fixture(scope="module")
def i3d_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("i3d") / "i3d_pretrained_400.pt"
    torch.save(random_state(meta(I3D)), path)
    return path


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No weight files lie about: neither a folder in the environment nor one in the checkout."""
    monkeypatch.delenv(files.FOLDER, raising=False)
    monkeypatch.setattr(files, "checkout", lambda: tmp_path / "checkout")


def tiny(path, **tensors):
    torch.save(tensors or {"a.weight": torch.ones(2, 3)}, path)
    return path


# --- the table ----------------------------------------------------------------------------------------------------


def test_the_table_names_each_network_of_table_2_and_a_stand_in_never_borrows_a_name():
    famous = {"FVD", "KVD", "FID", "IS (video, C3D)", "LPIPS", "CLIPSIM", "CLIP temporal consistency"}
    given = {measure for n in NETWORKS.values() for measure in n.measures}
    assert famous <= given
    assert NETWORKS["efficientnet_lite0"].measures == ("Frechet distance over EfficientNet-Lite0 frame features",)
    assert set(NETWORKS).isdisjoint(OWN) and set(networks._CLASSES) == set(NETWORKS)
    assert all(set(h) <= set("0123456789abcdef") for n in NETWORKS.values() for h in n.weights.sha256)


def test_every_measure_that_the_table_promises_is_the_name_that_results_get():
    kinds = ("frechet", "kernel", "inception", "perceptual", "text", "frames")
    given = {n.name: {named(kind, n.name) for kind in kinds} for n in NETWORKS.values()}
    given["clip_text"] = given["clip"]  # CLIPSIM needs both towers
    for n in NETWORKS.values():
        assert set(n.measures) <= given[n.name], n.name


def test_markdown_shows_every_network_file_and_hash():
    text = markdown()
    for n in NETWORKS.values():
        assert f"`{n.name}`" in text and n.title in text
        for file in (n.weights, *n.also):
            assert f"`{file.file}`" in text and file.project in text and all(h[:16] in text for h in file.sha256)
    assert (
        text.count("| `clip`, `clip_text` | `ViT-B-32.pt`, 354 MB") == text.count("ViT-B-32.pt") == 1
    )  # one row for a file that two networks read


def test_importing_the_package_imports_no_torch():
    import subprocess

    code = "import reproductions.measures.networks as n, sys; n.markdown(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stdout + done.stderr


# --- names, places and hashes -------------------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="'incption' is not a feature network; nearest: inception; allowed: i3d, "):
        load("incption")


def test_without_a_file_the_error_says_what_to_fetch_and_where_it_goes():
    with pytest.raises(UserError) as error:
        load("i3d")
    text = str(error.value)
    assert text.startswith("FVD over I3D (Inflated 3D ConvNet, Kinetics-400) needs i3d_pretrained_400.pt")
    for part in ("49 MB", "VideoGPT", "https://github.com/wilson1yan/VideoGPT", "networks", files.FOLDER):
        assert part in text
    with pytest.raises(UserError, match="sha256 40d365715913c9da"):
        load("clip")


def test_files_are_found_beside_each_other_in_the_environment_in_the_checkout_and_in_a_package(tmp_path, monkeypatch):
    linear = NETWORKS["alexnet"].also[0]
    site = tmp_path / "site" / "lpips"
    (site / "weights" / "v0.1").mkdir(parents=True)
    (site / "__init__.py").write_text("raise ImportError('never imported')")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    expected = [
        tiny(site / "weights" / "v0.1" / "alex.pth"),
        tmp_path / "checkout" / "networks" / "alex.pth",
        tmp_path / "env" / "LPIPS_v0.1_alex-df73285e.pth",
        tmp_path / "near" / "alex.pth",
    ]
    monkeypatch.setenv(files.FOLDER, str(tmp_path / "env"))
    for place in expected:
        place.parent.mkdir(parents=True, exist_ok=True)
        tiny(place)
        assert files.find(linear, "LPIPS", near=tmp_path / "near" / "other.pth") == place


def test_a_wrong_hash_is_refused_unless_the_user_pins_it(tmp_path):
    path = tiny(tmp_path / "w.pth")
    digest = files.checked(path, NETWORKS["i3d"].weights)
    assert digest[1] == "recorded" and len(digest[0]) == 64
    with pytest.raises(UserError, match=r"has the sha256 .* and the published pt_inception.* has 6726825d.*pin it: "):
        files.checked(path, WEIGHTS)
    assert files.checked(path, WEIGHTS, digest[0][:10]) == (digest[0], "other")
    assert files.checked(path, NETWORKS["i3d"].weights, digest[0]) == (digest[0], "pinned")
    with pytest.raises(UserError, match="not the pinned 0123456789"):
        files.checked(path, WEIGHTS, "0123456789")
    known = dataclasses.replace(WEIGHTS, sha256=(digest[0][:8],))
    assert files.checked(path, known)[1] == files.checked(path, known, digest[0])[1] == "published"
    with pytest.raises(UserError, match=r"there is no weight file at .*gone\.pth; it should be pt_inception"):
        files.checked(tmp_path / "gone.pth", WEIGHTS)


def test_a_pin_is_read_off_the_path():
    pin = "6726825d0af5f729"
    assert files.split_pin(f"/a/b.pth@{pin}") == files.split_pin("/a/b.pth", pin.upper())
    assert (
        files.split_pin("/me@home/b.pth")[1] is None and str(files.split_pin("/me@home/b.pth")[0]) == "/me@home/b.pth"
    )
    with pytest.raises(UserError, match="'xyz' is not a sha256"):
        files.split_pin("b.pth@xyz")
    with pytest.raises(UserError, match="two different hashes"):
        files.split_pin(f"b.pth@{pin}", "0" * 64)


# --- reading ------------------------------------------------------------------------------------------------------


class Attack:
    def __reduce__(self):
        return (os.mkdir, (self.path,))


def attack(path):
    made = Attack()
    made.path = str(path)
    return made


@pytest.mark.parametrize("suffix", [".pth", ".pickle", ".npz", ".zip"])
def test_a_file_with_code_is_refused_and_nothing_in_it_runs(tmp_path, suffix):
    path, trace = tmp_path / f"w{suffix}", tmp_path / "it ran"
    if suffix == ".pth":
        torch.save({"a": torch.ones(1), "b": attack(trace)}, path)
    elif suffix == ".pickle":
        path.write_bytes(pickle.dumps(attack(trace), protocol=2))
    elif suffix == ".npz":
        np.savez(path, a=np.array([attack(trace)], dtype=object))
    else:  # dressed up as a TorchScript archive
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/data.pkl", pickle.dumps(attack(trace)))
            archive.writestr("x/constants.pkl", b"")
    with pytest.raises(
        UserError, match=r"(holds more than weights|pickled objects).* not opened; expected pt_inception"
    ):
        files.read(path, WEIGHTS)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".npz"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.95])
def test_a_truncated_file_is_one_clear_sentence(tmp_path, suffix, kept):
    path, tensors = tmp_path / f"w{suffix}", {"a": torch.randn(100, 100), "b": torch.randn(50)}
    {".pth": torch.save, ".safetensors": save_file, ".npz": lambda t, p: np.savez(p, **t)}[suffix](tensors, path)
    assert files.read(path, WEIGHTS).keys() == tensors.keys()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match="cannot be read, it is damaged or cut short; expected pt_inception"):
        files.read(path, WEIGHTS)


def test_what_is_no_table_of_tensors_is_refused(tmp_path):
    for content in ([torch.ones(1)], {"a": 3}, torch.ones(2)):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(UserError, match="holds no table of named tensors"):
            files.read(tmp_path / "w.pth", WEIGHTS)
    torch.save({"state_dict": {"a": torch.ones(1)}, "epoch": 3}, tmp_path / "w.pth")
    assert list(files.read(tmp_path / "w.pth", WEIGHTS)) == ["a"]


def test_missing_superfluous_and_wrongly_shaped_tensors_are_named(tmp_path):
    expected = {"a.weight": torch.empty(2, 3), "a.bias": torch.empty(2), "bn.num_batches_tracked": torch.empty(())}
    good = {"a.weight": torch.ones(2, 3).half(), "a.bias": torch.ones(2), "fc.weight": torch.ones(5)}
    found = files.fitted(good, expected, tmp_path / "w", WEIGHTS, ("fc.",))
    assert found.keys() == expected.keys() and found["a.weight"].dtype == torch.float32
    with pytest.raises(UserError, match=r"it also holds fc\.weight; expected pt_inception"):
        files.fitted(good, expected, tmp_path / "w", WEIGHTS)
    with pytest.raises(UserError, match=r"it lacks a\.bias; expected"):
        files.fitted({"a.weight": torch.ones(2, 3)}, expected, tmp_path / "w", WEIGHTS)
    with pytest.raises(UserError, match=r"a\.weight has the shape \(3, 2\), not \(2, 3\)"):
        files.fitted({**good, "a.weight": torch.ones(3, 2)}, expected, tmp_path / "w", WEIGHTS, ("fc.",))
    with pytest.raises(UserError, match="it lacks 0, 1, 2 and 7 more"):
        files.fitted({}, {str(i): torch.ones(1) for i in range(10)}, tmp_path / "w", WEIGHTS)


class Scripted(nn.Module):
    """As OpenAI's CLIP: half-precision weights, nested modules, tensors and numbers as attributes."""

    def __init__(self):
        super().__init__()
        self.part = nn.Sequential(nn.Linear(2, 3).half(), nn.BatchNorm1d(3))
        self.register_buffer("input_resolution", torch.tensor(224))
        self.view = nn.Parameter(torch.arange(6.0).reshape(2, 3).T)
        self.sizes = [1, 2]

    def forward(self, x):
        return self.part(x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_archive_gives_its_tensors_without_its_program(tmp_path):
    module = Scripted()
    torch.jit.save(torch.jit.script(module), tmp_path / "w.pt")
    found, expected = read_archive(tmp_path / "w.pt"), module.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name
    whole = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="damaged or cut short"):
        files.read(tmp_path / "w.pt", NETWORKS["clip"].weights)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_archive_cannot_reach_beyond_its_storage(tmp_path):
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Scripted()), buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(tmp_path / "w.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[:2] if "/data/" in name else old.read(name))
    with pytest.raises(UserError, match="damaged or cut short"):
        files.read(tmp_path / "w.pt", NETWORKS["clip"].weights)


# --- loading and features -----------------------------------------------------------------------------------------


def test_i3d_from_a_file_of_random_weights(i3d_file, capsys):
    net = load("I3D", i3d_file)
    assert (net.name, net.kind, net.dimension) == ("i3d", "clips", 400)
    digest = files.checked(i3d_file, net.network.weights)[0]
    assert net.sha256 == digest == net.settings["weights sha256"]
    assert f"name {i3d_file}@{digest}" in capsys.readouterr().err
    assert net.settings["weights are"] == "recorded by hash; none is published to compare with"
    assert "224x224" in net.settings["input"] and all(isinstance(value, str) for value in net.settings.values())
    clip = np.random.default_rng(0).integers(0, 256, (1, 9, 3, 24, 32), np.uint8)
    found = net.features(clip)
    assert found.shape == (1, 400) and found.dtype == np.float64 and np.isfinite(found).all() and found.std() > 0
    pinned = load("i3d", f"{i3d_file}@{digest}")
    assert pinned.settings["weights are"].startswith("the file that the user pinned") and pinned.name == "i3d"
    assert capsys.readouterr().err == ""


def test_inception_from_a_file_of_random_weights_with_its_last_layer(tmp_path):
    path = tmp_path / "inception.pth"
    torch.save(
        {**random_state(meta(InceptionV3)), "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, path
    )
    digest = files.checked(path, NETWORKS["i3d"].weights)[0]
    with pytest.raises(UserError, match="and the published pt_inception"):
        load("inception", path)
    net = load("inception", path, sha256=digest)
    video = np.random.default_rng(0).random((1, 2, 3, 20, 20), np.float32)
    found = net.features(video)
    assert found.shape == (2, 2048) and not np.allclose(found[0], found[1])
    # what is not the published file makes no FID
    assert net.settings["weights are"].startswith("not the published file")
    assert named("frechet", net.name, 2048) == "Frechet distance over inception with other weights features"
    assert named("frechet", NETWORKS["inception"].name, 2048) == "FID"


def test_alexnet_takes_its_linear_weights_from_beside_it(tmp_path, monkeypatch):
    trunk = {f"features.{i}.{kind}": torch.randn(shape) for i, a, b, k in
             ((0, 64, 3, 11), (3, 192, 64, 5), (6, 384, 192, 3), (8, 256, 384, 3), (10, 256, 256, 3))
             for kind, shape in (("weight", (a, b, k, k)), ("bias", (a,)))}  # fmt: skip
    torch.save({**trunk, "classifier.1.weight": torch.zeros(2)}, tmp_path / "alexnet.pth")
    pin = files.checked(tmp_path / "alexnet.pth", NETWORKS["i3d"].weights)[0]
    with pytest.raises(UserError, match=r"LPIPS over AlexNet.* needs alex.pth .*install lpips==0.1.4"):
        load("alexnet", tmp_path / "alexnet.pth", pin)
    linear = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(CHANNELS)}
    torch.save(linear, tmp_path / "alex.pth")
    with pytest.raises(UserError, match=r"the published alex\.pth has df73285e"):
        load("alexnet", tmp_path / "alexnet.pth", pin)
    own = dataclasses.replace(NETWORKS["alexnet"].also[0], sha256=())
    monkeypatch.setitem(NETWORKS, "alexnet", dataclasses.replace(NETWORKS["alexnet"], also=(own,)))
    net = load("alexnet", tmp_path / "alexnet.pth", pin)
    assert len(net.settings["alex.pth sha256"]) == 64
    video = np.random.default_rng(0).random((1, 2, 3, 40, 48), np.float32)
    x, y = net.features(video)
    assert ((x - y) ** 2).sum() > 0 and net.dimension is None
    with pytest.raises(UserError, match="at least 31x31 pixels, not 16x16"):
        net.features(video[..., :16, :16])
    torch.save({**linear, "lin0.model.1.weight": -linear["lin0.model.1.weight"]}, tmp_path / "alex.pth")
    with pytest.raises(UserError, match="negative linear weights"):
        load("alexnet", tmp_path / "alexnet.pth", pin)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_clip_reads_one_tower_of_a_file_that_holds_two(tmp_path, monkeypatch):
    monkeypatch.setattr(CLIPImage, "make", classmethod(lambda cls, *_: meta(lambda: cls(64, 1, 64))))
    state = random_state(CLIPImage.make())
    state |= {"token_embedding.weight": torch.ones(3, 2), "transformer.resblocks.0.ln_1.weight": torch.ones(2)}
    state |= {"input_resolution": torch.tensor(64), "text_projection": torch.ones(2, 2)}
    save_file({name: value.half() for name, value in state.items()}, tmp_path / "clip.safetensors")
    digest = files.checked(tmp_path / "clip.safetensors", NETWORKS["i3d"].weights)[0]
    net = load("clip", tmp_path / "clip.safetensors", digest)
    video = np.random.default_rng(0).random((2, 3, 3, 20, 30), np.float32)
    assert net.features(video).shape == (6, 512) and net.extractor.logit_scale.dtype == torch.float32


def test_efficientnet_comes_with_a_package_and_is_the_published_file():
    net = load("efficientnet-lite0")
    assert net.settings["weights are"] == "the published file, by its hash"
    video = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 16, 16), np.uint8)
    found = net.features(video)
    assert found.shape == (4, 1280) and (found >= 0).all()
    np.testing.assert_array_equal(net.features(video), found)


def test_the_example_on_the_page_prints_what_the_page_says(root, capsys):
    page = (root / "docs" / "feature-networks.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(compile(code, "docs/feature-networks.md", "exec"), {})
    said = [line.split("  # ")[1].split(": one row")[0] for line in code.splitlines() if "  # " in line]
    assert capsys.readouterr().out.splitlines() == said


def test_names_of_our_own_networks_are_resolved_late(monkeypatch):
    assert "world" in names()
    fake = types.ModuleType(OWN["world"])
    fake.load = lambda file, sha256, device: ("world network", file, sha256, device)
    monkeypatch.setitem(sys.modules, OWN["world"], fake)
    assert load("World", "w.safetensors@0123abcd") == ("world network", Path("w.safetensors"), "0123abcd", "cpu")
    assert load("world-network") == ("world network", None, None, "cpu")
