"""Where an error on a page can be reported, if the code has an address."""

from __future__ import annotations

import re
from html import escape
from urllib.parse import quote, urlsplit

__all__ = ["address", "filled"]

_PLACE = re.compile(r'<span class="kf-report" data-kf-report="([a-z_]+)/([a-z0-9_]+)"></span>')


def address(repo_url: str, kind: str, slug: str) -> str:
    """A new issue of the repository with file and questions filled in, as GitHub, Gitea, Forgejo and GitLab take it."""
    repo = repo_url.rstrip("/").removesuffix(".git")
    title = f"{slug}: "
    body = f"File: catalogue/{kind}/{slug}.yaml\nField: \nWhat it should say: \nSource, with the place: "
    if "gitlab" in (urlsplit(repo).hostname or ""):
        return f"{repo}/-/issues/new?issue%5Btitle%5D={quote(title)}&issue%5Bdescription%5D={quote(body)}"
    return f"{repo}/issues/new?title={quote(title)}&body={quote(body)}"


def filled(html: str, repo_url: str | None) -> str:
    """The page with its place for the link filled in; without an address nothing stands there."""

    def link(found: re.Match[str]) -> str:
        if not repo_url:
            return ""
        return f': <a href="{escape(address(repo_url, found[1], found[2]))}" rel="noopener">report it here</a>'

    return _PLACE.sub(link, html)
