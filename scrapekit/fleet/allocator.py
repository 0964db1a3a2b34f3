"""The C library's allocator, asked to give memory back to the system as soon as it is free."""

from __future__ import annotations

import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGE = 2**20  # bytes: pages and their trees lie in blocks that are kept, bodies of megabytes are given back
_CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES")


def give_memory_back() -> bool:
    """Have glibc keep little of what is freed; false where there is no glibc, or the environment says otherwise.

    It has an arena for each few threads. When a block of megabytes is freed, it raises the limit up to which such
    blocks come from the arenas, and lets the end of each keep twice as much: what many threads needed once at different
    moments would then stay with the process. It is a choice for the whole process, so only for those that are ours.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _CHOSEN):
        return False
    import ctypes  # noqa: PLC0415  (nobody else needs it)

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, _LARGE) and mallopt(_TRIM_THRESHOLD, _LARGE))
