"""Measures of video files: what `kiloframe measure` computes. Files are read in pieces, wherever a measure allows it.

Three families: of pairs (a generated file against the real one of the same name), of sets (all generated clips against
all real ones), and of each side alone (its motion, its flicker), where the real side is the level to compare with.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.words import choose, fold
from reproductions.footage import video_files
from reproductions.measures.accumulate import span_of
from reproductions.measures.distances import FrechetDistance, KernelDistance
from reproductions.measures.estimate import Estimate
from reproductions.measures.flow import MotionAmount, WarpingError
from reproductions.measures.paired import PSNR, SSIM, PixelError
from reproductions.measures.perceptual import PerceptualDistance
from reproductions.measures.scores import InceptionScore, TextSimilarity
from reproductions.measures.temporal import Flickering, TemporalConsistency
from reproductions.video_reader import VideoReader

if TYPE_CHECKING:
    from reproductions.measures.networks.base import FeatureNetwork

__all__ = ["DEFAULT", "MEASURES", "FileMeasure", "Options", "Row", "measure_files"]

_PIECE = 32  # frames that are read and compared at once
_CLIPS = 16  # clips whose features are made at once
_Used = dict[Path, int]  # how many frames of each file a measure over features looked at


@dataclass(frozen=True)
class FileMeasure:
    """One measure by its word. of: "pairs", "sets" or "each"; network: the features it needs, by their word for
    `networks.load`, None for pixels alone.
    """

    id: str
    name: str
    of: Literal["pairs", "sets", "each"]
    network: str | None = None


MEASURES = {
    m.id: m
    for m in (
        FileMeasure("psnr", "PSNR", "pairs"),
        FileMeasure("ssim", "SSIM", "pairs"),
        FileMeasure("mse", "Mean squared error", "pairs"),
        FileMeasure("mae", "Mean absolute error", "pairs"),
        FileMeasure("lpips", "LPIPS", "pairs", "alexnet"),
        FileMeasure("fid", "FID", "sets", "inception"),
        FileMeasure("fvd", "FVD", "sets", "i3d"),
        FileMeasure("kvd", "KVD", "sets", "i3d"),
        FileMeasure("frechet_world", "Frechet distance over world-network features", "sets", "world"),
        FileMeasure("kernel_world", "Kernel distance over world-network features", "sets", "world"),
        FileMeasure(
            "frechet_frames", "Frechet distance over EfficientNet-Lite0 frame features", "sets", "efficientnet_lite0"
        ),
        FileMeasure("is", "IS (video, C3D)", "each", "c3d"),
        FileMeasure("clipsim", "CLIPSIM", "each", "clip"),
        FileMeasure("clip_consistency", "CLIP temporal consistency", "each", "clip"),
        FileMeasure("flickering", "Temporal flickering", "each"),
        FileMeasure("motion", "Motion amount", "each"),
        FileMeasure("warping_error", "Warping error", "each"),
    )
}
DEFAULT = ("psnr", "ssim")


class Options(NamedTuple):
    """size: pixels per side that all files are brought to, None as they are; frames: only the first so many of each
    file; window: frames per clip for networks of clips; networks: word -> weight file (`path` or `path@sha256`);
    captions: a CSV file with the columns file and caption, for CLIPSIM; files are known by name, with any ending.
    """

    size: int | None = None
    frames: int | None = None
    window: int = 16
    networks: Mapping[str, str] = {}
    captions: str | None = None


class Row(NamedTuple):
    """One answer: the measure's word, of what ("fake against real", "real", "fake"), the estimate, and all there is to
    say about the network behind its features.
    """

    measure: str
    of: str
    estimate: Estimate
    network: Mapping[str, str] = {}


def measure_files(
    real: str | Path,
    fake: str | Path,
    measures: Sequence[str] = DEFAULT,
    options: Options = Options(),  # noqa: B008 (a NamedTuple does not change)
    progress: Callable[[str, int], None] = lambda what, total: None,
) -> list[Row]:
    """The measures, in the order asked for, of a generated file or folder against a real one.

    progress: called with every file's name before it is read, and with how many such calls there will be.
    Raises UserError for an unknown measure; a place that is missing or holds no video; files that do not pair, or
    differ in length or size; a damaged file; features without their network; and too few clips for a distance.
    """
    chosen = [MEASURES[word] for word in _words(measures)]
    sides = {"real": _files(real), "fake": _files(fake)}
    networks = _networks(chosen, options)
    pairs = _pairs(sides["real"], sides["fake"]) if any(m.of == "pairs" for m in chosen) else []
    rows: dict[str, list[Row]] = {m.id: [] for m in chosen}
    single = sum(map(len, sides.values())) * len({m.of for m in chosen} - {"pairs"})
    steps = len(pairs) + single

    def tell(what: str) -> None:
        progress(what, steps)

    for family, work in (("pairs", _of_pairs), ("sets", _of_sets), ("each", _of_each)):
        wanted = [m for m in chosen if m.of == family]
        for row in work(wanted, pairs, sides, networks, options, tell) if wanted else ():
            network = networks.get(MEASURES[row.measure].network or "")
            rows[row.measure].append(row._replace(network=network.settings) if network else row)
    return [row for m in chosen for row in rows[m.id]]


def _words(measures: Sequence[str]) -> list[str]:
    choose(measures, "measure", MEASURES)
    known = {fold(word): word for word in MEASURES}
    return list(dict.fromkeys(known[fold(word)] for word in measures))


def _files(place: str | Path) -> list[Path]:
    path = Path(place)
    if path.is_dir():
        return video_files(path)
    if not path.exists():
        raise UserError(f"there is no file or folder {path}")
    return [path]


def _networks(chosen: Sequence[FileMeasure], options: Options) -> dict[str, FeatureNetwork]:
    from reproductions.measures import networks

    needed = list(dict.fromkeys(m.network for m in chosen if m.network is not None))
    needed += ["clip_text"] if any(m.id == "clipsim" for m in chosen) else []
    given = {fold(name): file for name, file in options.networks.items()}
    for name in given:
        choose([name], "feature network", networks.names())
        if name not in needed:
            raise UserError(f"no measure asked for needs the network {name!r}; leave it away, or ask for its measure")
    return {name: networks.load(name, given.get(name)) for name in needed}


def _pairs(real: list[Path], fake: list[Path]) -> list[tuple[Path, Path]]:
    """Files of one name, whatever their ending; two single files are a pair in any case."""
    if len(real) == len(fake) == 1:
        return [(real[0], fake[0])]
    by_name = []
    for side, files in (("real", real), ("fake", fake)):
        names: dict[str, Path] = {}
        for file in files:
            if file.stem in names:
                raise UserError(f"{names[file.stem]} and {file} have one name; a {side} file is paired by its name")
            names[file.stem] = file
        by_name.append(names)
    one, two = by_name
    for have, lack, side in ((one, two, "generated"), (two, one, "real")):
        alone = sorted(have.keys() - lack.keys())
        if alone:
            more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
            raise UserError(f"{have[alone[0]]} has no {side} file of its name to be compared with{more}")
    return [(one[name], two[name]) for name in sorted(one)]


def _reader(file: Path, options: Options, chunk: int = _PIECE) -> VideoReader:
    return VideoReader(file, size=options.size, stop=options.frames, chunk=chunk)


def _pieces(file: Path, options: Options, chunk: int = _PIECE) -> Iterator[NDArray[np.uint8]]:
    """A file's frames, uint8 (1, t, 3, h, w), `chunk` at a time."""
    with _reader(file, options, chunk) as reader:
        for frames in reader:
            yield np.moveaxis(frames, -1, 1)[None]


