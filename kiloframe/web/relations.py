"""How a method stands among the others, computed from the facts: neighbours, differences in a line, place by length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kiloframe.filters import used
from kiloframe.lengths import longest
from kiloframe.schema import Method
from kiloframe.web.markdown import number
from kiloframe.web.words import WORDS

__all__ = ["Neighbour", "Place", "difference", "measured_by", "nearest", "neighbours", "place"]


class Neighbour(NamedTuple):
    """Another method with the reason it is listed and how it differs, each a few words."""

    slug: str
    why: str
    differs: str


class Place(NamedTuple):
    """Where a method's longest shown video stands among all that are known in the same unit, 1 the longest."""

    rank: int
    known: int
    unit: str


def _words(values: Sequence[str]) -> str:
    return ", ".join(WORDS.get(value, value) for value in values)


def _new(theirs: Sequence[str], ours: Sequence[str]) -> list[str]:
    return [value for value in theirs if value not in ours and value != "none"]


def difference(method: Method, other: Method, names: Mapping[str, str]) -> str:
    """How `other` differs from `method`, in one line: what both share, then what is otherwise there.

    `names` maps the slugs of data sets to their names. What neither record knows is not mentioned.
    """
    shared, apart = [], []
    ours, theirs = method.paradigm.editors.value, other.paradigm.editors.value
    if "both" in (ours, theirs) and ours != theirs and "other" not in (ours, theirs):
        one = theirs if ours == "both" else ours
        shared.append(WORDS[one])
        apart.append("not the other paradigm too" if ours == "both" else "also the other paradigm")
    elif ours == theirs:
        shared.append(WORDS[ours])
    else:
        apart.append(WORDS[theirs] if "other" in (ours, theirs) else f"{WORDS[theirs]} instead of {WORDS[ours]}")
    made, there = method.generator.editors.value, other.generator.editors.value
    if set(made) == set(there):
        shared.append(_words(there))
    elif set(made) & set(there):
        shared.append(_words([value for value in there if value in made]))
        apart += [f"also {_words(more)}"] if (more := _new(there, made)) else []
        apart += [f"no {_words(less)}"] if (less := _new(made, there)) else []
    else:
        apart.append(f"{_words(there)} instead of {_words(made)}")
    both = [slug for slug in used(other, "datasets") if slug in used(method, "datasets")]
    shared += [names.get(slug, slug) for slug in both[:3]] + ([f"{len(both) - 3} more data sets"] if both[3:] else [])
    more, less = (_new(a.control_signals, b.control_signals) for a, b in ((other, method), (method, other)))
    apart += [f"takes {_words(more)}"] if more else []
    apart += [f"takes no {_words(less)}"] if less else []
    apart += _length(method, other)
    if other.first_public != method.first_public:
        apart.append(f"{'earlier' if other.first_public < method.first_public else 'later'} ({other.first_public})")
    return "; ".join([f"same: {', '.join(shared)}" if shared else "shares none of these facts", *apart])


def _length(method: Method, other: Method) -> list[str]:
    """The longest shown video of the other against that of the method, in a unit that both know."""
    ours, theirs = longest(method, shown=True), longest(other, shown=True)
    for unit, short in (("frames", "frames"), ("seconds", "s")):
        here, there = getattr(ours, unit), getattr(theirs, unit)
        if here is not None and there is not None:
            return [f"shows {number(there)} {short} (here {number(here)})"] if here != there else []
    return []


def _closeness(method: Method, other: Method) -> int:
    """How much two records share: paradigm and generator count most, then data sets and control signals."""
    generators = set(method.generator.editors.value) & set(other.generator.editors.value)
    signals = set(method.control_signals) & set(other.control_signals) - {"none"}
    both = set(used(method, "datasets")) & set(used(other, "datasets"))
    return (
        3 * (method.paradigm.editors.value == other.paradigm.editors.value)
        + 3 * bool(generators)
        + 2 * min(len(both), 3)
        + bool(signals)
    )


def nearest(method: Method, methods: Mapping[str, Method], among: list[str], many: int) -> list[str]:
    """The slugs out of `among` whose records share most with the method's, closest first; ties by date, then name."""

    def apart(slug: str) -> int:
        (year, month), (own, own_month) = (map(int, m.first_public.split("-")) for m in (methods[slug], method))
        return abs((year - own) * 12 + month - own_month)

    others = [slug for slug in among if slug != method.slug and _closeness(method, methods[slug]) > 0]
    return sorted(others, key=lambda slug: (-_closeness(method, methods[slug]), apart(slug), slug))[:many]


def neighbours(
    method: Method, methods: Mapping[str, Method], named_by: list[str], names: Mapping[str, str], many: int = 3
) -> list[Neighbour]:
    """Those the record names, those whose records name it (`named_by`), then the `many` closest of the rest."""
    refs = [pointer.ref for pointer in method.related if pointer.ref and pointer.ref != method.slug]
    named = [ref for ref in dict.fromkeys(refs) if ref in methods]
    named_by = [slug for slug in named_by if slug not in named]
    rest = [slug for slug in methods if slug not in {*named, *named_by, method.slug}]
    listed = [(slug, "named by this record") for slug in named]
    listed += [(slug, "names this one") for slug in named_by]
    listed += [(slug, "close by its facts") for slug in nearest(method, methods, rest, many)]
    return [Neighbour(slug, why, difference(method, methods[slug], names)) for slug, why in listed]


def place(method: Method, methods: Mapping[str, Method]) -> Place | None:
    """The rank of the longest video the method shows, in frames or else in seconds; None where neither is known."""
    own = longest(method, shown=True)
    for unit in ("frames", "seconds"):
        value = getattr(own, unit)
        if value is not None:
            all_of_them = [getattr(longest(other, shown=True), unit) for other in methods.values()]
            known = [length for length in all_of_them if length is not None]
            return Place(1 + sum(length > value for length in known), len(known), unit)
    return None


def measured_by(method: Method, methods: Mapping[str, Method]) -> list[str]:
    """The methods whose papers report numbers of this one, as a system they compare with."""
    return [
        slug
        for slug, other in methods.items()
        if slug != method.slug and any(result.system == method.slug for result in other.results)
    ]
