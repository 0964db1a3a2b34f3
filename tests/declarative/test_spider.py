"""The class that a file becomes: its name, arguments, start, routes, settings, and what it is in Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import scrapekit
from scrapekit.declarative import DeclarativeSpider, load
from scrapekit.errors import SettingsError, SpiderError
from scrapekit.project.agreement import arguments_for
from scrapekit.settings import load as load_settings
from scrapekit.testing import Reply, SampleSite, response, serve

ITEMS = "items: {fields: {t: h1}}\n"
START = "start: https://example.org/\n"


def test_a_spider_is_called_as_its_file_or_as_it_says(spider):
    made = spider(START + ITEMS, "shop.yml")
    assert (made.name, made.__doc__, made.allowed_domains) == ("shop", "The spider of shop.yml.", ())
    made = spider("name: shop.example\ndescription: All of it.\nallowed_domains: [a.org, b.org]\n" + START + ITEMS)
    assert (made.name, made.__doc__, made.allowed_domains) == ("shop.example", "All of it.", ("a.org", "b.org"))


def test_it_may_be_made_a_subclass_of(spider):
    base = spider(START + ITEMS)

    class Louder(base):
        def parse(self, response, **arguments):
            for item in super().parse(response, **arguments):
                yield {"t": item.t.upper()}

    assert issubclass(base, DeclarativeSpider)
    assert list(Louder().parse(response("https://example.org/", "<h1>a</h1>"))) == [{"t": "A"}]


# Arguments


def test_arguments_have_defaults_and_stand_in_urls(spider):
    made = spider('arguments: {tag: red, page: 1.10}\nstart: "https://example.org/{tag}/{page}"\n' + ITEMS)
    assert made().start_urls == ["https://example.org/red/1.10"]
    assert made(tag="a b").start_urls == ["https://example.org/a b/1.10"]
    assert made(page=7).start_urls == ["https://example.org/red/7"]
    assert made(tag="x").arguments == {"tag": "x"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "spider 'it' needs an argument: -a url=..."),
        ({"url": "https://e.org/", "tga": "x"}, "spider 'it' takes no argument 'tga': did you mean 'tag'?"),
        (
            {"url": "https://e.org/", "zz": "x"},
            "spider 'it' takes no argument 'zz': it takes url, tag, start_urls, allowed_d",
        ),
        ({"url": "nowhere"}, "it.yaml:2: start: "),
    ],
)
def test_arguments_that_are_wrong(spider, arguments, message):
    made = spider("arguments: {url: null, tag: ''}\nstart: '{url}'\n" + ITEMS)
    with pytest.raises(SpiderError) as caught:
        made(**arguments)
    assert str(caught.value).startswith(message)


def test_every_spider_may_be_sent_elsewhere(spider):
    made = spider(START + ITEMS)(start_urls=["https://other.org/"], allowed_domains=["other.org"])
    assert [request.url for request in made.start()] == ["https://other.org/"]
    assert made.allowed_domains == ["other.org"]


# Start


def test_it_may_start_with_a_file_of_urls(spider, site, crawl):
    site.pages = {"/1": "<h1>A</h1>", "/2": "<h1>B</h1>"}
    Path("urls.txt").write_text(f"# some\n{site.url}/1\n\n{site.url}/2\n")
    made = spider("arguments: {list: urls.txt}\nstart: {file: '{list}'}\n" + ITEMS)
    assert sorted(item["t"] for item in crawl(made).items) == ["A", "B"]


MAP = """<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url><loc>{url}/book/1</loc></url><url><loc>{url}/about</loc></url></urlset>"""


def mapped(site):
    site.pages = {"/book/1": "<h1>A</h1>", "/about": "<h1>B</h1>"}
    body = MAP.replace("{url}", site.url).encode()
    site.pages["/sitemap.xml"] = Reply(body, headers=(("Content-Type", "application/xml"),))


def test_it_may_start_with_a_sitemap(spider, site, crawl):
    mapped(site)
    made = spider("arguments: {url: null}\nstart: {sitemap: '{url}'}\n" + ITEMS)
    crawled = crawl(made, url=site.url)
    assert sorted(item["t"] for item in crawled.items) == ["A", "B"]
    assert load_settings(None, made.settings).settings.http.max_body == 64 * 2**20


def test_of_a_sitemap_only_pages_are_fetched_that_something_is_taken_from(spider, site, crawl):
    mapped(site)
    made = spider(
        "arguments: {url: null}\nstart: {sitemap: '{url}/sitemap.xml'}\npages: {book: {match: /book/, items: {fields: {t: h1}}}}\n"
        "settings: {http: {timeout: {total: 7}}}"
    )
    crawled = crawl(made, url=site.url)
    assert crawled.items == [{"t": "A"}]
    assert "/about" not in crawled.hits
    http = load_settings(None, made.settings).settings.http
    assert (http.max_body, http.timeout.total) == (64 * 2**20, 7.0)


def test_wrong_settings_of_a_sitemap_are_told_as_all_others(spider):
    made = spider("start: {sitemap: 'https://example.org/'}\nsettings: {http: 5}\n" + ITEMS)
    with pytest.raises(SettingsError, match=r"^it\.yaml:2: http must be a mapping"):
        load_settings(None, made.settings)


# Kinds of page


ROUTED = """
start: https://example.org/
items: {kind: Front, fields: {t: h1}}
pages:
  book:
    match: [/book/, /livre/]
    items: {kind: Book, fields: {t: h1}}
  author: {match: /author/, items: {kind: Author, fields: {t: h1}}}
