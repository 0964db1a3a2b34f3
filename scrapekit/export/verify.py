"""How much of an output is still as it was written."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path
from typing import Any

from scrapekit.export.lines import mark_at, mark_of, read_at

NOT_YET = {"offset": 0, "mark": mark_of(b"", b"")}
"""The position in a file that was opened only later."""

Group = tuple[Mapping[str, Any], bytes]


def groups_intact(path: Path, groups: Iterable[Group]) -> int:
    """How many groups of lines, from the first one on, the file holds as they were written. Any thread.

    Args:
        path: The file. One that is not there is an empty one.
        groups: As they were committed: :meth:`Sink.position` after the group, and the BLAKE2b (16 bytes) of its lines,
            joined by line ends. The first one is where the crawl began, with no lines, or what it was to append to.
    """
    if not path.exists():
        return len([*takewhile(lambda group: group[0]["offset"] == 0, groups)])
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        return _count(fd, groups, packed=path.suffix.lower() == ".gz")
    finally:
        os.close(fd)


def parts_intact(segment: Callable[[int], Path], groups: Iterable[Group]) -> int:
    """The same for an output in parts.

    Args:
        segment: The file of a part's lines, by its number.
        groups: As for :func:`groups_intact`; where the output was opened only later, :data:`NOT_YET` comes first.
    """
    at: tuple[int, int] | None = None
    inflate: dict[int, Any] = {}
    good = 0
    for position, digest in groups:
        if "part" in position:
            ends = [*((number, end) for number, *_, end in position["sealed"]), (position["part"], position["at"])]
            if not all(_holds(segment(number), end) for number, end in ends):
                break
            at = at or ((position["begin"], 0) if good else None)
            if at is not None and _lines(segment, at, ends, inflate) != digest:
                break
            at = ends[-1][0], ends[-1][1]["offset"]
        good += 1
    return good


def _holds(path: Path, position: Mapping[str, Any]) -> bool:
    offset: int = position["offset"]
    if not path.exists():
        return offset == 0
    with path.open("rb") as file:
        return path.stat().st_size >= offset and mark_at(file.fileno(), offset) == position["mark"]


def _lines(
    segment: Callable[[int], Path],
    begin: tuple[int, int],
    ends: Iterable[tuple[int, Mapping[str, Any]]],
    inflate: dict[int, Any],
) -> bytes:
    """The digest of the lines from one position to another, over all parts between them."""
    lines = b""
    for number, end in ends:
        start = begin[1] if number == begin[0] else 0
        if end["offset"] == start:
            continue
        with segment(number).open("rb") as file:
            data = read_at(file.fileno(), start, end["offset"])
        if "crc" in end:
            try:
                data = inflate.setdefault(number, zlib.decompressobj(31)).decompress(data)
            except zlib.error:
                return b""
        lines += data
    return _digest(lines, None)


def _count(fd: int, groups: Iterable[Group], *, packed: bool) -> int:
    size = os.fstat(fd).st_size
    end = inflate = None
    good = 0
    for position, digest in groups:
        offset = position["offset"]
        # The mark is what a resume will look at.
        if offset > size or mark_at(fd, offset) != position["mark"]:
            break
        if end is None:
            inflate = zlib.decompressobj(31) if packed else None  # one member from here on (RFC 1952)
        elif offset != end and _digest(read_at(fd, end, offset), inflate) != digest:
            break
        end = offset
        good += 1
    return good


def _digest(data: bytes, inflate: Any) -> bytes:
    try:
        lines = data if inflate is None else inflate.decompress(data)
    except zlib.error:
        return b""
    return blake2b(lines.removesuffix(b"\n"), digest_size=16).digest()
