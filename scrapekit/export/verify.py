"""How much of an output is still as it was written."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
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
