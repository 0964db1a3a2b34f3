"""Whole crawls over a simulated web, under a fake clock: what is fetched, what is not, when, and how it ends."""

import itertools
import threading

import pytest
from crawls import Limits, Sim, page, redirect

from scrapekit.engine import RetryPolicy, Snapshot
from scrapekit.engine.engine import SEED_CHUNK, SEEDS_AHEAD
from scrapekit.errors import DropItem, FleetError, StopCrawl
from scrapekit.messages import Lost, Request
from scrapekit.spider import Spider
from scrapekit.testing.web import SimulatedPage

A = "http://a.test/"
B = "http://b.test/"


def chain(count, host="a.test"):
    """Pages that lead from one to the next."""
    urls = [f"http://{host}/", *(f"http://{host}/{n}" for n in range(1, count))]
    return {url: page(*urls[n + 1 : n + 2]) for n, url in enumerate(urls)}


def star(count, host="a.test"):
    """A page that leads to all others."""
    others = [f"http://{host}/{n}" for n in range(1, count)]
    return {f"http://{host}/": page(*others), **{url: page() for url in others}}


def crawled(pages, *args, **options):
    sim = Sim(pages, *args, **options)
    sim.reason = sim.run()
    return sim


# What is fetched


@pytest.mark.parametrize("pages", [chain(20), star(300)], ids=["chain", "star"])
def test_each_page_is_fetched_once(pages):
    sim = crawled(pages)
    assert sim.reason == "finished"
    assert sim.urls() == sorted(pages)
    assert set(sim.web.visits.values()) == {1}
    assert (sim.stats.pages, sim.stats.items, sim.stats.requests) == (len(pages),) * 3
    assert sim.counts["done"] == len(pages)
    assert sim.scheduler.queued == 0


def test_a_crawl_is_the_same_for_the_same_seed():
    one, two, other = (
        crawled(star(100), seed=seed).fleet.submitted for seed in (1, 1, 2)
    )  # fmt: skip
    assert one == two
    assert one != other


def test_no_start_request_no_page():
    sim = crawled({}, start=())
    assert (sim.reason, sim.stats.pages, sim.stats.queued) == ("finished", 0, 0)


def test_pages_that_lead_to_each_other_end():
    sim = crawled({A: page("/", "/b", "/b#top"), "http://a.test/b": page("/", "/b")})
    assert sim.stats.pages == 2
    assert sim.stats.duplicates == 4
    assert sim.stats.queued == 2


def test_the_window_overflows_and_no_host_is_lost():
    hosts = [f"http://{n:03}.test/" for n in range(120)]
    pages = {A: page(*hosts), **{url: page(f"{url}1", f"{url}2") for url in hosts}}
    pages |= {f"{url}{n}": page() for url in hosts for n in (1, 2)}
    for max_hosts, delay in ((4, 0.0), (7, 3.0)):
        sim = crawled(
            pages, scope=None, max_hosts=max_hosts, window=16, limits=lambda _, delay=delay: Limits(delay=delay)
        )
        assert (sim.reason, sim.stats.pages) == ("finished", len(pages))
        assert sim.urls() == sorted(pages)


def test_a_giant_host_does_not_keep_the_others_waiting():
    pages = star(2000, "giant.test") | star(20)
    sim = crawled(
        pages, start=["http://giant.test/", A], limits=lambda _: Limits(maxsize=2), workers=8, window=64
    )  # fmt: skip
    assert sim.stats.pages == 2020
    assert sim.starts("a.test")[-1] < sim.starts("giant.test")[100]


def test_a_higher_priority_goes_first():
    class Sorted(Spider):
        start_urls = (A,)

        def parse(self, response):
            for n in range(50):
                yield Request(f"{A}{n}", self.leaf, priority=n % 5)

        def leaf(self, response):
            pass

    sim = crawled({A: page(), **{f"{A}{n}": page() for n in range(50)}}, spider=Sorted(), workers=1)
    order = [lease.request.priority for _, lease in sim.fleet.submitted[1:]]
    assert order == sorted(order, reverse=True)


# Politeness


