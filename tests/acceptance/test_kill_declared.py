"""A spider that is a YAML file, by the real command: listed, tried, crawled by both fleets, killed, edited, resumed."""

from __future__ import annotations

import json
import signal
from collections import Counter

import pytest
from harness import logged_site

from scrapekit.testing import SampleSite

BOOKS = 60
SETTINGS = ("-s", "crawl.quarantine_after=100", "-s", "retry.backoff.initial=0.01", "-s", "throttle.maxsize=2")
SHOP = """\
description: Every book, with what the list says and what its own page says.
arguments: {url: null}
start: "{url}"
items:
  kind: Book
  each: article.product_pod
  unique: upc
  fields: {listed: {css: "p.price_color::text", to: price}}
  detail:
    link: h3 a
    fields: {title: h1::text, upc: {xpath: "//th[.='UPC']/following-sibling::td/text()"}, url: {page: url}}
next: li.next a
"""


@pytest.fixture
def shop(project):
    file = project / "spiders" / "shop.yaml"
    file.write_text(SHOP)
    return file


@pytest.fixture
def site(tmp_path):
    with logged_site(tmp_path, "--books", str(BOOKS), "--latency", "0.01") as site:
        yield site


def expected():
    return Counter((book.path, f"{book.price / 100:.2f}") for book in SampleSite(books=BOOKS).books)


def found(site, output):
    items = map(json.loads, output.read_bytes().splitlines())
    return Counter((item["url"].removeprefix(site.url.rstrip("/")), item["listed"]) for item in items)


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_killed_over_and_over_it_gives_each_item_once(project, shell, shop, site, fleet):
    output = project / "shop.jsonl"
    arguments = ["crawl", "shop", "-a", f"url={site.url}", "-O", output, "--fleet", fleet, *SETTINGS]
    points = ("before COMMIT:4", "after COMMIT:3", "torn append:2", "after append:2")
    assert shell.die_and_resume(arguments, points) >= 3
    assert found(site, output) == expected()


def test_a_kind_of_page_that_is_gone_from_the_file_is_said_at_the_resume(project, shell, shop, site):
    output = project / "shop.jsonl"
    killed = shell.die_at("after append:2", "crawl", "shop", "-a", f"url={site.url}", "-O", output, *SETTINGS)
    assert killed.returncode == -signal.SIGKILL
    shop.write_text(SHOP.replace("kind: Book", "kind: Tome"))
    refused = shell.run("crawl", "shop", "--resume")
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert "requests of the job wait for a callback that is gone: " in line
    assert "detail_Book" in line
    shop.write_text(SHOP.replace("title: h1::text", "title: h1::text, tax: {value: 0}"))  # a new field does no harm
    assert shell.run("crawl", "shop", "--resume").returncode == 0
    assert found(site, output) == expected()


def test_the_commands_know_it(project, shell, shop, site):
    assert "Every book, with what the list says" in shell.run("list").stdout
    shown = shell.run("parse", site.url, "--spider", "shop", "-a", f"url={site.url}")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "detail_Book" in shown.stdout
    archive = project / "tests" / "golden" / "shop.warc.gz"
    archive.parent.mkdir(parents=True)
    more = ("-a", f"url={site.url}", "-s", "retry.backoff.initial=0.01")
    assert shell.run("crawl", "shop", *more, "--record", archive).returncode == 0
    assert shell.run("check", "shop", *more, "--update").returncode == 0
    assert f"{BOOKS} items, as they should be" in shell.run("check", "shop", *more).stdout
    shop.write_text(SHOP.replace("title: h1::text", "title: {css: 'h1::text', to: upper}"))
    assert shell.run("check", "shop", *more).returncode == 1
    shop.write_text(SHOP.replace("next:", "nxet:"))
    for words in (("crawl", "shop"), ("crawl", "spiders/shop.yaml"), ("settings", "shop")):
        refused = shell.run(*words)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == "scrapekit: error: spiders/shop.yaml:12: unknown key 'nxet' (did you mean 'next'?)\n"
