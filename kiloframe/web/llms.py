"""llms.txt: what the site holds, in plain Markdown for programs that read text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kiloframe.files import write_atomically
from kiloframe.web.markdown import plain
from kiloframe.web.verdicts import Results

__all__ = ["absolute", "write"]

_LINK = re.compile(r"\]\((?![a-z]+:)")


def write(cat: Any, results: Results, out: Path) -> list[Path]:
    """Write llms.txt below `out`, with relative addresses. Returns the files written."""
    definition = cat.survey["definition_of_long_video"]
    lines = [
        "# kiloframe",
        "",
        f"> The catalogue of long video generation that you can run: {len(cat.methods)} methods as sourced facts, "
        f"{len(results)} of them with a minimal PyTorch reproduction and an executed notebook.",
        "",
        'It follows the survey "A Survey on Long Video Generation: Challenges, Methods, and Prospects" (Li et al., '
        f"arXiv 2403.16407), which calls a video long above {definition['frames_threshold']} frames or "
        f"{definition['seconds_threshold']} seconds. Every value names its source; unknown is null. Facts and texts "
        "are CC BY 4.0, code MIT.",
        "",
        "## Data",
        "",
        "- [All endpoints](api/v1/index.json): what there is as static JSON",
        "- [All methods](api/v1/methods.json), [data sets](api/v1/datasets.json), [metrics](api/v1/metrics.json), "
        "[runs](api/v1/results.json), [the survey](api/v1/survey.json), [citations](api/v1/references.json)",
        "- [What the JSON means](api/json/index.html)",
        "",
        "## Methods",
        "",
        *_records(cat.methods, "methods", lambda method: f"{method.title}. {method.distinguishing}"),
        "",
        "## Runs",
        "",
        *(
            f"- [{_words(result.title)}](api/v1/results/{slug}.json): {_verdicts(result)}"
            for slug, (result, _, _) in sorted(results.items())
        ),
        "",
        "## Data sets",
        "",
        *_records(cat.datasets, "datasets", lambda dataset: dataset.full_name),
        "",
        "## Metrics",
        "",
        *_records(cat.metrics, "metrics", lambda metric: metric.paper.title),
    ]
    write_atomically(out / "llms.txt", "\n".join(lines) + "\n")
    return [out / "llms.txt"]


def _records(records: Any, kind: str, said: Any) -> list[str]:
    return [
        f"- [{_words(record.name)}](api/v1/{kind}/{slug}.json): {_words(said(record))}"
        for slug, record in records.items()
    ]


def _words(text: str) -> str:
    return plain(text).replace("[", "(").replace("]", ")")


def _verdicts(result: Any) -> str:
    return "; ".join(f"{claim.id} {claim.verdict}" for claim in result.claims) or "no claims tested"


def absolute(text: str, site_url: str) -> str:
    """The text with its addresses below that of the site."""
    return _LINK.sub(f"]({site_url.rstrip('/')}/", text)
