"""What one executed reproduction found: written by its notebook, frozen into results/, shown by the site.

A result lives as three neighbours with one name: `<slug>.json` (this record), `<slug>.ipynb` (the executed notebook)
and `<slug>/` (its media, which the notebook names by relative path). build/runs/ and results/ have the same layout.
Every number in it was computed by the run; nothing is typed in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from kiloframe.errors import UserError

__all__ = [
    "FORMAT", "SCALES", "ClaimResult", "Curve", "Measure", "Media", "Result", "Series", "Verdict", "read_result",
    "write_result",
]  # fmt: skip

FORMAT = 1
SCALES = ("smoke", "toy", "gpu")
Verdict = Literal["held", "not held", "inconclusive", "not judged"]
Better = Literal["higher", "lower"]


class _Part(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of the parts of a result: keyword-only, immutable, no unknown keys."""


class Measure(_Part, kw_only=True, frozen=True):
    """One measured number. `values` holds one per seed; `low` and `high` bound the mean as `interval` says."""

    id: str
    subject: str
    name: str
    value: float
    values: list[float]
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    unit: str | None = None
    better: Better | None = None
    note: str | None = None


class ClaimResult(_Part, kw_only=True, frozen=True):
    """A claim of the method's fact file, put to the test. Lists hold one number per seed, in the order of `seeds`.

    `reason` is one sentence that says, with the numbers, why the verdict is what it is; `rule` states how it is
    decided. At scale smoke the verdict is "not judged".
    """

    id: str
    verdict: Verdict
    measure: str
    subject: str
    baseline_subject: str
    value: float
    baseline: float
    values: list[float]
    baseline_values: list[float]
    seeds: list[int]
    difference: float
    low: float | None
    high: float | None
    rule: str
    reason: str
    better: Better | None = None
    unit: str | None = None


class Series(_Part, kw_only=True, frozen=True):
    """One line of a curve; `low` and `high` are the band around y, where there is one."""

    name: str
    x: list[float]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None


class Curve(_Part, kw_only=True, frozen=True):
    """A figure's numbers, so that the site can draw it as vector graphics with a table beneath."""

    id: str
    title: str
    x_label: str
    y_label: str
    series: list[Series]
    caption: str
    log_x: bool = False


class Media(_Part, kw_only=True, frozen=True):
    """A picture or video in the folder beside the result; `file` and `poster` are names within that folder."""

    file: str
    kind: Literal["image", "video"]
    caption: str
    alt: str
    poster: str | None = None
    frames: int | None = None
    fps: float | None = None


class Result(_Part, kw_only=True, frozen=True):
    """One run of one notebook.

    The notebook fills everything up to `media`; `kiloframe run` adds how it was run. `source_hash` covers the method
    file with all it imports from reproductions, the notebook, the parameters and the weights; `sources` holds the
    hash of each of these parts, so that `kiloframe status` can say which one changed (kiloframe/sources.py).
    """

    format: int = FORMAT
    slug: str
    title: str
    scale: Literal["smoke", "toy", "gpu"]
    seed: int
    seeds: list[int]
    measures: list[Measure] = []
    claims: list[ClaimResult] = []
    curves: list[Curve] = []
    media: list[Media] = []
    parameters: dict[str, bool | int | float | str | None] = {}
    command: str = ""
    created: str = ""
    seconds: float = 0.0
    machine: str = ""
    versions: dict[str, str] = {}
    source_hash: str = ""
    sources: dict[str, str] = {}
    weights: dict[str, str] = {}


def read_result(path: str | Path) -> Result:
    """The result in a JSON file. Raises UserError for a file that is missing, damaged or of another format."""
    path = Path(path)
    slug = path.stem
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except FileNotFoundError:
        raise UserError(f"there is no result at {path}; make it with: kiloframe run {slug}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        again = f"kiloframe run {slug} --freeze" if path.parent.name == "results" else f"kiloframe run {slug}"
        raise UserError(
            f"{path} is not a result this version can read ({error}); make it again with: {again}"
        ) from None
    if result.format != FORMAT:
        raise UserError(f"{path} has the format {result.format}, this version reads {FORMAT}; run {slug} again")
    return result


def write_result(result: Result, path: str | Path) -> None:
    """Write the result as JSON (sorted, indented, ending in a newline), atomically."""
    from kiloframe.files import write_atomically

    text = msgspec.json.format(msgspec.json.encode(result, order="deterministic"), indent=1)
    write_atomically(path, text + b"\n")
