"""robots.txt in a crawl: asked for once an origin, while the host is parked, and kept."""

import itertools

import pytest
from crawls import Limits, Sim, page, redirect, robots_txt

from scrapekit.engine import RetryPolicy
from scrapekit.messages import Request
from scrapekit.spider import Spider
from scrapekit.testing.web import SimulatedPage

A = "http://a.test/"
RULES = "User-agent: *\nDisallow: /private\n"


def crawled(pages, *args, **options):
    sim = Sim(pages, *args, **{"robots": True, **options})
    sim.reason = sim.run()
    assert sim.reason == "finished"
    return sim


def site(robots, **others):
    pages = {A: page("/1", "/private/2"), f"{A}1": page(), f"{A}private/2": page()}
    return pages | ({f"{A}robots.txt": robots} if robots else {}) | others


def test_what_it_forbids_is_not_fetched():
    sim = crawled(site(robots_txt(RULES)))
    assert sim.urls() == [A, f"{A}1"]
    assert sim.web.visits[f"{A}private/2"] == 0
    assert sim.stats.skipped["RobotsDenied"].url == f"{A}private/2"
    assert sim.counts["dropped"] == 1
    assert sim.fleet.submitted[0][1].request.url == f"{A}robots.txt"
    assert sim.web.visits[f"{A}robots.txt"] == 1


def test_it_is_asked_for_once_an_origin():
    hosts = ["http://a.test/", "http://a.test:8080/", "https://a.test/", "http://b.test/"]
    pages = {url: page(*(f"{url}{n}" for n in range(9))) for url in hosts}
    pages |= {f"{url}{n}": page() for url in hosts for n in range(9)}
    sim = crawled(pages, start=hosts, workers=8)
    assert sim.stats.pages == 40
    assert {url: count for url, count in sim.web.visits.items() if url.endswith("robots.txt")} == {
        f"{url}robots.txt": 1 for url in hosts
    }


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_robots_txt_that_is_not_there_forbids_nothing(status):
    sim = crawled(site(SimulatedPage(status=status)))
    assert sim.stats.pages == 3
    assert sim.web.visits[f"{A}robots.txt"] == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_robots_txt_that_can_not_be_had_forbids_all(status):
    sim = crawled(site(SimulatedPage(status=status)))
    assert sim.stats.pages == 0
    assert sim.stats.skipped["RobotsDenied"].count == 1
    assert sim.web.visits[f"{A}robots.txt"] == 3


def test_a_robots_txt_that_comes_late_counts():
    sim = crawled(
        site(
            (
                SimulatedPage(status=503, headers=(("Retry-After", "50"),)),
                SimulatedPage(error="ConnectError"),
                robots_txt(RULES),
            )
        )
    )
    assert sim.urls() == [A, f"{A}1"]
    assert sim.starts()[1] - sim.starts()[0] >= 50


def test_pages_of_a_host_that_does_not_answer_fail_for_the_same_reason():
    sim = crawled(site(SimulatedPage(error="DNSError")))
    assert sim.stats.errors["DNSError"].url == A
    assert sim.stats.errors["DNSError"].message == "robots.txt: simulated DNSError"
    assert sim.web.visits == {f"{A}robots.txt": 3}


def test_the_errback_of_a_page_whose_host_does_not_answer_runs():
    class Errands(Spider):
        def start(self):
            yield Request(A, errback=self.failed)

        def failed(self, error):
            yield {"url": type(error).__name__}

    sim = crawled({f"{A}robots.txt": SimulatedPage(error="TLSError")}, spider=Errands())
    assert sim.urls() == ["TLSError"]


def test_an_unreachable_host_is_left_alone_for_a_while_then_tried_again():
    pages = {
        A: page("http://b.test/1", "/2"), f"{A}2": page("http://b.test/2"), "http://b.test/1": page(), "http://b.test/2": page(),
        "http://b.test/robots.txt": (SimulatedPage(error="TLSError"), robots_txt("")),
    }  # fmt: skip
    slow = lambda host: Limits(delay=700.0 if host == "a.test" else 0.0)  # noqa: E731
    sim = crawled(pages, scope=None, limits=slow)
    assert sim.urls() == [A, f"{A}2", "http://b.test/2"]
    assert sim.web.visits["http://b.test/robots.txt"] == 2


def test_redirects_are_followed_to_other_hosts_too():
    pages = site(redirect("http://b.test/rules", status=301), **{"http://b.test/rules": robots_txt(RULES)})
    sim = crawled(pages)
    assert sim.urls() == [A, f"{A}1"]
    assert [lease.host for _, lease in sim.fleet.submitted[:3]] == ["a.test", "b.test", "a.test"]


def test_redirects_to_a_host_that_is_held_wait():
    class Held(Sim):
        pass

    pages = site(redirect("http://b.test/rules"), **{"http://b.test/rules": robots_txt(RULES)})
    sim = Held(pages, robots=True)
    until = sim.clock.now() + 90
    sim.scheduler.hold("b.test", until, "Retry-After")
    assert sim.run() == "finished"
    assert sim.starts("b.test")[0] >= until
    assert sim.urls() == [A, f"{A}1"]


def test_redirects_that_do_not_end_forbid_nothing():
    sim = crawled(site(redirect("/robots.txt")))
    assert sim.stats.pages == 3
    assert sim.web.visits[f"{A}robots.txt"] == 6


