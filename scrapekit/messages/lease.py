"""The :class:`Lease`: one request in a worker's hands."""

from __future__ import annotations

from msgspec import Struct

from scrapekit.messages.outcome import Failed
from scrapekit.messages.request import Request


class Lease(Struct, frozen=True):
    """What the engine hands to a worker: a request with all that was decided about it. Immutable.

    Args:
        id: The frontier's number of the request, which the outcome carries back; negative for robots.txt.
        request: What to fetch.
        host: The throttle's key that the request is counted under.
        depth: Links from a start URL to here; 0 for a start URL.
        attempt: How many attempts have failed before; 0 at first.
        redirects: How many redirects led here.
        cookies: The value of the Cookie header, from the engine's jar.
        maxsize: Connections that the host's pool may hold: the same number that the scheduler keeps to.
        alone: Processes have died while they had it: whoever has it must have nothing else, or would take it along.
        proxy: The URL of the proxy to go through, of the engine's choice; None for the request's own, if it has one.
        authorization: The value of the Authorization header for this hop alone, from the settings.
        failure: Set when the request has failed for good and its errback is to run; nothing is fetched then.
    """

    id: int
    request: Request
    host: str
    depth: int = 0
    attempt: int = 0
    redirects: int = 0
    cookies: str | None = None
    maxsize: int = 8
    alone: bool = False
    proxy: str | None = None
    authorization: str | None = None
    failure: Failed | None = None

    def __repr__(self) -> str:
        return f"<Lease {self.id} of {self.request!r}>"  # without cookies and credentials

    @property
    def is_robots(self) -> bool:
        """Whether the engine asked for a robots.txt for itself: no parser and no callback runs."""
        return self.id < 0
