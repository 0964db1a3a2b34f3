"""The built-in parsers: each a function from a response to its document."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import StringIO
from typing import Any

from scrapekit.errors import ParseError
from scrapekit.messages import Response
from scrapekit.parse.documents import HtmlDocument, XmlDocument

Parser = Callable[[Response], Any]
"""Makes a document of a response. Called by the worker that fetched it; may raise anything."""


def builtin(media_type: str) -> Parser:
    """The parser for any media type; that for bytes, where no other fits."""
    found = _PARSERS.get(media_type)
    if found is not None:
        return found
    for suffix, parser in _SUFFIXES.items():
        if media_type.endswith(suffix):
            return parser
    return _text if media_type.startswith("text/") else _bytes


def _html(response: Response) -> HtmlDocument:
    document = HtmlDocument(_utf8(response), response.url)
    response.flags.extend(document.flags)
    return document


def _xml(response: Response) -> XmlDocument:
    document = XmlDocument(_utf8(response), response.url)
    response.flags.extend(document.flags)
    return document


def _utf8(response: Response) -> str | bytes:
    # Of other encodings libxml2 knows fewer than browsers do, and stops for good at the first byte that is wrong.
    return response.body if response.encoding == "utf-8" else response.text


def _json(response: Response) -> Any:
    return response.json()


def _csv(response: Response) -> list[dict[str, str | None]]:
    return _rows(response, ",")


def _tsv(response: Response) -> list[dict[str, str | None]]:
    return _rows(response, "\t")


def _rows(response: Response, delimiter: str) -> list[dict[str, str | None]]:
    """The rows below the header line (RFC 4180) as dicts. Cells that are missing are None; too many are an error."""
    reader = csv.reader(StringIO(response.text, newline=""), delimiter=delimiter)
    rows = []
    try:
        header = next(reader, [])
        missing = [None] * len(header)
        for cells in reader:
            if any(cells[len(header) :]):
                more = f"{len(cells)} cells under a header of {len(header)}"
                raise ParseError(f"CSV line {reader.line_num} has {more}", response.request)
            if cells:
                rows.append(dict(zip(header, [*cells, *missing[len(cells) :]], strict=False)))
    except csv.Error as error:
        raise ParseError(f"CSV line {reader.line_num}: {error}", response.request) from error
    return rows


def _text(response: Response) -> str:
    return response.text


def _bytes(response: Response) -> bytes:
    return response.body


_PARSERS: dict[str, Parser] = {
    "text/html": _html,
    "application/xhtml+xml": _html,  # as XML its elements would have a namespace, and no plain query would find them
    "text/xml": _xml,
    "application/xml": _xml,
    "application/json": _json,
    "text/json": _json,
    "text/csv": _csv,
    "text/tab-separated-values": _tsv,
}
_SUFFIXES: dict[str, Parser] = {"+xml": _xml, "+json": _json}  # RFC 6839
