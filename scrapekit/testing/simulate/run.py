"""Runs a world: the real engine, scheduler, frontier and output, killed and resumed as the world says, then judged."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from scrapekit.engine import Admission, Engine, Frontier, InFlight, Outcomes, RetryPolicy, Robots, Scheduler, Stats
from scrapekit.engine.contract import Post
from scrapekit.export import Sink, Tee, open_output, resume_output
from scrapekit.messages import Lease, Lost, Outcome
from scrapekit.testing.clock import FakeClock
from scrapekit.testing.fleet import FakeFleet, FakeSeeds
from scrapekit.testing.simulate.database import Database
from scrapekit.testing.simulate.expect import expect
from scrapekit.testing.simulate.judge import Judge, Violation
from scrapekit.testing.simulate.mortality import Killed, MortalSink, Reaper
from scrapekit.testing.simulate.site import SimSpider, WorldWeb
from scrapekit.testing.simulate.world import CALLBACK_TIMEOUT, TIMES, World
from scrapekit.web import Scope

_SHM = Path("/dev/shm")  # noqa: S108  (a disk that costs nothing; only folders with drawn names are made in it)
_MOST_SECONDS = 500_000.0  # of virtual time; no world needs so long
_MOST_STEPS = 200_000
_PATIENCE = 1.5  # seconds that a host may be due beside a free worker; a commit and a look at the clock are less


class Result(Struct, frozen=True):
    """What became of a world.

    Args:
        kind: Which invariant does not hold, or None.
        violation: How it is broken, or None.
        trace: What happened, one line each.
        virtual: Seconds of virtual time.
        runs: Processes that it took.
        fetches: Requests that were made.
        kills: Deaths that came before the end.
    """

    kind: str | None
    violation: str | None
    trace: list[str]
    virtual: float
    runs: int
    fetches: int
    kills: int


def simulate(world: World) -> Result:
    """Crawl a world to its end, over all its kills and interruptions. Deterministic; one thread."""
    expected = expect(world)
    judge = Judge(world, expected)
    clock = FakeClock()
    began = clock.now()
    web = WorldWeb(world)
    kind = violation = None
    plans = _plans(world)
    runs = kills = 0
    chance = random.getstate()
    random.seed(world.seed)  # tenacity draws its backoff from there
    with tempfile.TemporaryDirectory(dir=_SHM if _SHM.is_dir() else None) as name:
        folder = Path(name)
        in_file = world.in_file or bool(world.kills)  # what is in memory dies with its process
        database = Database(folder / "frontier.sqlite" if in_file else None, judge.committed)
        try:
            for plan in plans:
                runs += 1
                judge.born(clock.now())
                first = runs == 1
                life = _Life(
                    world, plan, folder=folder, database=database, clock=clock, web=web, judge=judge, first=first
                )
                reason = life.run()
                database.leave()
                kills += reason == "killed"
                if reason == "finished":
                    break
            if runs == 1 and not (world.adaptive or any(node.lost for node in world.nodes)):
                judge.in_time(clock.now() - began)
            lines = (folder / "out.jsonl").read_bytes().split(b"\n")
            with database.reader() as frontier:
                judge.finished(lines[:-1] + [line for line in lines[-1:] if line], frontier)
        except Violation as found:
            kind, violation = found.kind, str(found)
        except Exception as error:  # noqa: BLE001  (whatever the engine raises is a finding)
            kind, violation = type(error).__name__, f"{type(error).__name__}: {error}"
        finally:
            database.close()
    random.setstate(chance)
    return Result(kind, violation, judge.trace, clock.now() - began, runs, web.fetches, kills)


class Plan(Struct):
    """How one run ends before the end: at an effect, after seconds, after pages; 0: not so."""

    kill: int = 0
    stop: float = 0.0
    pages: int = 0


def _plans(world: World) -> Iterator[Plan]:
    """The disturbed runs, and the last one."""
    for kill in world.kills:
        yield Plan(kill=kill)
    for stop in world.stops:
        yield Plan(stop=stop)
    for pages in world.pauses:
        yield Plan(pages=pages)
    yield Plan()


class _Hands(FakeFleet):
    """The fleet, under the judge's eyes."""

    def __init__(self, judge: Judge, web: WorldWeb, reaper: Reaper, waits: Any, *rest: Any, **options: Any) -> None:
        super().__init__(*rest, **options)
        self.late = web.late  # type: ignore[method-assign]
        self._judge = judge
        self._reaper = reaper
        self._waits = waits
        self._steps = 0
        self._born = self._clock.now()

    def submit(self, lease: Lease) -> None:
        """As of :class:`FakeFleet`."""
        self._reaper.effect(f"submit {lease.id}")
        self._judge.submitted(lease, self._clock.now())
        super().submit(lease)

    def take(self, timeout: float) -> list[Post]:
        """As of :class:`FakeFleet`."""
        self._steps += 1
        if self._steps > _MOST_STEPS or self._clock.now() - self._born > _MOST_SECONDS:
            raise Violation("end", "the crawl does not come to an end")
        if timeout > 0 and self.open < self.capacity:
            self._waits(self._clock.now())
        posts = super().take(timeout)
        for post in posts:
            if isinstance(post, Outcome | Lost):
                self._judge.delivered(post, self._clock.now())
        return posts


