"""The bytes of a file, a piece at a time, without the gzip that it was put into."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from scrapekit.messages import Response
from scrapekit.spiders.sitemaps import gunzipped

GZIP_DAMAGED = "gzip_damaged"
"""The flag of a file whose gzip is broken, incomplete or a bomb: it is read as far as it goes."""

_RATIO = 250  # as http.max_ratio is by default
_SMALL = 4 * 2**20  # bytes that may come of however few


def pieces(response: Response) -> Iterator[bytes]:
    """The body in pieces of bounded size, unzipped if it is a gzip file, such as ``products.xml.gz``.

    What was sent with ``Content-Encoding: gzip`` is decoded before, and within ``http.max_body``. Of a file that is
    gzip itself, at most 250 times its size is read.
    """
    parts = response.iter_bytes()
    first = next(parts, b"")
    parts = chain([first], parts)
    if not first.startswith(b"\x1f\x8b"):
        yield from parts
        return
    room = max(_SMALL, response.size * _RATIO)
    wrong: dict[str, None] = {}
    for piece in gunzipped(parts, wrong):
        room -= len(piece)
        if room < 0:
            wrong[GZIP_DAMAGED] = None
            break
        yield piece
    if wrong:
        response.flags.append(GZIP_DAMAGED)
