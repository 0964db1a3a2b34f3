"""The :class:`FakeClock`: time that passes only when it is told to."""

from __future__ import annotations


class FakeClock:
    """A :class:`~scrapekit.engine.Clock` for deterministic crawls. One thread.

    Args:
        now: Seconds since the epoch at which it starts.
    """

    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self._now = now

    def __repr__(self) -> str:
        return f"<FakeClock {self._now:.6f}>"

    def now(self) -> float:
        """The time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; negative ones don't."""
        self._now += max(0.0, seconds)
