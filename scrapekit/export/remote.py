"""Files elsewhere, by fsspec: the lines lie here until the crawl or the part has ended, then the whole file is sent.

It needs the extra, so only those who write to a URL load it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from scrapekit.errors import ExportError, OutputError
from scrapekit.export.formats import refuse_other_formats, whole_format_of
from scrapekit.export.linefile import open_lines, resume_lines
from scrapekit.export.lines import FileSink
from scrapekit.export.manifest import Measure, measured
from scrapekit.export.opener import Terms
from scrapekit.export.sink import Sink
from scrapekit.export.spool import SpooledSink
from scrapekit.safe import masked

# Where an upload shows only when it is complete, and moving would be copying once more.
_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "ocilake", "tos", "tosfs", "obs"}


class RemoteFile:
    """A file of a file system of fsspec.

    Args:
        url: Its URL.

    Raises:
        OutputError: There is no such file system or format, or a library for one is not installed.

    Attributes:
        name: The URL, as it may be shown.
        file: The name of the file, which says its format.
    """

    def __init__(self, url: str) -> None:
        self.name = masked(url)
        self.file = Path(PurePosixPath(url.partition("?")[0].partition("#")[0]).name)
        refuse_other_formats(self.file)
        scheme = url.partition("://")[0]
        if scheme.lower() in {"http", "https"}:
            raise OutputError(f"{self.name}: the web can't be written to; take a file, or s3://, sftp:// and the like")
        try:
            self._fs, self._path = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise OutputError(
                f"{self.name}: {scheme}:// needs a library that is not installed here: {error}"
            ) from error
        except Exception as error:  # whatever a file system makes of what it was given
            raise OutputError(f"{self.name}: the output can't be opened: {_reason(error)}") from error
        protocol = self._fs.protocol
        self._protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        if self._protocols & _STORES and "/" not in self._path.strip("/"):
            raise OutputError(f"{self.name}: names no file: after the bucket comes the path of one")

    def check(self, *, overwrite: bool, parents: bool) -> None:
        """Find out now, not after hours, whether it can be reached and written. Raises OutputError."""
        folder = self._path.rpartition("/")[0]
        try:
            taken = self._fs.exists(self._path)
            homeless = not parents and "file" in self._protocols and not self._fs.isdir(folder)
        except Exception as error:
            raise OutputError(f"{self.name}: the output can't be opened: {_reason(error)}") from error
        if homeless:
            raise OutputError(f"{self.name}: the folder {folder} does not exist; create it first")
        if taken and not overwrite:
            raise OutputError(
                f"{self.name}: can't be appended to, it is sent whole at the end of a crawl: overwrite it with -O, or "
                "take another name"
            )

    def make_folder(self) -> None:
        """Make the folder that it is to lie in, but for stores, which have none. Raises OutputError."""
        if self._protocols & _STORES:
            return
        try:
            self._fs.makedirs(self._path.rpartition("/")[0], exist_ok=True)
        except Exception as error:
            raise OutputError(f"{self.name}: the folder can't be created: {_reason(error)}") from error

    def find(self) -> list[str]:
        """Which files there are, where the URL is a pattern. Raises OutputError."""
        try:
            self._fs.invalidate_cache()
            return [str(path) for path in self._fs.glob(self._path)]
        except Exception as error:
            raise OutputError(f"{self.name}: the output can't be opened: {_reason(error)}") from error

    def names_beside(self) -> list[str]:
        """The files in its folder. Raises OutputError."""
        try:
            self._fs.invalidate_cache()
            found = self._fs.ls(self._path.rpartition("/")[0], detail=False)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise OutputError(f"{self.name}: the folder can't be read: {_reason(error)}") from error
        return [str(path).rstrip("/").rpartition("/")[2] for path in found]

    def read(self) -> bytes | None:
        """What it holds; None where it is not there. Raises OutputError."""
        try:
            return bytes(self._fs.cat_file(self._path))
        except FileNotFoundError:
            return None
        except Exception as error:
            raise OutputError(f"{self.name}: can't be read: {_reason(error)}") from error

    def remove(self) -> None:
        """Delete it, if it is there. Raises ExportError."""
        try:
            self._fs.rm_file(self._path)
        except FileNotFoundError:
            pass
        except Exception as error:
            raise ExportError(f"{self.name}: can't be removed: {_reason(error)}") from error

    def send(self, file: Path) -> None:
        """Send a file, so that whoever looks sees the old one or the whole new one. Raises ExportError."""
        path = PurePosixPath(self._path)
        part = str(path.with_name(f".{path.name}.part"))
        try:
            if self._protocols & _STORES:
                self._fs.put_file(str(file), self._path)
                return
            try:
                self._fs.makedirs(str(path.parent), exist_ok=True)
                self._fs.put_file(str(file), part)
                self._fs.mv(part, self._path)
            except NotImplementedError:  # it can't move files: all that is left is to write it in one go
                self._fs.put_file(str(file), self._path)
        except Exception as error:
            with suppress(Exception):  # the first error is the one to tell
                self._fs.rm_file(part)
            raise ExportError(f"{self.name}: can't be sent: {_reason(error)}") from error


class RemoteFolder:
    """A :class:`~scrapekit.export.shelf.Folder` of a file system of fsspec.

    Args:
        url: Of a file in it.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def make(self, *, fsync: bool) -> None:  # noqa: ARG002  (as below)
        """Where there are folders."""
        RemoteFile(self._url).make_folder()

    def names(self) -> list[str]:
        """As the file system lists them now."""
        return RemoteFile(self._url).names_beside()

    def read(self, name: str) -> bytes | None:
        """All of it."""
        return self._file(name).read()

    def write(self, name: str, data: bytes, *, fsync: bool) -> None:  # noqa: ARG002  (what a store takes is there)
        """As any file is sent."""
        with tempfile.TemporaryDirectory(prefix="scrapekit-") as folder:
            file = Path(folder, name)
            file.write_bytes(data)
            self._file(name).send(file)

    def remove(self, name: str) -> None:
        """By its name."""
        self._file(name).remove()

    def measure(self, name: str, sink: Sink) -> Measure:  # noqa: ARG002  (the sink says it)
        """As it was when it was sent."""
        assert isinstance(sink, RemoteSink)
        assert sink.sent is not None
        return sink.sent

    def _file(self, name: str) -> RemoteFile:
        return RemoteFile(f"{self._url.rpartition('/')[0]}/{name}")


