"""XML in pieces, on its way to a parser that reads it as it comes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from scrapekit.parse.references import mended, without_halves

_SPACE_BEFORE = re.compile(rb"\A(\xef\xbb\xbf)?[ \t\r\n]+(?=<)").sub
_SECTIONS = re.compile(rb"<!(?:(\[CDATA\[)(?:.*?\]\]>|.*())|(--)(?:.*?-->|.*()))", re.DOTALL).finditer
_LONGEST = 40  # bytes of a reference


def well_referenced(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of XML in which no reference is lost whatever else is wrong (:func:`mended`), and no space comes first.

    Args:
        pieces: As they come. What has bytes that are not ASCII in the place of such passes as it is, from there on.
    """
    held = end = b""  # what has to wait for more; how the section ends that we are in
    parts, first = _whole_characters(pieces), True
    for piece in parts:
        data = held + piece
        if b"\0" in data or b"\x1b" in data:  # UTF-16, ISO-2022-JP: the byte of an ampersand may be none there
            yield from chain([data], parts)
            return
        if first:
            data, first = _SPACE_BEFORE(rb"\1", data), False
        passed, held, end = _split(data, end)
        if passed:
            yield passed
    if held:
        yield held if end else mended(held)


def _whole_characters(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces :func:`without_halves`, none of them empty."""
    held = b""
    for piece in pieces:
        data = held + piece
        cut = data.rfind(b"&", max(len(data) - _LONGEST, 0))
        held = b"" if cut < 0 else data[cut:]
        if passed := without_halves(data[: len(data) - len(held)]):
            yield passed
    if held:
        yield without_halves(held)


def _split(data: bytes, end: bytes) -> tuple[bytes, bytes, bytes]:
    """What of ``data`` can pass, what has to wait for more, and how the section ends in which that lies, if it does."""
    inside = b""
    if end:
        found = data.find(end)
        cut = len(data) - len(end) + 1 if found < 0 else found + len(end)
        inside, data = data[: max(cut, 0)], data[max(cut, 0) :]
        if found < 0:
            return inside, data, end
    last = next(reversed(list(_SECTIONS(data))), None)
    if last is not None and (last[2] is not None or last[4] is not None):  # it has no end yet
        cut = last.end(1) if last[1] else last.end(3)
        return inside + mended(data[:cut]), data[cut:], b"]]>" if last[1] else b"-->"
    since = max(last.end() if last else 0, len(data) - _LONGEST)
    cut = min((at for at in (data.rfind(b"&", since), data.rfind(b"<", since)) if at >= 0), default=len(data))
    return inside + mended(data[:cut]), data[cut:], b""