def test_no_host_is_asked_more_at_once_than_it_may_be():
    open_now, most = {}, {}

    class Counting(Sim):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            submit, process = self.fleet.submit, self.fleet._process

            def counted(lease):
                open_now[lease.host] = open_now.get(lease.host, 0) + 1
                most[lease.host] = max(most.get(lease.host, 0), open_now[lease.host])
                submit(lease)

            def done(lease):
                open_now[lease.host] -= 1
                return process(lease)

            self.fleet.submit, self.fleet._process = counted, done

    pages = star(50) | star(50, "b.test") | star(50, "c.test")
    sizes = {"a.test": 1, "b.test": 3, "c.test": 30}
    sim = Counting(
        pages,
        start=[A, "http://b.test/", "http://c.test/"],
        workers=20,
        limits=lambda host: Limits(maxsize=sizes[host]),
    )
    sim.run()
    assert sim.stats.pages == 150
    assert (most["a.test"], most["b.test"]) == (1, 3)
    assert most["c.test"] > 3


def test_the_delay_between_two_requests_is_never_cut_short():
    sim = crawled(star(30), limits=lambda _: Limits(maxsize=8, delay=1.0, jitter=0.5), workers=8)
    gaps = [later - earlier for earlier, later in itertools.pairwise(sim.starts())]
    assert min(gaps) >= 1
    assert max(gaps) < 2


def test_a_retry_after_holds_the_whole_host_also_over_a_resume(tmp_path):
    busy = SimulatedPage(status=503, headers=(("Retry-After", "120"),))
    pages = {A: page("/busy", "/1", "/2"), f"{A}busy": (busy, page()), f"{A}1": page(), f"{A}2": page()}
    sim = Sim(pages, folder=tmp_path, workers=1)
    sim.fleet.at(sim.clock.now() + 20, lambda: sim.engine.stop("interrupted"))
    assert sim.run() == "interrupted"
    asked = sim.starts()[1]
    assert len(sim.starts()) == 2
    again = Sim(sim.web, folder=tmp_path, clock=sim.clock)
    assert again.run() == "finished"
    assert again.starts()[0] >= asked + 120
    assert again.urls() == sorted(pages)


def test_the_waiting_host_and_its_reason_are_in_the_snapshot():
    pages = star(50) | {f"{A}1": (SimulatedPage(status=429, headers=(("Retry-After", "60"),)), page())}
    sim = Sim(pages, workers=2)
    seen = []
    sim.fleet.at(sim.clock.now() + 30, lambda: seen.append(sim.engine.snapshot))
    sim.run()
    (snapshot,) = seen
    assert [(host.name, host.reason) for host in snapshot.hosts] == [("a.test", "Retry-After")]
    assert snapshot.hosts[0].until > snapshot.at > sim.clock.now() - 60
    assert (snapshot.in_flight, snapshot.retries) == (0, 1)
    assert snapshot.pending == 50 - snapshot.pages
    assert snapshot.pages_now == snapshot.pages == snapshot.items
    assert 29 < snapshot.elapsed_now == snapshot.elapsed < 30.01


def test_the_snapshot_has_the_counters_and_is_never_changed():
    pages = star(50) | {f"{A}1": page(status=404), f"{A}2": page("/", "/3")}
    sim = Sim(pages, workers=2)
    seen = [sim.engine.snapshot]
    for second in range(4):
        sim.fleet.at(sim.clock.now() + second, lambda: seen.append(sim.engine.snapshot))
    sim.run()
    early, last, stats = seen[2], sim.engine.snapshot, sim.stats
    assert seen[0] == Snapshot()
    assert 0 < early.requests < last.requests == stats.requests == 50
    assert (early.workers, early.in_flight, early.reason) == (2, 2, "")
    assert early.latency.count == early.requests == sum(early.statuses.values())
    assert (last.statuses, last.errors["StatusError 404"].count) == ({200: 49, 404: 1}, 1)
    assert (last.bytes, last.duplicates) == (stats.bytes, 2)
    assert (last.reason, last.pending, last.in_flight, last.hosts[:1]) == ("finished", 0, 0, ())
    assert last.latency.count == 50
    assert 0.01 < last.latency.quantile(0.5) < 0.5
    (host,) = early.hosts
    assert (host.name, host.in_flight, host.limit, host.maxsize) == ("a.test", 2, 8, 8)
    assert host.pages == early.pages
    assert early.host_count == 1
    assert 0 < early.elapsed < last.elapsed == last.elapsed_now == stats.elapsed
    assert early.errors == {}


def test_what_comes_from_a_store_is_no_exchange():
    class Cached(Sim):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            process = self.fleet._process

            def cached(lease):
                outcome = process(lease)
                outcome.flags = ("cached",)
                return outcome

            self.fleet._process = cached

    sim = Cached(star(5))
    sim.run()
    assert (sim.engine.snapshot.latency.count, sim.engine.snapshot.pages) == (0, 5)


