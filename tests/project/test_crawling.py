"""How a crawl is judged at its end, and what is looked at before it begins."""

import threading

import pytest

import scrapekit
from scrapekit.errors import ConfigError, SettingsError, SpiderError
from scrapekit.project import Crawl
from scrapekit.settings import load
from scrapekit.testing import Reply, serve

QUICK = {"retry": {"times": 0}, "robots": {"obey": False}}


def site(view):
    if view.path == "/":
        return Reply(
            b"<a href='/good'>1</a><a href='/bad'>2</a><a href='/worse'>3</a>", headers=[("Content-Type", "text/html")]
        )
    return Reply(b"<p>x", status=200 if view.path == "/good" else 500, headers=[("Content-Type", "text/html")])


class Links(scrapekit.Spider):
    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all("a")


@pytest.fixture
def url():
    with serve(site) as server:
        yield f"{server.url}/"


@pytest.mark.parametrize(
    ("limits", "failure"),
    [
        ({}, None),
        ({"error_share": 0.5}, None),
        ({"error_share": 0.49}, "50.0% of the requests failed, more than crawl.fail_if.error_share (49.0%)"),
        ({"items_below": 2}, None),
        ({"items_below": 3}, "2 items, fewer than crawl.fail_if.items_below (3)"),
    ],
)
def test_a_crawl_fails_by_the_limits_that_were_set(url, limits, failure):
    report = scrapekit.run(Links, start_urls=[url], settings=QUICK | {"crawl": {"fail_if": limits}})
    assert (report.pages, report.stats.failed, report.failure) == (2, 2, failure)


def test_a_crawl_that_fetched_nothing_says_why(url):
    report = scrapekit.run(Links, start_urls=[f"{url}bad"], settings=QUICK)
    assert report.failure == f"nothing was fetched: StatusError 500: {url}bad: status 500"


def test_a_spider_without_start_requests_fails():
    assert (
        scrapekit.run(Links).failure == "no start requests: give the spider start_urls, or a start() that yields some"
    )


