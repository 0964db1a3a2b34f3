"""Callbacks by URL, and what pages say about themselves, through real crawls."""

import pytest

from scrapekit import Request
from scrapekit.errors import SpiderError
from scrapekit.spiders import RoutedSpider, route
from scrapekit.testing import Reply


class Shop(RoutedSpider):
    def start(self):
        for path in self.paths.split():
            yield Request(f"{self.url}{path}")

    @route(r"/product/", "/item/")
    def product(self, response):
        yield {"product": response.url[len(self.url) :], "of": response.meta.get("canonical_of", [])}
        yield from response.follow_all("a")

    @route(r"/product/special", r"/list$")
    def other_list(self, response):
        yield {"list": response.url[len(self.url) :]}
        yield from response.follow_all("a")

    def named(self, response):
        return {"named": response.url[len(self.url) :]}


class SubShop(Shop):
    @route("/product/special")
    def special(self, response):
        return {"special": response.url[len(self.url) :]}

    def parse_other(self, response):
        return [{"other": response.url[len(self.url) :]}]


def found(crawled):
    for item in crawled.items:
        for path in range(len(item.get("of", []))):
            item["of"][path] = "/" + item["of"][path].split("/", 3)[3]
    return sorted(crawled.items, key=str)


def test_each_page_goes_to_the_first_method_whose_pattern_is_found(site, crawl):
    site.pages = dict.fromkeys(["/list", "/item/1", "/product/special", "/none"], "<p>")
    paths = "/list /item/1 /product/special /none"
    assert found(crawl(Shop, url=site.url, paths=paths)) == [
        {"list": "/list"}, {"product": "/item/1", "of": []}, {"product": "/product/special", "of": []}]  # fmt: skip
    assert found(crawl(SubShop, url=site.url, paths=paths)) == [
        {"list": "/list"}, {"other": "/none"}, {"product": "/item/1", "of": []}, {"special": "/product/special"}]  # fmt: skip


def test_a_request_with_a_callback_is_not_routed_and_a_redirect_is_by_where_it_leads(site, crawl):
    class Both(Shop):
        def start(self):
            yield Request(f"{self.url}/item/1", self.named)
            yield Request(f"{self.url}/moved")

    site.pages = {"/item/1": "<p>", "/item/2": "<p>", "/moved": Reply(status=302, headers=(("Location", "/item/2"),))}
    assert found(crawl(Both, url=site.url)) == [{"named": "/item/1"}, {"product": "/item/2", "of": []}]


def test_what_can_not_be_a_route_is_refused_in_its_line():
    with pytest.raises(SpiderError, match="is not a regular expression"):
        route("(")
    with pytest.raises(SpiderError, match="needs a pattern"):
        route()
    with pytest.raises(SpiderError, match="needs a pattern"):

        @route
        def method(self, response): ...


def test_unknown_directives_are_refused():
    for wrong in (["nofolow"], "nofollow"):
        with pytest.raises(SpiderError, match="obeys must be a list of canonical, nofollow, noindex"):
            type("Wrong", (RoutedSpider,), {"obeys": wrong})


def test_meta_robots_are_obeyed_where_one_asks_for_it(site, crawl):
    class Obedient(Shop):
        obeys = ["nofollow", "noindex"]

    site.pages = {
        "/list": '<a href="/item/1"></a><a href="/item/2"></a>',
        "/item/1": '<meta name=robots content=noindex><a href="/item/3"></a>',
        "/item/2": Reply(b'<a href="/item/4"></a>', headers=(("Content-Type", "text/html"), ("X-Robots-Tag", "nofollow"))),
        "/item/3": "<p>",
        "/item/4": "<p>",
    }  # fmt: skip
    assert [str(item) for item in found(crawl(Obedient, url=site.url, paths="/list"))] == [
        "{'list': '/list'}", "{'product': '/item/2', 'of': []}", "{'product': '/item/3', 'of': []}"]  # fmt: skip
    assert len(crawl(Shop, url=site.url, paths="/list").items) == 5


class Canonical(Shop):
    obeys = ["canonical"]


