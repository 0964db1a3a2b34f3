"""Recording and replaying: the sources that write an archive, and that read one in place of the network."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from scrapekit.download import PoolStats, Reply, Source
from scrapekit.download.headers import headers_for
from scrapekit.errors import ArchiveError, DownloadError, NotRecorded
from scrapekit.messages import Request
from scrapekit.store import warc
from scrapekit.store.archive import Archive, whole_length

_Key = tuple[str, str, bytes, str]  # method, URL, body, visitor


class Recording:
    """Writes down what the source answers, and what it fails of. Any thread.

    Args:
        source: Asked for everything.
        path: Of the archive; :func:`~scrapekit.store.archive.begin` has been called.
        headers: What the source sends with every request.
        mask: What may be told of a header, by its name and value: it is for secrets to be left out.

    Raises:
        ArchiveError: It can't be opened.
    """

    def __init__(
        self, source: Source, path: str, headers: Mapping[str, str], mask: Callable[[str, str], str | None]
    ) -> None:
        self._source = source
        self._path = path
        self._archive = Archive(path)
        self._headers = dict(headers)
        self._mask = mask

    def fetch(
        self, request: Request, *, cookies: str | None = None, authorization: str | None = None, **hop: Any
    ) -> Reply:
        """One hop, as :meth:`Downloader.fetch` makes it.

        Raises:
            DownloadError: The source's; or the answer can't be written down, so it does not count.
        """
        try:
            reply = self._source.fetch(request, cookies=cookies, authorization=authorization, **hop)
        except DownloadError as error:
            self._record(request, error)
            raise
        self._record(request, reply)
        return reply

    def stats(self) -> PoolStats:
        """The source's."""
        return self._source.stats()

    def close(self) -> None:
        """Close the source and the archive."""
        self._source.close()
        self._archive.close()

    def _record(self, request: Request, answer: Reply | DownloadError) -> None:
        origin = request.url[: request.url.index("/", 8)]
        sent = headers_for(request, origin, self._headers, None)[1]
        told = {name: shown for name, value in sent.items() if (shown := self._mask(name, value)) is not None}
        try:
            with warc.exchange(request, told, answer) as records:
                self._archive.append(records)
        except (OSError, ValueError) as error:  # ValueError: the archive is closed, so the crawl has ended
            raise DownloadError(f"{self._path}: can't be recorded to: {error}", request) from error


class Replaying:
    """Answers from an archive, and from nothing else. Any thread.

    The first time that something is asked for it gives the first answer, then the second one, and the last for ever; of
    what several sessions asked for, to each its own.

    Args:
        path: Of the archive.
        spool_above: Bytes from which on a body goes to a temporary file.
        spool_dir: The folder for that.

    Raises:
        ArchiveError: It can't be read, or is no WARC file.
    """

    def __init__(self, path: str, *, spool_above: int = 8 * 2**20, spool_dir: str | None = None) -> None:
        self._path = path
        self._spool_above = spool_above
        self._spool_dir = spool_dir
        self._offsets: defaultdict[_Key, list[tuple[int, int]]] = defaultdict(list)
        self._lock = Lock()  # guards the visits
        self._visits: Counter[_Key] = Counter()
        try:
            with Path(path).open("rb") as file:
                for found in warc.index(file, whole_length(path)):
                    key = found.method, found.url, found.body, found.visitor
                    self._offsets[key].append((found.offset, found.content))
        except OSError as error:
            raise ArchiveError(f"{path}: can't be replayed: {error.strerror or error}") from error
        except warc.ArchiveLoadFailed as error:
            whole = warc.COMPRESSED_AS_ONE in str(error)
            why = "it is compressed as a whole: warcio recompress mends that" if whole else "it is no WARC file"
            raise ArchiveError(f"{path}: can't be replayed: {why}") from error
        if not self._offsets:
            raise ArchiveError(f"{path}: can't be replayed: there is no response in it")

    def fetch(self, request: Request, **hop: Any) -> Reply:  # noqa: ARG002  (where it would have gone)
        """What was recorded of this request; flagged ``replayed``.

        Raises:
            NotRecorded: Nothing was.
            DownloadError: The failure that was recorded; or the answer is damaged.
        """
        asked = request.method, warc.public(request.url), request.body or b""
        keys = ((*asked, visitor) for visitor in (warc.visitor_of(request.session), ""))  # others know no sessions
        key = next((key for key in keys if key in self._offsets), None)
        if key is None:
            raise NotRecorded(f"{self._path} has no answer to this {request.method}", request)
        with self._lock:
            visit = self._visits[key]
            self._visits[key] += 1
        offsets = self._offsets[key]
        with Path(self._path).open("rb") as file:
            place = offsets[min(visit, len(offsets) - 1)]
            return warc.answer(file, place, request, self._spool_above, self._spool_dir)

    def stats(self) -> PoolStats:
        """None were opened."""
        return PoolStats()

    def close(self) -> None:
        """Nothing is open."""
