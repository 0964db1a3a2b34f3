"""The files of the page."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from scrapekit.dashboard.message import Answer

_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def asset(path: str) -> Answer | None:
    """The file under this path; None where there is none. Any thread."""
    found = _FILES.get(path)
    return None if found is None else Answer(200, found[1], _content(found[0]))


@cache
def _content(name: str) -> bytes:
    return (Path(__file__).parent / "static" / name).read_bytes()
