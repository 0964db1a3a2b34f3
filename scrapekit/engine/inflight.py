"""Which requests the workers have right now, where even ``kill -9`` can't take it away."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_SLOT = struct.Struct("<q")


class InFlight:
    """A memory-mapped file with one slot a worker, each the id of a request or 0. Engine thread only.

    A store into the map costs no system call, and the kernel keeps it when the process dies. So after a crash it is
    known which requests can have caused it, to the request: those that merely waited in the window are not suspected.
    (A power failure may lose it; that is no request's fault.)

    Args:
        path: The file; None for a crawl that nobody will resume.
        slots: Workers in all.

    Raises:
        OSError: The file can't be written.
    """

    def __init__(self, path: Path | None, slots: int) -> None:
        self.left = [] if path is None else left_in_flight(path)
        """Ids that the process before this one had in flight when it died."""
        self._slots: dict[int, int] = {}
        self._free = list(range(slots))
        size = max(1, slots) * _SLOT.size
        if path is None:
            self._map = mmap.mmap(-1, size)
        else:
            # Written, and not just made so long: a store into a hole of it on a full disk ends the process (SIGBUS).
            path.write_bytes(bytes(size))
            with path.open("rb+") as file:
                self._map = mmap.mmap(file.fileno(), size)

    def add(self, lease_id: int) -> None:
        """A worker gets this request."""
        slot = self._slots[lease_id] = self._free.pop()
        _SLOT.pack_into(self._map, slot * _SLOT.size, lease_id)

    def remove(self, lease_id: int) -> None:
        """Its outcome has come."""
        slot = self._slots.pop(lease_id)
        _SLOT.pack_into(self._map, slot * _SLOT.size, 0)
        self._free.append(slot)

    def close(self) -> None:
        """Nothing is in flight: whatever was, we leave it on purpose."""
        if not self._map.closed:
            self._map[:] = bytes(len(self._map))
            self._map.close()


def left_in_flight(path: Path) -> list[int]:
    """The ids in such a file: what workers have, or had when their process died. Any thread, any process."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = len(content) - len(content) % _SLOT.size
    return [lease_id for (lease_id,) in _SLOT.iter_unpack(content[:whole]) if lease_id > 0]