def test_the_latencies_are_those_of_all_runs(tmp_path):
    sim = Sim(star(50), folder=tmp_path, workers=2)
    sim.fleet.at(sim.clock.now() + 2, lambda: sim.engine.stop("interrupted"))
    sim.run()
    assert 0 < sim.stats.latency.count < 50
    again = Sim(star(50), folder=tmp_path)
    again.run()
    assert again.stats.latency.count == 50
    last = again.engine.snapshot
    assert last.elapsed == pytest.approx(sim.stats.elapsed + last.elapsed_now)
    assert last.pages_now == last.pages - sim.stats.pages


def test_a_paused_crawl_starts_nothing_and_goes_on_where_it_was():
    sim = Sim(star(100), workers=4)
    began, seen = sim.clock.now(), []
    sim.fleet.at(began + 2, sim.engine.pause)
    sim.fleet.at(began + 12, lambda: seen.append(sim.engine.snapshot))
    sim.fleet.at(began + 20, sim.engine.unpause)
    assert sim.run() == "finished"
    assert [when for when in sim.starts() if began + 2 < when < began + 20] == []
    (paused,) = seen
    assert paused.paused
    assert (paused.in_flight, paused.reason) == (0, "")
    assert 0 < paused.pages == paused.items == 100 - paused.pending
    assert not sim.engine.snapshot.paused
    assert sim.urls() == sorted(star(100))


def test_a_crawl_that_is_paused_does_not_end_though_nothing_is_left():
    sim = Sim({A: page()})
    began = sim.clock.now()
    sim.engine.pause()
    sim.fleet.at(began + 30, sim.engine.unpause)
    assert sim.run() == "finished"
    assert sim.stats.pages == 1
    assert sim.clock.now() > began + 30


def test_a_paused_crawl_can_be_stopped():
    sim = Sim(star(100), workers=4)
    sim.fleet.at(sim.clock.now() + 2, sim.engine.pause)
    sim.fleet.at(sim.clock.now() + 9, lambda: sim.engine.stop("interrupted"))
    assert sim.run() == "interrupted"
    assert sim.engine.snapshot.reason == "interrupted"


def test_retries_that_come_due_during_a_pause_wait_for_its_end():
    sim = Sim({A: (SimulatedPage(status=503, headers=(("Retry-After", "9"),)), page())})
    began = sim.clock.now()
    sim.fleet.at(began + 0.6, sim.engine.pause)
    sim.fleet.at(began + 60, sim.engine.unpause)
    assert sim.run() == "finished"
    assert sim.stats.pages == 1
    assert sim.starts()[-1] >= began + 60


def test_a_host_that_pushes_back_gets_fewer_requests():
    pages = star(200) | {f"{A}{n}": (SimulatedPage(status=503), page()) for n in range(1, 9)}
    sim = crawled(pages, workers=16, limits=lambda _: Limits(maxsize=16, adaptive=True))
    assert sim.stats.pages == 200
    assert sim.stats.statuses == {200: 200, 503: 8}


# Failures


def test_a_retry_waits_in_the_frontier_while_others_go_on():
    pages = star(30) | {f"{A}1": (SimulatedPage(status=500), SimulatedPage(error="ConnectError"), page())}
    sim = Sim(pages, workers=2, retry=RetryPolicy(times=2, initial=100.0, maximum=100.0), seed=3)
    sim.run()
    assert sim.urls() == sorted(pages)
    assert sim.stats.retries == 2
    assert sim.stats.failed == 0
    last_but_retries = max(when for when, lease in sim.fleet.submitted if lease.attempt == 0)
    assert last_but_retries < sim.fleet.submitted[0][0] + 20
    assert sorted(lease.attempt for _, lease in sim.fleet.submitted if lease.request.url == f"{A}1") == [0, 1, 2]


def test_what_fails_every_time_fails_at_last():
    sim = crawled({A: page("/bad", "/gone"), f"{A}bad": SimulatedPage(error="ConnectError")})
    assert (sim.stats.pages, sim.stats.failed, sim.stats.retries) == (1, 2, 2)
    assert sim.web.visits[f"{A}bad"] == 3
    assert sim.stats.errors["StatusError 404"].url == f"{A}gone"
    assert sim.stats.errors["ConnectError"].message == "simulated ConnectError"
    assert sim.outcomes.ends.last_error.startswith("ConnectError: http://a.test/bad: ")
    assert sim.counts["failed"] == 2


