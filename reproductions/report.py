"""What a notebook shows and records: figures, films, measures, claims with verdicts. Imports no torch.

    report = Report("fdm", scale=scale, seed=seed, seeds=[0, 1, 2], out=out)
    report.video(frames, "real", caption="...", alt="...")
    report.claim("some-claim", measure="...", subject="ours", baseline_subject="theirs",
                 values=[...], baseline_values=[...], says="higher")
    report.save()

Pictures and films become files in `<out>/<slug>/`, which the notebook names by relative path and never embeds; the
numbers become `<out>/<slug>.json` (kiloframe/results.py). In plain Python the same calls print text instead.
"""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.files import replacing
from kiloframe.results import SCALES, ClaimResult, Curve, Measure, Media, Result, Series, Verdict, write_result
from reproductions.measures.statistics import interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reproductions.measures.estimate import Estimate

__all__ = ["COLOURS", "Report", "figure", "grid", "judge_difference", "judge_equality", "prefixed", "show"]

COLOURS = ("#0f6ab4", "#c8501e", "#2f7d4f", "#8a4fb0", "#6b7280", "#b08900")
"""Line colours of figures, in order: each has a contrast of at least 3 to 1 on white."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.titlesize": 9,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}
_LEVEL = 0.95
_TWO_SIDED = 0.90  # two one-sided tests at 5 % each are one 90 % interval


class Report:
    """Collects what one notebook found.

    slug: the method's record, or a study's own name with its `title` (a study is a notebook about no single method);
    scale: "smoke", "toy" or "gpu"; seed: the notebook's parameter; seeds: the sampling seeds behind every list of
    values; out: folder, default build/runs of the checkout.
    Starting a report removes the former result in `out`, so that a notebook that stops halfway leaves none.
    Raises UserError for an unknown slug without a title, a method's slug with one, or an unknown scale.
    """

    def __init__(
        self, slug: str, *, scale: str, seed: int, seeds: Sequence[int], out: str | Path = "", title: str | None = None
    ) -> None:
        import kiloframe
        from kiloframe.sources import checkout

        if scale not in SCALES:
            raise UserError(f"there is no scale {scale!r}; allowed: {', '.join(SCALES)}")
        methods = kiloframe.load().methods
        if title is not None and slug in methods:
            raise UserError(f"{slug} is a method, whose title stands in its record; leave the title away")
        record = methods[slug] if title is None else None
        claimed = [c.id for c in record.claims] if record else [c["id"] for c in kiloframe.load().survey["claims"]]
        self.slug, self.scale, self.seed, self.seeds = record.slug if record else slug, scale, seed, list(seeds)
        self.title = title if record is None else record.title
        self._claim_ids, self._claimed_by = claimed, "its fact file" if record else "the survey"
        self.folder = Path(out) if str(out) else checkout() / "build" / "runs"
        # A notebook that was told where results go will lie beside them; one that was not lies where it is read.
        self._link = self.slug if str(out) else Path(os.path.relpath(self.folder / self.slug)).as_posix()
        self._measures: list[Measure] = []
        self._claims: list[ClaimResult] = []
        self._curves: list[Curve] = []
        self._media: list[Media] = []
        self._files: set[str] = set()
        self.path.unlink(missing_ok=True)

    @property
    def path(self) -> Path:
        """Where `save` writes the result."""
        return self.folder / f"{self.slug}.json"

    # --- pictures and films ---------------------------------------------------------------------------------------

    def image(self, picture: Figure | NDArray[np.uint8], name: str, caption: str, alt: str) -> None:
        """Write and show a figure (as SVG, its text kept as text) or an array (h, w, 3) uint8 (as lossless PNG)."""
        file = self._picture(picture, name)
        self._media.append(Media(file=file, kind="image", caption=caption, alt=alt))
        _show(f"![{alt}]({self._link}/{file})\n\n*{caption}*", f"[{self.folder / self.slug / file}] {caption}")

    def video(
        self, frames: NDArray[np.floating[Any]], name: str, caption: str, alt: str, fps: float = 10, scale_up: int = 4
    ) -> None:
        """Write and show a film of frames (t, 3, h, w) in [0, 1], as H.264 with its first frame as poster.

        A grid of several: `grid(videos)`.
        """
        from reproductions.video import poster, write_image, write_video

        file, still = self._claim_file(f"{name}.mp4"), self._claim_file(f"{name}.png")
        place = self.folder / self.slug
        write_video(place / file, frames, fps, scale_up)
        write_image(place / still, poster(frames, 0, scale_up))
        self._media.append(
            Media(file=file, kind="video", caption=caption, alt=alt, poster=still, frames=len(frames), fps=float(fps))
        )
        source, label = f"{self._link}/{file}", html.escape(alt)
        tag = (
            f'<video controls loop muted playsinline preload="metadata" poster="{self._link}/{still}" src="{source}" '
            f'width="{frames.shape[-1] * scale_up}" aria-label="{label}"></video>\n'
            f"<p><em>{html.escape(caption)}</em></p>"
        )
        _show(tag, f"[{place / file}] {caption}", kind="html")

    def curve(
        self,
        id: str,
        title: str,
        x_label: str,
        y_label: str,
        series: Mapping[str, tuple[Any, ...]],
        caption: str,
        alt: str,
        log_x: bool = False,
    ) -> None:
        """Record lines, name -> (x, y) or (x, y, low, high), as numbers for the site, and show them as a figure."""
        lines = [Series(name=name, **{k: _floats(v) for k, v in zip(("x", "y", "low", "high"), columns, strict=False)})
                 for name, columns in series.items()]  # fmt: skip
        self._curves.append(
            Curve(id=id, title=title, x_label=x_label, y_label=y_label, series=lines, caption=caption, log_x=log_x)
        )
        drawn, axes = figure(height=3.0)
        for number, line in enumerate(lines):
            colour, dashes = COLOURS[number % len(COLOURS)], "-" if number < len(COLOURS) else "--"
            axes[0].plot(line.x, line.y, dashes, color=colour, linewidth=1.6, label=line.name)
            if line.low is not None and line.high is not None:
                axes[0].fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
        axes[0].set_title(title, loc="left")
        axes[0].set(xlabel=x_label, ylabel=y_label, xscale="log" if log_x else "linear")
        drawn.legend(loc="outside right upper", frameon=False)
        file = self._picture(drawn, id)
        _show(f"![{alt}]({self._link}/{file})\n\n*{caption}*", f"[{self.folder / self.slug / file}] {caption}")

    # --- numbers --------------------------------------------------------------------------------------------------

    def measure(
        self,
        id: str,
        subject: str,
        name: str,
        values: Any,
        *,
        unit: str | None = None,
        better: Literal["higher", "lower"] | None = None,
        note: str | None = None,
    ) -> Measure:
        """Record a number: one value per seed, or one alone. The interval is Student's t over the seeds.

        Raises UserError for a value that is not finite: a result file cannot hold it.
        """
        numbers = _finite(f"the measure {id}", values)
        bounds = interval(numbers)
        measure = Measure(
            id=id, subject=subject, name=name, value=float(np.mean(numbers)), values=numbers,
            low=bounds[0] if bounds else None, high=bounds[1] if bounds else None,
            interval=f"95 % t interval over {len(numbers)} seeds" if bounds else None, unit=unit, better=better,
            note=note,
        )  # fmt: skip
        self._measures.append(measure)
        return measure

    def estimate(self, id: str, subject: str, estimate: Estimate, *, name: str | None = None) -> Measure:
        """Record a number that brings its own interval; name: instead of the estimate's."""
        better = None if estimate.better == "neither" else estimate.better
        measure = Measure(
            id=id, subject=subject, name=name or estimate.name, value=estimate.value, values=[estimate.value],
            low=estimate.low, high=estimate.high, unit=estimate.unit or None, better=better,
            interval=None if estimate.low is None else str(estimate.settings["interval"]),
            note="; ".join(estimate.warnings) or None,
        )  # fmt: skip
        self._measures.append(measure)
        return measure

    def claim(
        self,
        id: str,
        *,
        measure: str,
        subject: str,
        baseline_subject: str,
        values: Sequence[float],
        baseline_values: Sequence[float],
        says: Literal["higher", "lower", "equal"],
        margin: float | None = None,
        chance: float = 0.0,
        better: Literal["higher", "lower"] | None = None,
        unit: str | None = None,
    ) -> ClaimResult:
        """Put a claim of the fact file to the test, from one value per seed of the method and of its baseline.

        A study about no single method tests the survey's own claims (survey.yaml) in the same way.

        says: what the claim says of `subject` beside `baseline_subject`: the value is "higher" or "lower" (rule:
        `judge_difference`), or "equal" to within `margin` (rule: `judge_equality`); chance: the value of
        guessing, for "equal"; better: which values are good.
        At scale smoke the verdict is "not judged". Raises UserError for an id that is not in the fact file, another
        number of values than of seeds, a value that is not finite, or a margin without "equal".
        """
        if id not in self._claim_ids:
            raise UserError(f"{self.slug} has no claim {id!r}; {self._claimed_by} has: {', '.join(self._claim_ids)}")
        if (says == "equal") != (margin is not None):
            raise UserError(f"the claim {id}: a margin belongs to says='equal', and to it alone")
        if not len(values) == len(baseline_values) == len(self.seeds):
            raise UserError(f"the claim {id} needs one value per seed ({len(self.seeds)}) of both subjects")
        mine, other = (_finite(f"the claim {id}", v) for v in (values, baseline_values))
        paired = np.subtract(mine, other)
        if margin is None:
            verdict, bounds = judge_difference(paired, higher=says == "higher")
            rule = (
                "held if the 95 % t interval of the difference, paired by seed, lies wholly "
                f"{'above' if says == 'higher' else 'below'} 0; not held if wholly on the other side; else inconclusive"
            )
        else:
            verdict, bounds = judge_equality(values, baseline_values, margin, chance)
            rule = (
                "equivalence, two one-sided tests at 5 %: held if the 90 % t interval of the paired difference "
                f"lies within ±{margin:g}; not held if wholly outside; else inconclusive, also when neither "
                f"subject is more than that above chance ({chance:.3g})"
            )
        value, baseline = float(np.mean(values)), float(np.mean(baseline_values))
        between = f"[{bounds[0]:+.3f}, {bounds[1]:+.3f}]" if bounds else "unknown with one seed"
        reason = (
            f"{subject} reaches {value:.3f} and {baseline_subject} {baseline:.3f}: a difference of "
            f"{paired.mean():+.3f}, interval {between} over {len(paired)} seeds."
        )
        if self.scale == "smoke":
            verdict, reason = "not judged", "Scale smoke generates too little to judge: " + reason
        found = ClaimResult(
            id=id, verdict=verdict, measure=measure, subject=subject, baseline_subject=baseline_subject, value=value,
            baseline=baseline, values=_floats(values), baseline_values=_floats(baseline_values),
            seeds=self.seeds, difference=float(paired.mean()), low=bounds[0] if bounds else None,
            high=bounds[1] if bounds else None, rule=rule, reason=reason, better=better, unit=unit,
        )  # fmt: skip
        self._claims.append(found)
        show(f"**{id}: {verdict}.** {reason}\n\nMeasure: {measure}. Rule: {rule}.")
        return found

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> None:
        """Show a table; floats are rounded to two places."""
        cells = [[f"{c:.2f}" if isinstance(c, float) else str(c) for c in row] for row in rows]
        lines = [heads, ["---"] * len(heads), *cells]
        show("\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n*{caption}*")

    def save(self) -> Path:
        """Write the result and remove media of former runs. Returns the path of the result."""
        place = self.folder / self.slug
        for file in place.iterdir() if place.is_dir() else ():
            if file.is_file() and file.name not in self._files:
                file.unlink()
        result = Result(
            slug=self.slug, title=self.title, scale=self.scale, seed=self.seed, seeds=self.seeds,  # type: ignore[arg-type]
            measures=self._measures, claims=self._claims, curves=self._curves, media=self._media,
        )  # fmt: skip
        write_result(result, self.path)
        return self.path

    def _claim_file(self, file: str) -> str:
        if file in self._files:
            raise UserError(f"the report already has a file {file}; give the second one another name")
        self._files.add(file)
        return file

    def _picture(self, picture: Figure | NDArray[np.uint8], name: str) -> str:
        if isinstance(picture, np.ndarray):
            from reproductions.video import write_image

            file = self._claim_file(f"{name}.png")
            write_image(self.folder / self.slug / file, picture)
            return file
        import matplotlib

        file = self._claim_file(f"{name}.svg")
        # Fixed salt and no date, so that the same figure is the same file.
        with matplotlib.rc_context({**_STYLE, "svg.hashsalt": file}), replacing(self.folder / self.slug / file) as path:
            picture.savefig(path, format="svg", metadata={"Date": None})
        return file


