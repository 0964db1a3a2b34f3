"""Sitemaps (sitemaps.org 0.9): XML, plain text and indexes of other sitemaps, gzipped or not, within limits."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from lxml import etree

from scrapekit.spiders.markup import well_referenced
from scrapekit.web.urls import MAX_LENGTH, join

MAX_BYTES = 50 * 2**20
"""What is read of a sitemap, unzipped: as much as the protocol allows."""

MAX_ENTRIES = 50_000
"""Pages, or other sitemaps, that one sitemap may name, by the protocol."""

MAX_DEPTH = 3
"""Indexes that lead to a sitemap. The protocol allows one; what follows them goes no deeper, so that it ends."""

TRUNCATED = "sitemap_truncated"
"""A limit cut the rest off."""

DAMAGED = "sitemap_damaged"
"""It is not well-formed, or its gzip is broken or incomplete: something may be missing."""

UNKNOWN = "not_a_sitemap"
"""It is something else, such as a page of HTML."""

_SLICE = 65_536
_MAX_ELEMENTS = 1_000_000
_MAX_ALTERNATES = 1000  # of one page
_MAX_MEMBERS = 4096  # of gzip: hostile are millions of empty ones
_Flags = dict[str, None]  # ordered, each once


class Entry(NamedTuple):
    """One page of a sitemap.

    Args:
        loc: Its URL, absolute and fit to be fetched.
        lastmod: When it changed last, as it is written (a W3C date); None where that is not said.
        alternates: The URLs of its translations by their ``hreflang``.
    """

    loc: str
    lastmod: str | None = None
    alternates: Mapping[str, str] = {}


class Sitemap(NamedTuple):
    """What one sitemap says.

    Args:
        urls: Its pages.
        sitemaps: Where it is an index: the other sitemaps.
        flags: What was odd: TRUNCATED, DAMAGED, UNKNOWN.
    """

    urls: list[Entry]
    sitemaps: list[Entry]
    flags: tuple[str, ...] = ()


def read_sitemap(body: bytes | Iterable[bytes], url: str) -> Sitemap:
    """What the sitemap in ``body`` says. Never raises; pure; any thread.

    What has a DOCTYPE is no sitemap, so there are no entities to expand, and nothing is loaded. Memory goes with what
    is found, not with what is sent: neither the unzipped bytes nor a tree of them are held. URLs that can't be fetched
    are left out.

    Args:
        body: As it was served, whole or in pieces: XML, or text with a URL a line; gzipped or not.
        url: Where it came from; relative URLs are resolved against it.
    """
    flags: _Flags = {}
    pieces = _unzipped(_sliced(body) if isinstance(body, bytes) else iter(body), flags)
    first = next(pieces, b"")
    text = first.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")
    if text[:1] == b"<":
        target = _Target(url, flags)
        _parse(first, pieces, target, flags)
        return Sitemap(target.urls, target.sitemaps, tuple(flags))
    urls = _lines(first, pieces, url, flags)
    if text and not urls:
        flags[UNKNOWN] = None
    return Sitemap(urls, [], tuple(flags))


def _unzipped(parts: Iterator[bytes], flags: _Flags) -> Iterator[bytes]:
    """The body in pieces, without its gzip, up to MAX_BYTES."""
    room = MAX_BYTES
    first = next(parts, b"")
    parts = chain([first], parts)
    for piece in gunzipped(parts, flags) if first.startswith(b"\x1f\x8b") else parts:
        if len(piece) > room:
            flags[TRUNCATED] = None
            if room:
                yield piece[:room]
            return
        room -= len(piece)
        yield piece


def _sliced(body: bytes) -> Iterator[bytes]:
    return (body[start : start + _SLICE] for start in range(0, len(body), _SLICE))


def gunzipped(parts: Iterator[bytes], flags: dict[str, None]) -> Iterator[bytes]:
    """Pieces of bounded size, of all members of a gzip file; with a flag where it is DAMAGED or TRUNCATED."""
    members = 0
    stream = None
    for part in parts:
        data = part
        while data:
            if stream is None:
                members += 1
                if members > _MAX_MEMBERS:
                    flags[TRUNCATED] = None
                    return
                stream = zlib.decompressobj(31)
            try:
                piece = stream.decompress(data, _SLICE)
            except zlib.error:
                if members == 1 or data[:1] == b"\x1f":  # else it is what others leave after the end
                    flags[DAMAGED] = None
                return
            if piece:
                yield piece
            if stream.eof:
                data, stream = stream.unused_data, None
            else:
                data = stream.unconsumed_tail
    if stream is not None:
        flags[DAMAGED] = None


def _parse(first: bytes, rest: Iterator[bytes], target: _Target, flags: _Flags) -> None:
    events: Any = target  # the stubs ask for more than lxml does
    parser = etree.XMLParser(
        target=events, recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    damaged = False
    try:
        for piece in well_referenced(chain([first], rest)):
            parser.feed(piece)
        parser.close()
    except _Enough:
        flags[TRUNCATED] = None
    except _HasDoctype:
        target.known = False
    except (etree.XMLSyntaxError, AssertionError):  # lxml asserts that there was an element
        damaged = True
    if not target.known:
        flags[UNKNOWN] = None
    elif TRUNCATED not in flags and (damaged or parser.feed_error_log.filter_from_errors()):
        flags[DAMAGED] = None


class _Enough(Exception):  # noqa: N818  (it is no error)
    """A limit is reached."""


class _HasDoctype(Exception):  # noqa: N818  (as above)
    """It may define entities: lxml expands them in events, whatever it was told."""


class _Target:
    """Takes lxml's events, so that no tree is built."""

    def __init__(self, url: str, flags: _Flags) -> None:
        self.urls: list[Entry] = []
        self.sitemaps: list[Entry] = []
        self.known = False
        """Whether it is a sitemap or an index."""
        self._url = url
        self._flags = flags
        self._elements = 0
        self._path: list[str] = []  # local names of the elements that are open
        self._text: list[str] | None = None
        self._room = 0
        self._found: dict[str, str] = {}
        self._alternates: dict[str, str] = {}

    def doctype(self, *_: Any) -> None:
        raise _HasDoctype

    def start(self, tag: Any, attributes: Any) -> None:
        self._elements += 1
        if self._elements > _MAX_ELEMENTS:
            raise _Enough
        name = tag.rpartition("}")[2]
        path = self._path
        path.append(name)
        if len(path) == 1:
            self.known = name in {"urlset", "sitemapindex"}
        elif len(path) == 2:
            self._found, self._alternates = {}, {}
        elif len(path) == 3 and name in {"loc", "lastmod"}:
            self._text, self._room = [], 2 * MAX_LENGTH  # what is cut is too long for a URL
        elif len(path) == 3 and name == "link" and attributes.get("rel") == "alternate":
            target = join(self._url, attributes.get("href", ""))
            if target and len(self._alternates) < _MAX_ALTERNATES:
                self._alternates[attributes.get("hreflang", "")[:64]] = target

    def data(self, text: Any) -> None:
        if self._text is not None and self._room > 0:
            self._text.append(text[: self._room])
            self._room -= len(text)

    def end(self, tag: Any) -> None:  # noqa: ARG002  (lxml calls it so)
        path = self._path
        name = path.pop()
        if len(path) == 2 and self._text is not None:
            self._found.setdefault(name, "".join(self._text).strip())
            self._text = None
        elif len(path) == 1 and self.known and (name, path[0]) in _PLACES:
            loc = self._found.get("loc")
            target = join(self._url, loc) if loc else None
            if target is None:
                return
            found = self.urls if name == "url" else self.sitemaps
            if len(found) >= MAX_ENTRIES:
                raise _Enough
            found.append(Entry(target, self._found.get("lastmod") or None, self._alternates))

    def close(self) -> None:
        """Nothing: what was found is kept as it comes."""


_PLACES = {("url", "urlset"), ("sitemap", "sitemapindex")}


_URLS = re.compile(rb"^[ \t]*+(https?://[^\n]++)", re.IGNORECASE | re.MULTILINE).findall


def _lines(first: bytes, rest: Iterator[bytes], url: str, flags: _Flags) -> list[Entry]:
    """The URLs of a text, one a line, in UTF-8. Lines that are none are left out."""
    urls: list[Entry] = []
    begun = b""  # of a line whose end is not there yet
    for piece in chain([first.removeprefix(b"\xef\xbb\xbf")], rest, [b"\n"]):
        lines, _, begun = (begun + piece).replace(b"\r", b"\n").rpartition(b"\n")
        begun = begun[:_SLICE]
        for line in _URLS(lines):
            target = join(url, line.decode("utf-8", "replace").strip())
            if target is None:
                continue
            if len(urls) >= MAX_ENTRIES:
                flags[TRUNCATED] = None
                return urls
            urls.append(Entry(target))
    return urls