class Errbacks(Spider):
    name = "errbacks"
    start_urls = ()

    def start(self):
        yield Request(A, errback=self.failed)

    def parse(self, response):
        yield {"url": response.url}

    def failed(self, error):
        yield {"url": "errback", "error": type(error).__name__}
        yield Request(f"{A}other")


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (SimulatedPage(status=404), "StatusError"),
        (SimulatedPage(error="TLSError"), "TLSError"),
        (SimulatedPage(error="DNSError"), "DNSError"),
    ],
)
def test_an_errback_runs_once_and_what_it_yields_counts(first, error):
    sim = crawled({A: first, f"{A}other": page()}, spider=Errbacks())
    assert sim.items() == [{"url": "errback", "error": error}, {"url": f"{A}other"}]
    assert (sim.stats.failed, sim.stats.pages) == (1, 1)
    assert sim.counts["failed"] == 1
    assert sim.counts["done"] == 1


def test_an_errback_that_raises_costs_its_request_only():
    class Broken(Errbacks):
        def failed(self, error):
            yield {"url": "lost"}
            raise ValueError("errback is broken")

    sim = crawled({A: page(text="", status=404)}, spider=Broken())
    assert (sim.reason, sim.stats.failed, sim.items()) == ("finished", 1, [])
    assert "errback is broken" in sim.stats.errors["CallbackError"].message


def test_the_flags_of_a_response_are_counted_once_though_its_errback_runs():
    class Flagging(Errbacks):
        def parse(self, response):
            response.flags.append("odd")
            raise ValueError

    sim = Sim({A: page(), f"{A}other": SimulatedPage(status=404)}, spider=Flagging())
    fetch = sim.web.fetch
    sim.web.fetch = lambda *args, **options: fetch(*args, **options)._replace(flags=("odd",))
    sim.run()
    assert sim.stats.flags == {"odd": 2}


@pytest.mark.parametrize("callback_retried", [False, True])
@pytest.mark.parametrize("with_errback", [False, True])
def test_partial_items_count_once_whether_retried_or_not(callback_retried, with_errback):
    class Partial(Spider):
        def start(self):
            yield Request(A, errback=self.failed if with_errback else None)

        def parse(self, response):
            yield {"url": "partial"}
            raise ValueError("half-way")

        def failed(self, error):
            yield {"url": "errback"}

    exceptions = ["CallbackError"] if callback_retried else []
    sim = crawled(
        {A: page()}, spider=Partial(), worker_options={"keep_partial": True},
        retry=RetryPolicy(times=2, exceptions=exceptions),
    )  # fmt: skip
    assert sim.urls() == (["errback"] if with_errback else []) + ["partial"]
    assert sim.web.visits[A] == (3 if callback_retried else 1)


def test_the_lease_of_a_worker_that_died_is_given_back_and_quarantined_at_last():
    sim = Sim({A: page("/bad", "/good"), f"{A}bad": page(), f"{A}good": page()})
    process = sim.fleet._process

    def deadly(lease):
        return Lost([lease.id], "killed by signal 11") if lease.request.url == f"{A}bad" else process(lease)

    sim.fleet._process = deadly
    assert sim.run() == "finished"
    assert sim.urls() == [A, f"{A}good"]
    assert (sim.stats.quarantined, sim.stats.deaths, sim.counts["quarantined"]) == (1, 3, 1)
    assert [lease.alone for _, lease in sim.fleet.submitted if lease.request.url == f"{A}bad"] == [False, False, True]
    assert "killed by signal 11" in sim.outcomes.ends.last_error


def test_an_errback_whose_worker_died_begins_with_its_request_again():
    sim = Sim({A: SimulatedPage(status=404), f"{A}other": page()}, spider=Errbacks())
    process, deaths = sim.fleet._process, []

    def deadly(lease):
        if lease.failure is not None and not deaths:
            deaths.append(lease.id)
            return Lost([lease.id], "killed by signal 9")
        return process(lease)

    sim.fleet._process = deadly
    assert sim.run() == "finished"
    assert sim.urls() == ["errback", f"{A}other"]
    assert sim.web.visits[A] == 2


def test_a_fleet_without_workers_ends_the_crawl():
    sim = Sim(star(5))
    sim.fleet.at(sim.clock.now() + 0.5, lambda: sim.fleet.post(FleetError("worker processes keep dying")))
    with pytest.raises(FleetError, match="keep dying"):
        sim.run()


def test_failures_are_kept_for_an_audience_that_wants_them():
    sim = crawled({A: page(), f"{A}x": SimulatedPage(status=404)}, start=[A, f"{A}x"], keep=True, workers=1)
    response, failed = sim.audience.kept
    assert (response.url, response.status) == (A, 200)
    assert (failed.error, failed.status, failed.request.url) == ("StatusError", 404, f"{A}x")


