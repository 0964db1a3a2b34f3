"""The rules of a job that keep a URL out: written down with it, so that they can be asked later without its spider."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from scrapekit.settings import Settings
from scrapekit.web import Scope, UrlLimits
from scrapekit.web.robots import parse, rules_for_status
from scrapekit.web.traps import trap_in
from scrapekit.web.urls import Address, address, without_parameters


class Rules(Struct, frozen=True):
    """What the last run of a job let in. Kept in the frontier under ``rules``.

    Args:
        domains: Where it may go, but for what its start requests open; None for anywhere, empty for those alone.
        limits: ``crawl.limits`` for URLs: length, depth, repeats, parameters.
        max_depth: ``crawl.max_depth``.
        obeys_robots: ``robots.obey``.
        user_agent: By which robots.txt knows us.
        max_crawl_delay: Seconds.
        ignored: ``crawl.ignore_parameters``: URLs that differ only in these are one.
    """

    domains: tuple[str, ...] | None = None
    limits: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
    max_depth: int | None = None
    obeys_robots: bool = True
    user_agent: str = ""
    max_crawl_delay: float = 0.0
    ignored: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, domains: Iterable[str] | None) -> Self:
        """The rules of a crawl with these settings, which goes to ``domains``."""
        limits = settings.crawl.limits
        return cls(
            None if domains is None else tuple(domains),
            (limits.url_length, limits.path_depth, limits.repeated_segments, limits.query_parameters),
            settings.crawl.max_depth,
            settings.robots.obey,
            settings.http.user_agent,
            settings.robots.max_crawl_delay,
            settings.crawl.ignore_parameters,
        )

    def identity(self, url: str) -> bytes:
        """What is the same for all URLs of which the job takes one: the fingerprint of a plain GET.

        Raises:
            RequestInvalid: It is no URL.
        """
        target = address(url)
        return address(without_parameters(target.url, self.ignored)).fingerprint if self.ignored else target.fingerprint

    def against(self, target: Address, opened: list[str], robots: tuple[int, bytes] | None) -> list[str]:
        """Why a link to ``target`` is not let in, or not fetched, one line each; none where nothing speaks against it.

        Args:
            target: Where it leads.
            opened: The hosts that the start requests opened.
            robots: Status and body of the robots.txt of its origin; None where the job has not fetched it.
        """
        why = []
        domains = None if self.domains is None else [*self.domains, *opened]
        if not Scope(domains).allows(target.host):
            shown = ", ".join(sorted(domains or ())[:5]) or "nowhere"
            why.append(f"OffSite: {target.host} is outside allowed_domains ({shown})")
        if (trap := trap_in(target.url, UrlLimits(*self.limits))) is not None:
            why.append(f"{trap.kind.__name__}: {trap.message}")
        if self.obeys_robots and robots is not None:
            status, body = robots
            rules = rules_for_status(status) or parse(body, self.user_agent, self.max_crawl_delay)
            if not rules.allows(target.url):
                why.append("RobotsDenied: robots.txt forbids it")
        return why

    def crawl_delay(self, robots: tuple[int, bytes] | None) -> float | None:
        """Seconds between two requests that a robots.txt asks for; None where it asks for none."""
        if not self.obeys_robots or robots is None or rules_for_status(robots[0]) is not None:
            return None
        return parse(robots[1], self.user_agent, self.max_crawl_delay).delay
