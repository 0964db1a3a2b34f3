"""Rules, through real crawls."""

import json

import pytest

import scrapekit
from scrapekit.errors import SpiderError
from scrapekit.spiders import CrawlSpider, LinkExtractor, Rule, route

PAGES = {
    "/": '<a href="/list/1">L</a><a href="/p/1">One</a><a href="/terms">T</a><a href="/secret" rel="nofollow">S</a>',
    "/list/1": '<a href="/list/2">L</a><a href="/p/1">One</a><a href="/p/2">Two</a><a href="/list/1">Self</a>',
    "/list/2": '<a href="/p/3">Three</a>',
    "/p/1": '<h1>One</h1><a href="/p/4">Four</a>',
    "/p/2": "<h1>Two</h1>",
    "/p/3": "<h1>Three</h1>",
    "/p/4": "<h1>Four</h1>",
    "/terms": '<a href="/list/3">not followed</a>',
    "/secret": "<h1>Secret</h1>",
}


class Base(CrawlSpider):
    __test__ = False

    def start(self):
        yield scrapekit.Request(f"{self.url}/")

    def product(self, response, shop=None):
        item = {"title": response.css("h1::text").get()}
        yield item | ({"shop": shop} if shop else {})


class Shop(Base):
    rules = [
        Rule(LinkExtractor(r"/p/"), Base.product),
        Rule(r"/list/"),
        Rule(r"/terms", follow=False),
    ]


def titles(crawled):
    return sorted(item["title"] for item in crawled.items)


def test_rules_say_where_to_go_and_which_method_gets_what_is_there(site, crawl):
    site.pages = PAGES
    crawled = crawl(Shop, url=site.url)
    assert titles(crawled) == ["One", "Three", "Two"]  # Four is behind a product, from where no rule goes on
    assert crawled.hits == dict.fromkeys(["/", "/list/1", "/list/2", "/p/1", "/p/2", "/p/3", "/terms"], 1)


def test_a_rule_may_have_a_callback_and_go_on(site, crawl):
    class Deep(Base):
        rules = [Rule("/p/", "product", follow=True, cb_kwargs={"shop": "s"}, priority=3), Rule("/list/")]

    site.pages = PAGES
    crawled = crawl(Deep, url=site.url)
    assert titles(crawled) == ["Four", "One", "Three", "Two"]
    assert {item["shop"] for item in crawled.items} == {"s"}


def test_each_link_belongs_to_the_first_rule_that_wants_it(site, crawl):
    class First(Base):
        rules = [Rule("/p/[12]", "product"), Rule("/p/", "other"), Rule("/list/")]

        def other(self, response):
            return {"title": "other"}

    site.pages = PAGES
    assert titles(crawl(First, url=site.url)) == ["One", "Two", "other"]


def test_pages_of_rules_without_a_callback_go_where_they_are_routed_to(site, crawl):
    class Routed(Base):
        rules = [Rule("/p/", follow=False), Rule("/list/")]

        @route("/p/")
        def page(self, response):
            yield {"title": response.css("h1::text").get()}

        def parse_other(self, response):
            return {"title": "other"}

    site.pages = PAGES
    crawled = crawl(Routed, url=site.url)
    assert titles(crawled) == ["One", "Three", "Two", "other", "other", "other"]  # the start and the lists


def test_links_and_requests_pass_through_the_methods_that_a_rule_names(site, crawl):
    class Processed(Base):
        def chosen(self, links, response):
            return [link for link in links if link.text != "Two"]

        def nothing(self, links, response):
            return None

        def changed(self, request, response):
            if request.url.endswith("/p/3"):
                return None
            return request.replace(url=request.url.replace("/p/1", "/p/4"))

        rules = [
            Rule("/p/", "product", process_links=chosen, process_request="changed"),
            Rule("/terms", process_links="nothing"),
            Rule("/list/"),
        ]

    site.pages = PAGES
    crawled = crawl(Processed, url=site.url)
    assert titles(crawled) == ["Four"]
    assert "/terms" not in crawled.hits


