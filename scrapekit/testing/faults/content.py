"""Content codings: bombs, broken and mislabelled bodies, and sizes that are announced."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from scrapekit.download import decoding
from scrapekit.testing.faults.registry import fault
from scrapekit.testing.faults.talk import HTML, Talk, head, reply

_BOMB = 32 * 2**20
Pack = Callable[[bytes], bytes]
_library: Any = decoding  # has the libraries that there are on this Python


def _deflate(data: bytes) -> bytes:
    return zlib.compress(data, 9)


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(data) + packer.flush()


def _brotli(data: bytes) -> bytes:
    packed: bytes = _library.brotli.compress(data, quality=5)
    return packed


def _zstd(data: bytes) -> bytes:
    packed: bytes = _library.zstd.compress(data)
    return packed


PACKERS: dict[str, Pack] = {"gzip": gzip.compress, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
"""By content coding, what applies it."""


@lru_cache
def _bomb(*codings: str) -> bytes:
    body = b"\0" * _BOMB
    for coding in codings:
        body = PACKERS[coding](body)
    return body


def coded(talk: Talk, body: bytes, coding: str) -> None:
    """Send ``body`` as if it were in that coding, with its right length."""
    talk.send(reply(body, f"Content-Encoding: {coding}"))


def _register(coding: str) -> None:
    """The faults that there are in each coding."""
    pack = PACKERS[coding]

    def bomb(talk: Talk) -> None:
        coded(talk, _bomb(coding), coding)

    def cut(talk: Talk) -> None:
        coded(talk, pack(talk.page * 50)[:-5], coding)

    bomb.__doc__ = f"32 MiB of zeros in some KB of {coding}."
    cut.__doc__ = f"The {coding} stream breaks off, and Content-Length matches what there is."
    fault(f"/content/bomb-{coding}", "BodyTooLarge")(bomb)
    fault(f"/content/cut-{coding}", "TruncatedBody")(cut)


for _coding in PACKERS:
    _register(_coding)


@fault("/content/bomb-stacked", "BodyTooLarge")
def bomb_stacked(talk: Talk) -> None:
    """32 MiB of zeros in gzip in br: a few bytes."""
    coded(talk, _bomb("gzip", "br"), "gzip, br")


@fault("/content/empty-members", "ProtocolError")
def empty_members(talk: Talk) -> None:
    """Ten thousand empty gzip members before the page."""
    coded(talk, gzip.compress(b"") * 10_000 + gzip.compress(talk.page), "gzip")


@fault("/content/members", "ok")
def members(talk: Talk) -> None:
    """The page in three gzip members, the second one empty."""
    page = talk.page
    coded(talk, gzip.compress(page[:9]) + gzip.compress(b"") + gzip.compress(page[9:]), "gzip")


@fault("/content/stacked", "ok")
def stacked(talk: Talk) -> None:
    """Deflate, then br, then gzip; with spaces and empty elements in the header."""
    coded(talk, gzip.compress(_brotli(_deflate(talk.page))), "deflate ,, BR,  x-gzip")


@fault("/content/raw-deflate", "ok")
def raw_deflate(talk: Talk) -> None:
    """Deflate without its zlib wrapping, by an old mistake that browsers forgive."""
    coded(talk, _raw_deflate(talk.page), "deflate")


@fault("/content/not-gzip", "ProtocolError")
def not_gzip(talk: Talk) -> None:
    """A plain page that says it is gzip."""
    coded(talk, talk.page, "gzip")


@fault("/content/unknown-coding", "ok, flag unknown_encoding")
def unknown_coding(talk: Talk) -> None:
    """A coding that nobody asked for and nobody knows."""
    coded(talk, talk.page, "rot13")


@fault("/content/empty", "ok", shows=b"")
def empty(talk: Talk) -> None:
    """No body at all."""
    talk.send(reply(b""))


@fault("/content/empty-gzip", "ok", shows=b"")
def empty_gzip(talk: Talk) -> None:
    """No body, and a header that says it is gzip."""
    coded(talk, b"", "gzip")


@fault("/content/announced", "BodyTooLarge")
def announced(talk: Talk) -> None:
    """A Content-Length of 5 GB."""
    talk.send(head(HTML, "Content-Length: 5000000000"), talk.page)
    talk.close()
