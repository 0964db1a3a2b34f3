"""Opening an output, whatever kind it is: for a new crawl, or again for one that goes on.

A new kind of output is an :class:`Opener` that :func:`opener_of` knows by the scheme of a URL, or a format in
formats.py, by the suffix of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scrapekit.errors import OutputError
from scrapekit.export.extras import need
from scrapekit.export.formats import Options, format_of, refuse_other_formats
from scrapekit.export.linefile import check_place, files_like, open_lines, resume_lines
from scrapekit.export.lines import FileSink, StreamSink
from scrapekit.export.opener import Opener, Terms, is_table, scheme_of
from scrapekit.export.parts import Limits, PartedFiles
from scrapekit.export.shelf import PART, Folder, LocalFolder
from scrapekit.export.sink import Sink
from scrapekit.export.spool import SpooledFiles
from scrapekit.safe import masked

_DEFAULTS = Options()
_WHOLE = Limits()


def open_output(
    target: str | Path,
    *,
    overwrite: bool = False,
    parents: bool = False,
    fsync: bool = False,
    spool: Path | None = None,
    options: Options = _DEFAULTS,
    parts: Limits = _WHOLE,
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
        parts: When a part of the output is full, and another file begins; then the target has ``{part}`` in its name.

    Raises:
        OutputError: One line: the folder does not exist, permission is denied, the format is not available, another
            process writes to it, or what is there can't be appended to.
        ExportError: The disk is full already.
    """
    terms = Terms(overwrite, parents, fsync, spool, options)
    return _parted(target, parts).open(str(target), terms)


def resume_output(
    target: str | Path,
    committed: Mapping[str, Any],
    *,
    whole: bool = False,
    fsync: bool = False,
    spool: Path | None = None,
    options: Options = _DEFAULTS,
    parts: Limits = _WHOLE,
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
        parts: And this.

    Raises:
        OutputMismatch: The file is gone, shorter than committed, or has other bytes, or more where it was whole.
        OutputError: It can't be opened, or another process writes to it.
    """
    terms = Terms(fsync=fsync, spool=spool, options=options)
    return _parted(target, parts).resume(str(target), committed, terms, whole=whole)


def check_kinds(
    example: str, pattern: str, *, overwrite: bool = False, parents: bool = False, parts: Limits = _WHOLE
) -> None:
    """Find out now, not when the first item comes, whether an output with a file for each kind of items can be written.

    Args:
        example: Such a file, whose kind may be any.
        pattern: All of them, for glob; ``{part}`` stays where parts have their numbers.
        overwrite: As for :func:`open_output`. Where it is False, nothing may be there, but for tables, which take more:
            after a crash nobody could tell what was there before from what this crawl had not committed.
        parents: So is this.
        parts: And this.

    Raises:
        OutputError: It can't.
    """
    opener = _parted(example, parts)
    opener.probe(example, Terms(overwrite=overwrite, parents=parents))
    if not overwrite and (old := opener.find(pattern)):
        raise OutputError(
            f"{min(old)}: one file for each kind of items can't be appended to: overwrite them with -O, or put {{job}} "
            "into the path"
        )


def _parted(target: str | Path, parts: Limits) -> Opener:
    opener = opener_of(target)
    return opener if parts == _WHOLE else PartedFiles(opener, parts, _folder_of(str(target)))


def _folder_of(target: str) -> Folder:
    """Where the parts of an output lie."""
    if is_table(target) or PART not in target.rpartition("/")[2]:
        raise OutputError(f"{masked(target)}: only files can be written in parts")
    if not scheme_of(target):
        return LocalFolder(Path(target).parent)
    from scrapekit.export.remote import RemoteFolder  # noqa: PLC0415  (an extra)

    return RemoteFolder(target)


class LineFiles:
    """The :class:`Opener` of JSON Lines, in files and streams."""

    def open(self, target: str, terms: Terms) -> FileSink | StreamSink:
        """See :func:`open_lines`; a name of a format that we don't write is refused."""
        refuse_other_formats(Path(target))
        return open_lines(target, terms)

    def resume(self, target: str, committed: Mapping[str, Any], terms: Terms, *, whole: bool) -> FileSink | StreamSink:
        """See :func:`resume_lines`."""
        return resume_lines(target, committed, terms, whole=whole)

    def probe(self, target: str, terms: Terms) -> None:
        """The format and the folder."""
        check_place(Path(target), terms)

    def find(self, pattern: str) -> list[str]:
        """Those that are not empty."""
        return files_like(pattern)


_LINES, _SPOOLED = LineFiles(), SpooledFiles()


def opener_of(target: str | Path) -> Opener:
    """Who opens ``target``: a path, ``-`` for stdout, or a URL. Raises OutputError where a library is missing."""
    scheme = scheme_of(target)
    if not scheme:
        return _LINES if format_of(Path(target)) is None else _SPOOLED
    if is_table(target):
        from scrapekit.export.database import Tables  # noqa: PLC0415  (most outputs are files)

        return Tables()
    need("remote", masked(str(target)))
    from scrapekit.export.remote import RemoteFiles  # noqa: PLC0415  (an extra)

    return RemoteFiles()
