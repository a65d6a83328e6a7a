"""Every claim, of every method and of the survey, with its verdict and the cell of the notebook that judged it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kiloframe.schema import Claim
from kiloframe.web.cells import cell_anchor, claim_cells
from kiloframe.web.markdown import Page, render
from kiloframe.web.verdicts import STATES, Judged, Results, Run, State, interval, state
from kiloframe.web.words import WORDS

__all__ = ["FIELD", "SURVEY", "Entry", "entries", "survey_claims", "write"]

SURVEY = "survey"
"""What stands for a method's slug where the claim is the survey's own."""
FIELD = "level_field"
"""The study whose run puts the survey's claims to the test."""


class Entry(NamedTuple):
    """A claim on the page: whose it is (a slug, or `SURVEY`), by which paradigm it is found, and where it was judged.

    `cell` is the place of the cell on the page of the notebook, None where no run judged the claim.
    """

    slug: str
    name: str
    paradigm: str
    judged: Judged
    run: Run | None
    cell: str | None

    @property
    def anchor(self) -> str:
        """The entry's place on the page."""
        return f"claim-{self.slug}-{self.judged.claim.id}"


def survey_claims(survey: Mapping[str, Any], run: Run | None) -> list[Judged]:
    """The survey's own claims with what the level field's run found about them."""
    found = {outcome.id: outcome for outcome in run[0].claims} if run else {}
    known = [msgspec.convert(claim, Claim) for claim in survey.get("claims", ())]
    return [Judged(claim, found.get(claim.id), state(found.get(claim.id))) for claim in known]


def entries(cat: Any, claims: Mapping[str, Sequence[Judged]], results: Results, field: Run | None) -> list[Entry]:
    """The survey's claims, then those of the methods in the order of the slugs; `field` is the level field's run."""
    out = _entries(SURVEY, "The survey", "", survey_claims(cat.survey, field), field, FIELD)
    for slug, method in cat.methods.items():
        paradigm = method.paradigm.editors.value
        said = "divide-and-conquer temporal-autoregressive both" if paradigm == "both" else paradigm
        out += _entries(slug, method.name, said, claims[slug], results.get(slug), slug)
    return out


def _entries(
    slug: str, name: str, paradigm: str, claims: Sequence[Judged], run: Run | None, notebook: str
) -> list[Entry]:
    cells = claim_cells(run[1] / f"{notebook}.ipynb") if run else {}
    return [
        Entry(
            slug, name, paradigm, item, run,
            cell_anchor(notebook, cells[item.claim.id]) if item.found and item.claim.id in cells else None,
        )
        for item in claims
    ]  # fmt: skip


def _counts(items: Sequence[Entry]) -> list[tuple[State, int]]:
    tally = Counter(entry.judged.state for entry in items)
    return [(kind, tally[kind]) for kind in STATES]


def write(
    cat: Any, claims: Mapping[str, Sequence[Judged]], results: Results, studies: Results, out: Path
) -> list[Path]:
    """Write claims/index.md; returns the files written."""
    found = entries(cat, claims, results, studies.get(FIELD))
    page = Page(
        "claims", "Claims",
        f"All {len(found)} claims of the survey and of the methods of the catalogue that a small experiment can test, "
        "each with our verdict and the numbers behind it.",
        ("interactive.js", "claims.js"), True,
    )  # fmt: skip
    own = [entry for entry in found if entry.slug == SURVEY]
    tested = [entry for entry in found if entry.slug != SURVEY and entry.judged.found]
    rest = [entry for entry in found if entry.slug != SURVEY and not entry.judged.found]
    sections = (
        ("survey", "Of the survey", own),
        ("tested", "Of the methods, put to the test", tested),
        ("not-run", "Of the methods, not run yet", rest),
    )
    return [
        render(
            cat, page, "claims.md.j2", out, sections=sections, counts=_counts(found), total=len(found), words=WORDS,
            interval=interval, field=FIELD if studies.get(FIELD) else None,
        )
    ]  # fmt: skip
