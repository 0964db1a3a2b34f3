"""Hooks that many spiders need. None keeps state, so all threads may share one."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence

from scrapekit.errors import Banned, LoggedOut
from scrapekit.messages import Request, Response


class RotateUserAgents:
    """Sends each attempt with a User-Agent drawn from a list.

    Args:
        agents: What to draw from.
    """

    def __init__(self, agents: Sequence[str]) -> None:
        if isinstance(agents, str) or not agents:
            raise ValueError("RotateUserAgents needs a list of at least one User-Agent")
        self._agents = list(agents)

    def before_request(self, request: Request) -> Request:
        """The request with another User-Agent."""
        kept = {name: value for name, value in request.headers.items() if name.lower() != "user-agent"}
        return request.replace(headers=kept | {"User-Agent": random.choice(self._agents)})  # noqa: S311  (no secret)


class BanRules:
    """Takes pages for bans by their status or their text, and has them tried again as another visitor.

    Args:
        statuses: HTTP statuses that mean a ban.
        text: A regular expression that is found in the pages that do.
        sessions: Names of sessions: the next one after that of the request is tried. Its cookies are used, as
            ``session="visitor=>name"``; who is crawling stays the same, so no page is fetched for each of them. The
            proxy changes by itself, for one through which a ban came rests.
        wait: Seconds until then, at least.
    """

    def __init__(
        self,
        *,
        statuses: Collection[int] = (),
        text: str | None = None,
        sessions: Sequence[str] = (),
        wait: float = 0.0,
    ) -> None:
        if isinstance(sessions, str):
            raise TypeError(f"BanRules needs a list of sessions, not {sessions!r}")
        self._statuses = frozenset(statuses)
        self._text = None if text is None else re.compile(text, re.IGNORECASE)
        self._sessions = list(sessions)
        self._wait = wait

    def after_response(self, response: Response) -> None:
        """Raise :class:`Banned` for a page that is a ban."""
        if response.status in self._statuses:
            why = f"status {response.status} means a ban here"
        elif self._text is not None and (found := self._text.search(_text_of(response))):
            why = f"the page says {found[0]!r:.80}"
        else:
            return
        raise Banned(why, retry=self._other(response.request), wait=self._wait)

    def _other(self, request: Request) -> Request | None:
        if not self._sessions:
            return None
        visitor, jar = request.visitor, request.jar
        following = self._sessions.index(jar) + 1 if jar in self._sessions else 0
        other = self._sessions[following % len(self._sessions)]
        return request.replace(session=other if other == visitor else f"{visitor}=>{other}")


class RenewLogin:
    """Has the login done anew when a page comes without one, and then the page tried again.

    Args:
        url: The login page.
        callback: The spider's method that gets it, in the session of the page, and submits the form.
        redirected_to: A regular expression of where the site sends visitors that have to log in.
        statuses: HTTP statuses that mean the same.
        exempt: Names of further callbacks whose responses belong to the login itself.
        wait: Seconds until the page is tried again, at least: about what the login takes.
    """

    def __init__(
        self,
        url: str,
        callback: str = "log_in",
        *,
        redirected_to: str | None = None,
        statuses: Collection[int] = (401,),
        exempt: Collection[str] = (),
        wait: float = 1.0,
    ) -> None:
        self._url = url
        self._callback = callback
        self._redirected_to = None if redirected_to is None else re.compile(redirected_to)
        self._statuses = frozenset(statuses)
        self._exempt = frozenset({callback, *exempt})
        self._wait = wait

    def after_response(self, response: Response) -> None:
        """Raise :class:`LoggedOut` where the page asks for a login."""
        request = response.request
        if request.callback in self._exempt:
            return
        target = response.headers.get("location", "") if 300 <= response.status < 400 else ""
        asked = self._redirected_to is not None and self._redirected_to.search(target)
        if asked or response.status in self._statuses:
            login = Request(self._url, self._callback, session=request.session, priority=request.priority + 1000)
            raise LoggedOut("the site asks for a login", first=[login], wait=self._wait)


def _text_of(response: Response) -> str:
    kind = response.headers.get("content-type", "text/html").lower()
    return response.text if any(word in kind for word in ("text", "html", "json", "xml")) else ""