class _Life:
    """One process: everything that is wired anew when a crawl is started or resumed."""

    def __init__(
        self,
        world: World,
        plan: Plan,
        *,
        folder: Path,
        database: Database,
        clock: FakeClock,
        web: WorldWeb,
        judge: Judge,
        first: bool,
    ) -> None:
        self._world = world
        self._plan = plan
        self._folder = folder
        self._database = database
        self._clock = clock
        self._web = web
        self._judge = judge
        self._first = first
        self._due: dict[str, float] = {}
        # An adaptive limit, a suspect that must be alone, or a window that has no room for the host may hold it back.
        self._lenient = (
            world.adaptive
            or bool(world.kills)
            or world.max_hosts < len(world.hosts)
            or any(node.lost for node in world.nodes)
        )

    def run(self) -> str:
        """Why it ended: as :meth:`Engine.run` says, or ``killed``."""
        reaper = Reaper(self._plan.kill, lambda what: self._judge.note(self._clock.now(), what))
        with ExitStack() as opened:
            try:
                return self._engine(reaper, opened).run()
            except Killed:
                return "killed"

    def _engine(self, reaper: Reaper, opened: ExitStack) -> Engine:
        world, clock, folder = self._world, self._clock, self._folder
        frontier = Frontier(self._database.name, connect=partial(self._database.connect, reaper))
        output = opened.enter_context(closing(Tee({(0, ""): self._output(frontier, reaper)})))
        in_flight = InFlight(folder / "in_flight", world.workers)
        retry = RetryPolicy(times=TIMES, initial=1.0, maximum=10.0)
        gone = frontier.recover(in_flight.left, clock.now(), 600.0, world.quarantine_after)
        hosts = {host.name: host for host in world.hosts}
        limits = {name: _Limits(host.maxsize, host.delay, world.adaptive) for name, host in hosts.items()}
        strange = _Limits(1, 0.0, adaptive=False)  # of a host outside the scope, which only a bug asks for
        scheduler = Scheduler(
            lambda name: limits.get(name, strange),
            random.Random(world.seed),
            window=world.window,
            max_hosts=world.max_hosts,
        )
        robots = Robots(frontier, retry, user_agent="simulated/1.0")
        stats = msgspec.convert(frontier.get("stats", {}), Stats, strict=False)
        stats.quarantined += len(gone)
        outcomes = Outcomes(
            frontier=frontier,
            scheduler=scheduler,
            admission=Admission(frontier.seen, stats, Scope(list(hosts)), open_scope=False),
            retry=retry,
            stats=stats,
            robots=robots,
            jar=None,
            max_redirects=8,
            quarantine_after=world.quarantine_after,
        )
        spider = SimSpider(world)
        worker = self._web.worker(spider, keep_partial=world.keep_partial)

        def process(lease: Lease) -> Outcome | Lost | None:
            if self._web.kills(lease):
                return Lost([lease.id], "simulated death")
            outcome = worker.process(lease)
            return None if self._web.hangs(lease, outcome) else outcome

        fleet = _Hands(
            self._judge,
            self._web,
            reaper,
            self._watch,
            process,
            clock,
            workers=world.workers,
            seed=world.seed,
            latency=world.latency,
        )
        self._fleet = fleet
        seeds = {}
        if not frontier.get("seeds_done", False):
            seeds[""] = FakeSeeds(spider.start, fleet.post, skip=frontier.get("seeds_taken", 0))
        engine = Engine(
            frontier=frontier,
            scheduler=scheduler,
            outcomes=outcomes,
            fleet=fleet,
            inbox=fleet,
            seeds=seeds,
            output=output,
            in_flight=in_flight,
            clock=clock,
            robots=robots,
            limit=lambda _: CALLBACK_TIMEOUT,
            max_pages=outcomes.stats.pages + self._plan.pages if self._plan.pages else None,
        )
        if self._plan.stop:
            at_once = self._plan.stop < 0
            fleet.at(clock.now() + abs(self._plan.stop), lambda: engine.stop("interrupted", at_once=at_once))
        return engine

    def _output(self, frontier: Frontier, reaper: Reaper) -> Sink:
        path = self._folder / "out.jsonl"
        committed = frontier.get("output")
        if self._first or committed is None:
            return MortalSink(open_output(path, overwrite=True), path, reaper)
        return MortalSink(resume_output(path, committed), path, reaper)

    def _watch(self, now: float) -> None:
        """No host that is due waits while a worker is free.

        Raises:
            Violation: One does, for longer than a commit may take.
        """
        if self._lenient or self._plan.stop or self._plan.pages:
            return
        open_hosts = self._database.connection.execute(
            "SELECT DISTINCT host FROM requests WHERE state = 0 AND not_before <= ?", (now,)
        ).fetchall()
        names = {name for (name,) in open_hosts}
        due = {}
        for name in names:
            if self._judge.may_start(name, now) and not self._robots_pending(name):
                due[name] = self._due.get(name, now)
                if now - due[name] > _PATIENCE:
                    raise Violation(
                        "starving", f"{name} has been due for {now - due[name]:.2f} s, and a worker is free"
                    )
        self._due = due

    def _robots_pending(self, name: str) -> bool:
        row = self._database.connection.execute("SELECT 1 FROM robots WHERE origin = ?", (f"http://{name}",)).fetchone()
        return row is None


class _Limits(Struct, frozen=True):
    maxsize: int
    delay: float
    adaptive: bool
    jitter: float = 0.5
