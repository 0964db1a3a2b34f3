"""The :class:`Shelf`: where the parts of an output lie, with their manifest; in a :class:`Folder` here or elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from scrapekit.errors import OutputError, OutputMismatch
from scrapekit.export.linefile import make_folder
from scrapekit.export.manifest import Manifest, Measure, manifest_of, measured
from scrapekit.export.opener import Opener, Terms
from scrapekit.export.sink import Sink
from scrapekit.export.spool import replace_with

PART = "{part}"


class Folder(Protocol):
    """A folder of files. What can't be read raises an OutputError, what can't be written an ExportError or OSError."""

    def make(self, *, fsync: bool) -> None:
        """Make it, if it is not there."""

    def names(self) -> list[str]:
        """The files in it; none where it is not there."""

    def read(self, name: str) -> bytes | None:
        """What a file holds; None where it is not there."""

    def write(self, name: str, data: bytes, *, fsync: bool) -> None:
        """Put a file in the place of an old one, as a whole."""

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""

    def measure(self, name: str, sink: Sink) -> Measure:
        """The size and the digest of a file that a sink has finished."""


class LocalFolder:
    """A :class:`Folder` of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self, *, fsync: bool) -> None:
        """With those above it."""
        make_folder(self._path, fsync=fsync)

    def names(self) -> list[str]:
        """As the system lists them."""
        try:
            return [path.name for path in self._path.iterdir()] if self._path.is_dir() else []
        except OSError as error:
            raise OutputError(f"{self._path}: the folder can't be read: {error.strerror or error}") from error

    def read(self, name: str) -> bytes | None:
        """All of it."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{self._path / name}: can't be read: {error.strerror or error}") from error

    def write(self, name: str, data: bytes, *, fsync: bool) -> None:
        """Under another name first."""
        with replace_with(self._path / name, fsync=fsync) as new:
            new.write_bytes(data)

    def remove(self, name: str) -> None:
        """By its name."""
        (self._path / name).unlink(missing_ok=True)

    def measure(self, name: str, sink: Sink) -> Measure:  # noqa: ARG002  (the file says it)
        """As it is on the disk."""
        return measured(self._path / name)


class Shelf:
    """Where the parts of an output lie.

    Args:
        target: Their path or URL, with ``{part}`` in the name of the file.
        folder: What they lie in.
        opener: Opens one part.
        terms: Of the output.
    """

    def __init__(self, target: str, folder: Folder, opener: Opener, terms: Terms) -> None:
        self.target = target
        self.folder = folder
        self.manifest = manifest_of(target)
        """Its path or URL, for messages."""
        self._name = target.rpartition("/")[2]
        self._manifest = self.manifest.rpartition("/")[2]
        self._opener = opener
        self._terms = terms
        before, after = map(re.escape, self._name.split(PART, 1))
        self._is_part = re.compile(rf"{before}(\d{{5,}}){after}").fullmatch

    def name(self, number: int) -> str:
        """The name of the file of a part."""
        return _numbered(self._name, number)

    def names(self) -> dict[int, str]:
        """The files that are there, by the numbers of the parts."""
        found = ((self._is_part(name), name) for name in sorted(self.folder.names()))
        return {int(match[1]): name for match, name in found if match}

    def listed(self) -> Manifest | None:
        """The manifest that is there; None where none is. Raises OutputMismatch where what is there is not of these."""
        data = self.folder.read(self._manifest)
        if data is None:
            return None
        manifest = Manifest.decoded(data, self.manifest)
        strange = [part.file for part in manifest.parts if not self._is_part(part.file)]
        if strange:
            raise OutputMismatch(
                f"{self.manifest}: lists {strange[0]}, which is no part of {self.target}: take another name"
            )
        return manifest

    def list(self, manifest: Manifest) -> None:
        """Put it in the place of the old one."""
        self.folder.write(self._manifest, manifest.encoded(), fsync=self._terms.fsync)

    def open(self, number: int) -> Sink:
        """Begin a part; what is there is written over."""
        return self._opener.open(_numbered(self.target, number), self._part_terms(number))

    def resume(self, number: int, committed: Mapping[str, Any], *, whole: bool) -> Sink:
        """Go on with a part."""
        target = _numbered(self.target, number)
        return self._opener.resume(target, committed, self._part_terms(number), whole=whole)

    def spool(self, number: int) -> Path:
        """Where the lines of a part lie until its file is made."""
        assert self._terms.spool is not None, "an output in parts has one"
        return segment_spool(self._terms.spool, number)

    def _part_terms(self, number: int) -> Terms:
        return self._terms._replace(overwrite=True, parents=False, spool=self.spool(number))


def part_path(target: str, number: int) -> Path:
    """The file of a part of this machine. Pure."""
    return Path(_numbered(target, number))


def segment_spool(spool: Path, number: int) -> Path:
    """Where the lines of a part lie until its file is made. Pure."""
    return spool.with_name(f"{spool.stem}-{number:05}{spool.suffix}")


def _numbered(target: str, number: int) -> str:
    return target.replace(PART, f"{number:05}")
