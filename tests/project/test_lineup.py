"""Several spiders in one crawl, through the library, on real sockets."""

import json
from collections import Counter
from typing import ClassVar

import pytest

import scrapekit
from scrapekit import Request, StopCrawl
from scrapekit.errors import ConfigError, CrawlFailed, SettingsError, SpiderError
from scrapekit.hooks import RotateUserAgents
from scrapekit.testing import Reply, serve

HTML = (("Content-Type", "text/html"),)
QUICK = {"robots": {"obey": False}, "retry": {"times": 1, "backoff": {"initial": 0.01}}}


def site(view):
    """``/`` leads to ten pages, ``/moved/N`` to ``/N``; ``/404`` and ``/busy-once`` are what they say."""
    if view.path == "/":
        return Reply("".join(f"<a href='/{n}'>x</a>" for n in range(10)).encode(), headers=HTML)
    if view.path.startswith("/moved/"):
        return Reply(status=302, headers=(("Location", view.path[6:]),))
    if view.path == "/404":
        return Reply(b"gone", status=404, headers=HTML)
    if view.path == "/busy-once" and view.visit < 3:  # two spiders ask for it
        return Reply(status=503)
    return Reply(f"<p>{view.path}".encode(), headers=HTML)


@pytest.fixture
def server():
    with serve(site, hosts=("127.0.0.1", "127.0.0.2")) as running:
        yield running


class One(scrapekit.Spider):
    settings = QUICK
    links = "a"

    def parse(self, response):
        yield {"spider": self.name, "path": response.url.rpartition("/")[2]}
        yield from response.follow_all(self.links)


class Other(One):
    """The same with another name."""


def run(*spiders, settings=None, **arguments):
    """The report, and the items in order."""
    items = []

    class Audience:
        def committed(self, lines, kept):
            items.extend(map(json.loads, lines))

    from scrapekit.project.library import _lineup

    lineup, shared = _lineup(list(spiders), settings, arguments)
    with scrapekit.project.Crawl(lineup, shared, audience=Audience()) as crawl:
        report = crawl.run()
    return report, sorted(items, key=str)


def pages(spider):
    return [{"spider": spider, "path": path} for path in ["", *map(str, range(10))]]


def test_each_gets_its_own_pages_of_the_same_site(server):
    report, items = run(One, Other, start_urls=[server.url])
    assert items == sorted(pages("one") + pages("other"), key=str)
    assert set(server.hits.values()) == {2}
    assert report.spider == "one, other"
    assert {name: (share.pages, share.items, share.failed) for name, share in report.spiders.items()} == {
        "one": (11, 11, 0),
        "other": (11, 11, 0),
    }
    assert (report.pages, report.items, report.failure) == (22, 22, None)


def test_the_limit_of_a_host_is_that_of_all_together(server):
    with serve(site, latency=0.02) as slow:
        run(One, Other, start_urls=[slow.url], settings={"throttle": {"maxsize": 2, "adaptive": False}})
        assert slow.max_open_by_host == {"127.0.0.1": 2}


def test_one_spider_has_a_share_too(server):
    report = scrapekit.run(One, start_urls=[server.url])
    assert {name: (share.pages, share.items) for name, share in report.spiders.items()} == {"one": (11, 11)}


def test_crawl_yields_the_items_of_all(server):
    items = list(scrapekit.crawl([One(start_urls=[f"{server.url}/1"]), Other(start_urls=[f"{server.url}/2"])]))
    assert sorted(item["spider"] for item in items) == ["one", "other"]
    with pytest.raises(CrawlFailed, match="^one: nothing was fetched$"):
        list(scrapekit.crawl([One, Other(start_urls=[f"{server.url}/5"])]))


def test_scope_depth_and_limits_are_each_spiders_own(server):
    elsewhere = server.url.replace("127.0.0.1", "127.0.0.2")

    class Near(One):
        def parse(self, response):
            yield from super().parse(response)
            yield Request(f"{elsewhere}/far?a=1&b=2")

    class Far(Near):
        allowed_domains = None

    class Flat(Near):
        settings: ClassVar = {**QUICK, "crawl": {"max_depth": 0}}

    class Narrow(Far):
        settings: ClassVar = {**QUICK, "crawl": {"limits": {"query_parameters": 1}}}

    report, items = run(Near, Far, Flat, Narrow, start_urls=[f"{server.url}/1"])
    assert Counter(item["spider"] for item in items) == {"near": 1, "far": 2, "flat": 1, "narrow": 1}
    assert {kind: tally.count for kind, tally in report.stats.skipped.items()} == {
        "OffSite": 1,
        "TooDeep": 1,
        "TooManyParameters": 1,
    }