def test_links_that_all_pages_have_are_followed_once():
    urls = [A, *(f"{A}{n}" for n in range(1, 30))]
    sim = crawled({url: page(*urls) for url in urls})
    assert sim.urls() == sorted(urls)
    assert sim.stats.duplicates == 30 * 30 - 29


def test_a_batch_of_outcomes_is_taken_like_each_of_them():
    sim = Sim(star(20))
    process = sim.fleet._process
    sim.fleet._process = lambda lease: [process(lease)]
    sim.run()
    assert sim.stats.pages == 20


# Redirects


def test_a_start_url_that_moved_within_its_site_opens_the_site_where_it_starts_now():
    old, new = "http://www.example.org/", "http://example.org/"
    pages = {old: redirect(new), new: page("/1"), f"{new}1": page()}
    sim = crawled(pages, start=[old])
    assert sim.urls() == [new, f"{new}1"]


def test_a_start_url_that_redirects_to_another_site_does_not_open_that():
    old, new = "http://www.example.org/", "http://example.com/"
    sim = crawled({old: redirect(new), new: page("/1"), f"{new}1": page()}, start=[old])
    assert sim.urls() == []
    assert sim.stats.skipped["OffSite"].count == 1


def test_a_redirect_is_followed_and_deduped():
    pages = {
        A: page("/old", "/older", "/new"),
        f"{A}old": redirect("/new"),
        f"{A}older": redirect("/old", status=301),
        f"{A}new": page(),
    }
    sim = crawled(pages)
    assert sim.urls() == [A, f"{A}new"]
    assert sim.stats.redirects == 2
    assert sim.web.visits[f"{A}new"] == 1


@pytest.mark.parametrize("pages", [
    {A: redirect("/")},
    {A: redirect("/b"), f"{A}b": redirect("/")},
    {A: redirect("/b"), f"{A}b": redirect("/c"), f"{A}c": redirect("/b")},
])  # fmt: skip
def test_a_redirect_loop_ends(pages):
    sim = crawled(pages, max_redirects=5)
    assert (sim.reason, sim.stats.pages, sim.stats.failed) == ("finished", 0, 1)
    assert sim.stats.errors["TooManyRedirects"].count == 1
    assert sum(sim.web.visits.values()) == 6


def test_a_chain_of_new_urls_ends():
    pages = {f"{A}{n}": redirect(f"/{n + 1}") for n in range(50)}
    sim = crawled(pages, start=[f"{A}0"], max_redirects=3)
    assert sim.stats.errors["TooManyRedirects"].url == f"{A}3"


def test_a_site_that_sets_a_cookie_and_redirects_to_itself_works():
    def with_cookie(request, visit, cookies):
        return page("/next") if cookies else redirect(request.url, cookie="seen=1; Path=/")

    sim = crawled({A: with_cookie, f"{A}next": with_cookie})
    assert sim.urls() == [A, f"{A}next"]
    assert sim.stats.redirects == 1
    sent = [lease.cookies for _, lease in sim.fleet.submitted]
    assert sent == [None, "seen=1", "seen=1"]


def test_cookies_are_there_after_a_resume_and_still_for_their_host_alone(tmp_path):
    both = (("Set-Cookie", "own=1; Path=/"), ("Set-Cookie", "all=1; Domain=a.test; Path=/"))
    pages = {A: page(f"{A}next", "http://sub.a.test/", headers=both), f"{A}next": page(), "http://sub.a.test/": page()}
    Sim(pages, folder=tmp_path, max_pages=1).run()
    resumed = Sim(pages, folder=tmp_path)
    assert resumed.run() == "finished"
    sent = {lease.request.url: lease.cookies for _, lease in resumed.fleet.submitted}
    assert sent == {f"{A}next": "own=1; all=1", "http://sub.a.test/": "all=1"}


def test_a_detour_over_a_cookie_does_not_widen_the_scope():
    def bounce(request, visit, cookies):
        return redirect("http://elsewhere.test/") if cookies else redirect(request.url, cookie="seen=1; Path=/")

    sim = crawled({A: bounce, "http://elsewhere.test/": page()})
    assert sim.stats.pages == 0
    assert sim.stats.skipped["OffSite"].count == 1


