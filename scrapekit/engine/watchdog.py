"""The watchdog: which leases have been out for longer than any page may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scrapekit.engine.contract import Fleet
from scrapekit.engine.outcomes import Flight
from scrapekit.messages import Request

GRACE_SECONDS = 10.0  # that a fleet gets to give a lease up in peace
_LONGEST_TICK = 1.0  # seconds; whoever looks less often was stopped itself, and so were the workers


class Watchdog:
    """Asks the fleet to give up what does not come back, in peace first and then by force. Engine thread only.

    It adds up the time between its looks, and no more than a second for each: while the machine slept, the process was
    stopped or the audience took its time, no callback is to blame.

    Args:
        fleet: Is asked.
        limit: Seconds that a request may be out.
    """

    def __init__(self, fleet: Fleet, limit: Callable[[Request], float]) -> None:
        self._fleet = fleet
        self._limit = limit
        self._looked_at = 0.0
        self._ages: dict[int, tuple[float, float]] = {}  # by lease: (when it was sent, seconds that it has been out)

    def look(self, flights: Mapping[int, Flight], now: float) -> None:
        """See to the leases that are out now, but for those of robots.txt: its fetch has a deadline."""
        tick, self._looked_at = min(now - self._looked_at, _LONGEST_TICK), now
        ages = {}
        for lease_id, (queued, sent_at, *_) in flights.items():
            before, age = self._ages.get(lease_id, (None, 0.0))
            aged = age + tick if before == sent_at and lease_id > 0 else 0.0
            limit = self._limit(queued.request)
            if (age <= limit < aged and not self._fleet.abandon(lease_id, by_force=False)) or (
                age <= limit + GRACE_SECONDS < aged and not self._fleet.abandon(lease_id, by_force=True)
            ):
                aged = 0.0  # nobody has begun with it
            ages[lease_id] = (sent_at, aged)
        self._ages = ages
