"""The composition root: reads settings, finds spiders, and wires the rooms into a crawl."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrapekit.project.crawling import Crawl as Crawl
    from scrapekit.project.library import crawl as crawl
    from scrapekit.project.library import fetch as fetch
    from scrapekit.project.library import run as run
    from scrapekit.project.report import CrawlReport as CrawlReport

_HOMES = {"Crawl": "crawling", "CrawlReport": "report", "crawl": "library", "fetch": "library", "run": "library"}

__all__ = ["Crawl", "CrawlReport", "crawl", "fetch", "run"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: a worker process needs this package, but no engine."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'scrapekit.project' has no attribute {name!r}")
    return getattr(import_module(f"scrapekit.project.{home}"), name)