"""


@pytest.mark.parametrize(
    ("path", "kind"), [("", "Front"), ("book/1", "Book"), ("livre/1", "Book"), ("author/1", "Author"), ("x", "Front")]
)
def test_a_page_is_read_as_its_url_matches(spider, path, kind):
    [item] = spider(ROUTED)().parse(response(f"https://example.org/{path}", "<h1>x</h1>"))
    assert type(item).__name__ == kind


def test_nothing_is_taken_from_a_page_that_no_kind_matches(spider):
    made = spider(START + "pages: {book: {match: /book/, items: {fields: {t: h1}}}}")()
    assert list(made.parse(response("https://example.org/x", "<h1>x</h1>"))) == []


def test_it_obeys_what_a_page_says_of_itself(spider):
    page = response("https://example.org/x", "<h1>x</h1><a href=y>y</a>", headers={"X-Robots-Tag": "noindex, nofollow"})
    assert len(list(spider(START + ITEMS + "links: a")().parse(page))) == 2
    assert list(spider(START + ITEMS + "links: a\nobeys: [noindex, nofollow]")().parse(page)) == []


# Settings


def test_settings_know_where_they_were_written(spider):
    made = spider(START + ITEMS + "settings:\n  throttle:\n    delay: 0.5\n  http:\n    headers: {X-V: 1.10}\n")
    loaded = load_settings(None, made.settings, "it.yaml")
    assert (loaded.settings.throttle.delay, loaded.settings.http.headers["X-V"]) == (0.5, "1.10")
    assert loaded.origins["throttle.delay"] == "it.yaml:5"
    for wrong, where in (
        ("    dealy: 1", "it.yaml:5: unknown key 'throttle.dealy'"),
        ("    delay: x", "it.yaml:5: throttle"),
    ):
        made = spider(START + ITEMS + f"settings:\n  throttle:\n{wrong}\n")
        with pytest.raises(SettingsError) as caught:
            load_settings(None, made.settings, "it.yaml")
        assert str(caught.value).startswith(where)
    made = spider(START + ITEMS + "settings:\n  throtle: {delay: 1}\n")
    with pytest.raises(SettingsError, match=r"^it\.yaml:4: unknown key 'throtle' \(did you mean 'throttle'"):
        load_settings(None, made.settings, "it.yaml")


def test_settings_of_a_crawl_win_over_those_of_the_file(spider, site, crawl):
    site.pages = {"/": "<h1>x</h1>"}
    made = spider("arguments: {url: null}\nstart: '{url}/'\nsettings: {robots: {obey: true}, workers: 3}\n" + ITEMS)
    crawled = crawl(made, url=site.url)
    assert crawled.report.workers == 3
    assert "/robots.txt" not in crawled.hits


# Items


def test_unique_items_and_rejected_ones(spider, site, folder):
    site.pages = {"/": "<b id=1>x</b><b id=1>y</b><b id=no>z</b>"}
    made = spider(
        "arguments: {url: null}\nstart: '{url}/'\n"
        "items: {kind: B, each: b, unique: id, fields: {id: {xpath: '@id', type: int}, t: '::text'}}"
    )
    report = scrapekit.run(made, url=site.url, output="o.jsonl", settings={"robots": {"obey": False}})
    assert [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()] == [{"id": 1, "t": "x"}]
    assert [tally.count for tally in report.stats.item_errors.values()] == [1]


# The spiders that ship


@pytest.mark.parametrize("name", ["quotes", "books"])
@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_both_forms_of_the_shipped_spiders_give_the_same_items(name, fleet):
    from scrapekit.project.spiders import load_spider

    root = Path(__file__).parents[2]
    came = {}
    with serve(SampleSite(books=130, quotes=35, retry_after=0)) as server:
        url = f"{server.url}/quotes/" if name == "quotes" else f"{server.url}/"
        for form in (name, f"{name}_yaml"):
            made = load_spider(form, root)
            output = Path(f"{form}.jsonl")
            settings = {"fleet": {"kind": fleet}, "workers": 4, "retry": {"backoff": {"initial": 0}}}
            report = scrapekit.run(made, url=url, output=output, settings=settings)
            assert report.failure is None
            came[form] = sorted(output.read_bytes().splitlines())
    assert len(came[name]) == (35 if name == "quotes" else 130)
    assert came[name] == came[f"{name}_yaml"]  # to the byte


def test_the_practice_sites_are_their_default():
    for name in ("quotes", "books"):
        made = load(Path(__file__).parents[2] / "spiders" / f"{name}_yaml.yaml")
        assert [request.url for request in made().start()] == [f"https://{name}.toscrape.com/"]
        assert "-a url=" in made.__doc__


def test_several_spiders_of_one_crawl_get_the_arguments_that_they_take(spider):
    quotes = spider("arguments: {tag: x}\n" + START + ITEMS, "quotes.yaml")
    books = spider("arguments: {page: '1'}\n" + START + ITEMS, "books.yaml")
    shares = arguments_for([quotes, books], {"tag": "a", "books.page": "2", "allowed_domains": "b.org"})
    assert shares == [{"tag": "a", "allowed_domains": "b.org"}, {"page": "2", "allowed_domains": "b.org"}]
    with pytest.raises(SpiderError, match="none of the spiders quotes, books takes an argument 'url'"):
        arguments_for([quotes, books], {"url": "x"})