def _whole(file: Path, options: Options) -> NDArray[np.uint8]:
    return np.concatenate(list(_pieces(file, options)), 1)


def _of_pairs(
    wanted: Sequence[FileMeasure], pairs: Any, sides: Any, networks: Any, options: Options, progress: Any
) -> Iterator[Row]:
    boxes: dict[str, Any] = {m.id: _paired(m, networks) for m in wanted}
    for real, fake in pairs:
        progress(f"{fake.name} against {real.name}")
        for a, b in _side_by_side(real, fake, options):
            for m in wanted:
                if m.network is None:
                    boxes[m.id].update(a, b, ids=[fake])
                else:
                    features = [networks[m.network].features(x)[None] for x in (a, b)]
                    boxes[m.id].update(*features, ids=[fake])
    for m in wanted:
        yield Row(m.id, "fake against real", boxes[m.id].compute())


def _paired(m: FileMeasure, networks: Mapping[str, FeatureNetwork]) -> Any:
    if m.id in ("mse", "mae"):
        return PixelError(2 if m.id == "mse" else 1)
    if m.network is not None:
        return PerceptualDistance(networks[m.network].name)
    return {"psnr": PSNR, "ssim": SSIM}[m.id]()


def _side_by_side(real: Path, fake: Path, options: Options) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    one, two = _reader(real, options), _reader(fake, options)
    with one, two:
        if one.size != two.size:
            (h, w), (h2, w2) = one.size, two.size
            raise UserError(f"{real} has frames of {h}x{w} pixels and {fake} of {h2}x{w2}; bring both to one --size")
        a, b = iter(one), iter(two)
        seen = 0
        while True:
            x, y = next(a, None), next(b, None)
            if x is None and y is None:
                return
            n = [0 if v is None else len(v) for v in (x, y)]
            if x is None or y is None or n[0] != n[1]:
                shorter = seen + min(n)
                raise UserError(
                    f"{real} and {fake} differ in length: one ends after {shorter} frames, the other goes on; "
                    f"compare the first ones with --frames {shorter}"
                )
            seen += n[0]
            yield np.moveaxis(x, -1, 1)[None], np.moveaxis(y, -1, 1)[None]


