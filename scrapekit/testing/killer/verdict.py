"""What is wrong with an output: missing, doubled, torn and strange items."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from scrapekit.export.manifest import Manifest, Part


class Verdict(NamedTuple):
    """Counts of items; of torn ones, of lines or files that can't be read."""

    missing: int = 0
    doubled: int = 0
    torn: int = 0
    strange: int = 0

    @classmethod
    def on(cls, output: Path, expected: Iterable[dict[str, Any]]) -> Verdict:
        """Compare an output, ``.jsonl``, ``.json`` or ``.csv``, packed or not, ``.parquet`` or ``.db``."""
        found, torn = _read(output, output.suffixes[0])
        return cls._of(found, torn, expected, output.suffixes[0])

    @classmethod
    def on_parts(cls, output: Path, expected: Iterable[dict[str, Any]]) -> Verdict:
        """The same for an output in parts; those that are not as the manifest says, or are not in it, are torn."""
        suffix, stem = output.suffixes[0], output.name.partition(".")[0]
        path = output.with_name(f"{stem}.manifest.json")
        manifest = Manifest.read(path) or Manifest()
        found: Counter[str] = Counter()
        torn = int(not manifest.complete)
        torn += len({each.name for each in output.parent.glob(f"{stem}-*")} ^ {part.file for part in manifest.parts})
        before = 0
        for number, part in enumerate(manifest.parts, 1):
            items, broken = _read(output.with_name(part.file), suffix)
            found += items
            count = items.total()
            if part != Part.of(number, output.with_name(part.file), items=count, first=before + 1):
                broken += 1
            torn += broken
            before += count
        return cls._of(found, torn, expected, suffix)

    @classmethod
    def _of(cls, found: Counter[str], torn: int, expected: Iterable[dict[str, Any]], suffix: str) -> Verdict:
        wanted = {_canonical(_flat(item) if suffix == ".csv" else item) for item in expected}
        return cls(
            missing=len(wanted - found.keys()),
            doubled=sum(count - 1 for count in found.values()),
            torn=torn,
            strange=len(found.keys() - wanted),
        )


def _rows(database: Path) -> list[dict[str, Any]]:
    """The items in the table ``books`` of a SQLite database; a column that is null stands for a field that is."""
    with closing(sqlite3.connect(database)) as db:
        db.row_factory = sqlite3.Row
        return [
            {name: row[name] for name in row.keys() if name not in {"_job", "_n"}}  # noqa: SIM118  (a Row iterates values)
            for row in db.execute("SELECT * FROM books")
        ]


def _rows_of_parquet(file: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet  # noqa: PLC0415  (an extra)

    rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
    return rows


def _read(path: Path, suffix: str) -> tuple[Counter[str], int]:
    """The items of a file, and how many lines or files can't be read."""
    content = path.read_bytes() if path.exists() else b""
    found: Counter[str] = Counter()
    try:
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError):
        return found, 1
    torn = 0
    if suffix in {".db", ".parquet"} and content:
        rows = _rows(path) if suffix == ".db" else _rows_of_parquet(path)
        content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    if suffix == ".csv":
        found.update(map(_canonical, csv.DictReader(io.StringIO(content.decode(), newline=""))))
    elif suffix == ".json":
        try:
            found.update(map(_canonical, json.loads(content)))
        except ValueError:
            torn = 1
    else:
        *lines, rest = content.split(b"\n")
        torn = int(rest != b"")
        for line in lines:
            try:
                found[_canonical(json.loads(line))] += 1
            except ValueError:
                torn += 1
    return found, torn


def _canonical(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def _flat(item: dict[str, Any]) -> dict[str, str]:
    """As a CSV has it."""
    return {
        name: "" if value is None else value if isinstance(value, str) else json.dumps(value)
        for name, value in item.items()
    }
