"""The :class:`Feed`: from the one who knows to all who watch."""

from __future__ import annotations

from collections.abc import Callable, Generator
from threading import Condition

from scrapekit.dashboard.message import SAME

_KEEP_ALIVE_SECONDS = 15.0


class Feed:
    """Hands the newest event to each who follows; who is slow misses some in between. Any thread."""

    def __init__(self) -> None:
        self._changed = Condition()  # guards all that follows
        self._event = b""
        self._number = 0
        self._ended = False
        self._followers = 0

    @property
    def followers(self) -> int:
        """How many there are."""
        return self._followers

    def publish(self, event: bytes, *, last: bool = False) -> None:
        """This is how it is now; the ``last`` time, the streams end with it."""
        with self._changed:
            self._event, self._ended = event, last
            self._number += 1
            self._changed.notify_all()

    def follow(self, first: Callable[[], bytes]) -> Generator[bytes, None, None]:
        """What to send: ``first``, then each new event, and a sign of life now and then."""
        with self._changed:
            self._followers += 1
            seen, ended = self._number, self._ended
        try:
            yield first()
            while not ended:
                with self._changed:
                    if self._number == seen:
                        self._changed.wait(_KEEP_ALIVE_SECONDS)
                    event = self._event if self._number > seen else SAME
                    seen, ended = self._number, self._ended
                yield event
        finally:
            with self._changed:
                self._followers -= 1
                self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Wait until nobody follows any more, so long at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._followers, seconds)
