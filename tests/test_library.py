"""The library: crawl(), run() and fetch() in a program of somebody else's, over a real server."""

import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import scrapekit
from scrapekit import Failed, Request, Response
from scrapekit.errors import ConfigError, CrawlFailed, FrontierError, OutputError, SettingsError, SpiderError
from scrapekit.project import crawling
from scrapekit.settings import OutputSettings, load
from scrapekit.testing import Reply, serve

HTML = (("Content-Type", "text/html"),)
QUICK = {"robots": {"obey": False}, "retry": {"times": 1, "backoff": {"initial": 0.01}}, "throttle": {"maxsize": 16}}


def site(view):
    """``/`` leads to 300 pages; ``/404``, ``/moved``, ``/loop``, ``/busy-once`` are what their names say."""
    if view.path == "/":
        return Reply("".join(f"<a href='/{n}'>x</a>" for n in range(300)).encode(), headers=HTML)
    if view.path == "/404":
        return Reply(b"gone", status=404, headers=HTML)
    if view.path == "/moved":
        return Reply(status=302, headers=(("Location", "/1"),))
    if view.path == "/loop":
        return Reply(status=302, headers=(("Location", "/loop"),))
    if view.path == "/busy-once" and view.visit == 1:
        return Reply(status=503)
    return Reply(f"<p>{view.path}".encode(), headers=HTML)


class Pages(scrapekit.Spider):
    settings = QUICK

    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all("a")


@pytest.fixture
def server():
    with serve(site) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_left():
    """No test leaves a thread, a socket or a file open: a ResourceWarning is an error here."""
    before = open_files()
    yield
    gc.collect()
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("scrapekit")]
    assert left == []
    assert open_files() - before == set()


