"""The catalogue as documented tables: what `cat.sql`, `cat.frame`, `kiloframe sql` and the exports read.

Records stay whole in JSON; here they are flat. Every number keeps `locator` (the place it stands) and `seen` (primary,
secondary or memory) beside it. Empty is unknown or not applicable. `TABLES` documents each table and column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from kiloframe import method_tables
from kiloframe.columns import METHOD, PLACE, Column, columns, text_of
from kiloframe.explain import values
from kiloframe.words import choose

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue

__all__ = ["TABLES", "Column", "Table", "table_named"]

Row = tuple[Any, ...]


class Table(NamedTuple):
    """A table: its name, what one row is, its columns, and `make`, which yields its rows.

    `method` names the column that holds the slug of a method, None where rows do not belong to methods.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    make: Callable[[Catalogue], Iterator[Row]]
    method: str | None = None

    def rows(self, cat: Catalogue) -> list[Row]:
        """All rows, in the order of the records; each as long as `columns`."""
        return list(self.make(cat))


def table_named(name: str) -> Table:
    """The table of that name. Raises UserError with the nearest matches and all tables for an unknown one."""
    (found,) = choose([name], "table", TABLES)
    return TABLES[found]


# --- data sets and metrics --------------------------------------------------------------------------------------

_FACT_NAMES = (
    "videos", "clips", "total_hours", "mean_clip_seconds", "fps", "native_resolution", "splits", "classes", "captions",
)  # fmt: skip

_DATASETS = columns(
    """
    slug         text*    the data set's one name
    name         text     short
    full_name    text     in full
    year         integer  of publication
    paper_title  text     of its paper
    arxiv        text     arXiv id
    url          text     home page
    license      text     terms of use as far as seen
    withdrawn    integer  1: its owners took it down
    """
    + "\n".join(f"{name} text a number or words; its place is in table facts" for name in _FACT_NAMES)
    + """
    typical_use  text     what it is used for
    confidence   text*    high, medium or low
    """
)


def _datasets(cat: Catalogue) -> Iterator[Row]:
    for d in cat.datasets.values():
        facts = [text_of(fact.value) if (fact := getattr(d.facts, name)) else None for name in _FACT_NAMES]
        yield (
            d.slug, d.name, d.full_name, d.year, d.paper.title, d.paper.arxiv, d.url, d.license.terms,
            int(d.license.withdrawn), *facts, d.typical_use, d.confidence,
        )  # fmt: skip


_METRICS = columns("""
    slug         text*    the metric's one name
    name         text     as it is written
    level        text*    image, video, text or human
    direction    text     which way is better
    range        text     of its values
    paper_title  text     of its paper
    year         integer  of its paper
    arxiv        text     arXiv id of its paper
    samples      text     minimal protocol: how many samples
    frames       text     minimal protocol: how many frames
    report       text     minimal protocol: what to report
    confidence   text*    high, medium or low
""")


def _metrics(cat: Catalogue) -> Iterator[Row]:
    for x in cat.metrics.values():
        least = x.minimal_protocol
        yield (
            x.slug, x.name, x.level, x.direction, x.range, x.paper.title, x.paper.year, x.paper.arxiv, least.samples,
            text_of(least.frames), least.report, x.confidence,
        )  # fmt: skip


# --- every value, sources, notes --------------------------------------------------------------------------------

_FACTS = columns("""
    kind     text*  method, dataset or metric
    slug     text*  of the record
    field    text   path in the record, for example longest_shown.frames or results[3].value
    value    text   as text; empty: known to be unknown
    locator  text   where it stands; empty: see table sources
    seen     text*  primary, secondary or memory
    by       text*  whose reading it is, where readings differ
    why      text   the reason
""")


def _records(cat: Catalogue) -> Iterator[tuple[str, Any]]:
    for kind, records in (("method", cat.methods), ("dataset", cat.datasets), ("metric", cat.metrics)):
        for record in records.values():
            yield kind, record


def _facts(cat: Catalogue) -> Iterator[Row]:
    for kind, record in _records(cat):
        for field, value, known in values(record):
            yield kind, record.slug, field, _value(value), *known


def _value(value: Any) -> str | None:
    return str(value).lower() if isinstance(value, bool) else text_of(value)