def test_cookies_are_kept_over_a_resume(tmp_path):
    pages = {A: page("/next", headers=(("Set-Cookie", "id=7; Path=/"),)), f"{A}next": page()}
    sim = Sim(pages, folder=tmp_path, max_pages=1)
    sim.run()
    again = Sim(pages, folder=tmp_path, max_pages=2)
    again.run()
    assert [lease.cookies for _, lease in again.fleet.submitted] == ["id=7"]


# Bounds


def test_links_and_redirects_off_the_site_are_counted_not_followed():
    pages = {
        A: page("http://b.test/", "http://sub.a.test/", "/out"),
        "http://sub.a.test/": page(),
        f"{A}out": redirect("http://c.test/"),
    }
    sim = crawled(pages)
    assert sim.urls() == [A, "http://sub.a.test/"]
    assert sim.stats.skipped["OffSite"].count == 2
    assert sim.counts["dropped"] == 1


def test_the_hosts_of_the_start_requests_are_the_scope_also_after_a_resume(tmp_path):
    pages = {
        A: page("http://b.test/1", "http://c.test/"),
        "http://b.test/": page("http://a.test/1"),
        "http://b.test/1": page(),
        f"{A}1": page(),
    }
    sim = Sim(pages, start=[A, "http://b.test/"], folder=tmp_path, workers=1, max_pages=1)
    sim.run()
    again = Sim(pages, start=[A, "http://b.test/"], folder=tmp_path)
    again.run()
    assert again.urls() == sorted(pages)
    assert again.stats.skipped["OffSite"].count == 1


def test_dont_filter_goes_anywhere_and_again():
    class Twice(Spider):
        start_urls = (A,)

        def parse(self, response):
            yield {"url": response.url}
            if response.url == A and not response.meta:
                yield Request(A, meta={"again": True}, dont_filter=True)
                yield Request("http://b.test/", dont_filter=True)

    sim = crawled({A: page(), "http://b.test/": redirect("http://c.test/"), "http://c.test/": page()}, spider=Twice())
    assert sim.urls() == [A, A, "http://c.test/"]


def test_links_below_the_depth_are_skipped():
    sim = crawled(chain(10), max_depth=3)
    assert sim.stats.pages == 4
    assert sim.stats.skipped["TooDeep"].count == 1


def test_a_redirect_is_no_deeper():
    sim = crawled({A: page("/b"), f"{A}b": redirect("/c"), f"{A}c": page("/d")}, max_depth=1)
    assert sim.urls() == [A, f"{A}c"]


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
@pytest.mark.parametrize("workers", [1, 16])
def test_max_pages_is_exact(limit, workers):
    sim = crawled(star(300), max_pages=limit, workers=workers)
    assert (sim.reason, sim.stats.pages, len(sim.items())) == ("max_pages", limit, limit)


def test_max_pages_counts_pages_not_failures_errbacks_or_robots():
    class Failing(Spider):
        start_urls = (A,)

        def parse(self, response):
            yield {"url": response.url}
            for n in range(100):
                yield Request(f"{A}{n}", self.leaf, errback=self.failed)

        def leaf(self, response):
            yield {"url": response.url}

        def failed(self, error):
            yield {"url": "errback"}

    pages = {A: page(), **{f"{A}{n}": page() for n in range(100) if n % 3}}
    sim = crawled(pages, spider=Failing(), max_pages=10, workers=8, robots=True)
    assert (sim.reason, sim.stats.pages) == ("max_pages", 10)
    assert len([url for url in sim.urls() if url != "errback"]) == 10
    assert sim.stats.failed == sim.urls().count("errback") > 0


def test_max_pages_holds_over_resumes(tmp_path):
    pages = star(30)
    for limit in (4, 4, 9):
        sim = Sim(pages, folder=tmp_path, max_pages=limit, workers=3)
        assert sim.run() == "max_pages"
        assert sim.stats.pages == len(set(sim.urls())) == limit


def test_max_items_ends_the_crawl_after_what_is_in_flight():
    sim = crawled(star(300), max_items=20, workers=4)
    assert sim.reason == "max_items"
    assert 20 <= sim.stats.items < 20 + 4
    assert len(sim.items()) == sim.stats.items


def test_a_crawl_that_has_its_items_fetches_nothing_when_it_is_resumed(tmp_path):
    Sim(star(30), folder=tmp_path, max_items=5, workers=2).run()
    again = Sim(star(30), folder=tmp_path, max_items=5, workers=2)
    assert again.run() == "max_items"
    assert again.fleet.submitted == []


# Ends


