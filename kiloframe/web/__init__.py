"""The documentation site: facts and results as Markdown, rendered by mkdocs into site/, and a small server for it.

    from kiloframe.web import build, serve
    serve(build(), port=8000)

Importing this package imports neither mkdocs nor torch.
"""

from __future__ import annotations

from pathlib import Path

from kiloframe.web.server import check_port, serve

__all__ = ["build", "check_port", "serve"]


def build(root: str | Path | None = None, strict: bool = True, progress: bool = True) -> Path:
    """Write build/docs from the facts and results of the checkout and render it; the folder site/.

    `root` is the checkout (default: the one around this package, or the current folder); `strict` makes every warning
    of mkdocs an error; `progress` says on stderr what is being done. site/ is replaced only after success.
    Raises UserError where there is no checkout, a package of the extra [site] is missing, a formula does not parse, an
    executed notebook failed, or mkdocs finds fault with a page.
    """
    from kiloframe.web.site import build as _build

    return _build(root, strict=strict, progress=progress)
