"""What our runs found about the claims of a method: read from the results of the checkout around this package."""

from __future__ import annotations

from collections import Counter

from kiloframe.errors import UserError
from kiloframe.schema import Method

__all__ = ["VERDICTS", "summary", "verdicts"]

VERDICTS = ("held", "not-held", "inconclusive", "not-judged", "not-run")


def verdicts(method: Method, *, missing_ok: bool = False) -> dict[str, str]:
    """Every claim of the method by id, with its verdict out of `VERDICTS`; "not-run" where no run tested it.

    Raises UserError where there is no checkout, and so no results, or where the method's result is damaged; with
    `missing_ok` the answer is empty then.
    """
    from kiloframe.sources import latest_result  # late: most questions do not ask for verdicts

    try:
        run = latest_result(method.slug)
    except UserError:
        if missing_ok:
            return {}
        raise
    found = {claim.id: claim.verdict.replace(" ", "-") for claim in run[0].claims} if run else {}
    return {claim.id: found.get(claim.id, "not-run") for claim in method.claims}


def summary(method: Method) -> str | None:
    """How many claims have which verdict ("2 held, 1 not run"), None where that cannot be told."""
    tally = Counter(verdicts(method, missing_ok=True).values())
    words = [f"{tally[verdict]} {verdict.replace('-', ' ')}" for verdict in VERDICTS if tally[verdict]]
    return ", ".join(words) or None
