"""The rows and columns of the tables that are about methods; `kiloframe.tables` lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kiloframe.columns import METHOD, PLACE, columns, text_of
from kiloframe.filters import has_reproduction, used
from kiloframe.lengths import longest
from kiloframe.verdicts import summary, verdicts

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue

Row = tuple[Any, ...]

METHODS = columns("""
    slug                text*    the method's one name
    name                text     as its authors write it
    title               text     of the paper
    authors             text     joined by "; "
    first_public        text     YYYY-MM
    year                integer  of first_public
    venue               text     where it was published; empty: unknown or a preprint
    arxiv               text     arXiv id
    doi                 text     DOI
    paper_url           text     link to the paper
    project_url         text     link to the project page
    code_url            text     link to the authors' code
    code_license        text     licence of the authors' code
    code_status         text*    full, partial, none, gone or unknown, as of code_status_date
    code_status_date    text     the day somebody looked
    membership          text*    survey-text or editors: who put it in
    membership_rule     text*    the editors' rule: past-threshold, past-training-clip or baseline
    membership_why      text     the editors' reason
    paradigm            text*    editors' reading; both counts for divide-and-conquer and for temporal-autoregressive
    paradigm_by         text*    whose reading the editors follow: paper, survey or editor
    paradigm_locator    text     where the editors' reading stands
    paradigm_why        text     the editors' reason
    paradigm_survey     text*    the survey's reading
    generators          text     editors' reading, joined by ", "; one row each in method_generators
    generators_survey   text     the survey's reading, joined by ", "
    control_signals     text     joined by ", "; one row each in method_controls
    datasets            text     slugs of those it uses or reports a result on, joined by ", "
    metrics             text     slugs of those it uses or reports, joined by ", "
    definition_stated   integer  1: the paper says what it calls long; 0: it does not; empty: unknown
    definition_unit     text*    frames or seconds, as stated
    definition_value    real     what the paper calls long, in that unit
    definition_frames   real     the same in frames, converted only with shown_fps
    definition_seconds  real     the same in seconds, converted only with shown_fps
    definition_words    text     in the editors' words
    definition_locator  text     where it stands
    definition_seen     text*    primary, secondary or memory
    shown_frames        real     longest video shown, in frames, converted only with shown_fps
    shown_seconds       real     the same in seconds, converted only with shown_fps
    shown_fps           real     its frames per second
    shown_converted     text     which of the two was converted; empty: both as stated
    shown_words         text     in the editors' words
    shown_locator       text     where it stands
    shown_seen          text*    primary, secondary or memory
    clip_frames         text     frames of a training clip, a number or words
    training_fps        text     frames per second in training, a number or words
    training_resolution text     as stated
    training_locator    text     where it stands
    training_seen       text*    primary, secondary or memory
    representation      text     what the frames are turned into
    architecture        text     the network
    mechanism           text     how it works
    distinguishing      text     what sets it apart
    confidence          text*    the editors' confidence in the record: high, medium or low
    reproduction        integer  1: reproductions/methods has an implementation
    claims              integer  how many claims the record lists
    verdicts            text     what our runs found: "2 held, 1 not run"; empty: there are no results to read
