"""Every page that is made from facts and results, written in one go.

written = write_all(kiloframe.load(), {"fdm": (result, folder, True)}, Path("build/docs"))
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from kiloframe.web import api, choose, claims, compare, datasets, explorer, level_field, llms, methods, metrics, survey
from kiloframe.web.verdicts import Results, judged

__all__ = ["Written", "write_all"]


class Written(NamedTuple):
    """The files written, and the Markdown pages by section of the navigation, index page first."""

    paths: list[Path]
    nav: dict[str, list[str]]


def write_all(cat: Any, results: Results, out: Path, studies: Results | None = None) -> Written:
    """Write all pages of facts as Markdown below `out`, and the JSON of every record below `out`/api/v1.

    `results` maps a method's slug to its result, the folder it lies in, and whether it is frozen; `studies` does so
    for the notebooks that are about no single method. Every page is a folder with an index.md. The same facts and
    results give the same bytes.
    """
    from kiloframe.cite import bibtex

    citations = {slug: bibtex(method, cat) for slug, method in cat.methods.items()}
    found = {slug: judged(method, results.get(slug)) for slug, method in cat.methods.items()}
    sections = {
        "Methods": methods.write(cat, results, citations, out),
        "Data sets": datasets.write(cat, out),
        "Metrics": metrics.write(cat, out),
        "The survey": survey.write(cat, out),
        "Claims": claims.write(cat, found, results, studies or {}, out),
        "Choose": choose.write(cat, out),
        "Level field": level_field.write(cat, studies or {}, out),
        "Compare": compare.write(cat, found, out),
        "API": api.write_page(cat, {**results, **(studies or {})}, out),
    }
    data = api.write(cat, {**results, **(studies or {})}, out)
    data += explorer.write(cat, found, citations, out)
    data += llms.write(cat, results, out)
    nav = {
        title: [path.relative_to(out).as_posix() for path in paths if path.suffix == ".md"]
        for title, paths in sections.items()
    }
    return Written([path for paths in sections.values() for path in paths] + data, nav)
