"""The :class:`Pulse`: whether the engine turns and gets on, for the health check."""

from __future__ import annotations

from scrapekit.engine import Snapshot

TURN_SECONDS = 30.0
_INFINITY = float("inf")


class Pulse:
    """How a crawl is. It is well at its end, while files are made, and as long as both of these hold.

    - The engine has looked at the clock in the last 30 seconds; it does so four times a second, unless the disk or
      whoever takes the items holds it up.
    - Something has come back in the last ``patience`` seconds, whatever it was; or there is nothing to wait for:
      nothing is open, the crawl is paused, or all that is open waits for a time that is known.

    For one thread, but for :meth:`complaint`, which any may ask.

    Args:
        patience: Seconds that may pass between two outcomes: as long as one request may take, or a retry may wait.
        now: The time, by any clock that does not jump.
    """

    def __init__(self, patience: float, now: float) -> None:
        self._patience = patience
        self._last = Snapshot()
        self._turned = self._moved = now

    def feel(self, snapshot: Snapshot, now: float) -> None:
        """How it stands now."""
        before, self._last = self._last, snapshot
        if snapshot.at != before.at or snapshot.reason:
            self._turned = now
        if _sums(snapshot) != _sums(before) or _at_rest(snapshot):
            self._moved = now

    def complaint(self, now: float) -> str | None:
        """What is wrong; None where nothing is."""
        still, alone = now - self._turned, now - self._moved
        if still > TURN_SECONDS:
            return f"the engine has not turned for {still:.0f} s"
        if alone > self._patience:
            open_, out = self._last.pending, self._last.in_flight
            return f"nothing has come back for {alone:.0f} s, though {open_} requests are open, {out} of them in flight"
        return None


def _sums(snapshot: Snapshot) -> tuple[int, ...]:
    return (snapshot.requests, snapshot.pages, snapshot.failed, snapshot.retries, snapshot.quarantined)


def _at_rest(snapshot: Snapshot) -> bool:
    """Whether there is nothing to wait for but the clock."""
    if snapshot.paused or snapshot.reason or not snapshot.pending:
        return True
    return not snapshot.in_flight and any(snapshot.at < host.until < _INFINITY for host in snapshot.hosts)