""")


def methods(cat: Catalogue) -> Iterator[Row]:
    for m in cat.methods.values():
        define, shown, stated = m.long_video_definition, longest(m, shown=True), longest(m)
        yield (
            m.slug, m.name, m.title, "; ".join(m.authors), m.first_public, int(m.first_public[:4]), m.venue, m.arxiv,
            m.doi, m.urls.paper, m.urls.project, m.urls.code, m.code_license, m.code_status.value, m.code_status.date,
            m.membership.by, m.membership.rule, m.membership.why,
            m.paradigm.editors.value, m.paradigm.editors.by, m.paradigm.editors.locator, m.paradigm.editors.why,
            m.paradigm.survey.value if m.paradigm.survey else None,
            ", ".join(m.generator.editors.value), ", ".join(m.generator.survey.value) if m.generator.survey else None,
            ", ".join(m.control_signals), ", ".join(used(m, "datasets")), ", ".join(used(m, "metrics")),
            None if define.stated is None else int(define.stated),
            stated.unit, stated.value, stated.frames, stated.seconds, define.words, define.locator, define.seen,
            shown.frames, shown.seconds, shown.fps, shown.converted, shown.words, shown.locator, shown.seen,
            text_of(m.training.clip_frames), text_of(m.training.fps), m.training.resolution, m.training.locator,
            m.training.seen, m.representation, m.architecture, m.mechanism, m.distinguishing, m.confidence,
            int(has_reproduction(m.slug)), len(m.claims), summary(m),
        )  # fmt: skip


RESULTS = columns(f"""
    {METHOD} whose paper (or record) reports the number
    at            integer  place in the record: explain it as results[at]
    system        text*    whose number it is: the method's slug, another method's, or a baseline in words
    own           integer  1: the method's own number; 0: of another system
    variant       text     of the system
    dataset       text*    slug of the data set
    dataset_text  text     the source's words for it
    metric        text*    slug of the metric
    metric_text   text     the source's words for it
    value         real     the number in `unit`; empty: words only, or not known
    text          text     as printed
    unit          text     of value
    spread        real     printed beside it
    spread_kind   text     what the spread is
    split         text     of the data set
    resolution    text     width x height
    frames        integer  length of the videos that were judged
    setting       text     what else the number depends on
    {PLACE}
""")


def results(cat: Catalogue) -> Iterator[Row]:
    for m in cat.methods.values():
        for at, r in enumerate(m.results):
            dataset, text = (r.dataset.ref, r.dataset.text) if r.dataset else (None, None)
            yield (
                m.slug, at, r.system or m.slug, int(r.system in (None, m.slug)), r.variant, dataset, text,
                r.metric.ref, r.metric.text, r.value, r.text, r.unit, r.spread, r.spread_kind, r.split, r.resolution,
                r.frames, r.setting, r.locator, r.seen,
            )  # fmt: skip


CLAIMS = columns(f"""
    {METHOD}
    id        text*  of the claim, unique in its method
    says      text   the claim
    number    text   the paper's number for it
    toy_test  text   how it is tested at toy scale, against which ablation
    {PLACE}
    verdict   text*  of our run: held, not-held, inconclusive, not-judged or not-run; empty: no results to read
""")


def claims(cat: Catalogue) -> Iterator[Row]:
    for m in cat.methods.values():
        found = verdicts(m, missing_ok=True)
        for c in m.claims:
            yield m.slug, c.id, c.says, c.number, c.toy_test, c.locator, c.seen, found.get(c.id)


METHOD_GENERATORS = columns(f"""
    {METHOD}
    generator  text*  diffusion, spatial-autoregressive, gan or mask-modeling
    by         text*  whose reading: editors or survey
    locator    text   where it stands
    why        text   the editors' reason
""")


def method_generators(cat: Catalogue) -> Iterator[Row]:
    for m in cat.methods.values():
        for value in m.generator.editors.value:
            yield m.slug, value, "editors", m.generator.editors.locator, m.generator.editors.why
        for value in m.generator.survey.value if m.generator.survey else ():
            assert m.generator.survey is not None
            yield m.slug, value, "survey", m.generator.survey.locator, None


def method_controls(cat: Catalogue) -> Iterator[Row]:
    for m in cat.methods.values():
        for value in m.control_signals:
            yield m.slug, value


def method_datasets(cat: Catalogue) -> Iterator[Row]:
    for m in cat.methods.values():
        for d in m.datasets:
            yield m.slug, d.ref, d.text, d.role, d.locator, d.seen


def method_metrics(cat: Catalogue) -> Iterator[Row]:
    for m in cat.methods.values():
        for x in m.metrics:
            yield m.slug, x.ref, x.text, x.locator, x.seen


def related(cat: Catalogue) -> Iterator[Row]:
    for m in cat.methods.values():
        for r in m.related:
            yield m.slug, r.ref, r.text


MENTIONS = columns(f"""
    {METHOD}
    cite_key  text  the survey's key for it
    cited_as  text  as the survey prints it
    sections  text  where, joined by ", "
    says      text  what the survey says, paraphrased
""")


def mentions(cat: Catalogue) -> Iterator[Row]:
    for m in cat.methods.values():
        if m.survey is not None:
            yield m.slug, m.survey.cite_key, m.survey.cited_as, ", ".join(m.survey.sections), m.survey.says
