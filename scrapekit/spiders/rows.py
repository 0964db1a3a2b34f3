"""CSV of any size, a row at a time, and the :class:`CSVSpider` that does so."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar

from scrapekit.errors import ParseError, SpiderError
from scrapekit.messages import Response
from scrapekit.spider import Spider
from scrapekit.spiders.pieces import pieces
from scrapekit.spiders.routes import each
from scrapekit.web.encodings import detect

logger = logging.getLogger("scrapekit")

RAGGED = "csv_ragged"
"""The flag of a file with rows that have more cells than the header: they are left out, and logged."""

_LONGEST = 4 * 2**20  # characters of a line
_WARNINGS = 5  # a file


class CSVSpider(Spider):
    """A spider of CSV files: each row goes to :meth:`parse_row` as a dict, with one in memory at a time."""

    delimiter: str = ","
    quotechar: str = '"'

    headers: ClassVar[Sequence[str] | None] = None
    """The names of the columns; None: the first row has them."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        try:
            csv.reader((), delimiter=self.delimiter, quotechar=self.quotechar)
        except (TypeError, ValueError) as error:
            raise SpiderError(
                f"{type(self).__name__}.delimiter and quotechar must be one character each, "
                f"not {self.delimiter!r} and {self.quotechar!r}"
            ) from error

    def parse(self, response: Response) -> Iterator[Any]:
        """Every row of the file."""
        rows = iter_rows(response, delimiter=self.delimiter, quotechar=self.quotechar, headers=self.headers)
        for row in rows:
            yield from each(self.parse_row(response, row))

    def parse_row(self, response: Response, row: dict[str, str | None]) -> Any:  # noqa: ARG002  (for those who override)
        """One row: what it yields are items and requests. By default the row itself is the item."""
        return row


def iter_rows(
    response: Response, *, delimiter: str = ",", quotechar: str = '"', headers: Sequence[str] | None = None
) -> Iterator[dict[str, str | None]]:
    """The rows of a CSV (RFC 4180) as dicts, as they come, in memory that goes with the longest of them.

    Cells that are missing are None, rows without a cell are left out. A row with more cells than there are columns is
    left out too, logged with its line, and the response gets the flag ``csv_ragged``.

    Args:
        response: Whose body is read, from memory or from its file.
        delimiter: Between two cells; one character.
        quotechar: Around cells that have a delimiter or a line break in them.
        headers: The names of the columns; None: the first row that has cells has them.

    Raises:
        ParseError: A line of 4 MiB characters, a cell of over 128 KiB (``csv.field_size_limit`` may say otherwise).
    """
    lines = _Lines(response)
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quotechar)
    ragged = 0
    try:
        names = next(filter(None, reader), []) if headers is None else list(headers)
        width = len(names)
        for cells in reader:
            if any(cells[width:]):
                ragged += 1
                if ragged <= _WARNINGS:
                    logger.warning("%s: CSV line %d left out: %d cells, and the header has %d",
                                   response.url, reader.line_num, len(cells), width)  # fmt: skip
            elif cells:
                yield dict(zip(names, [*cells[:width], *[None] * (width - len(cells))], strict=True))
    except csv.Error as error:
        raise ParseError(f"CSV line {reader.line_num}: {error}", response.request) from error
    if ragged:
        response.flags.append(RAGGED)


class _Lines:
    """The lines of a response's text with their ends, so that a quoted cell may hold some."""

    def __init__(self, response: Response) -> None:
        parts = pieces(response)
        head = next(parts, b"")
        # What is cut in the middle of a character would not decode: look at whole lines only.
        encoding = detect(head[: head.rfind(b"\n") + 1] or head, response.headers.get("content-type"))
        raw = io.BufferedReader(_Raw(chain([head], parts)))
        self._text = io.TextIOWrapper(raw, "utf-8-sig" if encoding == "utf-8" else encoding, "replace", newline="")
        self._request = response.request

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(_LONGEST):
            if len(line) == _LONGEST:
                raise ParseError(f"CSV: a line is longer than {_LONGEST:,} characters", self._request)
            yield line.removeprefix("\ufeff")


class _Raw(io.RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._pieces, b"")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
