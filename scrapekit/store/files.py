"""The :class:`CacheFiles`: stored responses, one file each."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, NamedTuple

import msgspec
from msgspec import Struct

from scrapekit.errors import CacheError
from scrapekit.messages import Request, Spool
from scrapekit.safe import masked
from scrapekit.store.bodies import body_of, pieces_of

logger = logging.getLogger("scrapekit")

_PIECE = 2**16
_ABANDONED = 3600.0  # seconds after which a file that was never finished is nobody's any more
_IDENTIFYING = ("authorization", "range")  # of the request's own headers: what makes it another request


class Head(Struct):
    """The first line of a file, as JSON; the body follows.

    Args:
        url: The request's, without password: for whoever looks into the file.
        status: The status.
        headers: Name and value pairs.
        flags: What was odd about the response.
        size: Bytes of the decoded body.
        vary: See :func:`scrapekit.store.freshness.selecting`.
        requested: Seconds since 1970.
        received: As above.
    """

    url: str
    status: int
    headers: list[tuple[str, str]]
    flags: tuple[str, ...]
    size: int
    vary: dict[str, str] = {}
    requested: float = 0.0
    received: float = 0.0


class Found(NamedTuple):
    """A stored response, open: what other processes do to the cache makes no difference to it any more."""

    head: Head
    file: BinaryIO


class CacheFiles:
    """A folder of stored responses. Any thread, and any process: a file is written aside, then moved to its place.

    Args:
        folder: It is made, for its owner only: pages may be private.
        spool_above: Bytes from which on a body that is read goes to a temporary file.
        spool_dir: The folder for that.

    Raises:
        CacheError: The folder can't be made.
    """

    def __init__(self, folder: str, *, spool_above: int = 8 * 2**20, spool_dir: str | None = None) -> None:
        self._folder = Path(folder)
        self._spool_above = spool_above
        self._spool_dir = spool_dir
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignore = self._folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="ascii")
        except OSError as error:
            raise CacheError(f"{folder}: the cache can't be kept there (cache.path): {error.strerror}") from error

    @staticmethod
    def key(request: Request, authorization: str | None, method: str | None = None) -> str:
        """The name of a request: its method, URL, body, session, credentials and range. Pure."""
        own = {name.lower(): value for name, value in request.headers.items()}
        parts = [method or request.method, request.url, request.session, authorization, *map(own.get, _IDENTIFYING)]
        return blake2b(msgspec.json.encode(parts) + (request.body or b""), digest_size=16).hexdigest()

    @contextmanager
    def open(self, key: str) -> Iterator[Found | None]:
        """The response of that name, until the ``with`` block ends; None where there is none, or none that is whole."""
        try:
            file = self._path(key).open("rb")
        except OSError:  # not there, or not to be had: put() will say why
            yield None
            return
        with file:
            yield _read(file)

    def body(self, found: Found) -> bytes | Spool:
        """The body of an open response, once.

        Raises:
            DownloadError: It is large, and the disk is full.
        """
        pieces = iter(partial(found.file.read, _PIECE), b"")
        return body_of(pieces, self._spool_above, self._spool_dir)

    def put(self, key: str, head: Head, body: bytes | Spool) -> None:
        """Keep a response under that name, instead of what is there. If it can't be written, the log says so."""
        path = self._path(key)
        part = path.with_name(f"{key}-{token_hex(4)}.part")
        try:
            path.parent.mkdir(exist_ok=True)
            with part.open("xb") as file:
                file.write(msgspec.json.encode(head) + b"\n")
                for piece in pieces_of(body):
                    file.write(piece)
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            logger.warning("%s: %s can't be cached: %s", self._folder, masked(head.url), error.strerror or error)

    def forget(self, key: str) -> None:
        """Remove what is there under that name, if anything is."""
        self._path(key).unlink(missing_ok=True)

    def prune(self, max_size: int) -> None:
        """Remove what was written longest ago, until no more bytes are left; and what a crash left behind."""
        files = []
        for path in self._folder.glob("??/*"):
            with suppress(FileNotFoundError):  # another process prunes as well
                found = path.stat()
                if path.suffix == ".part" and found.st_mtime < time.time() - _ABANDONED:
                    path.unlink()
                    continue
                files.append((found.st_mtime, found.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= max_size:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key


def _read(file: BinaryIO) -> Found | None:
    try:
        head = msgspec.json.decode(file.readline(), type=Head)
    except msgspec.DecodeError:
        return None
    whole = os.fstat(file.fileno()).st_size - file.tell() == head.size
    return Found(head, file) if whole else None
