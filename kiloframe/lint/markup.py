"""Rule: the facts are text, so that no page, terminal or spreadsheet that shows them can be made to do anything."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kiloframe.factfiles import FactFiles, Problem

__all__ = ["check"]

# Elements of HTML and SVG. Other words in angle brackets are placeholders (<split>), tokens (<bos>) or comparisons.
_ELEMENTS = (
    "a|abbr|address|animate|applet|area|article|aside|audio|b|base|bdi|bdo|blink|blockquote|body|br|button|canvas|"
    "center|cite|code|datalist|dd|del|details|dialog|div|dl|dt|em|embed|fieldset|figure|font|footer|foreignobject|"
    "form|frame|frameset|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|isindex|kbd|keygen|label|legend|li|link|"
    "main|map|mark|marquee|math|menu|meta|meter|nav|noframes|noscript|object|ol|optgroup|option|output|p|picture|"
    "plaintext|pre|progress|q|s|samp|script|section|select|set|slot|small|span|strike|strong|style|sub|summary|sup|"
    "svg|table|tbody|td|template|textarea|tfoot|th|thead|time|title|tr|track|tt|u|ul|use|var|video|wbr|xmp"
)
_TAG = rf"<\s*/?\s*(?:{_ELEMENTS})(?:\s*/?>|\s+[\w:-]+\s*=|/)"
_SCRIPT = r"\b(?:javascript|vbscript|livescript)\s*:|\bdata\s*:\s*(?:text|image)/"
_LINK = r"\]\(\s*<?\s*(?!https?://)[\w./#]*[:/#][^)]*\)|^\s*\[[^\]]+\]:\s"
_INVISIBLE = r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
_PATTERNS = {
    "an HTML tag": re.compile(_TAG, re.IGNORECASE),
    "an event handler": re.compile(r"<[^<>]*[\s/\"']on[a-z]+\s*=", re.IGNORECASE),
    "an HTML comment": re.compile(r"<!|<\?"),
    "a script address": re.compile(_SCRIPT, re.IGNORECASE),
    "a link that is not http(s)": re.compile(_LINK, re.MULTILINE),
    "a control character": re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]"),
    "an invisible or direction-changing character": re.compile(_INVISIBLE),
}


def check(facts: FactFiles) -> Iterator[Problem]:
    """Markup, script addresses, links other than http(s), control and direction-changing characters in any text."""
    for record in [*facts.records, *([facts.survey] if facts.survey else [])]:
        for path, value in record.walk():
            texts = [value] if isinstance(value, str) else list(value) if isinstance(value, dict) else []
            for text in texts:
                if found := hostile(text):
                    yield record.problem(path, f"{found} is not allowed; facts are plain text")
    for key, entry in facts.references.items():
        if found := hostile(entry.replace("\t", " ")):
            yield Problem(facts.name(facts.root / "references.bib"), 1, key, f"{found} is not allowed")


def hostile(text: str) -> str | None:
    """What is hostile in a text, in words with the spot quoted; None for a plain text."""
    for name, pattern in _PATTERNS.items():
        if match := pattern.search(text):
            return f"{name} ({match.group()[:40]!r})"
    return None
