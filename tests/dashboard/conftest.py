"""A browser for the tests of a module, and crawls that can be watched."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest
from chromium import PROGRAM, Chromium
from watching import Crawling, Site

from scrapekit.dashboard import board, shelf
from scrapekit.testing import serve

SPIDER = """
    from scrapekit import Request, Spider

    class Pages(Spider):
        name = "pages"

        def start(self):
            yield Request(self.url)

        def parse(self, response):
            yield {"url": response.url, "title": response.css("title::text").get()}
            yield from response.follow_all("a")
"""


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """Look ten times as often as for people."""
    monkeypatch.setattr(board, "_SECOND", 0.1)
    monkeypatch.setattr(shelf, "_SECONDS", 0.2)


@pytest.fixture
def site():
    site = Site()
    with serve(site) as server:
        site.server, site.url = server, f"{server.url}/"
        yield site
        site.go.set()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder, with the spider ``pages``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "pages.py").write_text(dedent(SPIDER), encoding="utf-8")
    yield tmp_path
    for name in [name for name in set(sys.modules) - before if name.startswith("_spider_")]:
        del sys.modules[name]


@pytest.fixture
def crawl(project, site):
    """Starts a crawl of the site with a dashboard; more arguments may follow."""
    return lambda *arguments, ui="--ui": Crawling("pages", "-a", f"url={site.url}", ui, "0", *arguments)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture
def tab(browser):
    with browser.tab() as tab:
        yield tab
