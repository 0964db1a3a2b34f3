"""The :class:`ListSpider`: URLs from a file, or from standard input."""

from __future__ import annotations

import codecs
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Any

from scrapekit.errors import RequestInvalid, SpiderError
from scrapekit.messages import Request
from scrapekit.safe import safe_lines
from scrapekit.spider import Spider

logger = logging.getLogger("scrapekit")

_LONGEST = 65_536  # characters of a line: more is another kind of file
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # as PowerShell writes lists


class ListSpider(Spider):
    """A spider of the URLs in ``-a file=``, one a line, read as they are needed. ``-`` is standard input.

    Empty lines and those that begin with ``#`` are left out; a line that is no URL is logged with its number, and left
    out. A resumed crawl reads the same lines again and goes on behind those that it had taken: of a file by itself, of
    standard input if the same lines come in again. If there are fewer, the crawl fails and says so.
    """

    file: str = ""

    def start(self) -> Iterable[Request]:
        """A request for each line.

        Raises:
            SpiderError: No file was named, it can't be read, or it has a line of over 65,536 characters.
        """
        if not self.file:
            raise SpiderError(f"spider {self.name!r} needs a list of URLs: -a file=urls.txt, or -a file=- for stdin")
        try:
            with _stdin() if self.file == "-" else Path(self.file).open("rb") as file:
                yield from self._requests(file)
        except OSError as error:
            raise SpiderError(f"{self.file}: {error.strerror or error}: -a file= must be a list of URLs") from error

    def request(self, url: str) -> Request:
        """The request for one line. May be overridden.

        Raises:
            RequestInvalid: It is no URL.
        """
        return Request(url)

    def _requests(self, file: Any) -> Iterator[Request]:
        name = "stdin" if self.file == "-" else self.file
        begun = file if hasattr(file, "peek") else BufferedReader(file)  # what stands in for stdin may have none
        lines = TextIOWrapper(begun, "utf-16" if begun.peek(2)[:2] in _UTF_16 else "utf-8-sig", "replace")
        number = 0
        try:
            while line := lines.readline(_LONGEST):
                number += 1
                if len(line) == _LONGEST:
                    raise SpiderError(f"{name}:{number}: a line of over {_LONGEST:,} characters is no URL")
                text = line.strip()
                if not text or text.startswith("#"):
                    continue
                try:
                    request = self.request(text)
                except RequestInvalid as error:
                    logger.warning("%s", safe_lines(f"{name}:{number}: left out: {error}"))
                    continue
                yield request
        finally:
            lines.detach()  # standard input stays open


def _stdin() -> AbstractContextManager[Any]:
    """Standard input, by a reader of our own: Python aborts when it ends while another thread waits in its own one."""
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError):  # what stands in for it has no number
        return nullcontext(sys.stdin.buffer)
