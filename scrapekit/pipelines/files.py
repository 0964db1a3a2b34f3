"""The files that items name, fetched by the crawl itself and kept under the digest of their content."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from scrapekit.errors import NotRecorded, RequestError
from scrapekit.messages import Request, Response
from scrapekit.pipelines.manifest import FileRecord, record
from scrapekit.web.headers import content_type
from scrapekit.web.urls import join

_HEAD = 32  # bytes in which images show what they are


class FilesPipeline:
    """Has the files fetched whose URLs stand in a field of the items. The items stay as they are.

    Each file is a request of the crawl like any other: throttled, retried, obedient to robots.txt and
    ``allowed_domains``, durable. It is kept under the digest of its content, whatever the server calls it, and the
    manifest says what came of each URL. One instance serves all threads.

    Args:
        folder: Where the files go, and nowhere else.
        field: The field with a URL or a list of them, relative to the page.
        types: Media types to take, with ``*``; all by default.
        min_size: Bytes; smaller files are refused.
        max_size: Bytes; larger ones are refused. ``http.max_body`` ends the download of what is larger than that.
        priority: That of the requests.
        name: Tells the pipelines of a spider apart, where it has two of one class.
    """

    _kind: ClassVar[str] = "file"

    def __init__(
        self,
        folder: str | Path,
        *,
        field: str | None = None,
        types: Sequence[str] | None = None,
        min_size: int = 0,
        max_size: int | None = None,
        priority: int = 0,
        name: str | None = None,
    ) -> None:
        self.name = name or f"{self._kind}s"
        self.folder = Path(folder)
        """Where the files go."""
        self._field = field or f"{self._kind}_urls"
        self._types = None if types is None else [pattern.lower() for pattern in types]
        self._min_size = min_size
        self._max_size = max_size
        self._priority = priority

    def process(self, item: Any) -> Any:
        """The item, as it is."""
        return item

    def requests(self, item: Any, page_url: str) -> Iterator[Request]:
        """The requests that fetch the files of an item."""
        found = item.get(self._field) if isinstance(item, dict) else getattr(item, self._field, None)
        several = found if isinstance(found, list | tuple | set | frozenset) else () if found is None else (found,)
        for href in several:
            url = join(page_url, href) if isinstance(href, str) else None
            if url is None:
                record(self.folder, FileRecord(str(href), "failed", error="it is no URL that can be fetched"))
            else:
                yield Request(
                    url,
                    f"{self.name}.save",
                    errback=f"{self.name}.fail",
                    priority=self._priority,
                    meta={"file_url": url},
                )

    def save(self, response: Response) -> None:
        """Keep a file, and write it down. Fetched twice, it is the same file and the same line again."""
        media_type = self._media_type(response)
        digest = sha256()
        for piece in response.iter_bytes():
            digest.update(piece)
        size, name = response.size, digest.hexdigest()
        url = response.meta["file_url"]  # a redirect may have led elsewhere
        why = self._refusal(size, media_type)
        if why is not None:
            record(self.folder, FileRecord(url, "refused", None, name, size, media_type, why))
            return
        path = Path(name[:2]) / f"{name}{mimetypes.guess_extension(media_type) or ''}"
        target = self.folder / path
        if not target.parent.resolve().is_relative_to(self.folder.resolve()):
            raise OSError(f"{target.parent} leads out of {self.folder}: files are never written elsewhere")
        if not target.is_file() or target.stat().st_size != size:
            response.save(target)
        record(self.folder, FileRecord(url, "saved", path.as_posix(), name, size, media_type))

    def fail(self, error: RequestError) -> None:
        """Write down that a file can't be had. Of one that a replay doesn't have, nothing is known."""
        if isinstance(error, NotRecorded):
            return
        record(
            self.folder, FileRecord(error.request.meta["file_url"], "failed", error=f"{type(error).__name__}: {error}")
        )

    def _media_type(self, response: Response) -> str:
        return content_type(response.headers.get("content-type")).media_type or "application/octet-stream"

    def _refusal(self, size: int, media_type: str) -> str | None:
        """Why a file is not taken; None where it is."""
        if self._types is not None and not any(fnmatchcase(media_type, pattern) for pattern in self._types):
            return f"{media_type} is none of {', '.join(self._types)}"
        if size < self._min_size:
            return f"{size} bytes are fewer than min_size ({self._min_size})"
        if self._max_size is not None and size > self._max_size:
            return f"{size} bytes are more than max_size ({self._max_size})"
        return None


class ImagesPipeline(FilesPipeline):
    """The same for images: what a file is, its first bytes say, and what is no image is refused.

    The field is ``image_urls`` and the types are ``image/*``, if nothing else is given.
    """

    _kind = "image"

    def __init__(self, folder: str | Path, *, types: Sequence[str] | None = None, **options: Any) -> None:
        super().__init__(folder, types=types or ["image/*"], **options)

    def _media_type(self, response: Response) -> str:
        head = next(response.iter_bytes(_HEAD), b"")
        for start, offset, media_type in _SIGNATURES:
            if head[offset : offset + len(start)] == start:
                return media_type
        declared = super()._media_type(response)
        return declared if declared == "image/svg+xml" or not declared.startswith("image/") else "text/plain"


# WHATWG MIME Sniffing §6.1, and AVIF.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF87a", 0, "image/gif"),
    (b"GIF89a", 0, "image/gif"),
    (b"WEBPVP", 8, "image/webp"),
    (b"ftypavif", 4, "image/avif"),
    (b"BM", 0, "image/bmp"),
    (b"\0\0\1\0", 0, "image/x-icon"),
)
