"""Finding the survey's slips that concern a row of its tables, and comparing printed quantities with facts."""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["Slip", "same_quantity", "slips_of"]

Slip = dict[str, Any]
_ROW = re.compile(r"Table (\d) row ([^;,]+)")
_AMOUNT = re.compile(r"(\d+(?:[.,]\d+)*)\s*(billion|million|thousand|[kKMB]\b)?")
_TIMES = {"billion": 1e9, "B": 1e9, "million": 1e6, "M": 1e6, "thousand": 1e3, "k": 1e3, "K": 1e3}


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def slips_of(survey: dict[str, Any], table: int, slug: str, name: str) -> list[Slip]:
    """The survey's slips about the row of Table `table` that stands for the record `slug`."""
    found = []
    initials = "".join(word[0] for word in slug.split("_"))
    for slip in survey["errors"]:
        for number, row in _ROW.findall(slip["where"]):
            words = _letters(row)
            if int(number) == table and (words in (_letters(slug), _letters(name), initials) or _starts(slug, words)):
                found.append(slip)
                break
    return found


def _starts(slug: str, words: str) -> bool:
    """Whether `words` is the first word or words of the slug ("bair" of "bair_robot_pushing")."""
    parts = slug.split("_")
    return any("".join(parts[:count]) == words for count in range(1, len(parts)))


def amounts(text: str) -> list[float]:
    """The numbers in a text, with "million", "k" and the like multiplied out."""
    return [float(digits.replace(",", "")) * _TIMES.get(times, 1.0) for digits, times in _AMOUNT.findall(text)]


def same_quantity(printed: str, fact: str) -> bool:
    """Whether all numbers printed stand among those of the fact (sizes like 256x256 in both directions)."""
    theirs, ours = amounts(printed), amounts(fact)
    return bool(theirs) and all(any(math.isclose(a, b, rel_tol=1e-9) for b in ours) for a in theirs)
