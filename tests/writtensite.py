"""Real crawls over a small site that a test writes down as a dict of pages: fixtures of the tests of spiders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import scrapekit
from scrapekit.testing import Reply, serve

SETTINGS = {"robots": {"obey": False}, "retry": {"times": 0}}


class Crawled(NamedTuple):
    items: list[Any]
    hits: Mapping[str, int]
    report: Any


class Site:
    """Pages by target: a str is HTML or XML, bytes are sent as they are, a Reply is a Reply, and anything else is JSON.

    In text and bytes, ``{url}`` is the site's own.
    """

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}

    def __call__(self, view) -> Reply:
        page = self.pages.get(view.target)
        if page is None:
            return Reply(b"not found", 404)
        if isinstance(page, Reply):
            return page
        url = f"http://{view.headers['host']}"
        if isinstance(page, str):
            kind = "application/xml" if page.startswith("<?xml") else "text/html; charset=utf-8"
            body = page.replace("{url}", url).encode()
        elif isinstance(page, bytes):
            kind, body = "application/octet-stream", page.replace(b"{url}", url.encode())
        else:
            kind, body = "application/json", json.dumps(page).encode()
        return Reply(body, headers=(("Content-Type", kind),))


@pytest.fixture
def site() -> Iterator[Any]:
    app = Site()
    with serve(app) as server:
        app.server, app.url = server, server.url
        yield app


@pytest.fixture
def crawl(site, tmp_path: Path):
    """Crawl the site with a spider: its items, how often each target was asked for, the report."""

    def crawl(spider, settings=SETTINGS, **arguments) -> Crawled:
        output = tmp_path / "items.jsonl"
        output.unlink(missing_ok=True)
        before = dict(site.server.hits)
        report = scrapekit.run(spider, output=output, settings=settings, **arguments)
        items = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
        hits = {target: count - before.get(target, 0) for target, count in site.server.hits.items()}
        return Crawled(items, {target: count for target, count in hits.items() if count}, report)

    return crawl