class RemoteSink:
    """Lines to a spool, as safe there as in any :class:`FileSink`, and at :meth:`finish` to a file elsewhere.

    Args:
        spool: The lines, and at the end the file in the format that was asked for.
        remote: Where it is sent.

    Attributes:
        sent: What was, once it is.
    """

    sent: Measure | None = None

    def __init__(self, spool: SpooledSink, remote: RemoteFile) -> None:
        self.name = remote.name
        self.cut = spool.cut
        self.append = spool.append
        self.position = spool.position
        self.flush = spool.flush
        self.committed = spool.committed
        self.close = spool.close
        self._spool = spool
        self._remote = remote

    def finish(self) -> None:
        """Make the file here, and send it.

        Raises:
            ExportError: It can't be made, or sent. The spool stays, so that it can be tried again.
        """
        file = Path(self._spool.name)
        try:
            self._spool.finish()
            sent = measured(file)
            self._remote.send(file)
            self.sent = sent
        finally:
            with suppress(OSError):  # a file too much does no harm
                file.unlink(missing_ok=True)


class RemoteFiles:
    """The :class:`~scrapekit.export.opener.Opener` of files elsewhere."""

    def open(self, target: str, terms: Terms) -> RemoteSink:
        """Open the spool, and find out now whether the file can be written."""
        remote = RemoteFile(target)
        remote.check(overwrite=terms.overwrite, parents=terms.parents)
        spool = terms.spool or _temporary()
        return _sink(terms, spool, open_lines(str(spool), Terms(overwrite=True, fsync=terms.fsync)), remote)

    def resume(self, target: str, committed: Mapping[str, Any], terms: Terms, *, whole: bool) -> RemoteSink:
        """Open the spool again; the file may be there already, from a run that was killed right after it."""
        remote = RemoteFile(target)
        assert terms.spool is not None, "only a job can be resumed"
        return _sink(terms, terms.spool, resume_lines(str(terms.spool), committed, terms, whole=whole), remote)

    def probe(self, target: str, terms: Terms) -> None:
        """Whether it can be reached."""
        RemoteFile(target).check(overwrite=True, parents=terms.parents)

    def find(self, pattern: str) -> list[str]:
        """As the file system finds them."""
        return [f"{masked(pattern)} ({path})" for path in RemoteFile(pattern).find()]


def _sink(terms: Terms, spool: Path, lines: Any, remote: RemoteFile) -> RemoteSink:
    assert isinstance(lines, FileSink)
    local = spool.with_name(f".{spool.name}.{remote.file}")
    spooled = SpooledSink(
        lines, local, whole_format_of(remote.file), terms.options, fsync=False, temporary=terms.spool is None
    )
    return RemoteSink(spooled, remote)


def _temporary() -> Path:
    fd, name = tempfile.mkstemp(".jsonl", "scrapekit-")
    os.close(fd)
    return Path(name)


def _reason(error: Exception) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())[:500]
