"""The words and small pieces that the records of kiloframe.schema are made of: allowed values, patterns, pointers.

Import them from kiloframe.schema.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

# --- values -----------------------------------------------------------------------------------------------------

Seen = Literal["primary", "secondary", "memory"]
Confidence = Literal["high", "medium", "low"]
Paradigm = Literal["divide-and-conquer", "temporal-autoregressive", "both", "other"]
Generator = Literal["diffusion", "spatial-autoregressive", "gan", "mask-modeling"]
Control = Literal[
    "text", "image", "video", "action", "audio", "camera-pose", "class", "depth", "layout", "optical-flow", "none"
]
Unit = Literal["frames", "seconds"]
Role = Literal["train", "eval", "both"]
CodeState = Literal["full", "partial", "none", "gone", "unknown"]
MembershipBy = Literal["survey-text", "editors"]
Rule = Literal["past-threshold", "past-training-clip", "baseline"]
ReadingBy = Literal["paper", "survey", "editor"]

Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$", description="lower case, digits and underscores")]
ArxivId = Annotated[str, Meta(pattern=r"^\d{4}\.\d{4,5}$", description="new-style arXiv id, for example 2205.11495")]
YearMonth = Annotated[str, Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="year and month, YYYY-MM")]
Date = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="day, YYYY-MM-DD")]
Text = Annotated[str, Meta(min_length=1)]


class Record(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Base of every record: keyword-only, immutable, no unknown keys."""


# --- shared pieces ----------------------------------------------------------------------------------------------


class Ref(Record, frozen=True):
    """A pointer to another record (`ref`, a slug that must resolve), or the source's words (`text`), or both."""

    ref: Slug | None = None
    text: Text | None = None


class Correction(Record, frozen=True):
    """A dated change to a published fact, newest last."""

    date: Date
    what: Text


class Source(Record, frozen=True):
    """Something the editors read: `read` says how much of it."""

    what: Text
    url: str | None = None
    read: Literal["abstract", "part", "full"] | None = None


class PaperRef(Record, frozen=True):
    """The paper behind a data set or metric."""

    title: Text
    authors: list[str]
    arxiv: Text | None = None  # words where a metric comes from several papers
    venue: str | None = None
    year: int | None = None


class Fact(Record, frozen=True):
    """A value with its provenance."""

    value: int | float | str | None
    locator: Text
    seen: Seen
