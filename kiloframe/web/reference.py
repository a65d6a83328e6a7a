"""API reference pages: one per part of the packages, each module as a directive that mkdocstrings fills in."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["modules", "write_pages"]

# Page, title, what stands on top, and the modules (or folders of modules) it documents.
_PAGES = (
    ("kiloframe", "kiloframe", "Loading, looking up, filtering and exporting the facts.",
     ("kiloframe", "kiloframe.catalogue", "kiloframe.records", "kiloframe.explain", "kiloframe.tables",
      "kiloframe.exports", "kiloframe.cite", "kiloframe.errors")),
    ("schema", "The schema", "What a record holds, field by field.", ("kiloframe.schema",)),
    ("results", "Runs and results", "Executing notebooks, and the record of what a run found.",
     ("kiloframe.execute", "kiloframe.results")),
    ("lint", "Lint rules", "The rules that `kiloframe lint` checks the facts by.", ("kiloframe.lint.*",)),
    ("site", "The site", "How the pages you are reading are made.",
     ("kiloframe.web", "kiloframe.web.*", "kiloframe.web.figures.*")),
    ("reproductions", "Reproductions", "The contract every reproduction answers, training, video files, reports.",
     ("reproductions", "reproductions.*")),
    ("methods", "Methods", "The reproductions themselves, one file per method.", ("reproductions.methods.*",)),
    ("parts", "Parts", "What methods share: attention, U-Nets, samplers, schedules.", ("reproductions.parts.*",)),
    ("worlds", "Worlds", "Endless, seeded video with exact truth for every frame.", ("reproductions.worlds.*",)),
    ("loaders", "Loaders", "The data sets of the survey's Table 1 on disk, and real video to train on.",
     ("reproductions.loaders", "reproductions.loaders.*")),
    ("measures", "Measures", "The survey's, and those that a known world makes exact.",
     ("reproductions.measures.*", "reproductions.measures.networks", "reproductions.measures.networks.*")),
)  # fmt: skip


def modules(root: Path, pattern: str) -> list[str]:
    """Module names below the checkout that fit: `a.b` itself, or the public modules in the folder for `a.b.*`."""
    package, star, _ = pattern.partition(".*")
    folder = root.joinpath(*package.split("."))
    if not star:
        return [package] if folder.with_suffix(".py").is_file() or (folder / "__init__.py").is_file() else []
    files = [file for file in sorted(folder.glob("*.py")) if not file.stem.startswith("_")]
    return [f"{package}.{file.stem}" for file in files if _has_docstring(file)]


def _has_docstring(file: Path) -> bool:
    return bool(ast.get_docstring(ast.parse(file.read_text("utf-8"), str(file))))


def write_pages(root: Path, docs: Path) -> None:
    """Write reference/index.md and one page per part below `docs`; parts without modules are left out."""
    target = docs / "reference"
    target.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, title, about, patterns in _PAGES:
        found = list(dict.fromkeys(module for pattern in patterns for module in modules(root, pattern)))
        if not found:
            continue
        listed = "\n\n".join(f"::: {module}" for module in found)
        front = f'---\ntitle: "{title}"\ndescription: "API reference. {about}"\n---\n\n'
        (target / f"{name}.md").write_text(f"{front}# {title}\n\n{about}\n\n{listed}\n", "utf-8")
        links = ", ".join(f"[`{module}`]({name}.md#{module})" for module in found)
        rows.append(f"| [{title}]({name}.md) | {about} | {links} |")
    text = (
        '---\ntitle: "API reference"\ndescription: "Every public module of kiloframe and its reproductions."\n---\n\n'
        "# API reference\n\nMade from the docstrings. `kiloframe` reads the facts and never imports torch; "
        "`reproductions` holds the models.\n\n| Page | What it is about | Modules |\n| --- | --- | --- |\n"
    )
    (target / "index.md").write_text(text + "\n".join(rows) + "\n", "utf-8")
