"""robots.txt as RFC 9309 has it, with the delays that it leaves to custom. One file holds for one origin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scrapekit.web.encodings import decode, detect

MAX_BYTES = 500 * 1024
"""What is read of a robots.txt (RFC 9309 §2.5)."""

MAX_WILDCARDS = 2000
"""``*`` and ``$`` in the rules for us, over all of them: each costs time with each URL."""


class RobotsRules:
    """What one robots.txt tells one crawler. Immutable; any thread.

    Args:
        delay: Seconds between two requests, None where it asks for none.
        sitemaps: URLs, as they are written.
    """

    __slots__ = ("_can_fetch", "_token", "delay", "sitemaps")

    def __init__(self, can_fetch: Any, token: str, delay: float | None = None, sitemaps: tuple[str, ...] = ()) -> None:
        self._can_fetch = can_fetch  # True: all URLs, False: none, else what protego answers
        self._token = token
        self.delay = delay
        self.sitemaps = sitemaps

    def allows(self, url: str) -> bool:
        """Whether ``url``, of the origin that these rules came from, may be fetched."""
        can_fetch = self._can_fetch
        return can_fetch if can_fetch is True or can_fetch is False else can_fetch(url, self._token)


ALLOW_ALL = RobotsRules(True, "")
"""There is no robots.txt, or it says nothing."""

DENY_ALL = RobotsRules(False, "")
"""robots.txt can't be reached: nothing may be fetched for now."""


def rules_for_status(status: int | None) -> RobotsRules | None:
    """What holds where robots.txt was answered with ``status`` (RFC 9309 §2.3.1); None: :func:`parse` the body.

    Args:
        status: After redirects; None where no response came.

    Returns:
        DENY_ALL for no response, 5xx, and 429, which says "not now"; ALLOW_ALL for all else that is not 2xx.
    """
    if status is None or status >= 500 or status == 429:
        return DENY_ALL
    return None if 200 <= status < 300 else ALLOW_ALL


def parse(body: bytes, user_agent: str, max_delay: float) -> RobotsRules:
    """The rules that ``body`` holds for us. Never raises; 500 KiB take less than a second.

    Args:
        body: robots.txt, in any encoding; what is over MAX_BYTES is ignored.
        user_agent: The whole User-Agent header; its product token counts.
        max_delay: Seconds that the delay is cut to.
    """
    from protego import Protego  # noqa: PLC0415  (not needed by crawls that don't obey)

    if len(body) > MAX_BYTES:
        body = body[: body.rfind(b"\n", 0, MAX_BYTES) + 1]
    token = product_token(user_agent)
    lines = list(_bounded(_relevant(decode(body, detect(body, "text/plain")), token)))
    rules = Protego.parse("\n".join(lines))
    delay = rules.crawl_delay(token)
    rate = rules.request_rate(token)
    if delay is None and rate is not None and rate.requests > 0:
        delay = min(rate.seconds, 10**9) / rate.requests
    if delay is not None:
        delay = min(delay, max_delay) if delay >= 0 else None  # NaN is not
    can_fetch = rules.can_fetch if any(map(_DISALLOW, lines)) else True
    return RobotsRules(can_fetch, token, delay, tuple(rules.sitemaps))


def product_token(user_agent: str) -> str:
    """The name that robots.txt knows a crawler by, in lower case: ``foobot`` for ``FooBot/1.0 (+https://...)``.

    A crawler that calls itself Mozilla gives its name after "compatible;", so that is taken.
    """
    found = _COMPATIBLE(user_agent) or _TOKEN(user_agent)
    return found[1].lower() if found else "*"


_TOKEN = re.compile(r"\s*([A-Za-z0-9_-]+)").match
_COMPATIBLE = re.compile(r"\s*Mozilla/[^(]*\(compatible;\s*([A-Za-z0-9_-]+)", re.IGNORECASE).match
_AGENT = re.compile(r"\s*user[ -]?agent\s*[:\s]\s*([^#]*)", re.IGNORECASE).match
_SITE_WIDE = re.compile(r"\s*(?:site-?maps?|host)\b", re.IGNORECASE).match
_DISALLOW = re.compile(r"\s*d\w*+\s*+:?+\s*[^\s#]", re.IGNORECASE).match  # with a value; misspelt ones count too
_ALLOW = re.compile(r"\s*allow\b", re.IGNORECASE).match
_WILD = re.compile(r"[*$]").search
_NOTHING = re.compile(r"\s*(?:#|$)").match


def _relevant(text: str, token: str) -> Iterator[str]:
    """The lines of the groups that may be ours, and those that belong to no group.

    It is not only quicker: a group of thousands of crawlers and thousands of rules would take their product of time
    and memory to parse.
    """
    ours = in_agents = False
    for line in text.splitlines():
        if _NOTHING(line):
            continue
        agent = _AGENT(line)
        if agent:
            ours = ours and in_agents
            in_agents = True
            name = agent[1].strip().lower().partition("/")[0]
            name = name.replace("*", "") or name[:1]
            if name == "*" or (name and name in token):
                ours = True
                yield f"User-agent: {name}"
        elif _SITE_WIDE(line):
            yield line
        else:
            in_agents = False
            if ours:
                yield line


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    """The lines with at most MAX_WILDCARDS.

    What has more is not for us to understand whole: the rest of what it forbids is forbidden up to the wildcard, the
    rest of what it allows with one is not allowed.
    """
    room = MAX_WILDCARDS
    for line in lines:
        wild = None if _AGENT(line) or _SITE_WIDE(line) else _WILD(line)
        if wild:
            room -= line.count("*") + line.count("$")
            if room < 0:
                if not _ALLOW(line):
                    yield line[: wild.start()]
                continue
        yield line
