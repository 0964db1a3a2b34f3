"""What is wrong with an output: missing, doubled, torn and strange items."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from scrapekit.export.manifest import Manifest, Part, measured


class Verdict(NamedTuple):
    """Counts of items; of torn ones, of lines or files that can't be read."""

    missing: int = 0
    doubled: int = 0
    torn: int = 0
    strange: int = 0

    @classmethod
    def on(cls, output: Path, expected: Iterable[dict[str, Any]]) -> Verdict:
        """Compare an output with its items: JSON Lines, JSON, CSV, XML, packed or not, Parquet, a table in ``.db``."""
        found, torn = _read(output, output.suffixes[0])
        return cls._of(found, torn, expected, output.suffixes[0])

    @classmethod
    def on_parts(cls, output: Path, expected: Iterable[dict[str, Any]]) -> Verdict:
        """The same for an output in parts; those that are not as the manifest says, or are not in it, are torn."""
        suffix, stem = output.suffixes[0], output.name.partition(".")[0]
        path = output.with_name(f"{stem}.manifest.json")
        manifest = Manifest.decoded(path.read_bytes(), str(path)) if path.exists() else Manifest()
        found: Counter[str] = Counter()
        torn = int(not manifest.complete)
        torn += len({each.name for each in output.parent.glob(f"{stem}-*")} ^ {part.file for part in manifest.parts})
        before = 0
        for number, part in enumerate(manifest.parts, 1):
            items, broken = _read(output.with_name(part.file), suffix)
            found += items
            count = items.total()
            measure = measured(output.with_name(part.file))
            if part != Part(number, part.file, count, *measure, before + 1, before + count):
                broken += 1
            torn += broken
            before += count
        return cls._of(found, torn, expected, suffix)

    @classmethod
    def _of(cls, found: Counter[str], torn: int, expected: Iterable[dict[str, Any]], suffix: str) -> Verdict:
        wanted = {_canonical(_flat(item) if suffix in (".csv", ".xml") else item) for item in expected}
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


def _read(path: Path, suffix: str) -> tuple[Counter[str], int]:
    """The items of a file, and how many lines or files can't be read."""
    content = path.read_bytes() if path.exists() else b""
    found: Counter[str] = Counter()
    try:
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError):
        return found, 1
    torn = 0
    if suffix == ".db" and content:
        content = b"".join(json.dumps(row).encode() + b"\n" for row in _rows(path))
    if suffix in _READERS and content:
        try:
            found.update(map(_canonical, _READERS[suffix](content)))
        except Exception:  # noqa: BLE001  (whatever its reader says of it: a file that can't be read is torn)
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


def _csv(content: bytes) -> Iterable[Any]:
    return csv.DictReader(io.StringIO(content.decode(), newline=""))


def _xml(content: bytes) -> Iterable[Any]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return [{field.tag: field.text or "" for field in item} for item in etree.fromstring(content, parser)]


def _parquet(content: bytes) -> Iterable[Any]:
    from pyarrow import parquet  # noqa: PLC0415  (an extra, which only who writes Parquet has)

    found: list[Any] = parquet.read_table(io.BytesIO(content)).to_pylist()
    return found


_READERS: dict[str, Callable[[bytes], Iterable[Any]]] = {
    ".csv": _csv,
    ".json": json.loads,
    ".parquet": _parquet,
    ".xml": _xml,
}


def _canonical(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def _flat(item: dict[str, Any]) -> dict[str, str]:
    """As a CSV has it."""
    return {
        name: "" if value is None else value if isinstance(value, str) else json.dumps(value)
        for name, value in item.items()
    }
