"""Text that wants to become markup, and records that are full of it."""

from __future__ import annotations

import random
from typing import Any

import msgspec

__all__ = ["HOSTILE", "LINES", "LONG", "RIGHT_TO_LEFT", "hostile_text", "poisoned"]

HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> [click](javascript:alert(3)) [kiloframe][kiloframe.load] "
    "{{ config.site_name }} {% raw %} {: onclick=alert(4) } | a | b | `code` **bold** __init__ :smile: $x$ &lt;b&gt; "
    '"quoted" \'single\' --8<-- "setup.py" \u202egnp.exe ]]> --> </div></p></section> #hash \\* ~~gone~~'
)
LINES = (
    f"{HOSTILE}\n"
    + """
```python
import os
```

--8<-- "README.md"

# heading

- [ ] task
::: kiloframe.load
    x_t = a < b
"""
)
LONG = "Unbreakable" * 40
RIGHT_TO_LEFT = "סרטון ארוך مقطع فيديو طويل (1024)"


_PIECES = (
    *HOSTILE.split(" "), *LINES.split("\n\n"), RIGHT_TO_LEFT,
    "=1+1", "=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-1", "\tx", "\u2028", "null", "NaN", "\\", "\\u0000",
    "'; drop table methods; --", '"; select 1; --', "@article{x,", "}}", "}, title = {y", "\\input{/etc/passwd}",
    "%s%n", "%",
    "$(touch ran)", "`touch ran`", "; touch ran;", "| touch ran", "&& touch ran", "<(touch ran)", "${x:=$(touch ran)}",
    "<svg/onload=alert(1)>", "</script><script>", "<!--", "<![CDATA[", "&#x3c;img&#x3e;", "<a href=javascript:x>",
    "![x](x)", "[x]: javascript:x", "\n\n    <b>", "\n# x", "\n::: kiloframe", "\n!!! x", '\n--8<-- "setup.py"',
    "{{ 7*7 }}", "{%", "a\u0301\u0301\u0301", "\ufeff", "\u200d", "\U0001f468\u200d\U0001f469", "\u3000",
)  # fmt: skip


def hostile_text(rng: random.Random) -> str:
    """A text of pieces that mean something to HTML, Markdown, SQL, a spreadsheet, BibTeX, LaTeX or a shell."""
    return rng.choice(("", " ")).join(rng.choice(_PIECES) for _ in range(rng.randint(1, 12))) or "x"


def poisoned(record: Any, text: str = HOSTILE, lines: str = LINES) -> Any:
    """The record with hostile text in every field that takes any text; `lines` where a field takes several."""
    keep = {"slug", "ref", "id", "date", "first_public", "arxiv", "seen", "read", "by", "rule", "value", "unit", "role"}
    keep |= {"level", "confidence", "control_signals"}

    def walk(value: Any, key: str) -> Any:
        if key in keep and not (key == "value" and isinstance(value, str) and " " in value):
            return value
        if isinstance(value, dict):
            return {name: walk(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, key) for inner in value]
        if isinstance(value, str):
            return lines if key == "mechanism" else text
        return value

    return msgspec.convert(walk(msgspec.to_builtins(record), ""), type(record))
