"""The :class:`ListSpider`: URLs from a file, or from standard input."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

from scrapekit.errors import RequestInvalid, SpiderError
from scrapekit.messages import Request
from scrapekit.safe import safe_lines
from scrapekit.spider import Spider

logger = logging.getLogger("scrapekit")


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
            SpiderError: No file was named, or it can't be read.
        """
        if not self.file:
            raise SpiderError(f"spider {self.name!r} needs a list of URLs: -a file=urls.txt, or -a file=- for stdin")
        try:
            with nullcontext(sys.stdin.buffer) if self.file == "-" else Path(self.file).open("rb") as lines:
                yield from self._requests(lines)
        except OSError as error:
            raise SpiderError(f"{self.file}: {error.strerror or error}: -a file= must be a list of URLs") from error

    def request(self, url: str) -> Request:
        """The request for one line. May be overridden.

        Raises:
            RequestInvalid: It is no URL.
        """
        return Request(url)

    def _requests(self, lines: Iterable[bytes]) -> Iterator[Request]:
        for number, line in enumerate(lines, 1):
            text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
            if not text or text.startswith("#"):
                continue
            try:
                request = self.request(text)
            except RequestInvalid as error:
                name = "stdin" if self.file == "-" else self.file
                logger.warning("%s", safe_lines(f"{name}:{number}: left out: {error}"))
                continue
            yield request
