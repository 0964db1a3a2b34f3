"""The command line: the program ``scrapekit`` and its commands."""

from scrapekit.cli.app import main
from scrapekit.cli.process import entry

__all__ = ["entry", "main"]