def test_redirects_retries_and_errbacks_come_back_to_their_spider(server):
    class Both(One):
        def start(self):
            for path in ("moved/7", "busy-once", "404"):
                yield Request(f"{server.url}/{path}", errback=self.fail)

        def fail(self, error):
            yield {"spider": self.name, "path": f"{type(error).__name__} {error.request.callback}"}

    class Again(Both):
        pass

    report, items = run(Both, Again)
    for name in ("both", "again"):
        assert [item["path"] for item in items if item["spider"] == name] == ["7", "StatusError parse", "busy-once"]
        assert report.spiders[name].failed == 1
        assert report.spiders[name].error == "StatusError 404: status 404"


def test_unique_items_are_so_for_each_spider(server):
    class First(One):
        unique = ("kind",)

        def parse(self, response):
            yield {"kind": "page", "spider": self.name}
            yield from response.follow_all("a")

    class Second(First):
        pass

    report, items = run(First, Second, start_urls=[server.url])
    assert items == [{"kind": "page", "spider": "first"}, {"kind": "page", "spider": "second"}]
    assert report.stats.dropped == {"duplicate": 20}
    assert {share.items for share in report.spiders.values()} == {1}


def test_pipelines_and_hooks_are_each_spiders_own(server):
    told = []

    class Tells:
        def on_start(self, spider):
            told.append(("start", spider.name))

        def on_item(self, item):
            told.append(("item", item["spider"]))

        def on_finish(self, report):
            told.append(("finish", report.spider))

    def mark(item):
        return item | {"marked": True}

    class Marked(One):
        pipelines = (mark,)
        hooks = (Tells(), RotateUserAgents(["a", "b"]))

    _, items = run(Marked, One, start_urls=[f"{server.url}/3"])
    assert items == [{"spider": "marked", "path": "3", "marked": True}, {"spider": "one", "path": "3"}]
    assert told == [("start", "marked"), ("item", "marked"), ("finish", "marked, one")]


def test_stopcrawl_ends_its_spider_and_not_the_others(server):
    class Enough(One):
        def start(self):
            number = 0
            while True:  # endless: it ends because its spider has ended
                yield Request(f"{server.url}/{number}")
                number += 1

        def parse(self, response):
            raise StopCrawl("seen it")

    report, items = run(Enough, Other, start_urls=[server.url])
    assert items == pages("other")
    assert (report.reason, report.failure) == ("finished", None)
    assert report.spiders["enough"].stopped == "seen it"
    assert report.spiders["other"].stopped is None
    assert report.stats.skipped["SpiderStopped"].message == "its spider has ended with StopCrawl: seen it"


def test_a_crawl_fails_if_one_of_its_spiders_does(server):
    class Empty(One):
        settings: ClassVar = {**QUICK, "crawl": {"fail_if": {"items_below": 5}}}

    report, _ = run(Empty(start_urls=[f"{server.url}/1"]), Other(start_urls=[f"{server.url}/404"]), One(start_urls=[]))
    assert report.failure == (
        "empty: 1 items, fewer than crawl.fail_if.items_below (5); other: nothing was fetched: "
        "StatusError 404: status 404; one: nothing was fetched"
    )


def test_a_start_that_raises_says_whose_it_is(server):
    class Broken(One):
        def start(self):
            yield Request(f"{server.url}/1")
            raise ValueError("no more")

    report, items = run(Broken, Other, start_urls=[server.url])
    assert len(items) == 12
    assert report.failure == "broken: start() raised ValueError: no more"


