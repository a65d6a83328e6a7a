"""Who says a value, where it stands and how it was seen: for one field, and for every value of a record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET, Struct, to_builtins

from kiloframe.errors import UserError
from kiloframe.words import fold, nearest

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue

__all__ = ["Explanation", "Provenance", "explain", "values"]

PROVENANCE = ("locator", "seen")


class Provenance(NamedTuple):
    """Where a value stands, how it was seen (primary, secondary or memory), whose reading it is, and the reason."""

    locator: str | None = None
    seen: str | None = None
    by: str | None = None
    why: str | None = None


class Explanation(NamedTuple):
    """One value and its provenance. `value` is a number, text, or for a whole entry plain lists and dictionaries.

    `locator` is the place it stands, or for a value without one of its own the record's sources; `seen` is how it was
    seen; `by` says whose reading it is where readings differ; `why` gives the reason. None: unknown or none.
    """

    slug: str
    field: str
    value: Any
    locator: str | None
    seen: str | None
    by: str | None
    why: str | None


def values(record: Struct) -> Iterator[tuple[str, Any, Provenance]]:
    """Every single value of a record as (field, value, provenance), in the order of the file.

    Fields are paths (`longest_shown.frames`, `results[3].value`). A value inherits the provenance of the entry that
    holds it; where there is none it is empty. Unknown values (None) are included where their entry has a locator.
    """
    for name in record.__struct_fields__:
        if name != "slug":
            yield from _values(getattr(record, name), name, Provenance())


def _values(value: Any, path: str, known: Provenance) -> Iterator[tuple[str, Any, Provenance]]:
    if isinstance(value, Struct):
        known = _provenance(value) or known
        for name in value.__struct_fields__:
            if name not in PROVENANCE or not hasattr(value, "locator"):
                yield from _values(getattr(value, name), f"{path}.{name}", known)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _values(inner, f"{path}.{key}", known)
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from _values(inner, f"{path}[{i}]", known)
    elif value is not UNSET and (value is not None or known.locator):
        yield path, value, known


def _provenance(entry: Any) -> Provenance | None:
    """What an entry itself says of where it comes from; None where it says nothing."""
    fields = getattr(entry, "__struct_fields__", ())
    if "locator" in fields:
        why = getattr(entry, "why", None)
        return Provenance(entry.locator, getattr(entry, "seen", None), getattr(entry, "by", None), why)
    if {"by", "rule", "why"} <= set(fields):  # membership
        return Provenance(None, None, entry.by, entry.why or entry.rule)
    if {"value", "date", "note"} <= set(fields):  # status of the code
        return Provenance(f"looked at on {entry.date}", None, None, entry.note)
    return None


def explain(cat: Catalogue, slug: str, field: str) -> Explanation:
    """See `Catalogue.explain`."""
    record = _record(cat, slug)
    path, value, known = _walk(record, field)
    own = _provenance(value)
    known = own or known
    if path in ("paradigm", "generator") and hasattr(value, "editors"):
        value, known = _reading(value)
    if known.locator is None:
        known = known._replace(locator=_sources(record))
    return Explanation(record.slug, path, _plain(value), *known)


def _record(cat: Catalogue, slug: str) -> Any:
    for records in (cat.methods, cat.datasets, cat.metrics):
        if slug in records:
            return records[slug]
    known = [*cat.methods, *cat.datasets, *cat.metrics]
    near = nearest(slug, known)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise UserError(f"{slug!r} is not in the catalogue{hint}; methods: {', '.join(cat.methods)}")


def _walk(record: Any, field: str) -> tuple[str, Any, Provenance]:
    """Follow a path through a record: the path as we spell it, the value, and the provenance on the way."""
    value, path, known = record, "", Provenance()
    for step in _steps(field, record):
        known = _provenance(value) or known
        here = _choices(value)
        name = next((name for name in here if name == step), None)
        name = name or next((name for name in here if fold(name) == fold(step)), None)
        if name is None:
            raise _unknown(record.slug, field, step, path, list(here))
        value = here[name]
        path += name if name.startswith("[") else f".{name}" if path else name
    return path, value, known


def _steps(field: str, record: Any) -> list[str]:
    """`results[3].value` as ["results", "[3]", "value"]."""
    steps = [step for step in field.strip().replace("[", ".[").split(".") if step]
    if not steps:
        raise _unknown(record.slug, field, field, "", list(_choices(record)))
    return [f"[{step}]" if step.isdigit() else step for step in steps]


def _choices(value: Any) -> dict[str, Any]:
    """What can follow in a path: field names, keys, indices, and for entries with a name of their own that name."""
    if isinstance(value, Struct):
        return {name: v for name in value.__struct_fields__ if (v := getattr(value, name)) is not UNSET}
    if isinstance(value, dict):
        return {str(key): inner for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        found = {f"[{i}]": inner for i, inner in enumerate(value)}
        for inner in value:
            name = getattr(inner, "id", None) or getattr(inner, "ref", None)
            if isinstance(name, str):
                found.setdefault(name, inner)
        return found
    return {}


def _unknown(slug: str, field: str, step: str, path: str, allowed: list[str]) -> UserError:
    where = f"{slug}, {path}" if path else slug
    if not allowed:
        return UserError(f"{where} has no field {step!r}: it is a single value; ask for {path}")
    near = nearest(step, allowed)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    if all(name.startswith("[") for name in allowed):
        return UserError(f"{where} has no entry {step!r}; it has [0] to [{len(allowed) - 1}]")
    return UserError(f"{where} has no field {step!r}{hint}; allowed: {', '.join(allowed)}")


def _reading(value: Any) -> tuple[Any, Provenance]:
    """The editors' reading; where the survey reads it otherwise or not at all, the reason says so."""
    known = _provenance(value.editors)
    assert known is not None
    if value.survey is None:
        other = "the survey puts it under no heading of this kind"
    elif value.survey.value == value.editors.value:
        other = f"the survey reads it so too ({value.survey.locator})"
    else:
        read = value.survey.value if isinstance(value.survey.value, str) else ", ".join(value.survey.value)
        other = f"the survey reads it as {read} ({value.survey.locator})"
    return value.editors.value, known._replace(why=f"{known.why}; {other}" if known.why else other)


def _sources(record: Any) -> str:
    """The record's sources in one line, for values that have no place of their own."""
    told = [source.what + (f" ({source.url})" if source.url else "") for source in record.sources]
    return "no place of its own; the record rests on: " + "; ".join(told)


def _plain(value: Any) -> Any:
    """Plain lists and dictionaries, without the provenance that stands beside them."""
    plain = to_builtins(value)
    if isinstance(value, Struct) and "locator" in value.__struct_fields__:
        return {key: inner for key, inner in plain.items() if key not in PROVENANCE}
    return plain
