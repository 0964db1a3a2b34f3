"""Whatever happens and whenever the process dies: after the resume each page is in the output exactly once."""

import tempfile
from pathlib import Path
from random import Random

import pytest
from crawls import Killed, Limits, Sim, page, redirect
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapekit.errors import ExportError, FrontierError
from scrapekit.messages import Request
from scrapekit.spider import Spider
from scrapekit.testing.web import SimulatedPage, SimulatedWeb

A = "http://a.test/"


def kill_at_commit(sim, number, moment, error=Killed):
    """Die at the ``number``-th commit: before or after its lines are written, before or after it is committed."""
    frontier, output, seen = sim.frontier, sim.output, [0]
    commit, append, flush, execute = frontier.commit, output.append, output.flush, sim.engine._commit

    def counted(now):
        seen[0] += 1
        if moment == "before" and seen[0] == number:
            raise error
        execute(now)
        if moment == "after" and seen[0] == number:
            raise error

    def appended(lines, routes):
        append(lines, routes)
        if moment == "appended" and seen[0] >= number:
            raise error

    def flushed():
        flush()
        if moment == "flushed" and seen[0] >= number:
            raise error

    class committed:
        def __init__(self, *given):
            self.inner = commit(*given)

        def __enter__(self):
            return self.inner.__enter__()

        def __exit__(self, *reason):
            if moment == "in" and seen[0] == number:
                self.inner.__exit__(error, error(), None)
                raise error
            return self.inner.__exit__(*reason)

    sim.engine._commit, output.append, output.flush, frontier.commit = counted, appended, flushed, committed


MOMENTS = ("before", "appended", "flushed", "in", "after")


def star(count):
    others = [f"{A}{n}" for n in range(1, count)]
    return {A: page(*others), **{url: page() for url in others}}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_a_crash_around_a_commit_loses_and_doubles_nothing(tmp_path, moment, number):
    pages = star(60)
    sim = Sim(pages, folder=tmp_path)
    kill_at_commit(sim, number, moment)
    with pytest.raises(Killed):
        sim.run()
    again = Sim(pages, folder=tmp_path, clock=sim.clock)
    assert again.run() == "finished"
    assert again.urls() == sorted(pages)
    assert again.stats.items == again.stats.pages == 60
    assert again.counts["pending"] == again.counts["leased"] == 0


@pytest.mark.parametrize("number", [2, 4, 8])
def test_after_a_crash_the_counters_tell_what_was_committed(tmp_path, number):
    sim = Sim(star(60), folder=tmp_path, workers=1)
    kill_at_commit(sim, number, "after")
    with pytest.raises(Killed):
        sim.run()
    sim = Sim(star(60), folder=tmp_path)
    assert sim.stats.queued == sum(sim.frontier.counts().values())
    sim.run()
    assert (sim.stats.queued, sim.stats.pages) == (60, 60)


def test_a_crash_at_every_commit_still_ends(tmp_path):
    pages = star(150)
    runs = 0
    while runs < 500:
        runs += 1
        sim = Sim(pages, folder=tmp_path, workers=8, quarantine_after=10_000)
        kill_at_commit(sim, 3, MOMENTS[runs % 5])
        try:
            sim.run()
        except Killed:
            continue
        break
    assert runs > 10
    assert sim.urls() == sorted(pages)


@pytest.mark.parametrize("error", [ExportError, FrontierError])
def test_a_disk_that_fails_ends_the_crawl_and_keeps_what_was_committed(tmp_path, error):
    pages = star(60)
    sim = Sim(pages, folder=tmp_path)
    kill_at_commit(sim, 5, "appended" if error is ExportError else "in", error)
    with pytest.raises(error):
        sim.run()
    again = Sim(pages, folder=tmp_path)
    again.run()
    assert again.urls() == sorted(pages)


def test_a_killed_process_leaves_its_requests_in_flight_and_they_are_quarantined_at_last(tmp_path):
    pages = {A: page("/bad", *[f"/{n}" for n in range(5)]), f"{A}bad": page(), **{f"{A}{n}": page() for n in range(5)}}
    for crash in (1, 2, 3):
        sim = Sim(pages, folder=tmp_path, workers=3, quarantine_after=3)
        process = sim.fleet._process

        def deadly(lease, process=process):
            if lease.request.url == f"{A}bad":
                raise Killed
            return process(lease)

        sim.fleet._process = deadly
        with pytest.raises(Killed):
            sim.run()
        assert len(sim.in_flight._slots) == sim.fleet.open + 1, crash  # the one that killed it is not open any more
        sim.in_flight._map.flush()
    last = Sim(pages, folder=tmp_path, workers=3)
    assert f"{A}bad" in last.quarantined
    assert last.run() == "finished"
    assert set(last.urls()) | set(last.quarantined) == set(pages)
    assert len(last.urls()) == len(set(last.urls()))


class Doubles(Spider):
    """Start requests that the dupe filter doesn't stop."""

    def start(self):
        for n in range(200):
            yield Request(f"{A}{n % 50}", dont_filter=True, cb_kwargs={"n": n})

    def parse(self, response, n):
        yield {"n": n}