def test_settings_may_be_a_file_which_the_spider_overrides(url, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("workers: 3\nrobots: {obey: true}\nretry: {times: 0}\n")

    class Own(Links):
        settings = {"robots": {"obey": False}}

    report = scrapekit.run(Own, start_urls=[f"{url}good"], settings=file)
    assert (report.workers, report.stats.requests) == (3, 1)


def test_settings_given_are_stronger_than_the_spiders(url):
    class Own(Links):
        settings = {"workers": 5, "robots": {"obey": True}}

    report = scrapekit.run(Own, start_urls=[f"{url}good"], settings={"robots": {"obey": False}})
    assert (report.workers, report.stats.requests) == (5, 1)


@pytest.mark.parametrize("overwrite", [True, False])
def test_an_output_is_left_alone_by_a_spider_that_can_not_start(tmp_path, overwrite):
    class Wrong(Links):
        def start(self):
            yield scrapekit.Request("http://127.0.0.1/", "no_such_method")

    output = tmp_path / "kept.jsonl"
    output.write_text('{"old": 1}\n')
    with pytest.raises(SpiderError, match="unknown callback 'no_such_method'"):
        scrapekit.run(Wrong, output=output, overwrite=overwrite)
    assert output.read_text() == '{"old": 1}\n'


def test_a_request_that_can_not_be_ends_the_start_requests_not_the_crawl(url):
    class Late(Links):
        def start(self):
            yield scrapekit.Request(url)
            yield "not a request"

    report = scrapekit.run(Late, settings=QUICK)
    assert report.pages == 2
    assert report.failure == "start() must yield Request objects, not 'not a request'"


def test_the_report_has_the_pool_by_host(url):
    report = scrapekit.run(Links, start_urls=[url], settings=QUICK | {"throttle": {"maxsize": 1}})
    host = report.pool.hosts["127.0.0.1"]
    assert (host.requests, host.opened, host.reused, host.maxsize, host.in_use, host.waiting) == (4, 1, 3, 1, 0, 0)


async def _later(self, item):
    return item


async def _starts(self):
    yield scrapekit.Request("http://127.0.0.1/")


WRONG = [
    ({"start_urls": 5}, "Wrong.start_urls must be a list of URLs, not 5"),
    ({"start_urls": ["http://127.0.0.1/", "not a url"]}, "start_urls of spider 'wrong': not a URL that can"),
    ({"start_urls": ["http://127.0.0.1/", None]}, "None"),
    ({"allowed_domains": 5}, "Wrong.allowed_domains must be a list of domains, or None for anywhere, not 5"),
    ({"allowed_domains": ["http://a.example/"]}, "allowed_domains: 'http://a.example/' is a URL"),
    ({"settings": "workers: 1"}, "settings"),
    ({"parsers": ["x"]}, "Wrong.parsers must be a dict of functions by media type, not ['x']"),
    ({"parsers": None}, "Wrong.parsers must be a dict"),
    ({"parsers": {"text/html": "x"}}, "text/html"),
    ({"pipelines": None}, "Wrong.pipelines must be a list of functions"),
    ({"pipelines": ["x"]}, "Wrong.pipelines must be a list of functions"),
    ({"pipelines": [dict]}, "Wrong.pipelines must be a list of functions"),
    ({"pipelines": [type("Late", (), {"process": _later})]}, "process(item), none of them async or a generator, not ["),
    ({"pipelines": [lambda item: (yield item)]}, "none of them async or a generator"),
    ({"start": _starts}, "Wrong.start must be a plain generator, not async: it may block"),
    ({"start": _later}, "Wrong.start must be a plain generator, not async"),
    (
        {"closed": lambda self, reason: None},
        "Wrong.closed is Scrapy's, and would do nothing: at the end, on_finish(rep",
    ),
    ({"handle_httpstatus_list": [404]}, "would do nothing: say Request(url, handle_statuses=[404])"),
    ({"start_requests": lambda self: []}, "Wrong.start_requests is Scrapy's, and would do nothing: call it start()"),
    (
        {"custom_settings": {"DOWNLOAD_DELAY": 1}},
        "Wrong.custom_settings is Scrapy's, and would do nothing: settings go",
    ),
]


@pytest.mark.parametrize(("attributes", "message"), WRONG)
def test_class_attributes_are_looked_at_before_an_output_is_touched(tmp_path, attributes, message):
    wrong = type("Wrong", (Links,), {"start_urls": ["http://127.0.0.1/"]} | attributes)
    output = tmp_path / "kept.jsonl"
    output.write_text('{"old": 1}\n')
    with pytest.raises(ConfigError) as raised:
        scrapekit.run(wrong, output=output)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert output.read_text() == '{"old": 1}\n'


def test_settings_that_are_none_are_refused(url):
    with pytest.raises(
        SettingsError, match="settings= must be a dict in the shape of settings.yaml, or its path, not 5"
    ):
        scrapekit.run(Links, start_urls=[url], settings=5)


class Job:
    """The files of a job that may be resumed."""

    id = "job"

    def __init__(self, folder):
        self.frontier_path = folder / "frontier.sqlite"
        self.in_flight_path = folder / "in_flight"
        self.spool_path = folder / "items.jsonl"
        self.rejected_path = folder / "rejected.jsonl"


def test_a_resume_without_a_callback_that_requests_wait_for_is_refused_and_keeps_them(url, tmp_path):
    class Before(Links):
        name = "detail"

        def parse(self, response):
            yield from response.follow_all("a", self.parse_detail)

        def parse_detail(self, response):
            yield {"url": response.url}

    class After(Before):
        parse_detail = None

        def parse_details(self, response):
            """The same under another name."""

    settings = load(None, QUICK | {"crawl": {"max_pages": 1}, "workers": 1}).settings
    with Crawl(Before(start_urls=[url]), settings, job=Job(tmp_path)) as crawl:
        assert crawl.run().reason == "max_pages"
    with pytest.raises(
        SpiderError, match="3 requests of the job wait for a callback that is gone: unknown callback"
    ) as no:
        Crawl(After(start_urls=[url]), settings, job=Job(tmp_path), resume=True)
    assert "did you mean 'parse_details'?" in str(no.value)
    with Crawl(Before(start_urls=[url]), load(None, QUICK).settings, job=Job(tmp_path), resume=True) as crawl:
        assert crawl.run().items == 1


def test_halt_leaves_a_callback_behind_that_does_not_return(url):
    began, go = threading.Event(), threading.Event()

    class Blocks(scrapekit.Spider):
        start_urls = (url,)

        def parse(self, response):
            began.set()
            go.wait(60)

    def halt(crawl):
        began.wait(30)
        crawl.halt()

    with Crawl(Blocks(), load(None, QUICK).settings) as crawl:
        waited = []
        close = crawl._hands.fleet.close
        crawl._hands.fleet.close = lambda deadline: waited.append(deadline) or close(deadline)
        other = threading.Thread(target=halt, args=(crawl,))
        other.start()
        assert crawl.run().reason == "interrupted"
        other.join()
    assert max(waited) <= 1
    go.set()


def test_another_thread_watches_pauses_and_goes_on(url):
    began, go, seen = threading.Event(), threading.Event(), []

    class Holds(Links):
        def parse(self, response):
            if response.url == url:
                began.set()
                go.wait(60)
            yield from super().parse(response)

    def watch(crawl):
        began.wait(30)
        seen.append(crawl.pool_stats())
        crawl.engine.pause()
        go.set()
        while not (now := crawl.engine.snapshot).pages:
            threading.Event().wait(0.01)
        seen.append(now)
        crawl.engine.unpause()

    with Crawl(Holds(start_urls=[url]), load(None, QUICK).settings) as crawl:
        other = threading.Thread(target=watch, args=(crawl,))
        other.start()
        report = crawl.run()
        other.join()
    pool, paused = seen
    assert pool.opened == pool.hosts["127.0.0.1"].opened == 1
    assert (paused.paused, paused.pages, paused.in_flight) == (True, 1, 0)
    assert (report.reason, report.stats.requests) == ("finished", 4)
