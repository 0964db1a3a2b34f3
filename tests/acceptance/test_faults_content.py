"""What the answers to faults of content, documents, redirects and sitemaps don't show: what was not done."""

import pytest

import scrapekit
from scrapekit.spiders.sitemaps import MAX_ENTRIES, TRUNCATED, UNKNOWN, read_sitemap
from scrapekit.testing.faults import serve_faults

ONCE = {"retry": {"times": 0}, "robots": {"obey": False}, "http": {"max_body": "32MiB"}}


@pytest.fixture(scope="module")
def server():
    with serve_faults() as running:
        yield running


def fetched(server, path, **settings):
    [response] = scrapekit.fetch([server.request(path)], settings=ONCE | settings)
    return response


def test_external_entities_are_neither_fetched_nor_read(server):
    response = fetched(server, "/documents/external-entity")
    assert response.css("r::text").getall() == ["[scrapekit /documents/external-entity]"]
    assert server.hits["/good/entity"] == 0


def test_entities_do_not_explode(server):
    response = fetched(server, "/documents/entity-bomb")
    assert len(response.xpath("string(/)").get("")) < 1_000_000


@pytest.mark.parametrize("name", ["base-script", "base-malformed"])
def test_links_of_a_page_with_a_bad_base_are_relative_to_the_page(server, name):
    response = fetched(server, f"/documents/{name}")
    assert [request.url for request in response.follow_all("a")] == [f"{server.url}/documents/next"]


@pytest.mark.parametrize("path", ["/documents/nested", "/documents/many-attributes"])
def test_what_stands_before_the_cut_is_there(server, path):
    response = fetched(server, path)
    assert response.css("p::text").get() == f"[scrapekit {path}]"
    assert response.flags == ["parse_truncated"]


def test_headers_that_are_declared_secret_stay_behind(server):
    request = server.request("/redirects/credentials", headers={"X-Api-Key": "s3cret"})

    class Echo(scrapekit.Spider):
        name = "echo"
        allowed_domains = ["*"]
        settings = ONCE | {"http": {"secret_headers": ["x-api-key"]}}

        def start(self):
            yield request

        def parse(self, response):
            yield {"url": response.url, "headers": dict(response.request.headers)}

    [item] = scrapekit.crawl(Echo)
    assert "localhost" in item["url"]
    assert item["headers"] == {}


@pytest.mark.parametrize("path", ["/redirects/relative", "/good/page"], ids=["redirected", "direct"])
def test_fragments_never_travel_and_what_a_callback_wants_of_them_goes_along_in_meta(server, path):
    """RFC 9110, 10.2.2 hands them on to whoever shows a page; here they are no part of a request, redirected or not."""
    url = f"{server.url}{path}#part"

    class Parts(scrapekit.Spider):
        name = "parts"
        settings = ONCE

        def start(self):
            yield scrapekit.Request(url, meta={"part": url.partition("#")[2]})

        def parse(self, response):
            yield {"url": response.url, "part": response.meta["part"], "page": response.text}

    [item] = scrapekit.crawl(Parts)
    assert (item["part"], f"[scrapekit {path}]" in item["page"]) == ("part", True)
    assert "#" not in item["url"] + "".join(server.hits)


def test_sitemaps_are_read_within_their_limits(server):
    bomb = fetched(server, "/policies/sitemap-bomb")
    assert [entry.loc[-6:] for entry in read_sitemap(bomb.body, bomb.url).urls] == ["/found"]
    assert read_sitemap(bomb.body, bomb.url).flags == (TRUNCATED,)
    entities = fetched(server, "/policies/sitemap-entities")
    assert read_sitemap(entities.body, entities.url) == ([], [], (UNKNOWN,))
    many = fetched(server, "/policies/sitemap-many")
    assert len(read_sitemap(many.body, many.url).urls) == MAX_ENTRIES


def test_of_ten_thousand_cookies_a_hundred_and_eighty_come_back(server):
    class Cookies(scrapekit.Spider):
        name = "cookies"
        settings = ONCE

        def start(self):
            yield server.request("/policies/cookies-10000")

        def parse(self, response):
            yield {"page": response.text}

    [item] = scrapekit.crawl(Cookies)
    assert "/policies/cookies-10000" in item["page"]
