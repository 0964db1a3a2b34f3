"""A whole crawl with the real engine, scheduler, frontier and output, over a simulated web, under a fake clock."""

import json
from dataclasses import dataclass
from random import Random

import msgspec

from scrapekit.engine import Admission, Engine, Frontier, InFlight, Outcomes, RetryPolicy, Robots, Scheduler, Stats
from scrapekit.export import Tee, open_output, resume_output
from scrapekit.testing.clock import FakeClock
from scrapekit.testing.fleet import FakeFleet, FakeSeeds
from scrapekit.testing.web import LinkSpider, SimulatedPage, SimulatedWeb
from scrapekit.web import CookieJar, Scope
from scrapekit.web.traps import ANY_URL


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Limits:
    maxsize: int = 8
    delay: float = 0.0
    jitter: float = 0.0
    adaptive: bool = False


class Audience:
    def __init__(self):
        self.lines = []
        self.kept = []

    def committed(self, lines, kept):
        self.lines += lines
        self.kept += kept


class Sim:
    """One job, which may be run, killed and resumed. ``folder`` None: nothing is kept."""

    def __init__(self, pages, start=("http://a.test/",), *, folder=None, spider=None, seed=0, workers=4, clock=None,
                 limits=Limits, latency=(0.01, 0.5), retry=None, robots=False, scope=(), window=64, max_hosts=64,
                 max_depth=None, url_limits=ANY_URL, pages_per_host=None, max_redirects=5, quarantine_after=3,
                 ttl=86400.0, cookies=True, worker_options=None,
                 keep=False, every_attempt=True, **engine):  # fmt: skip
        self.web = pages if isinstance(pages, SimulatedWeb) else SimulatedWeb(pages)
        self.spider = spider or LinkSpider(start)
        self.folder = folder
        self.clock = clock or FakeClock()
        self.audience = Audience()
        resume = folder is not None and (folder / "frontier.sqlite").exists()
        self.frontier = Frontier("" if folder is None else str(folder / "frontier.sqlite"))
        if folder is None:
            self.output = Tee({})
        elif resume and (committed := self.frontier.get("output")) is not None:
            self.output = Tee({(0, ""): resume_output(folder / "out.jsonl", committed)})
        else:
            self.output = Tee({(0, ""): open_output(folder / "out.jsonl", overwrite=True)})
        self.in_flight = InFlight(None if folder is None else folder / "in_flight", workers)
        self.retry = retry or RetryPolicy(times=2, initial=1.0, maximum=10.0)
        self.quarantined = self.frontier.recover(self.in_flight.left, self.clock.now(), 600.0, quarantine_after)
        self.jar = CookieJar() if cookies else None
        if cookies:
            self.jar.load(self.frontier.cookies())
        self.scheduler = Scheduler(
            limits if callable(limits) and limits is not Limits else lambda _: Limits(),
            Random(seed), window=window, max_hosts=max_hosts,
        )  # fmt: skip
        self.robots = Robots(self.frontier, self.retry, user_agent="simbot/1.0", ttl=ttl) if robots else None
        open_scope = scope == ()
        stats = msgspec.convert(self.frontier.get("stats", {}), Stats, strict=False)
        admission = Admission(
            self.frontier.seen, stats, Scope(self.frontier.scope() if open_scope else scope),
            open_scope=open_scope, max_depth=max_depth, url_limits=url_limits,
        )  # fmt: skip
        self.outcomes = Outcomes(
            frontier=self.frontier, scheduler=self.scheduler, admission=admission, retry=self.retry, stats=stats,
            robots=self.robots, jar=self.jar, max_redirects=max_redirects, pages_per_host=pages_per_host,
            quarantine_after=quarantine_after, keep_failures=keep, every_attempt=every_attempt,
        )  # fmt: skip
        self.worker = self.web.worker(self.spider, **{"keep": keep, **(worker_options or {})})
        self.fleet = FakeFleet(self.worker.process, self.clock, workers=workers, seed=seed, latency=latency)
        seeds = {}
        if not self.frontier.get("seeds_done", False):
            seeds[""] = FakeSeeds(self.spider.start, self.fleet.post, skip=self.frontier.get("seeds_taken", 0))
        self.engine = Engine(
            frontier=self.frontier, scheduler=self.scheduler, outcomes=self.outcomes, fleet=self.fleet,
            inbox=self.fleet, seeds=seeds, output=self.output, in_flight=self.in_flight, clock=self.clock,
            robots=self.robots, jar=self.jar, audience=self.audience, **engine,
        )  # fmt: skip

    def run(self):
        """Run to the end and close; why it ended."""
        try:
            return self.engine.run()
        finally:
            self.close()

    def close(self):
        self.counts = self.frontier.counts()
        self.frontier.close()
        self.output.close()

    @property
    def stats(self):
        return self.engine.stats

    def items(self):
        """What the audience was shown; with a folder, what the output holds."""
        if self.folder is None:
            return [json.loads(line) for line in self.audience.lines]
        return [json.loads(line) for line in (self.folder / "out.jsonl").read_bytes().splitlines()]

    def urls(self):
        return sorted(item["url"] for item in self.items())

    def starts(self, host=None):
        """When requests were submitted, robots.txt too."""
        return [when for when, lease in self.fleet.submitted if host in (None, lease.host) and lease.failure is None]


def page(*links, **facts):
    return SimulatedPage(links, **facts)


def robots_txt(text):
    return SimulatedPage(text=text)


def redirect(url, *, status=302, cookie=None):
    return SimulatedPage(
        status=status, headers=(("Location", url), *([("Set-Cookie", cookie)] if cookie else [])),
    )  # fmt: skip
