"""The conditions of `cat.methods.where`: from what a user typed to a test of one method, or None for no filter."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Callable, Collection
from typing import Any, get_args

from kiloframe import schema
from kiloframe.errors import UserError
from kiloframe.lengths import longest
from kiloframe.schema import Method
from kiloframe.verdicts import VERDICTS, verdicts
from kiloframe.words import choose

__all__ = [
    "code", "control", "generator", "has_reproduction", "length", "membership", "paradigm", "reproduction", "searched",
    "text", "used", "uses", "verdict", "year",
]  # fmt: skip

Test = Callable[[Method], bool]
READINGS = ("editors", "survey")


def _many(value: Any) -> list[Any]:
    """One value or several, as a list."""
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def _reading(by: str) -> str:
    (reading,) = choose([by], "reading (by)", READINGS)
    return reading


def paradigm(value: Any, by: str) -> Test | None:
    """By paradigm in the editors' or the survey's reading; a method that is `both` matches either."""
    reading = _reading(by)
    if value is None:
        return None
    wanted = choose(_many(value), "paradigm", get_args(schema.Paradigm))
    if wanted & {"divide-and-conquer", "temporal-autoregressive"}:
        wanted |= {"both"}

    def test(method: Method) -> bool:
        said = method.paradigm.editors if reading == "editors" else method.paradigm.survey
        return said is not None and said.value in wanted

    return test


def generator(value: Any, by: str) -> Test | None:
    """By generator type in the editors' or the survey's reading; a method with several matches each."""
    reading = _reading(by)
    if value is None:
        return None
    wanted = choose(_many(value), "generator", get_args(schema.Generator))

    def test(method: Method) -> bool:
        said = method.generator.editors if reading == "editors" else method.generator.survey
        return said is not None and not wanted.isdisjoint(said.value)

    return test


def uses(value: Any, what: str, field: str, known: Collection[str]) -> Test | None:
    """By data set or metric: a reference in the method's list or in one of its results."""
    if value is None:
        return None
    wanted = choose(_many(value), what, known)
    return lambda method: not wanted.isdisjoint(used(method, field))


def used(method: Method, field: str) -> list[str]:
    """The slugs of the `datasets` or `metrics` a method lists or reports a result with, sorted."""
    in_result = field.removesuffix("s")
    listed = {entry.ref for entry in getattr(method, field)}
    reported = {entry.ref for entry in (getattr(row, in_result) for row in method.results) if entry is not None}
    return sorted(ref for ref in listed | reported if ref is not None)


def control(value: Any) -> Test | None:
    """By control signal."""
    if value is None:
        return None
    wanted = choose(_many(value), "control signal", get_args(schema.Control))
    return lambda method: not wanted.isdisjoint(method.control_signals)


def membership(value: Any) -> Test | None:
    """By who put the method in: the survey's text or the editors."""
    if value is None:
        return None
    wanted = choose(_many(value), "membership", get_args(schema.MembershipBy))
    return lambda method: method.membership.by in wanted


def code(value: Any) -> Test | None:
    """By status of the authors' code."""
    if value is None:
        return None
    wanted = choose(_many(value), "code status", get_args(schema.CodeState))
    return lambda method: method.code_status.value in wanted


def length(unit: str, low: Any, high: Any, shown: bool) -> Test | None:
    """By length in frames or seconds, bounds included; unknown never matches."""
    for name, bound in ((f"min_{unit}", low), (f"max_{unit}", high)):
        number = isinstance(bound, (int, float)) and not isinstance(bound, bool)
        if bound is not None and not (number and math.isfinite(bound) and bound >= 0):
            raise UserError(f"{name} is {bound!r}; it takes a number from 0 up, for example {name}=100")
    if not isinstance(shown, bool):
        raise UserError(f"shown is {shown!r}; it takes True (longest shown) or False (what the paper calls long)")
    if low is None and high is None:
        return None

    def test(method: Method) -> bool:
        value = getattr(longest(method, shown), unit)
        return value is not None and (low is None or value >= low) and (high is None or value <= high)

    return test


def year(value: Any) -> Test | None:
    """By year of first publication: 2022, "2022-2023", or a list of these."""
    if value is None:
        return None
    spans = [_span(entry) for entry in _many(value)]
    return lambda method: any(low <= int(method.first_public[:4]) <= high for low, high in spans)


def _span(value: Any) -> tuple[int, int]:
    parts = [part.strip() for part in str(value).replace("\N{EN DASH}", "-").split("-")]
    if isinstance(value, bool) or len(parts) > 2 or not all(p.isascii() and p.isdigit() and len(p) == 4 for p in parts):
        raise UserError(f"year is {value!r}; it takes a year such as 2023 or a span such as 2022-2023")
    low, high = int(parts[0]), int(parts[-1])
    if low > high:
        raise UserError(f"year is {value!r}; a span runs from the earlier year to the later: {high}-{low}")
    return low, high


def text(value: Any) -> Test | None:
    """By words that must all occur."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise UserError(f"text is {value!r}; it takes words, for example text='temporal attention'")
    words = [plain for word in value.split() if (plain := _plain(word))]
    if not words:
        return None

    def test(method: Method) -> bool:
        haystack = searched(method)
        return all(word in haystack for word in words)

    return test


def searched(method: Method) -> str:
    """All the text of a method that is searched, as it is compared: see `_plain`."""
    return _plain("\n".join(_searched(method)))


def _searched(method: Method) -> list[str]:
    found = [method.slug, method.name, method.title, *method.authors, method.arxiv or "", method.venue or ""]
    found += [method.mechanism, method.distinguishing]
    for claim in method.claims:
        found += [claim.id, claim.says, claim.number or ""]
    if method.survey is not None:
        found += [method.survey.says, method.survey.cited_as, method.survey.cite_key]
    return found


def _plain(text: str) -> str:
    """Lower case, without accents; hyphens, underscores and line breaks are blanks (`coarse-to-fine`)."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
    return " ".join(text.lower().replace("_", " ").replace("-", " ").split())


def reproduction(value: Any) -> Test | None:
    """By whether there is an implementation in reproductions/methods."""
    if value is None:
        return None
    if not isinstance(value, bool):
        raise UserError(f"reproduction is {value!r}; it takes True or False")
    return lambda method: has_reproduction(method.slug) is value


def has_reproduction(slug: str) -> bool:
    """Whether reproductions/methods/<slug>.py lies beside this package; reproductions is not imported."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return os.path.isfile(os.path.join(top, "reproductions", "methods", f"{slug}.py"))


def verdict(value: Any) -> Test | None:
    """By what our runs found about any claim of the method; raises UserError where there are no results to read."""
    if value is None:
        return None
    wanted = choose(_many(value), "verdict", VERDICTS)
    return lambda method: not wanted.isdisjoint(verdicts(method).values())