def test_arguments_are_for_all_that_take_them(server):
    class Takes(One):
        def __init__(self, start_urls, word="none"):
            super().__init__(start_urls=start_urls)
            self.word = word

    class Not(One):
        def __init__(self, start_urls):
            super().__init__(start_urls=start_urls)

    from scrapekit.project.agreement import arguments_for

    classes = [Takes, Not, One]
    assert arguments_for(classes, {"word": "x", "start_urls": ["y"], "one.word": "z", "not.start_urls": ["n"]}) == [
        {"word": "x", "start_urls": ["y"]},
        {"start_urls": ["n"]},
        {"word": "z", "start_urls": ["y"]},
    ]
    with pytest.raises(SpiderError, match="none of the spiders takes, not takes an argument 'other'") as caught:
        arguments_for([Takes, Not], {"other": "x"})
    with pytest.raises(SpiderError, match="argument 'tkaes.word' is for no spider of this crawl: there are takes, not"):
        arguments_for([Takes, Not], {"tkaes.word": "x"})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "key", "given"),
    [
        ({"workers": 4}, "workers", "16"),
        ({"robots": {"obey": True}}, "robots.obey", "false"),
        ({"http": {"user_agent": "me/1"}}, "http.user_agent", "plain/1"),
        ({"http": {"user_agent": "plain/1", "headers": {"X-Token": "hunter2"}}}, "http.headers.X-Token", "VALUE"),
        ({"throttle": {"delay": 1}}, "throttle.delay", "0.0"),
        ({"throttle": {"domains": {"a.test": {"delay": 1}}}}, "throttle.domains.a.test.maxsize", "VALUE"),
        (
            {"http": {"user_agent": "plain/1", "auth": {"a.test": {"basic": "me:hunter2"}}}},
            "http.auth.a.test.bearer",
            "VALUE",
        ),
    ],
    ids=["workers", "robots", "agent", "header", "delay", "host", "auth"],
)
def test_what_two_spiders_say_differently_about_the_whole_crawl_is_refused_in_one_line(settings, key, given):
    http = {"user_agent": "plain/1", "auth": {"a.test": {"bearer": "x"}}}
    base = {**QUICK, "throttle": {"domains": {"a.test": {"maxsize": 2}}}, "http": http}

    class Plain(scrapekit.Spider):
        settings = base

    class Wants(scrapekit.Spider):
        pass

    Wants.settings = {**base, **settings}
    with pytest.raises(SettingsError) as caught:
        scrapekit.run([Plain, Wants])
    said = str(caught.value)
    assert said.startswith(f"{key} must be the same for all spiders of a crawl: plain has ")
    assert "Wants.settings)" in said or "(default)" in said
    assert said.endswith(f"say which, as in -s {key}={given}")
    assert "hunter2" not in said
    assert "\n" not in said


def test_settings_about_hosts_are_put_together(server):
    class Slow(One):
        settings: ClassVar = {**QUICK, "throttle": {"domains": {"127.0.0.1": {"maxsize": 1}}}}

    class Login(Other):
        settings: ClassVar = {**QUICK, "http": {"auth": {"127.0.0.1": {"basic": "me:secret"}}}}

    from scrapekit.project.library import _lineup

    _, shared = _lineup([Slow, Login], None, {"start_urls": [server.url]})
    assert shared.throttle.for_host("127.0.0.1").maxsize == 1
    assert shared.http.authorization(server.url) is not None
    report, _ = run(Slow, Login, start_urls=[server.url])
    assert report.pages == 22
    assert server.max_open_by_host["127.0.0.1"] == 1


def test_spiders_must_be_told_apart():
    class Same(scrapekit.Spider):
        name = "one"

    class Colon(scrapekit.Spider):
        name = "a:b"

    with pytest.raises(SpiderError, match="spider 'one' can't be there twice in one crawl"):
        scrapekit.run([One, Same])
    with pytest.raises(SpiderError, match="name must be letters"):
        scrapekit.run([One, Colon])
    with pytest.raises(SpiderError, match="not a Spider class: 3"):
        scrapekit.run([One, 3])
    with pytest.raises(SpiderError, match="the list of spiders is empty"):
        scrapekit.run([])


def test_spiders_with_ways_of_their_own_to_connect_are_refused(server):
    class Resolves(One):
        def resolve(self, host, port):
            return super().resolve(host, port)

    class AsWell(Resolves):
        pass

    with pytest.raises(ConfigError, match=r"'resolves' and 'one' can't share connections: each has a resolve\(\)"):
        scrapekit.run([Resolves, One])
    report, _ = run(Resolves, AsWell, start_urls=[f"{server.url}/1"])
    assert report.pages == 2
