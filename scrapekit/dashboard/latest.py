"""The latest items: of a crawl that runs, and of the output of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from scrapekit.export import committed_of, format_of, part_path, segment_spool
from scrapekit.messages import Failed
from scrapekit.project.outputs import spool_of

_KEPT = 20
_LONGEST = 2000  # bytes of an item that are shown
_TAIL = 256 * 1024


class Item(Struct, frozen=True):
    """A line of the output: its number, and its text, cut off where it is long."""

    n: int
    text: str


class Latest:
    """The audience of a crawl: keeps the last lines that were committed, which costs it a few microseconds."""

    def __init__(self) -> None:
        self._last: tuple[int, tuple[bytes, ...]] = (0, ())  # replaced as a whole, so that any thread may read it

    def committed(self, lines: Sequence[bytes], _kept: Sequence[Any | Failed]) -> None:
        """These are final. Engine thread only."""
        count, last = self._last
        self._last = (count + len(lines), (*last, *lines[-_KEPT:])[-_KEPT:])

    def items(self) -> list[Item]:
        """The newest items of this run, the newest last. Any thread."""
        return _numbered(*self._last)


def written(root: Path, folder: Path, paths: Sequence[str], committed: Mapping[str, Any]) -> list[Item]:
    """The last items of a job, as far as they are committed; none where no output is lines of a file that is there.

    Args:
        root: What a relative path starts from.
        folder: The job's.
        paths: Of its outputs.
        committed: The end of them, as the ledger has it.
    """
    for (number, kind), known in committed_of(committed).items():
        position = known.position
        spool = spool_of(folder / "items.jsonl", number, kind)
        name = paths[number].replace("{item}", kind)
        if "part" in position:
            part: int = position["part"]
            spool, name, position = segment_spool(spool, part), str(part_path(name, part)), position["at"]
        path = spool if spool.exists() else root / name
        end = position.get("offset")
        if isinstance(end, int) and "crc" not in position and (path == spool or format_of(path) is None):
            with suppress(OSError):  # it is no file, or its owner has taken it away
                return _tail(path, end)
    return []


def _tail(path: Path, end: int) -> list[Item]:
    with path.open("rb") as file:
        start = max(0, end - _TAIL)
        file.seek(start)
        lines = file.read(end - start).split(b"\n")[1 if start else 0 : -1]
    return _numbered(len(lines), tuple(lines[-_KEPT:]))


def _numbered(count: int, lines: tuple[bytes, ...]) -> list[Item]:
    first = count - len(lines)
    return [Item(first + at, line[:_LONGEST].decode(errors="replace")) for at, line in enumerate(lines)]