def test_nofollow_is_obeyed_where_one_asks_for_it(site, crawl):
    class All(Base):
        rules = [Rule()]

    class Obedient(All):
        obeys = ["nofollow"]

    site.pages = PAGES
    assert "/secret" in crawl(All, url=site.url).hits
    assert "/secret" not in crawl(Obedient, url=site.url).hits


def test_rules_stay_in_the_session_of_the_page(site, crawl):
    class Visitor(Base):
        rules = [Rule("/p/[12]", "visit"), Rule("/list/")]

        def start(self):
            yield scrapekit.Request(f"{self.url}/", session="ann", cookies={"who": "ann"})

        def visit(self, response):
            yield {"title": f"{response.request.session} {response.cookies}"}

    site.pages = PAGES
    assert titles(crawl(Visitor, url=site.url)) == ["ann {'who': 'ann'}"] * 2


def test_an_errback_of_a_rule_runs(site, crawl):
    class Failing(Base):
        rules = [Rule("/p/", "product", errback="failed"), Rule("/list/")]

        def failed(self, error):
            yield {"title": f"failed {error.request.url[-4:]}"}

    site.pages = {path: page for path, page in PAGES.items() if path != "/p/3"}
    assert titles(crawl(Failing, url=site.url)) == ["One", "Two", "failed /p/3"]


def test_a_rule_that_names_no_method_is_refused_before_anything_is_fetched(site):
    class Misspelt(Base):
        rules = [Rule("/p/", "prodct")]

    class NoRule(Base):
        rules = ["/p/"]

    class RulesAway(Base):
        rules = [Rule("/p/", "parse")]

        def parse(self, response):
            yield {"title": "and no rule ever ran"}

    with pytest.raises(SpiderError, match="callback 'prodct' is not a method of the spider; did you mean 'product'"):
        Misspelt()
    with pytest.raises(SpiderError, match="rules must be a list of Rule"):
        NoRule()
    with pytest.raises(SpiderError, match=r"RulesAway.rules: they run in parse\(\): give the callback another name"):
        RulesAway()
    assert not site.server.hits


PROCESSES = """
from scrapekit import CrawlSpider, LinkExtractor, Request, Rule, route

class Shop(CrawlSpider):
    rules = [Rule(LinkExtractor("/p/"), "product", follow=True), Rule("/list/")]
    obeys = ["canonical"]

    def start(self):
        yield Request(f"{self.url}/")

    def product(self, response):
        yield {"title": response.css("h1::text").get()}

    @route("/list/2")
    def second(self, response):
        yield {"title": "routed"}
"""


def test_rules_and_routes_and_ignored_parameters_hold_in_worker_processes(site, tmp_path):
    site.pages = PAGES | {
        "/list/2": '<a href="/p/3?utm_source=a">3</a><a href="/p/3?gclid=b&utm_x=">3</a><a href="/p/3?v=1"></a>'
    }
    site.pages |= {f"/p/3{query}": "<h1>Three</h1>" for query in ("?utm_source=a", "?gclid=b&utm_x=", "?v=1")}
    (tmp_path / "shop.py").write_text(PROCESSES)
    from scrapekit.project.spiders import load_spider

    spider = load_spider(str(tmp_path / "shop.py"), tmp_path)
    output = tmp_path / "items.jsonl"
    settings = {
        "fleet": "processes:2",
        "workers": 2,
        "robots": {"obey": False},
        "crawl": {"ignore_parameters": ["utm_*", "gclid"]},
    }
    scrapekit.run(spider, output=output, settings=settings, url=site.url)
    found = sorted(json.loads(line)["title"] for line in output.read_text().splitlines())
    assert found == ["Four", "One", "Three", "Three", "Two", "routed"]