def open_files():
    """What the descriptors of this process are."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir() if sys.platform == "linux" else ():
        with contextlib.suppress(OSError):  # the one that lists them is gone
            found.add((descriptor.name, str(descriptor.readlink())))
    return found


def url(server, path="/"):
    return f"{server.url}{path}"


# crawl()


def test_crawl_yields_the_items_as_they_become_final(server):
    items = list(scrapekit.crawl(Pages, start_urls=[url(server)]))
    assert sorted(item["url"] for item in items) == sorted([url(server), *(url(server, f"/{n}") for n in range(300))])
    assert set(server.hits.values()) == {1}


def test_a_slow_caller_stalls_the_crawl(server, monkeypatch):
    monkeypatch.setattr("scrapekit.project.library._BUFFER", 1)
    monkeypatch.setattr("scrapekit.engine.engine.COMMIT_OUTCOMES", 5)
    items = scrapekit.crawl(Pages, start_urls=[url(server)], settings={"workers": 2})
    next(items)
    engine = next(thread for thread in threading.enumerate() if thread.name == "scrapekit-engine")
    wait_until_still(server)
    assert engine.is_alive()
    assert sum(server.hits.values()) < 100
    assert len(list(items)) == 300
    assert sum(server.hits.values()) == 301


def wait_until_still(server):
    """Until the server has not been asked for anything for a while."""
    still, last = 0, -1
    while still < 10:
        time.sleep(0.03)
        now = sum(server.hits.values())
        still, last = (still + 1, now) if now == last else (0, now)


@pytest.mark.parametrize("taken", [1, 5])
def test_leaving_the_loop_early_ends_the_crawl_and_leaves_nothing(server, taken):
    seen = []
    for item in scrapekit.crawl(Pages, start_urls=[url(server)]):
        seen.append(item)
        if len(seen) == taken:
            break
    gc.collect()
    asked = sum(server.hits.values())
    assert [thread for thread in threading.enumerate() if thread.name.startswith("scrapekit")] == []
    wait_until_still(server)
    assert sum(server.hits.values()) - asked <= 16  # what was on its way


def test_a_crawl_can_be_closed(server):
    items = scrapekit.crawl(Pages, start_urls=[url(server)])
    next(items)
    items.close()
    assert list(items) == []


def test_an_exception_in_the_loop_ends_the_crawl(server):
    with pytest.raises(ZeroDivisionError):
        for _ in scrapekit.crawl(Pages, start_urls=[url(server)]):
            raise ZeroDivisionError


def test_callbacks_may_block_while_others_run():
    together = threading.Barrier(4)

    class Blocking(scrapekit.Spider):
        def parse(self, response):
            together.wait(60)  # until three others have come as far
            yield {"url": response.url}

    with serve(site) as server:
        urls = [f"{server.url}/{n}" for n in range(4)]
        assert len(list(scrapekit.crawl(Blocking, start_urls=urls, settings=QUICK))) == 4


@pytest.mark.parametrize("make", [lambda: scrapekit.crawl(Pages, start_urls=["http://127.0.0.1:1/"]), lambda: scrapekit.fetch(["http://127.0.0.1:1/"])])  # fmt: skip
def test_what_was_never_begun_leaves_nothing(make):
    unused = make()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("scrapekit")] == []
    del unused


def test_two_crawls_at_once_do_not_know_each_other(server):
    with serve(site) as other:
        one = scrapekit.crawl(Pages, start_urls=[url(server)])
        two = scrapekit.crawl(Pages, start_urls=[url(other)])
        both = [(next(one)["url"], next(two)["url"]) for _ in range(301)]
        assert {a.startswith(server.url) and b.startswith(other.url) for a, b in both} == {True}
        assert list(one) == list(two) == []


def test_crawls_work_in_any_thread_and_touch_no_signals(server):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    results = {}

    def work(name):
        results[name] = len(list(scrapekit.crawl(Pages, start_urls=[url(server)])))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {0: 301, 1: 301, 2: 301}
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_crawl_within_a_crawl(server):
    seen = []
    for item in scrapekit.crawl(Pages, start_urls=[url(server, "/7")]):
        seen += [item, *scrapekit.crawl(Pages, start_urls=[url(server, "/8")])]
    assert seen == [{"url": url(server, "/7")}, {"url": url(server, "/8")}]


def test_an_instance_is_crawled_as_it_is(server):
    spider = Pages(start_urls=[url(server, "/3")])
    assert list(scrapekit.crawl(spider)) == [{"url": url(server, "/3")}]
    with pytest.raises(SpiderError, match="tag are for a Spider class"):
        scrapekit.crawl(spider, tag="x")


@pytest.mark.parametrize("spider", [None, "quotes", object, dict])
def test_what_is_no_spider_is_refused_at_once(spider):
    with pytest.raises(SpiderError, match="not a Spider class"):
        scrapekit.crawl(spider)


def test_settings_that_are_wrong_are_refused_at_once():
    with pytest.raises(SettingsError, match="workers"):
        scrapekit.crawl(Pages, settings={"workers": 0})
    with pytest.raises(SettingsError, match="wrokers"):
        scrapekit.fetch([], settings={"wrokers": 1})

    class Wrong(Pages):
        settings: ClassVar = {"http": {"timeout": 5}}

    with pytest.raises(SettingsError, match=r"Wrong\.settings"):
        scrapekit.crawl(Wrong, settings={"workers": 1})


def test_a_start_request_that_can_not_be_is_raised_in_the_caller():
    with pytest.raises(ConfigError, match="misspelt"):
        list(scrapekit.crawl(_Misspelt))


class _Misspelt(Pages):
    def start(self):
        yield Request("http://a.test/", "misspelt")


def test_what_start_raises_is_raised_in_the_caller_after_the_items(server):
    class Broken(Pages):
        def start(self):
            yield Request(url(server, "/1"))
            yield Request(url(server, "/2"))
            raise LookupError("no more")

    items, seen = scrapekit.crawl(Broken), []
    with pytest.raises(CrawlFailed, match=r"start\(\) raised LookupError: no more"):
        seen.extend(item["url"] for item in items)
    assert sorted(seen) == [url(server, "/1"), url(server, "/2")]


def test_a_crawl_that_fetched_nothing_is_an_error(server):
    with pytest.raises(CrawlFailed, match="nothing was fetched: StatusError 404"):
        list(scrapekit.crawl(Pages, start_urls=[url(server, "/404")]))


def test_errors_of_the_engine_are_raised_in_the_caller(server, monkeypatch):
    commit, commits = crawling.Frontier.commit, []

    def failing(self, batch, *rest):
        commits.append(batch)
        if len(commits) > 4:
            raise FrontierError("disk full")
        return commit(self, batch, *rest)

    monkeypatch.setattr(crawling.Frontier, "commit", failing)
    with pytest.raises(FrontierError, match="disk full"):
        list(scrapekit.crawl(Pages, start_urls=[url(server)]))
    with pytest.raises(FrontierError, match="disk full"):
        scrapekit.run(Pages, start_urls=[url(server)])
    with pytest.raises(FrontierError, match="disk full"):
        list(scrapekit.fetch([url(server, "/1")], settings=QUICK))


def test_a_program_that_leaves_a_crawl_half_read_ends(server):
    program = f"""
import scrapekit
class Pages(scrapekit.Spider):
    settings = {QUICK!r}
    def parse(self, response):
        yield {{"url": response.url}}
        yield from response.follow_all("a")
