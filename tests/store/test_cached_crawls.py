"""Whole crawls with a cache, in threads and processes."""

import sys
from pathlib import Path

import pytest

import scrapekit
from scrapekit.hooks import BanRules
from scrapekit.testing import Reply, serve

sys.path.insert(0, str(Path(__file__).parents[1] / "fleet"))
from process_spiders import Links

HTML = (("Content-Type", "text/html"),)


@pytest.fixture
def site():
    def app(view):
        if view.path == "/robots.txt":
            return Reply(b"User-agent: *\nDisallow: /private")
        if view.path == "/gone":
            return Reply(b"gone", 404)
        links = [*map(str, range(9)), "gone", "private"] if view.path == "/" else []
        return Reply("".join(f"<a href=/{link}>x</a>" for link in links).encode(), headers=HTML)

    with serve(app) as server:
        yield server


def crawl(site, tmp_path, mode="dev", **settings):
    items = tmp_path / "items.jsonl"
    report = scrapekit.run(
        Links,
        start_urls=[f"{site.url}/"],
        output=items,
        settings={"cache": {"mode": mode, "path": str(tmp_path / "cache")}, "workers": 2, **settings},
    )
    urls = sorted(line.split('"')[3] for line in items.read_text().splitlines())
    return report, urls


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_a_second_crawl_asks_for_nothing_and_gives_the_same(site, tmp_path, fleet):
    first, urls = crawl(site, tmp_path, fleet=fleet)
    asked = site.hits.total()
    again, same = crawl(site, tmp_path, fleet=fleet)
    assert site.hits.total() == asked == 12
    assert (len(urls), same) == (10, urls)
    assert (again.pages, again.stats.flags, again.stats.requests, again.stats.bytes) == (10, {"cached": 12}, 0, 0)
    assert again.stats.statuses == first.stats.statuses == {200: 11, 404: 1}
    assert set(again.stats.skipped) == {"RobotsDenied"}


def test_what_comes_from_the_cache_waits_for_no_delay(site, tmp_path):
    crawl(site, tmp_path)
    report, urls = crawl(site, tmp_path, throttle={"delay": 3600, "jitter": 0})
    assert (report.pages, len(urls)) == (10, 10)


def test_what_does_not_come_from_the_cache_waits(site, tmp_path):
    crawl(site, tmp_path)
    [index] = [path for path in (tmp_path / "cache").glob("??/*") if b'/5"' in path.read_bytes().splitlines()[0]]
    index.unlink()
    report, _ = crawl(site, tmp_path, throttle={"delay": 0.3, "jitter": 0})
    assert (report.stats.requests, report.stats.flags) == (1, {"cached": 11})


def test_http_mode_asks_for_what_may_have_changed(site, tmp_path):
    crawl(site, tmp_path, mode="http")
    report, _ = crawl(site, tmp_path, mode="http")
    assert (report.stats.flags, report.stats.requests) == ({}, 12)  # the site says nothing about freshness


@pytest.mark.parametrize("mode", ["dev", "http"])
def test_what_is_tried_again_is_asked_for_again(tmp_path, mode):
    """A page that a hook has turned down, and a busy server whose 503 says that it may be kept."""

    def app(view):
        first, kept = view.visit == 1 and view.path != "/robots.txt", (("Cache-Control", "max-age=60"), *HTML)
        return Reply(b"captcha" if first else b"fine", 503 if first and view.path == "/busy" else 200, kept)

    class Banned(Links):
        hooks = [BanRules(text="captcha")]

    with serve(app) as site:
        for requests in (5, 0):
            report = scrapekit.run(
                Banned,
                start_urls=[f"{site.url}/busy", f"{site.url}/ban"],
                settings={"cache": {"mode": mode, "path": str(tmp_path)}, "retry": {"backoff": {"initial": 0.01}}},
            )
            assert (report.pages, report.stats.requests, report.stats.errors) == (2, requests, {})


@pytest.mark.parametrize("mode", ["off", False])
def test_the_mode_off_may_be_written_as_yaml_reads_it(site, tmp_path, mode):
    assert scrapekit.run(Links, start_urls=[f"{site.url}/"], settings={"cache": mode}).stats.flags == {}
