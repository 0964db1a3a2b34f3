"""Sites that never end: each crawl of one does, and says why."""

import contextlib
import sqlite3

import pytest
from crawls import Killed, Limits, Sim, page, redirect

from scrapekit.messages import Request
from scrapekit.web import UrlLimits

A = "http://a.test/"
B = "http://b.test/"


class Endless(dict):
    """The pages that it holds, and any other one by the function ``make``."""

    def __init__(self, make, pages=()):
        super().__init__(pages)
        self.make = make

    def get(self, url, default=None):
        return super().get(url) or self.make(url) or default


def calendar(url):
    """Each month leads to the next."""
    return page(f"{A}calendar?month={int(url.partition('=')[2] or 0) + 1}") if url.startswith(A) else None


def crawled(pages, *args, **options):
    sim = Sim(pages, *args, **options)
    assert sim.run() == "finished"
    return sim


def skipped(sim):
    return {kind: tally.count for kind, tally in sim.stats.skipped.items()}


# By the shape of the URL


def test_a_path_that_grows_by_the_same_segments_ends():
    def site(url):
        return page("a/", "b/")  # relative, where the site means /a/ and /b/

    sim = crawled(Endless(site), url_limits=UrlLimits(repeats=3))
    deepest = max(url.count("/") - 3 for url in sim.urls())
    assert deepest == 6  # three times each
    assert sim.stats.pages == sim.counts["done"]
    assert skipped(sim) == {"RepeatingPath": sim.stats.skipped["RepeatingPath"].count}
    assert sim.stats.skipped["RepeatingPath"].message.endswith(
        "4 times in the path, more than crawl.limits.repeated_segments (3)"
    )


def test_a_path_of_ever_new_segments_ends_at_its_depth():
    sim = crawled(Endless(lambda url: page(f"{url.count('/')}/")), url_limits=UrlLimits(depth=10, repeats=3))
    assert sim.stats.pages == 11
    assert skipped(sim) == {"PathTooDeep": 1}


def test_a_session_that_is_added_to_the_query_again_and_again_ends():
    def site(url):
        return page(f"{url}{'&' if '?' in url else '?'}sid={len(url)}")

    assert crawled(Endless(site), url_limits=UrlLimits(parameters=5)).stats.pages == 6
    assert skipped(crawled(Endless(site), url_limits=UrlLimits(length=100))) == {"UrlTooLong": 1}


def test_start_requests_and_requests_past_the_dupe_filter_are_held_to_the_limits_too():
    class Twice(Endless):
        def get(self, url, default=None):
            return page()

    starts = (f"{A}a/a/a", A, f"{A}?a&b&c")
    sim = crawled(Twice(None), starts, url_limits=UrlLimits(repeats=2, parameters=2))
    assert sim.urls() == [A]
    assert skipped(sim) == {"RepeatingPath": 1, "TooManyParameters": 1}
    assert sim.stats.skipped["RepeatingPath"].url == f"{A}a/a/a"

    class Insistent(type(sim.spider)):
        def parse(self, response):
            yield {"url": response.url}
            yield Request(f"{A}a/a/a", dont_filter=True)

    sim = crawled(Twice(None), spider=Insistent((A,)), url_limits=UrlLimits(repeats=2))
    assert (sim.urls(), skipped(sim)) == ([A], {"RepeatingPath": 1})


def test_a_redirect_into_a_trap_is_dropped_in_the_frontier_with_the_reason(tmp_path):
    pages = {A: page(f"{A}old"), f"{A}old": redirect(f"{A}x/x/x")}
    sim = crawled(pages, folder=tmp_path, url_limits=UrlLimits(repeats=2))
    assert (sim.urls(), skipped(sim)) == ([A], {"RepeatingPath": 1})
    why = "'x' 3 times in the path, more than crawl.limits.repeated_segments (2)"
    assert dropped(tmp_path) == [
        (f"{A}old", f"RepeatingPath: redirects to {A}x/x/x, {why}"),
    ]


def dropped(folder):
    with contextlib.closing(sqlite3.connect(folder / "frontier.sqlite")) as database:
        return database.execute("SELECT url, error FROM urls WHERE state = 'dropped' ORDER BY id").fetchall()


# By the number of a host's pages


def test_a_calendar_ends_when_its_host_has_given_enough_and_other_hosts_go_on(tmp_path):
    others = {f"{B}{n}": page() for n in range(50)}
    pages = Endless(calendar, {B: page(*others), **others})
    sim = crawled(pages, (A, B), pages_per_host=60, folder=tmp_path)
    found = sim.urls()
    assert sum(url.startswith(B) for url in found) == 51
    assert sum(url.startswith(A) for url in found) == 60
    assert skipped(sim) == {"HostFull": 1}
    assert sim.counts["dropped"] == 1
    assert dropped(tmp_path) == [
        (f"{A}calendar?month=60", "HostFull: a.test has given crawl.limits.pages_per_host (60) pages")
    ]


def test_fresh_session_ids_end_with_what_is_left_dropped_and_little_over_the_limit():
    def site(url):
        number = int(url.partition("=")[2] or 0)
        return page(*[f"{A}?sid={number * 3 + n}" for n in (1, 2, 3)])

    sim = crawled(Endless(site), workers=8, pages_per_host=100)
    assert 100 <= sim.stats.pages < 108  # what is in flight when it is reached is finished
    assert sim.counts["dropped"] == skipped(sim)["HostFull"] == sim.stats.queued - sim.stats.pages
    assert sim.stats.requests == sim.stats.pages


def test_redirects_and_failures_are_not_counted_as_pages():
    pages = {A: page(*[f"{A}{n}" for n in range(10)]), **{f"{A}{n}": page() for n in range(4)}}
    pages |= {f"{A}{n}": redirect(f"{A}{n - 4}") for n in range(4, 8)}  # the last two are 404
    sim = crawled(pages, workers=1, pages_per_host=5)
    assert (sim.stats.pages, sim.stats.failed) == (5, 0 if skipped(sim) else 2)
    again = crawled(pages, workers=1, pages_per_host=6)
    assert (again.stats.pages, again.stats.failed, skipped(again)) == (5, 2, {})


def test_what_a_host_has_given_before_each_kill_counts_after_it(tmp_path):
    options = {"folder": tmp_path, "workers": 3, "pages_per_host": 40, "limits": lambda _: Limits(maxsize=1)}
    for month in (0, 17, 18, 39):
        sim = Sim(Endless(calendar), **options)

        def deadly(lease, process=sim.fleet._process, month=month):
            if lease.request.url.endswith(f"={month}" if month else "/"):
                raise Killed
            return process(lease)

        sim.fleet._process = deadly
        with pytest.raises(Killed):
            sim.run()
    sim = crawled(Endless(calendar), **options)
    assert sim.stats.pages == len(sim.items()) == len(set(sim.urls())) == 40
    assert skipped(sim) == {"HostFull": 1}


def test_a_job_that_is_resumed_with_a_smaller_limit_is_held_to_it(tmp_path):
    pages = {A: page(*[f"{A}{n}" for n in range(30)]), **{f"{A}{n}": page() for n in range(30)}}
    first = Sim(pages, folder=tmp_path, workers=1, max_pages=10)
    assert first.run() == "max_pages"
    sim = crawled(pages, folder=tmp_path, workers=1, pages_per_host=10)
    assert (sim.stats.pages, sim.counts["dropped"]) == (10, 21)
