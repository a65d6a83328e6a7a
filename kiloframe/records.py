"""Collections of records by slug, as `cat.methods`, `cat.datasets` and `cat.metrics` return them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from kiloframe import filters
from kiloframe.schema import Method
from kiloframe.words import fold, refuse

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue

__all__ = ["Methods", "Records"]

T = TypeVar("T")
OneOrMore = str | list[str] | tuple[str, ...] | set[str] | frozenset[str] | None


class Records(Mapping[str, T]):
    """Records by slug, in the order of the slugs. Hyphen, underscore and case are one in look-ups.

    An unknown slug raises UserError with the nearest matches and all slugs; `get` and `in` do not raise.
    """

    def __init__(self, catalogue: Catalogue, kind: str, records: dict[str, T]) -> None:
        self.catalogue = catalogue
        self.kind = kind
        self._records = records

    def __getitem__(self, slug: str) -> T:
        found = self._find(slug)
        if found is None:
            raise refuse(slug, f"{self.kind} of the catalogue", self._records)
        return found

    def _find(self, slug: object) -> T | None:
        if not isinstance(slug, str):
            return None
        return self._records.get(slug) or self._records.get(fold(slug))

    def __contains__(self, slug: object) -> bool:
        return self._find(slug) is not None

    def get(self, slug: str, default: Any = None) -> Any:
        """The record, or `default` where there is none."""
        found = self._find(slug)
        return default if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"<{len(self)} {self.kind}{'' if len(self) == 1 else 's'}: {', '.join(self)}>"


class Methods(Records[Method]):
    """Methods by slug, with `where` to filter them."""

    def where(
        self,
        *,
        paradigm: OneOrMore = None,
        generator: OneOrMore = None,
        dataset: OneOrMore = None,
        metric: OneOrMore = None,
        control: OneOrMore = None,
        membership: OneOrMore = None,
        code: OneOrMore = None,
        min_frames: float | None = None,
        max_frames: float | None = None,
        min_seconds: float | None = None,
        max_seconds: float | None = None,
        year: int | str | list[int | str] | None = None,
        text: str | None = None,
        reproduction: bool | None = None,
        verdict: OneOrMore = None,
        by: str = "editors",
        shown: bool = False,
    ) -> Methods:
        """The methods that fit all conditions; `where(a).where(b)` is `where(a, b)`. A list means any of its values.

        - `paradigm`: divide-and-conquer, temporal-autoregressive, other, or both; a method that is `both` also matches
          each of the two.
        - `generator`: diffusion, spatial-autoregressive, gan or mask-modeling.
        - `by`: whose reading these two go by, "editors" or "survey"; where the survey is silent, nothing matches.
        - `dataset`, `metric`: slugs; the method uses it or reports a result with it.
        - `control`: a control signal. `membership`: survey-text or editors.
        - `code`: the dated status of the authors' code: full, partial, none, gone or unknown.
        - `min_frames`, `max_frames`, `min_seconds`, `max_seconds`: bounds (inclusive) on the length the paper itself
          calls long, or with `shown=True` on the longest video it shows. Frames and seconds convert only with the frame
          rate of the record's longest shown video (`kiloframe.lengths`); an unknown length never matches.
        - `year`: of first publication: 2022, "2022-2023" (inclusive), or a list of these.
        - `text`: words that must all occur in slug, name, title, authors, venue, arXiv id, mechanism, what is
          distinguishing, claims, or the paraphrase of what the survey says; case, accents and hyphens do not matter.
        - `reproduction`: True for methods with an implementation in reproductions/methods, False for those without.
        - `verdict`: held, not-held, inconclusive, not-judged or not-run; our runs found this about at least one of the
          method's claims. Needs the results of a checkout.

        Raises UserError for a value that does not exist, with the nearest matches and the allowed values.
        """
        cat = self.catalogue
        tests = [
            filters.paradigm(paradigm, by),
            filters.generator(generator, by),
            filters.uses(dataset, "data set", "datasets", cat.facts.datasets),
            filters.uses(metric, "metric", "metrics", cat.facts.metrics),
            filters.control(control),
            filters.membership(membership),
            filters.code(code),
            filters.length("frames", min_frames, max_frames, shown),
            filters.length("seconds", min_seconds, max_seconds, shown),
            filters.year(year),
            filters.text(text),
            filters.reproduction(reproduction),
            filters.verdict(verdict),
        ]
        wanted = [test for test in tests if test is not None]
        kept = {slug: method for slug, method in self._records.items() if all(test(method) for test in wanted)}
        return Methods(cat, self.kind, kept)