def test_stop_lets_what_is_in_flight_end_and_starts_nothing(tmp_path):
    sim = Sim(star(300), folder=tmp_path, workers=4)
    moment = sim.clock.now() + 5
    sim.fleet.at(moment, lambda: sim.engine.stop("interrupted"))
    assert sim.run() == "interrupted"
    assert max(sim.starts()) < moment
    assert sim.fleet.open == 0
    assert len(sim.urls()) == sim.stats.pages == len(sim.starts())
    assert sim.counts["leased"] == 0


def test_stop_at_once_leaves_what_is_in_flight_to_the_resume(tmp_path):
    sim = Sim(star(50), folder=tmp_path, workers=4, latency=(10, 20))
    sim.fleet.at(sim.clock.now() + 50, lambda: sim.engine.stop("interrupted"))
    sim.fleet.at(sim.clock.now() + 50.001, lambda: sim.engine.stop("killed", at_once=True))
    assert sim.run() == "interrupted"
    assert sim.fleet.open > 0
    assert sim.counts["leased"] == 0
    again = Sim(star(50), folder=tmp_path)
    assert again.in_flight.left == []
    assert again.run() == "finished"
    assert again.urls() == sorted(star(50))


def test_the_drain_ends_at_its_deadline():
    sim = Sim(star(50), workers=4, latency=(100, 200), drain_timeout=7.0)
    moment = sim.clock.now() + 250
    sim.fleet.at(moment, lambda: sim.engine.stop("interrupted"))
    assert sim.run() == "interrupted"
    assert moment + 7 <= sim.clock.now() < moment + 7.3


def test_stop_before_the_start_fetches_nothing():
    sim = Sim(star(5))
    sim.engine.stop("interrupted")
    assert sim.run() == "interrupted"
    assert sim.fleet.submitted == []


@pytest.mark.parametrize("message", ["enough", ""])
def test_stop_crawl_in_a_callback_keeps_what_came_before(message):
    class Stopping(Spider):
        start_urls = (A,)

        def parse(self, response):
            yield {"url": response.url}
            if response.url == f"{A}7":
                raise StopCrawl(message)
            for n in range(300):
                yield Request(f"{A}{n}")

    sim = Sim({A: page(), **{f"{A}{n}": page() for n in range(300)}}, spider=Stopping(), workers=1)
    assert sim.run() == "stopped"
    assert sim.outcomes.stop_reason == (message or "StopCrawl")
    assert f"{A}7" in sim.urls()
    assert sim.fleet.submitted[-1][1].request.url == f"{A}7"  # nothing was started after it


def test_pipelines_drop_and_stop():
    def choosy(item):
        if item["url"].endswith("1"):
            raise DropItem("ends in 1")
        if item["url"].endswith("/25"):
            raise StopCrawl("seen 25")
        return item

    class Piped(Spider):
        start_urls = (A,)
        pipelines = (choosy,)

        def parse(self, response):
            yield {"url": response.url}
            for n in range(60):
                yield Request(f"{A}{n}")

    sim = crawled({A: page(), **{f"{A}{n}": page() for n in range(60)}}, spider=Piped(), workers=1)
    assert (sim.reason, sim.outcomes.stop_reason) == ("stopped", "seen 25")
    assert sim.stats.dropped == {"ends in 1": 3}


def test_reasons_to_drop_are_counted_up_to_a_bound():
    def unique(item):
        raise DropItem(f"duplicate {item}")

    class Piped(Spider):
        start_urls = (A,)
        pipelines = (unique,)

        def parse(self, response):
            yield from ({"n": n} for n in range(5000))

    sim = crawled({A: page()}, spider=Piped())
    assert sum(sim.stats.dropped.values()) == 5000
    assert len(sim.stats.dropped) <= 101


# Hostile text


def test_what_user_code_says_never_breaks_the_commit(tmp_path):
    class Mean(Exception):
        def __str__(self):
            raise ValueError(self)

    def fragile(item):
        if "drop" in item:
            raise DropItem("dropped \ud800")
        raise ValueError("two\nlines \ud800")

    class Hostile(Spider):
        start_urls = (A,)
        pipelines = (fragile,)

        def parse(self, response):
            response.flags += [object(), "\ud800"]
            yield {"drop": 1}
            yield {"fail": 1}
            for n in range(4):
                yield Request(f"{A}{n}", self.bad, errback=self.worse, meta={"n": n})

        def bad(self, response):
            raise [ValueError("\ud800\nx"), Mean(), KeyError("y" * 10_000_000), SystemExit("\udcff")][
                response.meta["n"]
            ]

        def worse(self, error):
            raise Mean

    sim = crawled({A: page(), **{f"{A}{n}": page() for n in range(4)}}, spider=Hostile(), folder=tmp_path)
    assert (sim.reason, sim.stats.pages, sim.stats.failed) == ("finished", 1, 4)
    assert sum(sim.stats.dropped.values()) == 1
    assert sim.stats.item_errors["ItemError"].count == 1
    assert "\n" not in sim.stats.item_errors["ItemError"].message
    assert all(len(tally.message) < 5000 for tally in sim.stats.errors.values())
    assert "\n" not in sim.outcomes.ends.last_error


