"""Text that wants to become markup, and records that are full of it."""

import msgspec

__all__ = ["HOSTILE", "LINES", "LONG", "RIGHT_TO_LEFT", "poisoned"]

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


def poisoned(record):
    """The record with hostile text in every field that takes any text."""
    keep = {"slug", "ref", "id", "date", "first_public", "arxiv", "seen", "read", "by", "rule", "value", "unit", "role"}
    keep |= {"level", "confidence", "control_signals"}

    def walk(value, key):
        if key in keep and not (key == "value" and isinstance(value, str) and " " in value):
            return value
        if isinstance(value, dict):
            return {name: walk(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, key) for inner in value]
        if isinstance(value, str):
            return LINES if key == "mechanism" else HOSTILE
        return value

    return msgspec.convert(walk(msgspec.to_builtins(record), ""), type(record))
