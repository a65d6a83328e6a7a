"""The catalogue as Python sees it: load it, look records up, filter them, ask it questions in SQL.

Loading reads one snapshot file; the facts are decoded when they are first asked for. So this module imports neither
typing nor msgspec at its top, and what needs more is imported where it is used.
"""

from __future__ import annotations

import os

from kiloframe import snapshot
from kiloframe.errors import UserError

TYPE_CHECKING = False  # see kiloframe.snapshot
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pandas

    from kiloframe.database import Database
    from kiloframe.explain import Explanation
    from kiloframe.records import Methods, Records
    from kiloframe.schema import Dataset, Facts, Metric

__all__ = ["Catalogue", "Explanation", "load"]


class Catalogue:
    """All facts. Made by `load`; nothing in it can be changed.

    `methods`, `datasets` and `metrics` are collections of records by slug; `survey` is survey.yaml as plain data;
    `references` maps BibTeX keys to entries; `root` is the catalogue folder, None where the facts came with the wheel.
    """

    def __init__(self, facts: Facts | None, folder: str | None, packed: snapshot.Snapshot | None = None) -> None:
        self._facts = facts
        self._packed = packed
        self._folder = folder
        self._records: dict[str, Records[Any]] = {}
        self._database: Database | None = None

    @property
    def root(self) -> Path | None:
        """The catalogue folder these facts were read from; None for the facts that the wheel carries."""
        from pathlib import Path

        return None if self._folder is None else Path(self._folder)

    @property
    def facts(self) -> Facts:
        """Everything as one struct. Raises UserError where a snapshot cannot be decoded and there are no fact files."""
        if self._facts is None:
            self._facts = self._unpack()
            self._packed = None
        return self._facts

    def _unpack(self) -> Facts:
        import msgspec

        assert self._packed is not None
        try:
            return snapshot.decode(self._packed)
        except msgspec.MsgspecError:  # whole, but written by another state of the code
            if self._folder is None:
                raise UserError(_BROKEN_WHEEL) from None
            return _compiled(self._folder)

    @property
    def methods(self) -> Methods:
        """The methods by slug; hyphens, case and the printed name are understood: `methods["NUWA-XL"]`."""
        from kiloframe.records import Methods

        if "methods" not in self._records:
            self._records["methods"] = Methods(self, "method", self.facts.methods)
        return self._records["methods"]  # type: ignore[return-value]

    @property
    def datasets(self) -> Records[Dataset]:
        """The data sets by slug."""
        from kiloframe.records import Records

        if "datasets" not in self._records:
            self._records["datasets"] = Records(self, "data set", self.facts.datasets)
        return self._records["datasets"]

    @property
    def metrics(self) -> Records[Metric]:
        """The metrics by slug."""
        from kiloframe.records import Records

        if "metrics" not in self._records:
            self._records["metrics"] = Records(self, "metric", self.facts.metrics)
        return self._records["metrics"]

    @property
    def survey(self) -> dict[str, Any]:
        """The survey: definition, Figure 1 counts, sections, citation keys, slips; as in survey.yaml."""
        return self.facts.survey

    @property
    def references(self) -> dict[str, str]:
        """BibTeX entries by key, as in references.bib."""
        return self.facts.references

    def query(self, sql: str, *, seconds: float = 5.0) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of one SELECT over the tables of `kiloframe.tables.TABLES`.

        The database is in memory and read-only. Hyphen and underscore are one where a column holds slugs or enumerated
        values (`paradigm = 'divide_and_conquer'`). Which diffusion methods report FVD on UCF-101 at 128 frames or
        more, and where does each number stand?

            select r.method, r.system, r.variant, r.value, r.frames, r.resolution, r.setting, r.locator, r.seen
            from results r join method_generators g on g.method = r.method and g.by = 'editors'
            where g.generator = 'diffusion' and r.metric = 'fvd' and r.dataset = 'ucf_101' and r.frames >= 128
            order by r.value

        Raises UserError in one sentence for a mistake, anything but reading, a query that runs longer than `seconds`,
        and an answer that is too large.
        """
        from kiloframe.database import Database

        if self._database is None:
            self._database = Database(self)
        return self._database.query(sql, seconds)

    def sql(self, sql: str, *, seconds: float = 5.0) -> pandas.DataFrame:
        """The answer of `query` as a data frame; whole numbers stay whole where some are unknown."""
        from kiloframe.frames import data_frame

        columns, rows = self.query(sql, seconds=seconds)
        return data_frame(columns, rows)

    def frame(self, table: str = "methods") -> pandas.DataFrame:
        """One table of `kiloframe.tables.TABLES` as a data frame. Raises UserError for an unknown name."""
        from kiloframe.frames import data_frame
        from kiloframe.tables import table_named

        found = table_named(table)
        return data_frame([column.name for column in found.columns], found.rows(self))

    def explain(self, slug: str, field: str) -> Explanation:
        """Where a value of a record stands, how it was seen, who says it and why.

        `field` is a path: `longest_shown`, `longest_shown.frames`, `paradigm`, `paradigm.survey`, `results[3]`,
        `claims.parallel-depth`, `datasets.ucf_101`. A value without a place of its own is given the record's sources.
        Raises UserError for an unknown slug or field.
        """
        from kiloframe.explain import explain

        return explain(self, slug, field)

    def __repr__(self) -> str:
        counts = f"{len(self.methods)} methods, {len(self.datasets)} data sets, {len(self.metrics)} metrics"
        return f"<Catalogue: {counts}; from {self._folder or 'the installed package'}>"


_BROKEN_WHEEL = (
    "the facts in the installed kiloframe package are missing or damaged; type: pip install --force-reinstall kiloframe"
)


def load(path: str | Path | None = None) -> Catalogue:
    """The catalogue: from `path` (a catalogue folder), else from the checkout around this package, else the wheel's.

    In a checkout a snapshot is kept in build/facts.msgpack and made anew when a fact file changed; where build/ cannot
    be written, the facts are compiled each time (about 2 s). A folder outside the checkout is always compiled.
    Raises UserError that names file, line, field and allowed values for bad facts.
    """
    package = os.path.dirname(os.path.abspath(__file__))
    checkout = os.path.join(os.path.dirname(package), "catalogue")
    if path is not None:
        folder = os.path.abspath(path)
        if not _is_catalogue(folder):
            raise UserError(f"{path} is not a catalogue folder: it needs survey.yaml, methods/, datasets/ and metrics/")
        if os.path.realpath(folder) != os.path.realpath(checkout):
            return Catalogue(_compiled(folder), folder)
    elif not _is_catalogue(checkout):
        packed = snapshot.read_snapshot(os.path.join(package, "facts.msgpack"))
        if packed is None:
            raise UserError(_BROKEN_WHEEL)
        return Catalogue(None, None, packed)
    kept = os.path.join(os.path.dirname(checkout), "build", "facts.msgpack")
    packed = snapshot.read_snapshot(kept)
    if packed is not None and packed.fingerprint == snapshot.fingerprint(checkout):
        return Catalogue(None, checkout, packed)
    return Catalogue(_compiled(checkout, kept), checkout)


def _is_catalogue(folder: str) -> bool:
    """Whether this is a folder of facts; an unrelated package `catalogue` may lie beside an installed kiloframe."""
    kinds = ("methods", "datasets", "metrics")
    survey = os.path.join(folder, "survey.yaml")
    return os.path.isfile(survey) and all(os.path.isdir(os.path.join(folder, kind)) for kind in kinds)


def _compiled(folder: str, keep: str | None = None) -> Facts:
    """The facts of a folder, compiled; also written to `keep` where that is possible."""
    from contextlib import suppress
    from pathlib import Path

    from kiloframe.compile import compile_catalogue
    from kiloframe.files import write_atomically

    facts = compile_catalogue(Path(folder))
    if keep is not None:
        with suppress(UserError, OSError):  # a checkout that cannot be written works all the same
            write_atomically(keep, snapshot.encode(facts))
    return facts


def __getattr__(name: str) -> object:
    if name == "Explanation":
        from kiloframe.explain import Explanation

        return Explanation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
