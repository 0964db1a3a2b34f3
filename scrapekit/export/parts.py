"""Outputs in parts: files of so many items or bytes, each complete, and a manifest that says which are.

A part is an output of its own, opened like any other; this room says when one ends and the next one begins. It ends
with the item after which no other fits. Its file is made, sent where it lies elsewhere, and then listed, only once that
is committed, so whatever the manifest lists is final. A kill between these is made good when the job goes on.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scrapekit.errors import ExportError, OutputError, OutputMismatch
from scrapekit.export.manifest import Manifest, Part, manifest_of
from scrapekit.export.opener import Opener, Terms
from scrapekit.export.shelf import PART, Folder, Shelf
from scrapekit.export.sink import Sink


class Limits(NamedTuple):
    """When a part is full.

    Args:
        items: So many.
        size: So many bytes, as JSON Lines; a single item may have more.
    """

    items: int | None = None
    size: int | None = None

    def full(self, items: int, size: int, line: bytes) -> bool:
        """Whether a part of that many items and bytes has no room for another line. Pure."""
        if not items:
            return False
        return (self.items is not None and items >= self.items) or (
            self.size is not None and size + len(line) + 1 > self.size
        )


class Segment(NamedTuple):
    """One part, as far as it has come.

    Args:
        number: From 1.
        items: In it.
        size: Of them, as JSON Lines.
        first: The first one's number among all items that the crawl has written to this output, from 1.
    """

    number: int
    items: int = 0
    size: int = 0
    first: int = 1

    def made(self, shelf: Shelf, at: Mapping[str, Any], *, whole: bool) -> Part:
        """Make the file of a part that has come to its end at this position."""
        sink = shelf.resume(self.number, at, whole=whole)
        try:
            sink.finish()
            return self.entry(shelf, sink)
        finally:
            sink.close()

    def entry(self, shelf: Shelf, sink: Sink) -> Part:
        """What the manifest says of it, when its sink has finished its file."""
        name = shelf.name(self.number)
        measure = shelf.folder.measure(name, sink)
        return Part(self.number, name, self.items, *measure, self.first, self.first + self.items - 1)


class PartedFiles:
    """The :class:`Opener` of outputs in parts, over that of their files.

    Args:
        opener: Opens one part.
        limits: When a part is full.
        folder: Where the parts lie.
    """

    def __init__(self, opener: Opener, limits: Limits, folder: Folder) -> None:
        self._opener = opener
        self._limits = limits
        self._folder = folder

    def open(self, target: str, terms: Terms) -> PartedSink:
        """Begin with part 1, or behind the parts that are there."""
        temporary = None
        if terms.spool is None:
            temporary = Path(tempfile.mkdtemp(prefix="scrapekit-"))
            terms = terms._replace(spool=temporary / "items.jsonl")
        try:
            return self._begin(target, terms, temporary)
        except BaseException:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)
            raise

    def _begin(self, target: str, terms: Terms, temporary: Path | None) -> PartedSink:
        shelf = Shelf(target, self._folder, self._opener, terms)
        if terms.parents:
            self._folder.make(fsync=terms.fsync)
        manifest = shelf.listed()
        there = shelf.names()
        if manifest is None and there:
            raise OutputError(
                f"{min(there.values())}: is in the way of the parts of {target}, and no manifest says whose it is: "
                "remove it, or take another name"
            )
        number = 1
        if manifest is not None and not terms.overwrite:
            if not manifest.complete:
                raise OutputError(
                    f"{shelf.manifest}: can't be appended to, its last part is not complete: resume the crawl that "
                    "wrote it, or overwrite it with -O"
                )
            number = max((part.number for part in manifest.parts), default=0) + 1
        kept = [] if manifest is None or terms.overwrite else manifest.parts
        old = [name for each, name in there.items() if each != number] if terms.overwrite else []
        sink = shelf.open(number)
        return PartedSink(shelf, self._limits, Segment(number), sink, kept, old=old, temporary=temporary)

    def resume(self, target: str, committed: Mapping[str, Any], terms: Terms, *, whole: bool) -> PartedSink:
        """Go on in the part that was committed last; what came later goes, what is complete and not made is made."""
        shelf = Shelf(target, self._folder, self._opener, terms)
        if "part" not in committed:
            raise OutputMismatch(f"{target} can't go on with this job's output, which was not in parts")
        segment = Segment(committed["part"], committed["items"], committed["size"], committed["first"])
        manifest = shelf.listed()
        parts = [] if manifest is None else [part for part in manifest.parts if part.number < segment.number]
        sink = shelf.resume(segment.number, committed["at"], whole=whole)
        try:
            for number, items, size, first, at in committed["sealed"]:
                if all(part.number != number for part in parts):
                    parts.append(Segment(number, items, size, first).made(shelf, at, whole=whole))
            known = {part.number for part in parts}
            if lost := [number for number in range(committed["begin"], segment.number) if number not in known]:
                raise OutputMismatch(
                    f"{shelf.manifest} does not list part {lost[0]}, which this job has written: put it back as the "
                    "crawl left it, or start a new crawl"
                )
        except BaseException:
            sink.close()
            raise
        later = [name for number, name in shelf.names().items() if number > segment.number]
        return PartedSink(shelf, self._limits, segment, sink, parts, old=later, begin=committed["begin"])

    def probe(self, target: str, terms: Terms) -> None:
        """As that of a part."""
        self._opener.probe(target.replace(PART, "00001"), terms)

    def find(self, pattern: str) -> list[str]:
        """Parts and manifests."""
        return [*self._opener.find(pattern.replace(PART, "*")), *self._opener.find(manifest_of(pattern))]


class PartedSink:
    """A :class:`Sink` that goes on in a new file whenever a part is full. Engine thread only.

    Args:
        shelf: Where the parts lie.
        limits: When one is full.
        segment: The one that is being written.
        sink: Its file.
        parts: Those that are complete.
        old: Files that go as soon as the crawl begins.
        begin: The part that the crawl began with; None: this one.
        temporary: A folder that goes when this is closed.
    """

    def __init__(
        self,
        shelf: Shelf,
        limits: Limits,
        segment: Segment,
        sink: Sink,
        parts: Sequence[Part],
        *,
        old: Sequence[str] = (),
        begin: int | None = None,
        temporary: Path | None = None,
    ) -> None:
        self.name = shelf.target
        self.cut = sink.cut
        self._shelf = shelf
        self._limits = limits
        self._segment, self._sink = segment, sink
        self._parts = list(parts)
        self._old = old
        self._begin = segment.number if begin is None else begin
        self._temporary = temporary
        self._sealed: list[tuple[Segment, Mapping[str, Any]]] = []  # complete, not committed; closed, for one page may
        # have items for more parts than a process may have files open
        self._listed = False

    def append(self, lines: Sequence[bytes]) -> None:
        """Append ``lines``, in as many parts as they need."""
        share: list[bytes] = []
        number, items, size, first = self._segment
        for line in lines:
            if self._limits.full(items, size, line):
                self._guarded(self._remove_old)  # one of them may have the name of the next part
                self._sink.append(share)
                self._sink.flush()
                self._sealed.append((Segment(number, items, size, first), self._sink.position()))
                self._sink.close()
                share, number, items, size, first = [], number + 1, 0, 0, first + items
                try:
                    sink = self._shelf.open(number)
                except OutputError as error:  # what was there at the start is gone
                    raise ExportError(str(error)) from error
                self._segment, self._sink = Segment(number, first=first), sink
            share.append(line)
            items += 1
            size += len(line) + 1
        self._sink.append(share)
        self._segment = Segment(number, items, size, first)

    def position(self) -> dict[str, Any]:
        """That in the part that is being written, and those of what was completed since the last commit."""
        number, items, size, first = self._segment
        sealed = [[*segment, at] for segment, at in self._sealed]
        return {
            "part": number, "items": items, "size": size, "first": first,
            "begin": self._begin, "at": self._sink.position(), "sealed": sealed,
        }  # fmt: skip

    def flush(self) -> None:
        """Flush the part that is being written; the others were flushed at their ends."""
        self._sink.flush()

    def committed(self) -> None:
        """Make and list the parts that are complete now."""
        self._sink.committed()
        self._guarded(self._remove_old)
        for segment, at in self._sealed:
            self._parts.append(self._made(segment, at))
        if self._sealed or not self._listed:
            self._list(self._parts, complete=False)
        self._sealed = []

    def finish(self) -> None:
        """Make the last part, and say that all are there."""
        last: list[Part] = []
        if self._segment.items:
            self._sink.finish()
            last = [self._guarded(lambda: self._segment.entry(self._shelf, self._sink))]
        else:
            self._guarded(lambda: self._shelf.folder.remove(self._shelf.name(self._segment.number)))
        self._list([*self._parts, *last], complete=True)

    def close(self) -> None:
        """Close the part that is being written."""
        self._sink.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _made(self, segment: Segment, at: Mapping[str, Any]) -> Part:
        try:
            made: Part = self._guarded(lambda: segment.made(self._shelf, at, whole=False))
        except (OutputError, OutputMismatch) as error:  # its lines are not there any more
            raise ExportError(str(error)) from error
        if self._temporary is not None:
            self._shelf.spool(segment.number).unlink(missing_ok=True)
        return made

    def _remove_old(self) -> None:
        for name in self._old:
            self._shelf.folder.remove(name)
        self._old = ()

    def _list(self, parts: Sequence[Part], *, complete: bool) -> None:
        manifest = Manifest(parts=sorted(parts, key=lambda part: part.number), complete=complete)
        self._guarded(lambda: self._shelf.list(manifest))
        self._listed = not complete

    def _guarded(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except OSError as error:
            raise ExportError(f"{self.name}: can't be written: {error.strerror or error}") from error
