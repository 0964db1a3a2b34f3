"""The thread that pulls the spider's start requests, so that a slow ``start()`` stops nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from scrapekit.errors import RequestInvalid, SpiderError
from scrapekit.messages import Link, Request, Seeded, link_of
from scrapekit.messages.reason import reason, trace
from scrapekit.safe import safe_lines

logger = logging.getLogger("scrapekit")

_END = object()


class SeedThread:
    """Pulls ``start()`` as far as it is asked to, and posts what it gets. Made and asked by the engine's owner.

    Args:
        start: ``Spider.start``.
        skip: Requests that an earlier run took; they are pulled and left.
        check: Raises :class:`RequestInvalid` if a request names a callback that the spider doesn't have.
        post: Puts a :class:`Seeded` into the inbox.
        link_of: Makes the link of a request.
        spider: Whose they are, where several share the crawl.
    """

    def __init__(
        self,
        start: Callable[[], Iterable[Request]],
        *,
        skip: int,
        check: Callable[[Request], None],
        post: Callable[[Seeded], Any],
        link_of: Callable[[Request], Link] = link_of,
        spider: str = "",
    ) -> None:
        self._start = start
        self._skip = skip
        self._check = check
        self._post = post
        self._link_of = link_of
        self._spider = spider
        self._asks: SimpleQueue[int] = SimpleQueue()
        self._closed = False
        self._looked = Event()  # the first request has been pulled, and is in what follows
        self._wrong: str | None = None
        # A daemon, because user code in start() may block for ever, on a terminal for instance.
        self._thread = Thread(target=self._run, name="scrapekit-start", daemon=True)
        self._thread.start()

    def await_first(self) -> None:
        """Wait for the first request, so that a spider that can't start is found before anything is begun.

        Raises:
            SpiderError: It is not a request that can be carried out.
        """
        self._looked.wait()
        if self._wrong is not None:
            raise SpiderError(self._wrong)

    def ask(self, count: int) -> None:
        """Post the next ``count`` requests when ``start()`` has yielded them. Never blocks; any thread."""
        self._asks.put(count)

    def close(self) -> None:
        """Pull no more, and wait a second at most for ``start()`` to come back. Idempotent; any thread but its own."""
        self._closed = True
        self._asks.put(0)
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        """Pull one request ahead of what was asked for, and post each by itself, so that none waits for a slow one."""
        try:
            requests = iter(self._start())
            for taken in range(self._skip):
                if self._closed:
                    return
                if next(requests, _END) is _END:
                    raise SpiderError(
                        f"start() ended after {taken} requests, and the job has taken {self._skip}: "
                        "it must yield the same requests again"
                    )
            link = self._link(next(requests, _END))
            self._looked.set()
            while count := self._asks.get():
                for _ in range(count):
                    if self._closed:
                        return
                    if link is None:
                        self._end(None)
                        return
                    self._post(Seeded([link], spider=self._spider))
                    link = self._link(next(requests, _END))
        except (RequestInvalid, SpiderError) as error:
            self._wrong = reason(error)
            self._end(self._wrong)
        except BaseException as error:  # noqa: BLE001  (user code: it ends the start requests, not the crawl)
            told = {"event": "traceback", "spider": self._spider or None}
            logger.warning("%s", safe_lines(trace(error)), extra=told)
            self._end(f"start() raised {type(error).__name__}: {reason(error)}")
        finally:
            self._looked.set()

    def _end(self, error: str | None) -> None:
        self._post(Seeded([], exhausted=True, error=error, spider=self._spider))

    def _link(self, request: Any) -> Link | None:
        """The request as the frontier stores it; None for the end."""
        if request is _END:
            return None
        if not isinstance(request, Request):
            raise RequestInvalid(f"start() must yield Request objects, not {request!r}")
        self._check(request)
        return self._link_of(request)
