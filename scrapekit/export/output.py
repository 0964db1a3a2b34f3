"""Opening an output, whatever kind it is: for a new crawl, or again for one that goes on.

A new kind of output is an :class:`Opener`, and an entry in :data:`TARGETS` (by the scheme of a URL) or a format in
formats.py (by the suffix of a file).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scrapekit.errors import OutputError
from scrapekit.export.formats import Options, format_of
from scrapekit.export.linefile import open_lines, resume_lines
from scrapekit.export.lines import FileSink, StreamSink
from scrapekit.export.opener import Opener, Terms
from scrapekit.export.sink import Sink
from scrapekit.export.spool import SpooledFiles

_OTHER_FORMATS = frozenset(
    {".avro", ".bz2", ".db", ".feather", ".lz4", ".parquet", ".pickle", ".pkl", ".sqlite", ".tsv"}
    | {".xls", ".xlsx", ".xz", ".yaml", ".yml", ".zip"}
)
_DEFAULTS = Options()


def open_output(
    target: str | Path,
    *,
    overwrite: bool = False,
    parents: bool = False,
    fsync: bool = False,
    spool: Path | None = None,
    options: Options = _DEFAULTS,
) -> Sink:
    """Open the output of a new crawl, locked against others. Any thread.

    The suffix says the format: see :func:`~scrapekit.export.formats.format_of`; ``.jsonl.gz`` is compressed as it is
    written, names of formats that we don't write are refused, all else is JSON Lines.

    Args:
        target: A path, or ``-`` for stdout. A pipe or a device is written as a stream.
        overwrite: True empties the file; False begins at its end. A last line without a line end gets one if it is
            complete JSON; otherwise another crawl was cut off there, and the file is refused.
        parents: True creates the folders that the file lies in.
        fsync: True makes :meth:`Sink.flush` wait for the disk, so that the output survives the machine.
        spool: Where the lines lie until :meth:`Sink.finish`, for formats that are made at the end; None for a file
            beside the target, which goes when the output is closed.
        options: Of these formats.

    Raises:
        OutputError: One line: the folder does not exist, permission is denied, the format is not available, another
            process writes to it, or what is there can't be appended to.
        ExportError: The disk is full already.
    """
    terms = Terms(overwrite, parents, fsync, spool, options)
    return opener_of(target).open(str(target), terms)


def resume_output(
    target: str | Path,
    committed: Mapping[str, Any],
    *,
    whole: bool = False,
    fsync: bool = False,
    spool: Path | None = None,
    options: Options = _DEFAULTS,
) -> Sink:
    """Open the output of a crawl that goes on, and cut it back to the ``committed`` position. Any thread.

    The file may have been moved or copied; it must have the bytes that were committed. What follows them after a crash
    is taken for this crawl's own uncommitted tail, and cut off: a line that something else appended there can't be told
    from it. :attr:`Sink.cut` says how much it was.

    Args:
        target: A path, or ``-`` for stdout. Stdout, a pipe or a device can't be cut back.
        committed: What :meth:`Sink.position` returned when it was last stored.
        whole: The crawl ended in order, so whatever follows was written by somebody else, and is not cut off.
        fsync: As for :func:`open_output`.
        spool: So is this.
        options: And this.

    Raises:
        OutputMismatch: The file is gone, shorter than committed, or has other bytes, or more where it was whole.
        OutputError: It can't be opened, or another process writes to it.
    """
    terms = Terms(fsync=fsync, spool=spool, options=options)
    return opener_of(target).resume(str(target), committed, terms, whole=whole)


class LineFiles:
    """The :class:`Opener` of JSON Lines, in files and streams."""

    def open(self, target: str, terms: Terms) -> FileSink | StreamSink:
        """See :func:`open_lines`; a name of a format that we don't write is refused."""
        _refuse_other_formats(Path(target))
        return open_lines(target, terms)

    def resume(self, target: str, committed: Mapping[str, Any], terms: Terms, *, whole: bool) -> FileSink | StreamSink:
        """See :func:`resume_lines`."""
        return resume_lines(target, committed, terms, whole=whole)


TARGETS: dict[str, Opener] = {}
"""By the scheme of their URLs, in lower case, the outputs that are no files here."""

_LINES, _SPOOLED = LineFiles(), SpooledFiles()


def opener_of(target: str | Path) -> Opener:
    """Who opens ``target``: a path, ``-`` for stdout, or a URL.

    Raises:
        OutputError: The scheme of the URL is not known here.
    """
    scheme, is_url, _ = str(target).partition("://")
    if is_url and scheme.isalnum():
        opener = TARGETS.get(scheme.lower())
        if opener is None:
            known = ", ".join(f"{name}://" for name in TARGETS) or "none"
            raise OutputError(f"{target}: there is no output {scheme}://; there are: {known}; or write to a file")
        return opener
    return _LINES if format_of(Path(target)) is None else _SPOOLED


def _refuse_other_formats(path: Path) -> None:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    suffix = "".join(suffixes[:-1][-1:] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    if suffix in _OTHER_FORMATS:
        raise OutputError(
            f"{path}: {suffix} is not available; .jsonl, .csv, .json, .xml, each also with .gz or .zst, "
            ".parquet, and - (stdout) are"
        )
