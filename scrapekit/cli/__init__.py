"""The command line: ``scrapekit crawl``, ``list``, ``settings`` and ``check``."""

from scrapekit.cli.app import main
from scrapekit.cli.process import entry

__all__ = ["entry", "main"]