@pytest.mark.parametrize("seed", range(5))
def test_start_requests_are_neither_lost_nor_doubled_by_crashes(tmp_path, seed):
    chance = Random(seed)
    pages = {f"{A}{n}": page() for n in range(50)}
    while True:
        sim = Sim(pages, folder=tmp_path, spider=Doubles(), workers=8, quarantine_after=100, seed=seed)
        kill_at_commit(sim, chance.randint(2, 6), chance.choice(MOMENTS))
        try:
            sim.run()
        except Killed:
            continue
        break
    assert sorted(item["n"] for item in sim.items()) == list(range(200))


def test_partial_items_are_not_doubled_by_a_crash_before_their_errback_has_run(tmp_path):
    class Partial(Spider):
        def start(self):
            yield Request(A, errback=self.failed)

        def parse(self, response):
            yield {"url": "partial"}
            raise ValueError("half-way")

        def failed(self, error):
            yield {"url": "errback"}

    options = {"folder": tmp_path, "spider": Partial(), "worker_options": {"keep_partial": True}}
    sim = Sim({A: page()}, **options)
    process = sim.fleet._process

    def dies_in_the_errback(lease):
        if lease.failure is not None:
            raise Killed
        return process(lease)

    sim.fleet._process = dies_in_the_errback
    with pytest.raises(Killed):
        sim.run()
    again = Sim({A: page()}, **options)
    assert again.run() == "finished"
    assert again.urls() == ["errback", "partial"]


class Errands(Spider):
    """Each page that fails for good has one item from its errback."""

    def __init__(self, start):
        super().__init__(start_urls=start)

    def start(self):
        yield Request(self.start_urls[0], errback=self.failed)

    def parse(self, response):
        yield {"url": response.url}
        for line in response.text.splitlines():
            yield Request(response.urljoin(line), errback=self.failed)

    def failed(self, error):
        yield {"url": error.request.url, "failed": True}


@st.composite
def webs(draw):
    """Up to 25 pages on three hosts with links anywhere; some fail for a while, some for good, some redirect."""
    count = draw(st.integers(1, 25))
    urls = [f"http://{'abc'[n % 3]}.test/{n}" for n in range(count)]
    pages = {}
    for n, url in enumerate(urls):
        links = [urls[m] for m in draw(st.lists(st.integers(0, count - 1), max_size=6))]
        links += urls[n + 1 : n + 2]  # so that all of them can be reached
        good = page(*links)
        fate = draw(st.sampled_from(["good"] * 6 + ["late", "busy", "reset", "gone", "moved"]))
        pages[url] = {
            "good": good,
            "late": (SimulatedPage(status=503), good),
            "busy": (
                SimulatedPage(status=429, headers=(("Retry-After", "30"),)),
                SimulatedPage(error="DeadlineExceeded"),
                good,
            ),
            "reset": (SimulatedPage(error="ConnectError"), good),
            "gone": SimulatedPage(status=404),
            "moved": redirect(urls[(n + 1) % count]),
        }[fate]
    return urls[0], pages


def reachable(start, pages):
    """Which pages a crawl reaches, and which of them fail, found by hand."""
    good, bad, seen, todo = set(), set(), set(), [start]
    while todo:
        url = todo.pop()
        if url in seen:
            continue
        seen.add(url)
        answer = pages[url]
        answer = answer[-1] if isinstance(answer, tuple) else answer
        if answer.status == 302:
            todo.append(dict(answer.headers)["Location"])
        elif answer.status == 200:
            good.add(url)
            todo += answer.links
        else:
            bad.add(url)
    return good, bad


@settings(max_examples=40, deadline=None)
@given(web=webs(), seed=st.integers(0, 2**16), workers=st.integers(1, 6), window=st.integers(2, 32),
       max_hosts=st.integers(1, 4), kills=st.lists(st.tuples(st.integers(1, 12), st.sampled_from(MOMENTS)), max_size=4),
       durations=st.lists(st.floats(0.1, 60), max_size=2))  # fmt: skip
def test_every_reachable_page_is_in_the_output_exactly_once(web, seed, workers, window, max_hosts, kills, durations):
    start, pages = web
    good, bad = reachable(start, pages)
    clock, simulated = None, SimulatedWeb(pages)
    with tempfile.TemporaryDirectory() as folder:
        faults = [*kills, *durations, None]
        for fault in faults:
            sim = Sim(
                simulated, folder=Path(folder), spider=Errands((start,)), seed=seed, workers=workers, window=window,
                max_hosts=max_hosts, clock=clock, scope=None, quarantine_after=100, robots=bool(seed % 2), max_redirects=30,
                limits=lambda host: Limits(maxsize=2, delay={"a.test": 0.5}.get(host, 0.0), jitter=0.5, adaptive=True),
            )  # fmt: skip
            clock = sim.clock
            if isinstance(fault, tuple):
                kill_at_commit(sim, *fault)
            elif fault is not None:
                sim.fleet.at(clock.now() + fault, _killed)
            try:
                assert sim.run() == "finished"
            except Killed:
                continue
        items = sim.items()
    assert sorted(item["url"] for item in items if "failed" not in item) == sorted(good)
    looped = {item["url"] for item in items if "failed" in item} - bad
    assert looped <= {url for url, answer in pages.items() if getattr(answer, "status", 0) == 302}
    assert sorted(item["url"] for item in items if "failed" in item and item["url"] in bad) == sorted(bad)
    assert sim.counts["pending"] == sim.counts["leased"] == 0


def _killed():
    raise Killed