items = scrapekit.crawl(Pages, start_urls=[{url(server)!r}])
print(next(items)["url"])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.stderr, done.returncode) == (url(server), "", 0)


# run()


def test_run_writes_the_items_and_reports(server, tmp_path):
    output = tmp_path / "pages.jsonl"
    report = scrapekit.run(Pages, output=output, start_urls=[url(server)])
    lines = [json.loads(line) for line in output.read_bytes().splitlines()]
    assert len({line["url"] for line in lines}) == len(lines) == 301
    assert (report.spider, report.job, report.reason, report.failure) == ("pages", "", "finished", None)
    assert (report.pages, report.items, report.pending, report.output) == (301, 301, 0, str(output))
    assert report.elapsed > 0
    assert report.stats.requests == 301


def test_run_overwrites_or_appends(server, tmp_path):
    output = tmp_path / "one.jsonl"
    for overwrite, count in ((True, 1), (False, 2), (True, 1)):
        scrapekit.run(Pages, output=output, overwrite=overwrite, start_urls=[url(server, "/1")])
        assert len(output.read_bytes().splitlines()) == count


def test_run_without_an_output_keeps_nothing(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = scrapekit.run(Pages, start_urls=[url(server, "/1")])
    assert (report.items, report.output) == (1, "")
    assert list(tmp_path.iterdir()) == []


def test_run_refuses_an_output_that_can_not_be(server, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        scrapekit.run(Pages, output=tmp_path / "missing" / "x.jsonl", start_urls=[url(server, "/1")])
    assert server.hits == {}


def test_arguments_reach_the_spider(server):
    class Tagged(Pages):
        def parse(self, response):
            yield {"tag": self.tag}

    assert list(scrapekit.crawl(Tagged, start_urls=url(server, "/1"), tag="x")) == [{"tag": "x"}]


def test_settings_given_go_before_the_spiders(server):
    class Own(Pages):
        settings: ClassVar = {**QUICK, "crawl": {"max_pages": 2, "max_depth": 5}, "workers": 1}

    assert scrapekit.run(Own, start_urls=[url(server)]).pages == 2
    report = scrapekit.run(Own, start_urls=[url(server)], settings={"crawl": {"max_pages": 4}})
    assert (report.pages, report.reason, report.workers) == (4, "max_pages", 1)
    assert report.pending > 0


def test_ctrl_c_in_run_closes_everything(server):
    class Interrupted(Pages):
        def parse(self, response):
            if response.url.endswith("/7"):
                os.kill(os.getpid(), signal.SIGINT)  # to the process, so that the main thread gets it
            return super().parse(response)

    with pytest.raises(KeyboardInterrupt):
        scrapekit.run(Interrupted, start_urls=[url(server)])


@dataclass
class Job:
    """Where a crawl keeps its state."""

    folder: Path
    id: str = "job"

    @property
    def frontier_path(self):
        return self.folder / "frontier.sqlite"

    @property
    def in_flight_path(self):
        return self.folder / "in_flight"

    @property
    def spool_path(self):
        return self.folder / "items.jsonl"

    @property
    def rejected_path(self):
        return self.folder / "rejected.jsonl"


def crawl_job(folder, server, *, resume, **settings):
    spider = Pages(start_urls=[url(server)])
    chosen = load(None, {**QUICK, **settings}, "test").settings
    outputs = [OutputSettings(path=str(folder / "out.jsonl"), overwrite=True)]
    with scrapekit.project.Crawl(spider, chosen, job=Job(folder), outputs=outputs, resume=resume) as crawl:
        return crawl.run()


def test_a_job_goes_on_where_it_was_left(server, tmp_path):
    first = crawl_job(tmp_path, server, resume=False, crawl={"max_pages": 50, "durability": "power"})
    assert (first.job, first.pages, first.pending) == ("job", 50, 251)
    last = crawl_job(tmp_path, server, resume=True, http={"cookies": False})
    assert (last.pages, last.items, last.pending, last.reason) == (301, 301, 0, "finished")
    again = crawl_job(tmp_path, server, resume=True)
    assert (again.pages, again.stats.requests) == (301, 301)
    lines = [json.loads(line)["url"] for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert len(set(lines)) == len(lines) == 301
    assert set(server.hits.values()) == {1}


def test_a_job_that_never_got_to_its_first_commit_begins(server, tmp_path):
    assert crawl_job(tmp_path, server, resume=True).pages == 301


# fetch()


def fetched(urls, **settings):
    return list(scrapekit.fetch(urls, settings=QUICK | settings))


def test_each_url_gives_one_result_duplicates_too(server):
    given = [url(server, f"/{n % 5}") for n in range(20)]
    results = fetched(given)
    assert sorted(result.url for result in results) == sorted(given)
    assert all(isinstance(result, Response) for result in results)
    assert {result.css("p::text").get() for result in results} == {f"/{n}" for n in range(5)}


def test_it_uses_threads_whatever_fleet_the_settings_of_a_project_say(server, tmp_path):
    cache = {"mode": "dev", "path": str(tmp_path / "cache")}  # which actors can't have
    [result] = fetched([url(server, "/1")], fleet="ray", cache=cache)
    assert result.status == 200


def test_failures_are_results_too(server):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        results = {result.url: result for result in fetched([url(server, "/404"), dead, url(server, "/1")])}
    assert isinstance(results[url(server, "/404")], Failed)
    assert (results[url(server, "/404")].error, results[url(server, "/404")].status) == ("StatusError", 404)
    assert results[dead].error == "ConnectError"
    assert results[dead].request.meta["url"] == dead
    assert results[url(server, "/1")].status == 200


@pytest.mark.parametrize("times", [2, 20])
def test_what_can_not_be_requested_is_a_failure_however_much_of_it_there_is(server, times):
    wrong = ["no url", "ftp://a.test/", "http://", ""] * times
    results = fetched([*wrong, url(server, "/1"), *wrong])
    assert len(results) == 8 * times + 1
    refused = [result for result in results if isinstance(result, Failed)]
    assert {result.error for result in refused} == {"RequestInvalid"}
    assert sorted(result.url for result in refused) == sorted(wrong * 2)
    assert {result.request for result in refused} == {None}


def test_redirects_are_followed_and_told_apart(server):
    results = fetched([url(server, "/moved"), url(server, "/1"), url(server, "/loop")])
    by_given = {result.request.meta["url"]: result for result in results}
    assert by_given[url(server, "/moved")].url == by_given[url(server, "/1")].url == url(server, "/1")
    assert by_given[url(server, "/loop")].error == "TooManyRedirects"


def test_a_failure_of_the_moment_is_tried_again(server):
    (result,) = fetched([url(server, "/busy-once")])
    assert result.status == 200
    assert server.hits["/busy-once"] == 2


def test_requests_keep_what_they_are(server):
    (result,) = fetched([Request(url(server, "/404"), method="HEAD", handle_statuses=[404], meta={"mine": 1})])
    assert (result.status, result.request.method, result.meta["mine"]) == (404, "HEAD", 1)
    assert server.log[-1].method == "HEAD"


def test_urls_are_pulled_lazily_and_without_end(server):
    pulled = []

    def endless():
        while True:
            pulled.append(1)
            yield url(server, f"/{len(pulled)}")

    results = scrapekit.fetch(endless(), settings=QUICK)
    for _ in range(30):
        assert next(results).status == 200
    results.close()
    assert len(pulled) < 10_000


def test_urls_that_raise_are_an_error_at_the_end(server):
    def broken():
        yield url(server, "/1")
        raise LookupError("no more")

    results = scrapekit.fetch(broken(), settings=QUICK)
    assert next(results).status == 200
    with pytest.raises(CrawlFailed, match="no more"):
        next(results)


def test_nothing_gives_nothing():
    assert fetched([]) == []


def test_what_robots_txt_forbids_is_a_failure(server):
    def forbidding(view):
        return Reply(b"User-agent: *\nDisallow: /no") if view.path == "/robots.txt" else Reply(b"<p>x", headers=HTML)

    with serve(forbidding) as strict:
        results = {r.url: r for r in fetched([url(strict, "/no"), url(strict, "/yes")], robots={"obey": True})}
    assert results[url(strict, "/no")].error == "RobotsDenied"
    assert results[url(strict, "/yes")].status == 200


def test_leaving_a_fetch_early_leaves_nothing(server):
    for result in scrapekit.fetch((url(server, f"/{n}") for n in range(300)), settings=QUICK):
        assert result.status == 200
        break
    gc.collect()
    assert sum(server.hits.values()) < 300


def test_leaving_a_fetch_whose_urls_block_ends_it(server):
    block = threading.Event()

    def blocking():
        yield url(server, "/1")
        yield url(server, "/2")
        block.wait(30)

    results = scrapekit.fetch(blocking(), settings=QUICK)
    assert next(results).status == 200
    closing = threading.Timer(0.2, block.set)
    closing.start()
    results.close()
    closing.join()


def test_the_public_names_are_there():
    assert sorted(scrapekit.__all__) == sorted(name for name in scrapekit.__all__ if hasattr(scrapekit, name))
    assert Path(scrapekit.__file__).name == "__init__.py"
