"""Time for the engine: one clock that never jumps, and that means the same after a restart."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since the epoch, as the engine sees them. A fake one makes a whole crawl deterministic."""

    def now(self) -> float:
        """The time in seconds; it never goes back."""
        ...


class SteadyClock:
    """Wall time when it was made, monotonic from there on: the wall clock may jump, this one doesn't. Any thread."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch, as :class:`Clock` has them."""
        return time.monotonic() + self._offset
