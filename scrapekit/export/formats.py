"""The formats that a file has as a whole, such as CSV: made at the end, of the lines that were committed."""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec
from lxml import etree

from scrapekit.errors import OutputError
from scrapekit.export.extras import need

if sys.version_info >= (3, 14):  # pragma: no cover  (another Python)
    from compression import zstd
else:
    from backports import zstd

_OTHER_FORMATS = frozenset(
    {".avro", ".bz2", ".db", ".feather", ".lz4", ".parquet", ".pickle", ".pkl", ".sqlite", ".tsv"}
    | {".xls", ".xlsx", ".xz", ".yaml", ".yml", ".zip"}
)

Lines = Callable[[], Iterable[bytes]]
"""Gives the committed items from the first one on, each time it is called."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
# What makes a spreadsheet take a text for a formula; some drop the blanks, or read the wide forms as the others.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?\d[\d.,]*").fullmatch
_DEEPEST = 100  # levels of elements: readers of XML give up at 256
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII).fullmatch
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


class Options(NamedTuple):
    """What the settings say about an output.

    Args:
        fields: The columns of a CSV or Parquet file; None: all that any item has, in the order in which they first
            came.
        spreadsheet_safe: Whether texts in a CSV that a spreadsheet would run as a formula get a ``'`` before them.
        compression: Of a Parquet file: ``zstd``, ``snappy``, ``gzip`` or ``none``.
        max_outage: Seconds after which a database that takes nothing is given up.
    """

    fields: Sequence[str] | None = None
    spreadsheet_safe: bool = False
    compression: str = "zstd"
    max_outage: float = 60.0


class Format(NamedTuple):
    """How a whole file is written.

    Args:
        write: Writes the items to a binary file.
        opened: Opens the file, compressed if the name says so.
        extra: The extra whose libraries it needs; empty for none.
    """

    write: Callable[[Lines, BinaryIO, Options], None]
    opened: Callable[[Path], AbstractContextManager[BinaryIO]]
    extra: str = ""


def format_of(path: Path) -> Format | None:
    """The format that the suffix of ``path`` asks for; None for JSON Lines, plain or gzip, and for names unknown here.

    ``.csv``, ``.json`` and ``.xml``, each also with ``.gz`` or ``.zst``; ``.jsonl.zst``; ``.parquet``, which is
    compressed inside.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes[-1:] == [".parquet"]:
        return Format(_write_parquet, _plain, "parquet")
    packed = suffixes.pop() if suffixes and suffixes[-1] in _PACKED else ""
    write = _WRITERS.get(suffixes[-1] if suffixes else "")
    if write is None and packed == ".zst":
        write = _write_lines
    return None if write is None else Format(write, _PACKED[packed])


def refuse_other_formats(path: Path) -> None:
    """Raise OutputError where the name is of a format that is not written, or the library of one is not installed."""
    form = format_of(path)
    if form is not None:
        if form.extra:
            need(form.extra, str(path))
        return
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    suffix = "".join(suffixes[:-1][-1:] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    if suffix in _OTHER_FORMATS:
        raise OutputError(
            f"{path}: {suffix} is not available; .jsonl, .csv, .json, .xml, each also with .gz or .zst, "
            ".parquet, and - (stdout) are"
        )


def whole_format_of(path: Path) -> Format:
    """The same where JSON Lines are made at the end, too."""
    packed = path.suffix.lower() if path.suffix.lower() in _PACKED else ""
    return format_of(path) or Format(_write_lines, _PACKED[packed])


def _write_lines(lines: Lines, file: BinaryIO, options: Options) -> None:  # noqa: ARG001  (one signature)
    file.writelines(line + b"\n" for line in lines())


def _write_json(lines: Lines, file: BinaryIO, options: Options) -> None:  # noqa: ARG001  (one signature)
    """An array, one item a line (RFC 8259)."""
    file.write(b"[")
    file.writelines((b",\n" if number else b"\n") + line for number, line in enumerate(lines()))
    file.write(b"\n]\n")


def _write_parquet(lines: Lines, file: BinaryIO, options: Options) -> None:
    from scrapekit.export.parquet import write_parquet  # noqa: PLC0415  (an extra)

    write_parquet(lines, file, options.fields, options.compression)


def _write_csv(lines: Lines, file: BinaryIO, options: Options) -> None:
    """A header and one row an item (RFC 4180); what is nested is JSON in its cell, what is missing or null is empty."""
    fields = options.fields
    if fields is None:
        fields = list(dict.fromkeys(name for line in lines() for name in _decode(line)))
    if not fields:
        return
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text)
    cell = _safe_cell if options.spreadsheet_safe else _cell
    rows.writerow([cell(name) for name in fields])
    for line in lines():
        item = _decode(line)
        rows.writerow([cell(item.get(name)) for name in fields])
    text.detach()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return _encode(value).decode()
    return value


def _safe_cell(value: Any) -> Any:
    """See OWASP, "CSV Injection"; what is just a number stays one."""
    cell = _cell(value)
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) and not _NUMBER(cell) else cell


def _write_xml(lines: Lines, file: BinaryIO, options: Options) -> None:  # noqa: ARG001  (one signature)
    """``<items><item><field>...``; a name that XML doesn't allow is ``<field name="...">``, a list many ``<value>``.

    What lies very deep is JSON in its element.
    """
    with etree.xmlfile(file, encoding="utf-8") as xml:
        xml.write_declaration()
        with xml.element("items"):
            for line in lines():
                xml.write("\n  ", _element("item", _decode(line)))
            xml.write("\n")
    file.write(b"\n")


def _element(name: str, value: Any, depth: int = 0) -> etree._Element:
    element = etree.Element(name) if _NAME(name) else etree.Element("field", name=_NOT_XML.sub("\ufffd", name))
    if isinstance(value, dict) and depth < _DEEPEST:
        element.extend([_element(key, inner, depth + 1) for key, inner in value.items()])
    elif isinstance(value, list) and depth < _DEEPEST:
        element.extend([_element("value", inner, depth + 1) for inner in value])
    elif value is not None:
        element.text = _NOT_XML.sub("\ufffd", str(_cell(value)))
    return element


@contextmanager
def _plain(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        yield file


@contextmanager
def _gzipped(path: Path) -> Iterator[BinaryIO]:
    # No name and no time in it, so that the same items give the same file.
    with path.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        yield cast("BinaryIO", packed)


@contextmanager
def _zstandard(path: Path) -> Iterator[BinaryIO]:
    with zstd.open(path, "wb") as packed:
        yield cast("BinaryIO", packed)


_WRITERS = {".json": _write_json, ".csv": _write_csv, ".xml": _write_xml}
_PACKED: dict[str, Callable[[Path], AbstractContextManager[BinaryIO]]] = {
    "": _plain,
    ".gz": _gzipped,
    ".zst": _zstandard,
}
