"""The :class:`Lineup`: the spiders of one crawl, each with the settings that hold for it alone.

One spider is a lineup as well. Several share the engine, the workers, the pool, the politeness and the cookies; scope,
depth, limits of URLs, callbacks, pipelines and hooks are each spider's own, and so are its start requests and pages:
what one of them has seen, another one has not (:mod:`scrapekit.messages.owner`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scrapekit.engine import Admission, Admissions, Frontier, SeedThread, Stats, seeds_key
from scrapekit.errors import RequestInvalid, SpiderError
from scrapekit.fleet import Callbacks
from scrapekit.messages import Link, Request, Seeded, owned, owner_of
from scrapekit.project.agreement import check_together, shared_settings
from scrapekit.project.report import Share
from scrapekit.project.rules import Rules
from scrapekit.project.verdict import why_failed, why_share_failed
from scrapekit.settings import Loaded, Settings
from scrapekit.spider import Spider, check_spider, start_hosts
from scrapekit.web import Scope, UrlLimits


class Cast(NamedTuple):
    """One spider of a crawl.

    Args:
        spider: The spider.
        settings: Those that hold for it.
    """

    spider: Spider
    settings: Settings


def line_up(spiders: Sequence[Spider], loaded: Sequence[Loaded]) -> tuple[Lineup, Settings]:
    """These spiders, each with what was loaded for it, and the settings that they share.

    Raises:
        SpiderError, SettingsError: They can't crawl together.
    """
    lineup = Lineup([Cast(spider, each.settings) for spider, each in zip(spiders, loaded, strict=True)])
    return lineup, shared_settings(spiders, loaded)


class Lineup:
    """The spiders of one crawl. Made and used by the thread of the engine.

    Args:
        casts: One spider, or several of different names.

    Raises:
        SpiderError: One is not as it must be, or they can't crawl together.
    """

    def __init__(self, casts: Sequence[Cast]) -> None:
        names = [cast.spider.name for cast in casts]
        several = len(casts) > 1
        if several:
            check_together([cast.spider for cast in casts])
        self.casts = {name if several else "": cast for name, cast in zip(names, casts, strict=True)}
        """By the spider's name, which is empty where it is the only one."""
        self.name = ", ".join(sorted(names))
        """All their names."""
        self._starts: dict[str, set[str]] = {}
        self._callbacks: dict[str, Callbacks] = {}
        for owner, (spider, settings) in self.casts.items():
            check_spider(spider)
            spider.ignored_parameters = settings.crawl.ignore_parameters
            self._starts[owner] = start_hosts(spider)
            self._callbacks[owner] = Callbacks(spider)

    def check_stored(self, callbacks: Mapping[str, int]) -> None:
        """Whether the callbacks are still there that the requests of a job wait for.

        Raises:
            SpiderError: One is not.
        """
        for stored, count in callbacks.items():
            try:
                self._callbacks[owner_of(stored)].find(stored.rpartition(":")[2])
            except RequestInvalid as error:
                raise SpiderError(f"{count} requests of the job wait for a callback that is gone: {error}") from error

    def seeds(
        self, frontier: Frontier, stats: Stats, post: Callable[[Seeded], Any]
    ) -> Iterator[tuple[str, SeedThread]]:
        """Pull the start requests of those that have not come to their end."""
        for owner, (spider, _) in self.casts.items():
            if frontier.get(seeds_key("done", owner), False) or owner in stats.stopped:
                continue
            callbacks = self._callbacks[owner]
            yield (
                owner,
                SeedThread(
                    spider.start,
                    skip=frontier.get(seeds_key("taken", owner), 0),
                    check=callbacks.check,
                    post=post,
                    link_of=_linker(callbacks.new_link, owner),
                    spider=owner,
                ),
            )

    def admission(self, frontier: Frontier, stats: Stats) -> Admission | Admissions:
        """Which of their requests enter the crawl."""
        found = {}
        for owner, (_, settings) in self.casts.items():
            domains, limits = self._domains(owner), settings.crawl.limits
            open_scope = domains is not None and not domains
            mark = f"{owner}:" if owner else ""
            widened = [host.removeprefix(mark) for host in frontier.scope() if host.startswith(mark)]
            found[owner] = Admission(
                frontier.seen,
                stats,
                Scope([*widened, *self._starts[owner]] if open_scope else domains),
                open_scope=open_scope,
                max_depth=settings.crawl.max_depth,
                url_limits=UrlLimits(
                    limits.url_length, limits.path_depth, limits.repeated_segments, limits.query_parameters
                ),
                owner=owner,
            )
        return found[""] if "" in found else Admissions(found)

    def rules(self) -> dict[str, Rules]:
        """What keeps URLs out, to be written down with the job, by the key for it."""
        rules = {}
        for owner, (_, settings) in self.casts.items():
            domains = self._domains(owner)
            open_scope = domains is not None and not domains
            rules[f"rules:{owner}" if owner else "rules"] = Rules.of(
                settings, [*self._starts[owner]] if open_scope else domains
            )
        return rules

    def shares(self, stats: Stats, frontier: Frontier) -> dict[str, Share]:
        """What each of them has come to, by its name."""
        if "" in self.casts:
            return {self.name: Share(stats.pages, stats.items, stats.failed + stats.quarantined)}
        found = frontier.shares()
        shares = {}
        for name in self.casts:
            pages, failed, error = found.get(name, (0, 0, None))
            shares[name] = Share(pages, stats.items_of[name], failed, stats.stopped.get(name), error)
        return shares

    def why_failed(self, stats: Stats, shares: Mapping[str, Share]) -> str | None:
        """Why the crawl, at its end, can't be called a success; None where it can. Of several, each must be one."""
        if "" in self.casts:
            return why_failed(stats, self.casts[""].settings.crawl.fail_if)
        failures = {
            name: why_share_failed(shares[name], cast.settings.crawl.fail_if) for name, cast in self.casts.items()
        }
        return "; ".join(f"{name}: {why}" for name, why in failures.items() if why) or None

    def begin(self) -> None:
        """Tell the hooks that the crawl is about to begin. Raises SpiderError if one raises."""
        for owner, (spider, _) in self.casts.items():
            self._callbacks[owner].hooks.start(spider)

    def end(self, report: Any) -> None:
        """Tell the hooks that it has ended."""
        for callbacks in self._callbacks.values():
            callbacks.hooks.finish(report)

    def _domains(self, owner: str) -> Sequence[str] | None:
        spider, settings = self.casts[owner]
        domains = spider.allowed_domains if settings.crawl.allowed_domains is None else settings.crawl.allowed_domains
        return [domains] if isinstance(domains, str) else None if domains is None else [*domains]


def _linker(link_of: Callable[[Request], Link], owner: str) -> Callable[[Request], Link]:
    return (lambda request: owned(link_of(request), owner)) if owner else link_of
