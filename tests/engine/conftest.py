"""Makes ``crawls`` importable, whatever the import mode, and cleans up after simulated crashes."""

import sqlite3
import sys
from pathlib import Path

import pytest

from scrapekit.engine import Frontier

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def close_what_crashes_left_open(monkeypatch):
    """A simulated crash closes nothing; a real one has the kernel do it. (Python 3.13 warns of open databases.)"""
    opened, connect = [], sqlite3.connect

    def recorded(*args, **kwargs):
        opened.append(connect(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", recorded)
    monkeypatch.setitem(Frontier.__init__.__kwdefaults__, "connect", recorded)  # what it was when that was defined
    yield
    for connection in opened:
        connection.close()
