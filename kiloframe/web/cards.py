"""The picture that a link to a page shows elsewhere: a PNG of 1200 x 630 per page, drawn from its title and words.

Drawn with Pillow and the typeface that comes with it, so that neither fonts nor network are needed and the same words
give the same bytes. One byte per pixel: text is drawn in grey, and a palette turns grey into the site's colours.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

__all__ = ["SIZE", "draw", "wrapped"]

SIZE = (1200, 630)
_MARGIN, _ROOM = 80, 1040
_GROUND, _INK, _ACCENT = (16, 22, 28), (241, 246, 249), (92, 201, 218)
_WHITE, _MUTED, _MARK = 254, 165, 255  # levels of grey; the last is no grey but the accent
_TITLES = (96, 78, 62, 50)  # sizes to try until the title fits on two lines


def wrapped(words: str, font: FreeTypeFont, room: int, most: int) -> list[str]:
    """`words` in at most `most` lines of `room` pixels; a word that is too long is broken, what is left is cut off."""
    lines: list[str] = []
    line = ""
    for word in words.split():
        while font.getlength(word) > room:
            keep = max(n for n in range(1, len(word)) if n == 1 or font.getlength(word[:n]) <= room)
            lines, line, word = [*lines, *([line] if line else []), word[:keep]], "", word[keep:]
        longer = f"{line} {word}".strip()
        if font.getlength(longer) <= room:
            line = longer
        else:
            lines.append(line)
            line = word
    lines += [line] if line else []
    if len(lines) > most:
        last = lines[most - 1]
        while last and font.getlength(f"{last}…") > room:
            last = last[:-1]
        lines = [*lines[: most - 1], f"{last.rstrip(' ,;:.')}…"]
    return lines


def draw(section: str, title: str, text: str) -> bytes:
    """The PNG of a page: where it stands, what it is called, what it says of itself."""
    from PIL import Image, ImageDraw, ImageFont

    def font(size: int) -> FreeTypeFont:
        found = ImageFont.load_default(size=size)
        assert isinstance(found, ImageFont.FreeTypeFont)  # Pillow without FreeType has only a bitmap
        return found

    picture = Image.new("L", SIZE, 0)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 15, SIZE[1]), fill=_MARK)
    for line in wrapped(section, font(30), _ROOM, 1):
        pen.text((_MARGIN, 64), line, fill=_MUTED, font=font(30))
    size = next((s for s in _TITLES if len(wrapped(title, font(s), _ROOM, 9)) <= 2), _TITLES[-1])
    y = 116
    for line in wrapped(title, font(size), _ROOM, 2):
        pen.text((_MARGIN, y), line, fill=_WHITE, font=font(size), stroke_width=size // 48, stroke_fill=_WHITE)
        y += int(size * 1.22)
    small = font(34)
    for line in wrapped(text, small, _ROOM, max(1, (500 - y - 24) // 48)):
        pen.text((_MARGIN, y + 24), line, fill=_MUTED, font=small)
        y += 48
    _strip(pen)
    pen.text((_MARGIN, 540), "kiloframe", fill=_WHITE, font=font(40), stroke_width=1, stroke_fill=_WHITE)
    steps = [[a + (b - a) * grey // _WHITE for a, b in zip(_GROUND, _INK, strict=True)] for grey in range(_MARK)]
    picture.putpalette([part for colour in [*steps, list(_ACCENT)] for part in colour])
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _strip(pen: ImageDraw) -> None:
    """A film that goes on for long: the frames of its beginning are clear, later ones fade."""
    for n in range(18):
        left = 330 + n * 46
        pen.rectangle((left, 546, left + 36, 582), fill=_MARK if n == 0 else max(12, 150 - 8 * n))
