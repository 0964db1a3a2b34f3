"""The manifest of a folder of files: what came of each URL. Any thread and any process of one machine may write it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct
from msgspec.structs import astuple

from scrapekit.messages.reason import storable

NAME = "manifest.sqlite"
_PATIENCE = 60.0  # seconds that a writer waits for the others
_SCHEMA = """CREATE TABLE IF NOT EXISTS files (
    url TEXT PRIMARY KEY, status TEXT NOT NULL, path TEXT, sha256 TEXT, size INTEGER, media_type TEXT, error TEXT
) WITHOUT ROWID"""


class FileRecord(Struct, frozen=True):
    """What came of one URL.

    Args:
        url: As it was asked for.
        status: ``saved``, ``refused`` by a filter, or ``failed``.
        path: Of the file, relative to the folder; only of a saved one.
        sha256: The digest of its content, in hex.
        size: In bytes.
        media_type: As the server or the content says.
        error: Why it was refused or has failed, in one line.
    """

    url: str
    status: str
    path: str | None = None
    sha256: str | None = None
    size: int | None = None
    media_type: str | None = None
    error: str | None = None


def record(folder: Path, entry: FileRecord) -> None:
    """Write an entry, in the place of an earlier one of that URL.

    It has a rollback journal: many may write to such a database, and whoever is killed half-way leaves it whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / NAME, timeout=_PATIENCE)) as db, db:
        db.execute(_SCHEMA)
        values = [storable(value) if isinstance(value, str) else value for value in astuple(entry)]
        db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def read_manifest(folder: str | Path) -> Iterator[FileRecord]:
    """All entries, by URL; none where nothing was ever written."""
    path = Path(folder) / NAME
    if path.is_file():
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)) as db:
            for row in db.execute("SELECT * FROM files ORDER BY url"):
                yield FileRecord(*row)
