"""A record as a document: the same blocks printed for a terminal or written as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from kiloframe.commands import output
from kiloframe.schema import Dataset, Method, Metric, Ref

__all__ = ["Block", "amount", "document", "to_markdown", "to_text"]


class Block(NamedTuple):
    """A heading with what stands under it: text, (label, value) pairs, items, or a table (columns, then rows)."""

    heading: str
    text: str = ""
    pairs: Sequence[tuple[str, str]] = ()
    items: Sequence[str] = ()
    table: Sequence[Sequence[Any]] = ()


def amount(value: float | None, unit: str | None) -> str:
    """A length in words: "1024 frames", "300 s"; "no number" where there is none."""
    if value is None:
        return "no number"
    return f"{output.cell(value)} {'s' if unit == 'seconds' else unit or ''}".strip()


def document(record: Method | Dataset | Metric) -> list[Block]:
    """All facts of a record, in reading order, each with its source in brackets."""
    if isinstance(record, Method):
        return _method(record)
    return _dataset(record) if isinstance(record, Dataset) else _metric(record)


def _source(*parts: str | None) -> str:
    told = "; ".join(part for part in parts if part)
    return f" [{told}]" if told else ""


def _seen(fact: Any) -> str:
    return _source(fact.locator, fact.seen)


def _ref(ref: Ref) -> str:
    return ": ".join(part for part in (ref.ref, ref.text) if part)


def _paradigm(method: Method) -> list[tuple[str, str]]:
    reading, survey = method.paradigm.editors, method.paradigm.survey
    pairs = [("paradigm", f"{reading.value}: {reading.why}{_source(f'by {reading.by}', reading.locator)}")]
    said = f"{survey.value}{_source(survey.locator)}" if survey else "under no paradigm heading"
    return [*pairs, ("paradigm, survey", said)]


def _generator(method: Method) -> list[tuple[str, str]]:
    reading, survey = method.generator.editors, method.generator.survey
    why = f": {reading.why}" if reading.why else ""
    pairs = [("generator", f"{', '.join(reading.value)}{why}{_source(f'by {reading.by}', reading.locator)}")]
    said = f"{', '.join(survey.value)}{_source(survey.locator)}" if survey else "under no generator heading"
    return [*pairs, ("generator, survey", said)]


def _lengths(method: Method) -> list[tuple[str, str]]:
    stated, shown = method.long_video_definition, method.longest_shown
    head = {True: "stated", False: "not stated", None: "not known whether stated"}[stated.stated]
    number = f", {amount(stated.value, stated.unit)}" if stated.value is not None else ""
    lengths = [amount(shown.frames, "frames"), amount(shown.seconds, "seconds")]
    known = ", ".join(text for text in lengths if text != "no number") or "unknown"
    rate = f" at {output.cell(shown.fps)} fps" if shown.fps is not None else ""
    return [
        ("long video", f"{head}{number}: {stated.words}{_seen(stated)}"),
        ("longest shown", f"{known}{rate}: {shown.words}{_seen(shown)}"),
    ]


def _method(m: Method) -> list[Block]:
    links = [("paper", m.urls.paper), ("project", m.urls.project), ("code", m.urls.code)]
    training = m.training
    trained = [("clip", training.clip_frames), ("fps", training.fps), ("size", training.resolution)]
    trained += [("compute", training.steps_or_compute)]
    known = "; ".join(f"{name} {output.cell(value)}" for name, value in trained if value is not None)
    member = m.membership
    admitted = f"admitted by the editors ({member.rule}): {member.why}" if member.by == "editors" else ""
    facts = [
        ("authors", ", ".join(m.authors)),
        ("first public", m.first_public + (f"; {m.venue}" if m.venue else "")),
        *[(name, value) for name, value in (("arxiv", m.arxiv), ("doi", m.doi), *links) if value],
        ("code status", f"{m.code_status.value} (looked at {m.code_status.date})"),
        ("code licence", m.code_license or "unknown"),
        ("in the catalogue", admitted or "named in the survey's text"),
        *_paradigm(m),
        *_generator(m),
        ("control signals", ", ".join(m.control_signals)),
        *_lengths(m),
        ("training", f"{known or 'unknown'}{_source(training.locator, training.seen)}"),
        ("representation", m.representation),
        ("confidence", m.confidence),
    ]
    claims = [f"{c.id}: {c.says}{f' ({c.number})' if c.number else ''}{_seen(c)} Test: {c.toy_test}" for c in m.claims]
    results: list[Sequence[Any]] = [("data set", "metric", "system", "value", "setting", "source")]
    for r in m.results:
        told = r.text or r.value
        dataset = _ref(r.dataset) if r.dataset else ""
        results.append((dataset, _ref(r.metric), r.system or m.slug, told, r.setting, f"{r.locator}; {r.seen}"))
    said = f"{m.survey.says}{_source('sec. ' + ', '.join(m.survey.sections))}" if m.survey else ""
    return [
        Block(f"{m.name} ({m.slug})", m.title, facts),
        Block("Architecture", m.architecture),
        Block("Mechanism", m.mechanism),
        Block("What sets it apart", m.distinguishing),
        Block("Claims", items=claims),
        Block("Data sets", items=[f"{_ref(d)} ({d.role}){_seen(d)}" for d in m.datasets]),
        Block("Metrics", items=[f"{_ref(x)}{_seen(x)}" for x in m.metrics]),
        Block("Published results", table=results if m.results else ()),
        Block("Pitfalls", items=m.pitfalls),
        Block("In the survey", said),
        *_tail(m),
        Block("Related", items=[_ref(r) for r in m.related]),
    ]


def _tail(record: Any) -> list[Block]:
    """What every kind of record ends with."""
    sources = [
        f"{s.what}{f' <{s.url}>' if s.url else ''}{f' ({s.read} read)' if s.read else ''}" for s in record.sources
    ]
    return [
        Block("Open questions", items=record.open_questions),
        Block("Sources", items=sources),
        Block("Corrections", items=[f"{c.date}: {c.what}" for c in record.history]),
    ]


def _dataset(d: Dataset) -> list[Block]:
    import msgspec

    counted = [(name, getattr(d.facts, name)) for name in d.facts.__struct_fields__]
    facts = [
        ("year", str(d.year)),
        ("paper", d.paper.title),
        ("url", d.url or "unknown"),
        ("licence", f"{d.license.terms or 'unknown'}{'; withdrawn' if d.license.withdrawn else ''}"),
        *[(name.replace("_", " "), f"{output.cell(f.value)}{_seen(f)}" if f else "unknown") for name, f in counted],
        ("confidence", d.confidence),
    ]
    row = d.survey_table1
    printed = [(name, str(value)) for name, value in msgspec.structs.asdict(row).items()] if row else []
    protocol = [
        f"{p.name}: {p.frames} frames, split {p.split or 'unknown'}, {p.metric}{_source(p.locator)}"
        for p in d.common_protocol
    ]
    return [
        Block(f"{d.name} ({d.slug})", d.full_name, facts),
        Block("In the survey's Table 1", pairs=printed),
        Block("Typical use", d.typical_use),
        Block("Common protocol", items=protocol),
        Block("Pitfalls", items=d.pitfalls),
        Block("Used by", d.used_by_note or "", items=[_ref(r) for r in d.used_by]),
        *_tail(d),
    ]


def _metric(m: Metric) -> list[Block]:
    import msgspec

    facts = [
        ("level", m.level),
        ("direction", m.direction),
        ("range", m.range),
        ("paper", m.paper.title),
        ("inputs", "; ".join(m.inputs)),
        ("confidence", m.confidence),
    ]
    row = m.survey_table2
    printed = [(name.replace("_", " "), value) for name, value in msgspec.structs.asdict(row).items()] if row else []
    protocol = [(name, str(value)) for name, value in msgspec.structs.asdict(m.minimal_protocol).items()]
    definition = [(name.replace("_", " "), _plain(value)) for name, value in m.definition.items()]
    vectors = [f"{v.case}: {output.cell(v.expect)}{f' {v.unit}' if v.unit else ''}" for v in m.test_vectors]
    return [
        Block(f"{m.name} ({m.slug})", "", facts),
        Block("In the survey's Table 2", pairs=printed),
        Block("Definition", pairs=definition),
        Block("The least to report", pairs=protocol),
        Block("Known biases", items=m.known_biases),
        Block("Pitfalls", items=m.pitfalls),
        Block("Test vectors", items=vectors),
        *_tail(m),
    ]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_plain(part)}" for key, part in value.items())
    if isinstance(value, list):
        return "; ".join(_plain(part) for part in value)
    return output.cell(value) if value is not None else "unknown"


# --- rendering ----------------------------------------------------------------------------------------------------


def to_text(blocks: list[Block], width: int) -> str:
    """The blocks for a terminal of that many columns; nothing is cut. Empty blocks are left out."""
    out: list[str] = []
    for block in blocks:
        if not (block.text or block.pairs or block.items or block.table):
            continue
        out += ["", block.heading, "=" * len(block.heading) if len(out) < 2 else "-" * len(block.heading)]
        out += [line for text in block.text.splitlines() for line in (textwrap.wrap(text, width) or [""])]
        label = max((len(name) for name, _ in block.pairs), default=0) + 2
        for name, value in block.pairs:
            out += _hanging(name.ljust(label), value, width)
        for item in block.items:
            out += _hanging("- ", item, width)
        if block.table:
            names, *rows = block.table
            for row in rows:
                told = [f"{name}: {output.cell(v)}" for name, v in zip(names, row, strict=True) if output.cell(v)]
                out += _hanging("- ", "; ".join(told), width)
    return "\n".join(out).lstrip("\n")


def _hanging(head: str, text: str, width: int) -> list[str]:
    filled = " ".join(text.split())
    lines = textwrap.wrap(filled, width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)
    return lines or [head.rstrip()]


def to_markdown(blocks: list[Block]) -> str:
    """The blocks as Markdown, the first heading at level 1. Empty blocks are left out."""
    out: list[str] = []
    for block in blocks:
        if not (block.text or block.pairs or block.items or block.table):
            continue
        out += [f"{'##' if out else '#'} {_escape(block.heading)}", ""]
        out += [*_paragraph(block.text), ""] if block.text else []
        lines = [f"- **{_escape(name.strip())}**: {_escape(value)}" for name, value in block.pairs]
        lines += [f"- {_escape(item)}" for item in block.items]
        out += [*lines, ""] if lines else []
        out += [output.as_markdown(block.table[0], block.table[1:]), ""] if block.table else []
    return "\n".join(out).rstrip("\n")


def _paragraph(text: str) -> list[str]:
    """Text as Markdown; text that is set in lines (equations, shapes) stands in a code block as it is."""
    if "\n" not in text.strip():
        return [_escape(text)]
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return [f"{fence}text", text.rstrip("\n"), fence]


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[").replace("_", "\\_")
