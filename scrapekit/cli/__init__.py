"""The command line: ``scrapekit crawl``, ``list`` and ``settings``."""

from scrapekit.cli.app import main
from scrapekit.cli.process import entry

__all__ = ["entry", "main"]
