"""Mathematics at build time: `$...$` and `$$...$$` in Markdown become MathML, which browsers draw without a script."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from kiloframe.errors import UserError

__all__ = ["convert", "formula"]

_CHILDREN = dict.fromkeys(("mfrac", "msub", "msup", "munder", "mover", "mroot"), 2) | {"msubsup": 3, "munderover": 3}
# What may hold a dollar that is no formula comes first: fenced blocks, code spans, HTML comments, escaped dollars.
_TOKEN = re.compile(
    r"(?P<fence>^(?P<indent>[ \t>]*)(?P<mark>`{3,}|~{3,})[^\n]*\n(?:.*?\n)?(?P=indent)(?P=mark)[`~]*[ \t]*$)"
    r"|(?P<code>(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<comment><!--.*?-->)"
    r"|(?P<escaped>\\\$)"
    r"|(?P<block>\$\$(?P<display>.+?)\$\$)"
    r"|(?P<line>\$(?P<inline>[^\s$](?:(?:\\\$|[^$\n]|\n(?!\s*\n))*?[^\s$\\])?)\$(?!\d))",
    re.DOTALL | re.MULTILINE,
)


def formula(tex: str, display: bool, where: str) -> str:
    """One formula as a <math> element on one line. Raises UserError that names `where` when it does not parse."""
    from latex2mathml.converter import convert as to_mathml

    source = " ".join(tex.split())
    try:
        made = to_mathml(source, display="block" if display else "inline")
    except Exception as error:  # the library has no common base for its errors
        reason = str(error) or type(error).__name__
        raise UserError(f"{where}: the formula {source!r} does not parse ({reason}); mend its LaTeX") from None
    fault = _fault(source, made)
    if fault:
        raise UserError(f"{where}: the formula {source!r} does not parse ({fault}); mend its LaTeX")
    # Between the tags Markdown would still read stars and underscores as emphasis.
    made = re.sub(r">([^<]+)<", lambda text: ">" + re.sub(r"[*_`\[\]\\]", _entity, text[1]) + "<", made)
    return made.replace("\n", " ")


def _fault(source: str, made: str) -> str | None:
    """What the converter let pass although it is wrong: open braces, unknown commands, arguments that are missing."""
    bare = re.sub(r"\\[{}]", "", source)
    if bare.count("{") != bare.count("}"):
        return "unbalanced braces"
    for element in ElementTree.fromstring(made).iter():
        tag = element.tag.rsplit("}", 1)[-1]
        if len(element) != _CHILDREN.get(tag, len(element)):
            return f"an argument is missing in <{tag}>"
        if (element.text or "").startswith("\\"):
            return f"{element.text} is not known"
    return None


def _entity(character: re.Match[str]) -> str:
    return f"&#{ord(character[0])};"


def convert(markdown: str, where: str, line: int = 1) -> str:
    """The Markdown with its formulas as MathML; code and `\\$` are left alone. `line` is the number of its first line.

    A dollar opens a formula only where no space follows it, and closes one only where no space stands before and no
    digit after, so that sums of money stay text. Raises UserError that names file and line.
    """

    def replace(found: re.Match[str]) -> str:
        if found["block"] is None and found["line"] is None:
            return found[0]
        at = f"{where}:{line + markdown.count(chr(10), 0, found.start())}"
        if found["block"] is not None:
            return f'<span class="kf-math">{formula(found["display"], True, at)}</span>'
        made = formula(found["inline"], False, at)
        begins = not markdown[markdown.rfind("\n", 0, found.start()) + 1 : found.start()].strip(" \t>")
        return f"<span>{made}</span>" if begins else made  # a line that begins with <math> would be a block of its own

    return _TOKEN.sub(replace, markdown) if "$" in markdown else markdown
