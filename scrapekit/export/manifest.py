"""The manifest of an output in parts: which are complete, with checksums. What loads them reads this."""

from __future__ import annotations

import re
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
from msgspec import Struct

from scrapekit.errors import OutputMismatch

_PACKED = {".gz", ".zst"}


class Measure(NamedTuple):
    """What is told of a file.

    Args:
        size: In bytes.
        sha256: Of them, in hex.
    """

    size: int
    sha256: str


def measured(path: Path) -> Measure:
    """That of a file, which is read. Raises OSError."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        return Measure(file.seek(0, 2), digest)


class Part(Struct, frozen=True):
    """A part whose file is complete.

    Args:
        number: From 1.
        file: Its name; it lies beside the manifest.
        items: How many it holds.
        bytes: Its size.
        sha256: Of its bytes, in hex.
        first: The number of its first item among all that the job has written to this output, from 1.
        last: That of its last one.
    """

    number: int
    file: str
    items: int
    bytes: int
    sha256: str
    first: int
    last: int


class Manifest(Struct, kw_only=True):
    """``NAME.manifest.json``, always replaced as a whole.

    Args:
        complete: Whether the crawl has ended, so that no part will follow.
        parts: Those that are complete, in order.
    """

    complete: bool = False
    parts: list[Part] = []

    @classmethod
    def decoded(cls, data: bytes, name: str) -> Self:
        """The manifest that a file holds; ``name`` is the file's. Raises OutputMismatch where it is none."""
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise OutputMismatch(f"{name}: can't be read as a manifest: {error}") from error

    def encoded(self) -> bytes:
        """As a file has it."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def manifest_of(target: str) -> str:
    """The manifest of the parts of a path or URL: ``a/books.manifest.json`` for ``a/books-{part}.csv.gz``. Pure."""
    folder, slash, last = target.rpartition("/")
    name = Path(re.sub(r"[-_.]?\{part\}", "", last))
    if name.suffix.lower() in _PACKED:
        name = name.with_suffix("")
    stem = "" if name.name.startswith(".") and name.name.count(".") == 1 else name.stem
    return f"{folder}{slash}{stem}.manifest.json" if stem else f"{folder}{slash}manifest.json"
