"""What a fact file may hold: the one description, from which everything else is made.

The JSON Schemas in catalogue/schema/ are generated from these classes, lint and compile validate with them, and
`kiloframe.load()` returns instances of them. Unknown keys are errors. `None` always means "unknown" or "not
applicable", never zero. Every value that can be wrong carries a `locator` (the place it stands) and `seen`
(how it was seen: `primary`, `secondary` or `memory`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from kiloframe.schema_base import (
    ArxivId,
    CodeState,
    Confidence,
    Control,
    Correction,
    Date,
    Fact,
    Generator,
    MembershipBy,
    PaperRef,
    Paradigm,
    ReadingBy,
    Record,
    Ref,
    Role,
    Rule,
    Seen,
    Slug,
    Source,
    Text,
    Unit,
    YearMonth,
)

# --- methods ----------------------------------------------------------------------------------------------------


class Urls(Record, frozen=True):
    """Where the method lives; null is unknown."""

    paper: str | None
    project: str | None
    code: str | None


class CodeStatus(Record, frozen=True):
    """Whether the authors' code was to be had, on the day somebody looked (`date`) or last could not tell."""

    value: CodeState
    date: Date
    note: Text | None = None


class Membership(Record, frozen=True):
    """Why a method is in the catalogue: named by the survey's text, or admitted by the editors under `rule`."""

    by: MembershipBy
    rule: Rule | None = None
    why: Text | None = None
    cite_key: Text | None = None


class SurveyMention(Record, frozen=True):
    """Where and how the survey speaks of a method; `says` is the editors' paraphrase."""

    cite_key: Text
    cited_as: Text
    sections: list[str]
    says: Text


class SurveyParadigm(Record, frozen=True):
    """The paradigm under whose heading the survey discusses the method."""

    value: Paradigm
    locator: Text


class EditorsParadigm(Record, frozen=True):
    """The paradigm by which filters sort; `by` says whose reading it follows, `why` gives the reason."""

    value: Paradigm
    by: ReadingBy
    locator: Text
    why: Text


class ParadigmReading(Record, frozen=True):
    """Both readings; `survey` is null where the survey puts the method under no paradigm heading."""

    survey: SurveyParadigm | None
    editors: EditorsParadigm


class SurveyGenerator(Record, frozen=True):
    """The generator type(s) under whose heading (sections 3.3 to 3.6) or as which the survey discusses the method."""

    value: Annotated[list[Generator], Meta(min_length=1)]
    locator: Text


class EditorsGenerator(Record, frozen=True):
    """The generator type(s) by which filters sort; `why` is required where they differ from the survey's."""

    value: Annotated[list[Generator], Meta(min_length=1)]
    by: ReadingBy
    locator: Text
    why: Text | None = None


class GeneratorReading(Record, frozen=True):
    """Both readings; `survey` is null where the survey names no generator type for the method."""

    survey: SurveyGenerator | None
    editors: EditorsGenerator


class LongDefinition(Record, frozen=True):
    """What the paper calls long. `stated` null: not known whether it does; `value` null: no number given."""

    stated: bool | None
    unit: Unit | None
    value: float | int | None
    words: Text
    locator: Text
    seen: Seen


class LongestShown(Record, frozen=True):
    """The longest video shown or measured by the authors; frames and seconds convert only with `fps`."""

    frames: int | None
    seconds: float | int | None
    fps: float | int | None
    words: Text
    locator: Text
    seen: Seen


class Training(Record, frozen=True):
    """How it was trained; `clip_frames` and `fps` are numbers, or words where the source gives several."""

    clip_frames: int | str | None
    fps: float | int | str | None
    resolution: str | None
    steps_or_compute: str | None
    locator: str | None
    seen: Seen | None


class DatasetUse(Ref, kw_only=True, frozen=True):
    """A data set the method trains on or is evaluated on."""

    role: Role
    locator: Text
    seen: Seen


class MetricUse(Ref, kw_only=True, frozen=True):
    """A metric the paper or its code reports."""

    locator: Text
    seen: Seen


class ReportedResult(Record, frozen=True):
    """One published number. Key: system, variant, dataset, split, resolution, frames, metric, source (locator).

    `system` is a method slug or a name in words (a baseline that the paper ran); null means the method itself.
    `value` is the number in `unit`, null where the source gives words or nothing; `text` is the value as printed.
    What cannot be parsed from the setting stays in `setting`.
    """

    dataset: Ref | None
    metric: Ref
    value: float | int | None
    text: Text | None
    setting: Text
    locator: Text
    seen: Seen
    system: Text | None = None
    variant: Text | None = None
    split: Text | None = None
    resolution: Text | None = None
    frames: int | None = None
    spread: float | int | None = None
    spread_kind: Text | None = None
    unit: Text | None = None