def _sources(cat: Catalogue) -> Iterator[Row]:
    for kind, record in _records(cat):
        for source in record.sources:
            yield kind, record.slug, source.what, source.url, source.read


def _notes(cat: Catalogue) -> Iterator[Row]:
    for kind, record in _records(cat):
        for about, texts in (("pitfall", record.pitfalls), ("open question", record.open_questions)):
            for text in texts:
                yield kind, record.slug, about, text


# --- the survey -------------------------------------------------------------------------------------------------


def _table1(cat: Catalogue) -> Iterator[Row]:
    for d in cat.datasets.values():
        row = d.survey_table1
        if row is not None:
            yield d.slug, d.name, row.quantity, row.duration, row.style, row.resolution


def _table2(cat: Catalogue) -> Iterator[Row]:
    for x in cat.metrics.values():
        row = x.survey_table2
        if row is not None:
            yield x.slug, x.name, row.category, row.description, row.discrepancy_dimension


def _errors(cat: Catalogue) -> Iterator[Row]:
    for row in cat.survey["errors"]:
        yield tuple(row.get(key) for key in ("id", "where", "printed", "correct", "evidence", "status", "severity"))


def _table(name: str, doc: str, about: tuple[Column, ...] | str, make: Any, method: str | None = None) -> Table:
    return Table(name, doc, columns(about) if isinstance(about, str) else about, make, method)


_ANY = "kind text* method, dataset or metric\nslug text* of the record"
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table("methods", "one row per method", method_tables.METHODS, method_tables.methods, "slug"),
        _table("results", "one row per published number", method_tables.RESULTS, method_tables.results, "method"),
        _table(
            "claims",
            "one row per claim of a paper that can be tested at toy scale",
            method_tables.CLAIMS,
            method_tables.claims,
            "method",
        ),
        _table("datasets", "one row per data set", _DATASETS, _datasets),
        _table("metrics", "one row per metric", _METRICS, _metrics),
        _table(
            "method_datasets",
            "which method uses which data set, for what",
            f"{METHOD}\ndataset text* slug\ntext text the source's words\nrole text* train, eval or both\n{PLACE}",
            method_tables.method_datasets,
            "method",
        ),
        _table(
            "method_metrics",
            "which method reports which metric",
            f"{METHOD}\nmetric text* slug\ntext text the source's words\n{PLACE}",
            method_tables.method_metrics,
            "method",
        ),
        _table(
            "method_generators",
            "generator types, in both readings",
            method_tables.METHOD_GENERATORS,
            method_tables.method_generators,
            "method",
        ),
        _table(
            "method_controls",
            "what steers which method",
            f"{METHOD}\ncontrol text* control signal",
            method_tables.method_controls,
            "method",
        ),
        _table(
            "related",
            "works named as related to a method",
            f"{METHOD}\nrelated text* slug of another method\ntext text a work without a record, or words",
            method_tables.related,
            "method",
        ),
        _table(
            "survey_mentions",
            "where and how the survey speaks of a method",
            method_tables.MENTIONS,
            method_tables.mentions,
            "method",
        ),
        _table("facts", "every single value of every record, with its provenance", _FACTS, _facts),
        _table(
            "sources",
            "what the editors read for each record",
            f"{_ANY}\nwhat text the source\nurl text its address\nread text* abstract, part or full",
            _sources,
        ),
        _table(
            "notes",
            "pitfalls and open questions",
            f"{_ANY}\nabout text* pitfall or open question\ntext text the note",
            _notes,
        ),
        _table(
            "survey_table1",
            "the survey's Table 1 as printed",
            "dataset text* slug\nname text of the data set\nquantity text as printed\nduration text as printed\n"
            "style text as printed\nresolution text as printed",
            _table1,
        ),
        _table(
            "survey_table2",
            "the survey's Table 2 as printed",
            "metric text* slug\nname text of the metric\ncategory text as printed\ndescription text as printed\n"
            "discrepancy_dimension text as printed",
            _table2,
        ),
        _table(
            "survey_errors",
            "slips in the survey, as far as established",
            "id text* of the slip\nplace text where it stands\nprinted text what is printed\n"
            "correct text what is right\n"
            "evidence text how we know\nstatus text how sure that is\nseverity text* error, doubtful, note or typo",
            _errors,
        ),
    )
}
