"""Building the site: everything is written beside its place, and takes it only when it is whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from kiloframe.errors import UserError

__all__ = ["build", "summary", "swapped", "write_docs"]

_NEEDED = ("mkdocs", "material", "mkdocstrings", "latex2mathml", "nbformat", "bleach", "PIL")
_REPORT = re.compile(r"^(?:WARNING|ERROR|CRITICAL)\s+-\s+(.*)")


def build(root: str | Path | None = None, strict: bool = True, progress: bool = True) -> Path:
    """See kiloframe.web.build."""
    from kiloframe.execute import checkout

    start = time.monotonic()
    root = Path(root) if root is not None else checkout()
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"the site needs packages that are missing ({', '.join(missing)}); type: pip install -e '.[all]'"
        )

    def say(what: str) -> None:
        if progress:
            print(f"  {time.monotonic() - start:5.1f} s  {what}", file=sys.stderr, flush=True)

    with swapped(root / "build" / "docs") as docs:
        write_docs(root, docs, say)
    pages = sum(1 for _ in (root / "build" / "docs").rglob("*.md"))
    say(f"rendering {pages} pages with mkdocs")
    with swapped(root / "site") as site:
        render(root, site, strict)
    say(f"done: {root / 'site' / 'index.html'}")
    return root / "site"


@contextmanager
def swapped(place: Path) -> Iterator[Path]:
    """An empty folder that takes its place, instead of what was there, when the block ends well.

    It is kept in build/ beside the other things that are made; where the block fails, what was there stays.
    """
    home = place.parent if place.parent.name == "build" else place.parent / "build"
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=f".{place.name}-", ignore_cleanup_errors=True) as folder:
            new, old = Path(folder, "new"), Path(folder, "old")
            new.mkdir()
            yield new
            if place.exists():
                place.rename(old)
            try:
                new.rename(place)
            except OSError:
                if old.exists():
                    old.rename(place)
                raise
    except OSError as error:
        raise UserError(
            f"{place} cannot be written ({error.strerror or error}); close what uses it, or look at its rights"
        ) from None


def write_docs(root: Path, docs: Path, say: Callable[[str], None] = lambda what: None) -> None:
    """Everything mkdocs renders, as Markdown and assets, into the empty folder `docs`."""
    import reproductions
    from kiloframe.catalogue import load
    from kiloframe.execute import latest_result, notebook_slugs
    from kiloframe.web import front, notebooks, reference, sources
    from kiloframe.web.pages import write_all

    cat = load(root / "catalogue")
    found = {slug: latest_result(slug, root) for slug in {*reproductions.names(), *notebook_slugs(root)}}
    ran = {slug: result for slug, result in sorted(found.items()) if result is not None}
    results = {slug: result for slug, result in ran.items() if slug in cat.methods}
    studies = {slug: result for slug, result in ran.items() if slug not in cat.methods}
    shutil.copytree(root / "docs", docs, dirs_exist_ok=True)
    say(f"writing {len(cat.methods)} methods, {len(cat.datasets)} data sets, {len(cat.metrics)} metrics")
    write_all(cat, results, docs, studies)
    for slug, (result, folder, frozen) in ran.items():
        say(f"converting the {'frozen' if frozen else 'fresh'} run of {slug}")
        notebooks.write_page(cat, result, folder, frozen, root, docs)
    say("writing code and API pages")
    sources.write_pages(cat, results, root, docs)
    reference.write_pages(root, docs)
    front.write_pages(cat, results, root, docs, studies)


def render(root: Path, site: Path, strict: bool) -> None:
    """Run mkdocs over build/docs into `site`. Raises UserError with one sentence where it finds fault."""
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    # No --quiet: it would also keep warnings from being counted, which --strict lives by.
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(site)]
    done = subprocess.run(
        command + (["--strict"] if strict else []),
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise UserError(summary(done.stderr + done.stdout))


def summary(log: str) -> str:
    """One sentence from what mkdocs printed: our own error where there is one, else its first complaint."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    own = [line.split(": ", 1)[1] for line in lines if line.startswith("kiloframe.errors.UserError: ")]
    if own:
        return own[-1]
    complaints = [found[1] for line in lines if (found := _REPORT.match(line))]
    if complaints:
        first = complaints[0].replace("Doc file ", "build/docs: page ").rstrip(".")
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        return f"mkdocs refused the site: {first}{more}; mend it and type: kiloframe site"
    last = lines[-1] if lines else "it printed nothing"
    return f"mkdocs stopped: {last}; to see all it says, type: mkdocs build --strict"