class Claim(Record, frozen=True):
    """A claim of the paper that can be tested at toy scale; `toy_test` names the test and its ablation."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="lower case words joined by hyphens")]
    says: Text
    number: Text | None
    locator: Text
    seen: Seen
    toy_test: Text


class Method(Record, frozen=True):
    """One method of the catalogue; the file is catalogue/methods/<slug>.yaml."""

    slug: Slug
    name: Text
    title: Text
    authors: Annotated[list[Text], Meta(min_length=1)]
    first_public: YearMonth
    venue: Text | None
    arxiv: ArxivId | None
    doi: Text | None
    urls: Urls
    code_license: Text | None
    code_status: CodeStatus
    membership: Membership
    survey: SurveyMention | None
    paradigm: ParadigmReading
    generator: GeneratorReading
    control_signals: Annotated[list[Control], Meta(min_length=1)]
    long_video_definition: LongDefinition
    longest_shown: LongestShown
    training: Training
    representation: Text
    architecture: Text
    datasets: list[DatasetUse]
    metrics: list[MetricUse]
    results: list[ReportedResult]
    mechanism: Text
    distinguishing: Text
    claims: Annotated[list[Claim], Meta(min_length=1)]
    pitfalls: list[Text]
    related: list[Ref]
    sources: Annotated[list[Source], Meta(min_length=1)]
    confidence: Confidence
    open_questions: list[Text]
    history: list[Correction] = field(default_factory=list)


# --- data sets --------------------------------------------------------------------------------------------------


class License(Record, frozen=True):
    """Terms of use as far as seen; `withdrawn` says the owners took it down."""

    terms: str | None
    withdrawn: bool
    notes: str | None
    withdrawn_on: str | None = None


class Table1Row(Record, frozen=True):
    """The survey's Table 1 as printed."""

    quantity: str
    duration: str
    style: str
    resolution: str


class DatasetFacts(Record, frozen=True):
    """Counted facts of a data set; null is unknown."""

    videos: Fact | None
    clips: Fact | None
    total_hours: Fact | None
    mean_clip_seconds: Fact | None
    fps: Fact | None
    native_resolution: Fact | None
    splits: Fact | None
    classes: Fact | None
    captions: Fact | None


class DatasetProtocol(Record, frozen=True):
    """How papers commonly evaluate on the data set."""

    name: str
    frames: int | str
    resolution: list[int | str] | str
    split: str | None
    metric: str
    locator: str | None


class FileLayout(Record, frozen=True):
    """What unpacking the data set gives on disk."""

    archives: list[str]
    tree: list[str]
    annotation_formats: list[str]
    locator: str | None


class Dataset(Record, frozen=True):
    """One data set; the file is catalogue/datasets/<slug>.yaml."""

    slug: Slug
    name: Text
    full_name: Text
    year: int
    paper: PaperRef
    url: str | None
    license: License
    survey_table1: Table1Row | None
    facts: DatasetFacts
    common_protocol: list[DatasetProtocol]
    file_layout: FileLayout
    typical_use: Text
    pitfalls: list[Text]
    used_by: list[Ref]
    used_by_note: str | None
    sources: Annotated[list[Source], Meta(min_length=1)]
    confidence: Confidence
    open_questions: list[Text]
    history: list[Correction] = field(default_factory=list)


# --- metrics ----------------------------------------------------------------------------------------------------


class Table2Row(Record, frozen=True):
    """The survey's Table 2 as printed."""

    category: str
    description: str
    discrepancy_dimension: str


class ReferenceImplementation(Record, frozen=True):
    """Code others use for the metric."""

    name: str
    url: str
    licence: str | None


class MetricProtocol(Record, frozen=True):
    """The least a paper must say for the number to mean something."""

    samples: str
    preprocessing: str
    report: str
    frames: str | int | None = None


class TestVector(Record, frozen=True):
    """A case with a known answer; `expect` is a number, or words where the dossier has words."""

    case: Text
    expect: float | int | str
    note: str | None = None
    tolerance: str | float | None = None
    unit: str | None = None


class Metric(Record, frozen=True):
    """One metric; the file is catalogue/metrics/<slug>.yaml. `definition` is free-form, its keys vary by metric."""

    slug: Slug
    name: Text
    level: Literal["image", "video", "text", "human"]
    survey_table2: Table2Row | None
    paper: PaperRef
    definition: dict[str, Any]
    direction: Text
    range: Text
    inputs: list[str]
    reference_implementations: list[ReferenceImplementation]
    known_biases: list[str]
    minimal_protocol: MetricProtocol
    pitfalls: list[Text]
    test_vectors: list[TestVector]
    sources: Annotated[list[Source], Meta(min_length=1)]
    confidence: Confidence
    open_questions: list[Text]
    attribution_note: str | UnsetType = UNSET
    history: list[Correction] = field(default_factory=list)


# --- all of it --------------------------------------------------------------------------------------------------


class Facts(Struct, kw_only=True, frozen=True):
    """Everything the catalogue knows, by slug; `survey` is free-form, `references` maps BibTeX keys to entries."""

    schema_version: int
    fingerprint: str
    methods: dict[str, Method]
    datasets: dict[str, Dataset]
    metrics: dict[str, Metric]
    survey: dict[str, Any]
    references: dict[str, str]