def figure(columns: int = 1, rows: int = 1, width: float = 7.2, height: float = 2.6) -> tuple[Figure, list[Axes]]:
    """An empty figure in the reports' style and its axes, row by row; sizes in inches.

    It is made without pyplot, so that no notebook shows (and embeds) it by itself; `Report.image` shows it.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        return drawn, list(np.ravel(drawn.subplots(rows, columns, squeeze=False)))


def grid(videos: Any, columns: int, gap: int = 2, shade: float = 0.5) -> NDArray[np.float32]:
    """Videos (n, t, 3, h, w) as one (t, 3, H, W), row by row, with `gap` pixels of `shade` around each: by
    default a grey that is neither bright on a dark page nor dark on a bright one.
    """
    array = np.asarray(videos, dtype=np.float32)
    padded = np.pad(array, ((0, 0),) * 3 + ((gap, gap),) * 2, constant_values=shade)
    n, t, c, h, w = padded.shape
    rows = -(-n // columns)
    full = np.full((rows * columns, t, c, h, w), shade, np.float32)
    full[:n] = padded
    return full.reshape(rows, columns, t, c, h, w).transpose(2, 3, 0, 4, 1, 5).reshape(t, c, rows * h, columns * w)


def judge_difference(paired: Any, *, higher: bool) -> tuple[Verdict, tuple[float, float] | None]:
    """The verdict on "better than the baseline", and the 95 % t interval of the paired differences.

    "held": wholly on the claimed side of 0; "not held": wholly on the other side; else "inconclusive".
    """
    bounds = interval(paired, _LEVEL)
    if bounds is None:
        return "inconclusive", None
    above, below = bounds[0] > 0, bounds[1] < 0
    if above or below:
        return ("held" if above == higher else "not held"), bounds
    return "inconclusive", bounds


def judge_equality(
    values: Any, baseline_values: Any, margin: float, chance: float = 0.0
) -> tuple[Verdict, tuple[float, float] | None]:
    """The verdict on "no difference": two one-sided t tests at 5 %, that is, the 90 % t interval against ±margin.

    "held": wholly within the margin; "not held": wholly outside it; else "inconclusive". Two that both fail are equal
    too, but that shows nothing: unless one mean is more than `margin` above `chance`, nothing is held.
    """
    a, b = np.asarray(values, dtype=np.float64), np.asarray(baseline_values, dtype=np.float64)
    bounds = interval(a - b, _TWO_SIDED)
    if bounds is None:
        return "inconclusive", None
    if bounds[0] > margin or bounds[1] < -margin:
        return "not held", bounds
    within = -margin < bounds[0] and bounds[1] < margin
    return ("held" if within and max(a.mean(), b.mean()) > chance + margin else "inconclusive"), bounds


def prefixed(value: float) -> str:
    """A count with a prefix, to three digits: 1.2 T."""
    for prefix, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g}"


def show(text: str) -> None:
    """Show Markdown in a notebook; print it elsewhere."""
    _show(text, text)


def _show(rich: str, plain: str, kind: Literal["markdown", "html"] = "markdown") -> None:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        print(plain + "\n")
        return
    from IPython.display import HTML, Markdown, display

    display(HTML(rich) if kind == "html" else Markdown(rich))


def _finite(what: str, values: Any) -> list[float]:
    numbers = _floats(np.atleast_1d(values))
    if not np.isfinite(numbers).all():
        raise UserError(f"{what} has values that are not finite, {numbers}; leave it out where nothing was measured")
    return numbers


def _floats(values: Any) -> list[float]:
    return [float(value) for value in np.asarray(values, dtype=np.float64)]
