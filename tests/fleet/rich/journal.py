"""What user code does outside of the crawl, written down: a line of a file that all workers append to."""

import os
import threading
from pathlib import Path


def note(folder, *what):
    """Short lines are appended as a whole, whoever else writes."""
    with Path(folder, "journal.txt").open("a", encoding="utf-8") as file:
        file.write(" ".join(map(str, what)) + "\n")


def whoami():
    return f"{os.getpid()}-{threading.get_ident()}"
