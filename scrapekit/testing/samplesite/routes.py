"""The :class:`Route`: which path answers what, and the few kinds of answers there are."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from scrapekit.testing.application import Reply
from scrapekit.testing.samplesite import html

HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Route:
    """One path of the site.

    Args:
        path: With its query.
        render: From the origin (``http://host:port``) that the client used to the answer.
        kind: What kind of HTML page it is; empty if it is none.
    """

    path: str
    render: Callable[[str], Reply]
    kind: str = ""


def page(text: str, encoding: str = "utf-8", content_type: str = HTML, status: int = 200) -> Reply:
    """An HTML page. What ``encoding`` can't hold is written as a character reference."""
    return Reply(text.encode(encoding, "xmlcharrefreplace"), status, (("Content-Type", content_type),))


def static(path: str, reply: Reply, kind: str = "") -> Route:
    """A path whose answer is the same for every origin."""
    return Route(path, lambda _origin: reply, kind)


def moved(path: str, status: int, target: str) -> Route:
    """A redirect. RFC 9110 allows both kinds of Location: a 302 has an absolute URL here, a 301 a path."""

    def render(origin: str) -> Reply:
        location = origin + target if status == 302 else target
        text = html.page("Moved", f'<a href="{target}">here</a>')
        return Reply(text.encode(), status, (("Content-Type", HTML), ("Location", location)))

    return Route(path, render)


def relative(path: str, target: str) -> str:
    """The relative link from the page at ``path`` to ``target``, which ends in a slash if that does."""
    link = posixpath.relpath(target, posixpath.dirname(path))
    return f"{link}/" if target.endswith("/") else link
