"""BibTeX for methods: the entry of references.bib where there is one, else an entry built from the record."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from kiloframe.schema import Method

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue

__all__ = ["bibtex", "bibtex_for_all", "bibtex_key", "latex"]

# Braces as commands, because BibTeX counts braces even where they are escaped.
_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}",
    "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "—": "---", "’": "'", "‘": "`",
    "“": "``", "”": "''", "ß": r"{\ss}", "ø": r"{\o}", "Ø": r"{\O}", "ł": r"{\l}", "Ł": r"{\L}", "æ": r"{\ae}",
    "Æ": r"{\AE}", "œ": r"{\oe}", "Œ": r"{\OE}", "ı": r"{\i}", "×": r"$\times$", "•": r"\textbullet{}",
    "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c", "\u0328": "k",
}  # fmt: skip
_JOURNALS = ("TMLR",)


def latex(text: str) -> str:
    """The text with LaTeX's special characters escaped and Latin accents as commands: `Höppe` is `H{\\"o}ppe`.

    Characters of other scripts stay as they are (UTF-8).
    """
    return "".join(_letter(char) for char in unicodedata.normalize("NFC", text))


def _letter(char: str) -> str:
    if char in _SIGNS:
        return _SIGNS[char]
    base, *accents = list(unicodedata.normalize("NFD", char))
    if len(accents) == 1 and accents[0] in _ACCENTS and base.isascii():
        command = _ACCENTS[accents[0]]
        base = {"i": r"\i", "j": r"\j"}.get(base, base) if command not in "ck" else base
        return f"{{\\{command}{{{base}}}}}" if command.isalpha() or base.startswith("\\") else f"{{\\{command}{base}}}"
    return " " if char in "\n\r\t" else char


@lru_cache(maxsize=1)
def _default() -> Catalogue:
    from kiloframe.catalogue import load

    return load()


def _reference(method: Method, cat: Catalogue | None) -> tuple[str, str] | None:
    """Key and text of the entry in references.bib that is about this method."""
    cat = cat or _default()
    for row in cat.survey.get("cite_key_map", ()):
        if row.get("slug") == method.slug and row.get("bib") in cat.references:
            return row["bib"], cat.references[row["bib"]]
    if method.arxiv:
        for key, text in cat.references.items():
            if re.search(rf"eprint\s*=\s*[{{\"]\s*{re.escape(method.arxiv)}\s*[}}\"]", text):
                return key, text
    return None


def bibtex_key(method: Method, catalogue: Catalogue | None = None) -> str:
    """The key of the method's entry: that of references.bib, else first author, year and slug (`yin2023nuwaxl`).

    `catalogue` says whose references.bib; by default that of `kiloframe.load()`, read once.
    """
    found = _reference(method, catalogue)
    return found[0] if found else _own_key(method)


def _own_key(method: Method) -> str:
    plain = unicodedata.normalize("NFKD", method.authors[0].split()[-1])
    family = "".join(char for char in plain if char.isascii() and char.isalnum()).lower()
    return f"{family or 'anonymous'}{_year(method)}{method.slug.replace('_', '')}"


def bibtex(method: Method, catalogue: Catalogue | None = None) -> str:
    """The BibTeX entry of a method, without a newline at its end.

    The text of references.bib is used where its entry is about the method (survey.yaml, cite_key_map, or the same
    arXiv id); else the entry is built from the record. `catalogue` as for `bibtex_key`.
    """
    found = _reference(method, catalogue)
    return found[1].strip() if found else _built(method, _own_key(method))


def _built(method: Method, key: str) -> str:
    kind, published = _venue(method)
    fields = {
        "title": f"{{{latex(method.title)}}}",  # braces keep the capitals of names
        "author": " and ".join(_author(name) for name in method.authors),
        **published,
        "year": _year(method),
    }
    if method.arxiv:
        fields |= {"eprint": method.arxiv, "archivePrefix": "arXiv"}
    if method.doi:
        fields["doi"] = method.doi
    if method.urls.paper:
        fields["url"] = method.urls.paper.replace("{", "%7B").replace("}", "%7D").replace(" ", "%20")
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items()]
    return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}"


def _author(name: str) -> str:
    """One name; a name that BibTeX would take apart wrongly stays in braces."""
    escaped = latex(name)
    return escaped if " " in name and "," not in name and " and " not in f" {name.lower()} " else f"{{{escaped}}}"


def _venue(method: Method) -> tuple[str, dict[str, str]]:
    """Type of entry and its fields for the place of publication."""
    if method.venue is None:
        return "misc", {}
    if re.search(r"\(as [A-Z]", method.venue):  # published under another title: what the record cites is the preprint
        return "misc", {"note": latex(f"published at {method.venue}")}
    fields = {}
    place = re.split(r"[(,;]", method.venue, maxsplit=1)[0].strip() or method.venue
    if place.startswith(_JOURNALS):
        kind, fields["journal"] = "article", latex(re.sub(r"\s+\d{4}$", "", place))
    elif "report" in place.lower():
        kind, fields["howpublished"] = "misc", latex(place)
    else:
        kind, fields["booktitle"] = "inproceedings", latex(place)
    pages = re.search(r"\b(?:pages?|pp\.)\s*(\d+)\s*[-–]+\s*(\d+)", method.venue)
    if pages:
        fields["pages"] = f"{pages[1]}--{pages[2]}"
    return kind, fields


def _year(method: Method) -> str:
    """The year of the venue, else that of first publication."""
    found = re.search(r"\b(19|20)\d\d\b", method.venue or "")
    return found[0] if found else method.first_public[:4]


def bibtex_for_all(methods: Iterable[Method], catalogue: Catalogue | None = None) -> str:
    """A .bib file with the entries of these methods, in their order, each key once; ends with a newline.

    Two methods of one entry give it once; a built key that is taken by another entry gets a letter.
    """
    catalogue = catalogue or _default()
    texts: dict[str, str] = {}
    for method in methods:
        found = _reference(method, catalogue)
        if found:
            texts[found[0]] = found[1].strip()
            continue
        key = own = _own_key(method)
        for letter in "bcdefghijklmnopqrstuvwxyz":
            if key not in texts and key not in catalogue.references:
                break
            key = own + letter
        texts[key] = _built(method, key)
    return "".join(f"{text}\n\n" for text in texts.values()).rstrip("\n") + "\n"