def page(canonical, *links):
    return f'<link rel=canonical href="{canonical}">' + "".join(f'<a href="{link}"></a>' for link in links)


def test_a_page_leaves_its_items_to_its_canonical_page_which_is_fetched_once(site, crawl):
    variants = [f"/item/1?color={color}" for color in ("red", "green", "blue")]
    site.pages = {"/list": page("/list", *variants), "/item/1": page("/item/1", "/item/2"), "/item/2": "<p>"}
    site.pages |= {variant: page("/item/1", "/item/2") for variant in variants}
    crawled = crawl(Canonical, url=site.url, paths="/list")
    [of] = [item.pop("of") for item in crawled.items if item.get("product") == "/item/1"]
    assert of[0].endswith(tuple(variants))
    assert found(crawled) == [{"list": "/list"}, {"product": "/item/1"}, {"product": "/item/2", "of": []}]
    assert set(crawled.hits.values()) == {1}
    assert crawled.report.stats.flags == {"canonical_elsewhere": 3}


def test_a_canonical_page_that_is_missing_is_no_reason_to_lose_the_one_that_names_it(site, crawl):
    site.pages = {"/item/1": page("/item/gone"), "/item/2": page("/item/gone")}
    crawled = crawl(Canonical, url=site.url, paths="/item/1")
    assert found(crawled) == [{"product": "/item/1", "of": ["/item/1", "/item/gone"]}]


def test_pages_that_name_each_other_in_a_circle_are_not_lost(site, crawl):
    site.pages = {"/item/1": page("/item/2"), "/item/2": page("/item/3"), "/item/3": page("/item/1")}
    assert found(crawl(Canonical, url=site.url, paths="/item/1")) == [
        {"product": "/item/3", "of": ["/item/1", "/item/2"]}
    ]


@pytest.mark.parametrize("canonical", ["https://other.test/item/1", "http://www.localhost/item/1", "/item/1#top"])
def test_a_canonical_page_elsewhere_or_of_its_own_counts_for_nothing(site, crawl, canonical):
    site.pages = {"/item/1": page(canonical)}
    assert found(crawl(Canonical, url=site.url, paths="/item/1")) == [{"product": "/item/1", "of": []}]


def test_a_canonical_url_without_the_parameters_that_are_ignored_is_the_same_page(site, crawl):
    site.pages = {"/item/1?utm_source=x": page("/item/1")}
    settings = {"robots": {"obey": False}, "crawl": {"ignore_parameters": ["utm_*"]}}
    crawled = crawl(Canonical, settings, url=site.url, paths="/item/1?utm_source=x")
    assert found(crawled) == [{"product": "/item/1?utm_source=x", "of": []}]


def test_pages_of_a_sibling_host_stand_for_each_other_where_the_spider_may_go_there():
    class Wide(Canonical):
        allowed_domains = ["ex.com"]

    assert Wide()._is_ours("www.ex.com", "shop.ex.com")
    assert not Wide()._is_ours("other.com", "ex.com")
    assert not Canonical()._is_ours("www.ex.com", "shop.ex.com")


def test_noindex_wins_over_canonical_and_a_post_has_none(site, crawl):
    class Strict(Shop):
        obeys = ["canonical", "noindex"]

        def start(self):
            yield Request(f"{self.url}/item/1")
            yield Request(f"{self.url}/item/2", method="POST", body="x")

    site.pages = {"/item/1": "<meta name=robots content=noindex>" + page("/item/3"), "/item/2": page("/item/3")}
    crawled = crawl(Strict, url=site.url)
    assert found(crawled) == [{"product": "/item/2", "of": []}]
    assert crawled.hits == {"/item/1": 1, "/item/2": 1}


def test_what_is_no_item_is_an_error_of_its_page(site, crawl):
    class Wrong(Shop):
        @route("/wrong")
        def wrong(self, response):
            return "text"

    site.pages = {"/wrong": "<p>"}
    crawled = crawl(Wrong, url=site.url, paths="/wrong")
    assert list(crawled.report.stats.errors) == ["CallbackError"]
