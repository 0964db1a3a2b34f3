"""``python -m scrapekit``, the same as the command ``scrapekit``."""

from __future__ import annotations

from scrapekit.cli import entry

if __name__ == "__main__":
    entry()