def _of_sets(
    wanted: Sequence[FileMeasure], pairs: Any, sides: Any, networks: Any, options: Options, progress: Any
) -> Iterator[Row]:
    boxes: dict[str, Any] = {}
    for m in wanted:
        network = networks[m.network]
        boxes[m.id] = (KernelDistance if m.id in ("kvd", "kernel_world") else FrechetDistance)(network.name)
    used: dict[str, _Used] = {m.network or "": {} for m in wanted}
    for side, files in sides.items():
        for file in files:
            progress(f"features of {file.name}")
            for name in used:
                features = _features(file, networks[name], options)
                used[name][file] = len(features) * _clip(networks[name], options)
                for m in wanted:
                    if m.network == name and len(features):
                        boxes[m.id].update(**{side: features[None]})
        for name, of in used.items():
            if not any(of[file] for file in files):
                clip = _clip(networks[name], options)
                raise UserError(
                    f"no {side} file has the {clip} frames of a clip; give longer files or another --window"
                )
    for m in wanted:
        found = boxes[m.id].compute()
        yield Row(m.id, "fake against real", _framed(found, networks[m.network], used[m.network or ""], options))


def _clip(network: FeatureNetwork, options: Options) -> int:
    """Frames behind one row of features."""
    return options.window if network.kind == "clips" else 1


def _framed(found: Estimate, network: FeatureNetwork, used: _Used, options: Options) -> Estimate:
    """The estimate with what features alone cannot tell: frames per clip, how many of each file were used, and which
    files were too short for a clip.
    """
    clip = _clip(network, options)
    frames = {"window": f"{clip} frame{'s' * (clip != 1)}", "frames": span_of([n for n in used.values() if n])}
    short = [file.name for file, n in used.items() if not n]
    more = f" and {len(short) - 1} more" if len(short) > 1 else ""
    left = (f"left out, with fewer than {clip} frames: {short[0]}{more}",) if short else ()
    return replace(found, settings={**found.settings, **frames}, warnings=found.warnings + left)


def _features(file: Path, network: FeatureNetwork, options: Options) -> NDArray[np.float64]:
    """A file's features, (n, d): one row per frame, or per clip of `window` frames, the rest of the file left out."""
    if network.kind == "frames":
        return np.concatenate([network.features(piece) for piece in _pieces(file, options)])
    rows, held = [], []
    for clip in _pieces(file, options, options.window):
        if clip.shape[1] == options.window:
            held.append(clip)
        if len(held) == _CLIPS:
            rows.append(network.features(np.concatenate(held)))
            held = []
    if held:
        rows.append(network.features(np.concatenate(held)))
    return np.concatenate(rows) if rows else np.empty((0, network.dimension or 0))


def _of_each(
    wanted: Sequence[FileMeasure], pairs: Any, sides: Any, networks: Any, options: Options, progress: Any
) -> Iterator[Row]:
    said = _captions(options.captions, sides) if any(m.id == "clipsim" for m in wanted) else {}
    for side, files in sides.items():
        boxes: dict[str, Any] = {m.id: _alone(m, networks) for m in wanted}
        clips: _Used = {}
        for file in files:
            progress(file.name)
            for m in wanted:
                if m.network is None:
                    film = _whole(file, options)
                    if m.id != "flickering" and min(film.shape[-2:]) < 2:
                        h, w = film.shape[-2:]
                        raise UserError(
                            f"{m.id} follows pixels, and frames of {h}x{w} have nowhere to go; 2x2 is least"
                        )
                    boxes[m.id].update(film)
                elif m.id == "is":
                    features = _features(file, networks[m.network], options)
                    clips[file] = len(features) * _clip(networks[m.network], options)
                    if len(features):
                        boxes[m.id].update(features)
                elif m.id == "clipsim":
                    text = networks["clip_text"].features([said[file.stem]])
                    boxes[m.id].update(_features(file, networks[m.network], options)[None], text)
                else:
                    boxes[m.id].update(_features(file, networks[m.network], options)[None])
        for m in wanted:
            found = boxes[m.id].compute()
            yield Row(m.id, side, _framed(found, networks["c3d"], clips, options) if m.id == "is" else found)


def _alone(m: FileMeasure, networks: Mapping[str, FeatureNetwork]) -> Any:
    if m.id == "is":
        return InceptionScore(networks["c3d"].name)
    if m.id == "clipsim":
        return TextSimilarity(networks["clip"].name)
    if m.id == "clip_consistency":
        return TemporalConsistency(networks["clip"].name)
    return {"flickering": Flickering, "motion": MotionAmount, "warping_error": WarpingError}[m.id]()


def _captions(path: str | None, sides: Mapping[str, list[Path]]) -> dict[str, str]:
    """File name without ending -> caption, for every file. Raises UserError that names the file without one."""
    if path is None:
        raise UserError("CLIPSIM needs to know what each video should show; name a CSV file with --captions")
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:  # spreadsheets begin with a mark
            table = csv.DictReader(file)
            if not {"file", "caption"} <= set(table.fieldnames or ()):
                raise UserError(f"{path}, line 1: the columns must be file and caption, not {table.fieldnames}")
            said = {Path(row["file"] or "").stem: row["caption"] or "" for row in table}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the captions {path} cannot be read ({error}); they are a CSV file in UTF-8") from None
    for film in (film for films in sides.values() for film in films):
        if not said.get(film.stem, "").strip():
            raise UserError(f"{path} has no caption for {film.name}; every file needs one")
    return said