# Start requests


def test_start_is_pulled_only_so_far_ahead():
    pulled = []

    class Endless(Spider):
        def start(self):
            for n in itertools.count():
                pulled.append(n)
                yield Request(f"{A}{n}")

        def parse(self, response):
            yield {"url": response.url}

    sim = Sim(_Everything(), spider=Endless(), limits=lambda _: Limits(delay=1.0), max_pages=500)
    sim.run()
    assert sim.stats.pages == 500
    assert len(pulled) <= 500 + SEEDS_AHEAD + 2 * SEED_CHUNK
    assert sim.scheduler.queued <= 2 * 64


def test_start_requests_of_a_slow_host_do_not_hide_those_of_a_free_one():
    class Starts(Spider):
        def start(self):
            yield from (Request(f"{A}{n}") for n in range(1500))
            yield from (Request(f"{B}{n}") for n in range(10))

        def parse(self, response):
            yield {"url": response.url}

    sim = Sim(
        _Everything(), spider=Starts(), workers=16,
        limits=lambda host: Limits(delay=1.0 if host == "a.test" else 0.0), max_pages=100,
    )  # fmt: skip
    sim.run()
    assert sum(url.startswith(B) for url in sim.urls()) == 10  # all of them, while a.test had its turn 90 times


def test_start_is_resumed_where_it_was(tmp_path):
    class Starts(Spider):
        def start(self):
            for n in range(1000):
                yield Request(f"{A}{n}", dont_filter=True)

        def parse(self, response):
            yield {"url": response.url}

    everything = _Everything()
    for limit in (150, 400, 700):
        assert Sim(everything, spider=Starts(), folder=tmp_path, max_pages=limit).run() == "max_pages"
    last = Sim(everything, spider=Starts(), folder=tmp_path)
    assert last.run() == "finished"
    assert last.urls() == sorted(f"{A}{n}" for n in range(1000))
    finished = Sim(everything, spider=Starts(), folder=tmp_path)
    assert finished.run() == "finished"
    assert finished.fleet.submitted == []


def test_duplicates_among_the_start_requests_are_fetched_once():
    sim = crawled(star(3), start=[A, A, f"{A}1", A])
    assert sim.stats.pages == 3
    assert sim.stats.duplicates == 2 + 1  # the page links to /1 too


# Threads


def test_the_engine_belongs_to_one_thread():
    sim = Sim(star(2))
    sim.engine._owner = threading.get_ident() + 1
    with pytest.raises(AssertionError, match="belongs to the thread"):
        sim.engine._turn()
    sim.close()


def test_two_engines_do_not_know_each_other():
    sims = [Sim(star(100), seed=n) for n in range(2)]
    threads = [threading.Thread(target=sim.run) for sim in sims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sim.urls() for sim in sims] == [sorted(star(100))] * 2


def test_what_comes_after_the_end_of_the_start_requests_is_left():
    from scrapekit.messages import Seeded

    sim = Sim(star(5))
    sim.fleet.at(sim.clock.now() + 0.5, lambda: sim.fleet.post(Seeded([], exhausted=True)))
    assert sim.run() == "finished"


def test_start_that_raises_ends_the_start_requests_not_the_crawl(tmp_path):
    from scrapekit.messages import Seeded

    sim = Sim(star(20), folder=tmp_path)
    sim.fleet.at(sim.clock.now() + 0.6, lambda: None)
    seeds = sim.engine._seeds[""]
    ask = seeds.ask

    def broken(count):
        ask(1)
        sim.fleet.post(Seeded([], exhausted=True, error="start() raised ValueError: x"))

    seeds.ask = broken
    assert sim.run() == "finished"
    assert sim.urls() == sorted(star(20))
    assert sim.outcomes.failure == "start() raised ValueError: x"
    again = Sim(star(20), folder=tmp_path)
    assert again.engine._seeds  # a resume tries it again


class _Everything(dict):
    """Every URL is a page."""

    def get(self, url, default=None):
        return default if url.endswith("robots.txt") else page()
