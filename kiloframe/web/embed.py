"""Pieces of a run inside a hand-written page: its films and pictures, its numbers, its date.

<!-- kf:media worlds digits -->             the film or picture `digits` of the run `worlds`
<!-- kf:number worlds digits speed -->      the measure `speed` of the subject `digits`, with its interval
<!-- kf:made worlds -->                     one line: which run all this comes from
<!-- kf:quantities digits -->               the exact measures of a world, as its code describes them
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from kiloframe.web.notebooks import video_tag
from kiloframe.words import refuse

if TYPE_CHECKING:
    from kiloframe.results import Result

__all__ = ["parts"]

_Runs = Mapping[str, "tuple[Result, Path, bool]"]


def parts(runs: _Runs, depth: int) -> dict[str, Callable[..., str]]:
    """The parts that a page `depth` folders below the site's root may ask for, by name.

    Of what was not run yet they say so; a film or number that a run does not hold is an error.
    """
    up = "../" * depth

    def media(slug: str, name: str) -> str:
        if slug not in runs:
            return f"<p>{_absent(slug)}</p>"
        found = {Path(item.file).stem: item for item in runs[slug][0].media}
        if name not in found:
            raise refuse(name, f"picture or film of the run {slug}", sorted(found))
        item = found[name]
        base = f"{up}notebooks/{slug}/{slug}"
        if item.kind == "video":
            shown = video_tag(f"{base}/{item.file}", f"{base}/{item.poster}" if item.poster else None, item.alt)
        else:
            shown = f'<img src="{base}/{escape(item.file)}" alt="{escape(item.alt)}" loading="lazy">'
        return f'<figure class="kf-media">{shown}<figcaption>{escape(item.caption)}</figcaption></figure>'

    def number(slug: str, subject: str, id: str) -> str:
        if slug not in runs:
            return _absent(slug)
        found = {(item.subject, item.id): item for item in runs[slug][0].measures}
        if (subject, id) not in found:
            raise refuse(f"{subject} {id}", f"measure of the run {slug}", sorted(map(" ".join, found)))
        item = found[subject, id]
        unit = f" {item.unit}" if item.unit else ""
        spread = f" ({item.low:.3g} to {item.high:.3g}, {item.interval})" if item.low is not None else ""
        return escape(f"{item.value:,.3g}{unit}{spread}" if abs(item.value) < 1000 else f"{item.value:,.0f}{unit}")

    def made(slug: str) -> str:
        if slug not in runs:
            return f"<p>{_absent(slug)}</p>"
        result = runs[slug][0]
        page = f'<a href="{up}notebooks/{slug}/index.html">the executed notebook</a>'
        when = result.created.split("T")[0]
        return (
            f'<p class="kf-made">All of it was computed by {page} on {escape(when)} ({escape(result.machine)}); '
            f"make it again with <code>{escape(result.command)}</code>.</p>"
        )

    return {"media": media, "number": number, "made": made, "quantities": _quantities}


def _quantities(world: str) -> str:
    from reproductions import worlds
    from reproductions.measures.exact import quantities

    if world not in worlds.NAMES:
        raise refuse(world, "world", worlds.NAMES)
    rows = "".join(
        f'<tr><th scope="row">{escape(q.name)}</th><td>{escape(q.unit)}, {q.better} is better</td>'
        f'<td class="kf-long">{_code(escape(q.about))}</td></tr>'
        for q in quantities(world)
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Measure", "Unit", "What counts, and what does not"))
    return (
        f'<details class="kf-quantities"><summary>What is measured exactly in {world}</summary>'
        f'<div class="kf-wrap" tabindex="0" role="region" aria-label="Exact measures of {world}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _code(text: str) -> str:
    """What stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


def _absent(slug: str) -> str:
    return f'<span class="kf-unknown">not run yet; type <code>kiloframe run {escape(slug)}</code></span>'