def test_a_crawl_delay_is_kept_also_after_a_resume(tmp_path):
    pages = {A: page(*[f"/{n}" for n in range(20)]), **{f"{A}{n}": page() for n in range(20)}}
    pages[f"{A}robots.txt"] = robots_txt("User-agent: *\nCrawl-delay: 5\n")
    sim = Sim(pages, folder=tmp_path, robots=True, max_pages=5, workers=4)
    assert sim.run() == "max_pages"
    again = Sim(pages, folder=tmp_path, robots=True, workers=4, clock=sim.clock, latency=(5, 9))
    assert again.run() == "finished"
    assert again.web.visits[f"{A}robots.txt"] == 0  # it was kept
    for run in (sim, again):
        gaps = [later - earlier for earlier, later in itertools.pairwise(run.starts())]
        assert min(gaps) >= 5
    assert again.urls() == sorted(url for url in pages if "robots" not in url)


def test_a_longer_crawl_delay_than_the_longest_is_cut():
    pages = site(robots_txt("User-agent: *\nCrawl-delay: 100000\n"))
    sim = crawled(pages)
    gaps = [later - earlier for earlier, later in itertools.pairwise(sim.starts())]
    assert 30 <= max(gaps) < 31


def test_it_is_asked_for_again_when_its_time_is_over():
    chain = {A: page("/1"), f"{A}1": page("/2"), f"{A}2": page("/3"), f"{A}3": page("/private")}
    pages = chain | {f"{A}robots.txt": (robots_txt(""), robots_txt(RULES))}
    sim = crawled(pages, limits=lambda _: Limits(delay=60.0), ttl=100.0)
    assert sim.urls() == sorted(chain)
    assert sim.stats.skipped["RobotsDenied"].count == 1
    assert 1 < sim.web.visits[f"{A}robots.txt"] <= 5


@pytest.mark.parametrize("ttl", [0.0, 5.0])
def test_a_ttl_shorter_than_the_delay_ends_too(ttl):
    pages = site(robots_txt("User-agent: *\nCrawl-delay: 20\nDisallow: /private"))
    sim = crawled(pages, ttl=ttl)
    assert sim.urls() == [A, f"{A}1"]


def test_a_robots_txt_whose_worker_died_is_asked_for_again():
    from scrapekit.messages import Lost

    sim = Sim(site(robots_txt(RULES)), robots=True)
    process, deaths = sim.fleet._process, []

    def deadly(lease):
        if lease.is_robots and not deaths:
            deaths.append(lease.id)
            return Lost([lease.id], "killed by signal 9")
        return process(lease)

    sim.fleet._process = deadly
    assert sim.run() == "finished"
    assert sim.urls() == [A, f"{A}1"]


def test_forbidden_pages_cost_no_delay():
    pages = {A: page(*[f"/private/{n}" for n in range(50)], "/1"), f"{A}1": page(), f"{A}robots.txt": robots_txt(RULES)}
    sim = crawled(pages, limits=lambda _: Limits(delay=10.0))
    assert sim.urls() == [A, f"{A}1"]
    assert sim.stats.skipped["RobotsDenied"].count == 50
    assert sim.starts()[-1] - sim.starts()[0] < 21


def test_kept_failures_tell_of_what_was_forbidden():
    sim = crawled(site(robots_txt(RULES)), keep=True)
    assert sim.stats.pages == 1  # no callback runs, so no link is followed
    denied = crawled({A: page(), f"{A}robots.txt": robots_txt("User-agent: *\nDisallow: /")}, keep=True)
    (failed,) = denied.audience.kept
    assert (failed.error, failed.url, failed.final) == ("RobotsDenied", A, True)


def test_cookies_of_a_session_stay_in_it():
    class Sessions(Spider):
        def start(self):
            for n in range(3):
                yield Request(f"{A}login?{n}", session=f"s{n}", cb_kwargs={"n": n})

        def parse(self, response, n):
            yield Request(f"{A}page?{n}", self.leaf, session=f"s{n}")

        def leaf(self, response):
            yield {"url": response.url}

    pages = {f"{A}login?{n}": page(headers=(("Set-Cookie", f"id={n}"),)) for n in range(3)}
    pages |= {f"{A}page?{n}": page() for n in range(3)}
    sim = crawled(pages, spider=Sessions(), robots=False)
    sent = {lease.request.session: lease.cookies for _, lease in sim.fleet.submitted if "page" in lease.request.url}
    assert sent == {f"s{n}": f"id={n}" for n in range(3)}
    without = crawled(pages, spider=Sessions(), robots=False, cookies=False)
    assert {lease.cookies for _, lease in without.fleet.submitted} == {None}


def test_rules_that_are_no_longer_in_memory_are_read_from_the_frontier(monkeypatch):
    monkeypatch.setattr("scrapekit.engine.robots._MOST_ORIGINS", 2)
    hosts = [f"http://{n}.test/" for n in range(6)]
    pages = {url: page(*[f"{other}{n}" for other in hosts]) for n, url in enumerate(hosts)}
    pages |= {f"{url}{n}": page() for url in hosts for n in range(6)}
    pages |= {f"{url}robots.txt": robots_txt("User-agent: *\nDisallow: /3") for url in hosts}
    sim = crawled(pages, start=hosts)
    assert sim.stats.skipped["RobotsDenied"].count == 6
    assert all(sim.web.visits[f"{url}robots.txt"] <= 3 for url in hosts)  # those not yet committed are asked for anew


def test_a_robots_txt_that_fails_waits_as_long_as_any_retry():
    sim = crawled(
        site((SimulatedPage(error="ConnectError"), robots_txt(RULES))),
        retry=RetryPolicy(times=1, initial=40, maximum=40),
        seed=2,
    )
    assert sim.urls() == [A, f"{A}1"]
