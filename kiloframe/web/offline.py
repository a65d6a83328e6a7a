"""The whole built site as one zip that works from disk, and the words that lead to it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

__all__ = ["NAME", "link", "pack"]

NAME = "kiloframe-site.zip"
_STORED = {".mp4", ".webm", ".png", ".webp", ".gz", ".woff2"}  # compressed already
_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can name; the same bytes whenever it is made
_PLACE = re.compile(r"(<(\w+)\b[^>]*\bdata-kf-zip\b[^>]*>).*?(</\2>)", re.DOTALL)


def pack(site: Path) -> Path:
    """Write `site`/kiloframe-site.zip with everything in the folder but itself; returns the file.

    The same files give the same bytes. All lies in one folder of the zip.
    """
    target = site / NAME
    files = sorted(file for file in site.rglob("*") if file.is_file() and file != target)
    with zipfile.ZipFile(target, "w") as archive:
        for file in files:
            entry = zipfile.ZipInfo(f"{target.stem}/{file.relative_to(site).as_posix()}", _DAY)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if file.suffix in _STORED else zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return target


def link(site: Path, made: Path) -> None:
    """Let the pages that keep a place for it (an element with `data-kf-zip`) lead to the zip and tell its size.

    The pages within the zip, which cannot hold it, keep the words that stand there.
    """
    size = f"{made.stat().st_size / 1e6:.1f} MB"
    for page in sorted(site.rglob("*.html")):
        html = page.read_text("utf-8")
        if "data-kf-zip" in html:
            up = "../" * (len(page.relative_to(site).parts) - 1)
            words = (
                f'<a href="{up}{NAME}" download>{NAME}</a> ({size}) is the whole site: unpack it and open '
                "<code>index.html</code>. Nothing else is needed, no server and no network."
            )
            page.write_text(_PLACE.sub(rf"\g<1>{words}\g<3>", html), "utf-8")
