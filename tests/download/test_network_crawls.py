"""Whole crawls: names, addresses and TLS as their spider and their settings have them, at every hop."""

import json
import os
import socket
import threading
from ipaddress import ip_network

import pytest
from network_spiders import Networked, NoContext
from rawserver import reply

import scrapekit
from scrapekit import Request, Spider
from scrapekit.download import guard
from scrapekit.errors import SpiderError

QUICK = {"retry": {"times": 2, "backoff": {"initial": 0}}, "workers": 4, "throttle": {"maxsize": 4}}
OPEN = QUICK | {"robots": {"obey": False}}


def crawl(spider, tmp_path, *, settings=OPEN, **arguments):
    """The report, and the items."""
    output = tmp_path / "items.jsonl"
    report = scrapekit.run(spider, output=output, settings=settings, **arguments)
    return report, [json.loads(line) for line in output.read_text().splitlines()]


def test_a_spider_brings_its_context_and_its_resolver(make_site, tls, ca_file, tmp_path):
    site = make_site(tls)
    urls = ["https://proxied.test/", "https://localhost/"]
    report, items = crawl(Networked, tmp_path, start_urls=urls, port=site.port, ca=ca_file)
    assert sorted(item["url"] for item in items) == sorted(urls)
    assert {item["process"] for item in items} == {os.getpid()}
    assert report.failure is None


def test_each_worker_process_makes_them_anew(make_site, tls, ca_file, tmp_path):
    site = make_site(tls)
    settings = OPEN | {"fleet": "processes:2"}
    url = "https://proxied.test/"
    report, [item] = crawl(Networked, tmp_path, settings=settings, start_urls=[url], port=site.port, ca=ca_file)
    assert (item["url"], report.failure) == (url, None)
    assert item["process"] != os.getpid()


@pytest.mark.parametrize("fleet", ["threads", "processes:1"])
def test_a_context_that_is_none_is_said_in_one_line(tmp_path, fleet):
    with pytest.raises(SpiderError, match=r"NoContext\.ssl_context\(\) must return an ssl\.SSLContext, not 'tls pl"):
        crawl(NoContext, tmp_path, settings=OPEN | {"fleet": fleet}, start_urls=["https://h.test/"], port=1)


def test_a_name_that_is_unknown_costs_its_own_requests_only(make_site, tmp_path):
    site = make_site()
    urls = ["http://unknown.test/", "http://known.test/"]
    report, [item] = crawl(Networked, tmp_path, start_urls=urls, port=site.port)
    assert item["url"] == "http://known.test/"
    assert set(report.stats.errors) == {"DNSError"}
    assert report.stats.retries == 2


def test_a_resolver_that_never_answers_holds_up_nobody_else(make_site, tmp_path):
    """Three names never get an answer. Their requests end at their time, and the others don't wait for them."""
    site = make_site()
    go_on = threading.Event()

    class Stuck(Networked):
        def resolve(self, host, port):
            if host.startswith("stuck"):
                assert go_on.wait(60)
            return super().resolve(host, port)

    urls = [f"http://{kind}{n}.test/" for n in range(3) for kind in ("stuck", "good")]
    settings = OPEN | {"retry": {"times": 0}, "http": {"timeout": {"total": 1}}}
    report, items = crawl(Stuck, tmp_path, settings=settings, start_urls=urls, port=site.port)
    go_on.set()
    assert len(items) == 3
    assert {kind: tally.count for kind, tally in report.stats.errors.items()} == {"DeadlineExceeded": 3}
    for thread in threading.enumerate():
        if thread.name == "scrapekit-resolver":
            thread.join(30)


GUARDED = QUICK | {"http": {"allow_private": False}}


@pytest.fixture
def outside(make_site, monkeypatch):
    """A site at 127.0.0.2, which counts as public here."""
    private = [network for network in guard._PRIVATE_4 if network != ip_network("127.0.0.0/8")]
    monkeypatch.setattr(guard, "_PRIVATE_4", [*private, ip_network("127.0.0.1/32")])
    return make_site(host="127.0.0.2")


@pytest.mark.parametrize("where", ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "inside.test"])
def test_a_redirect_does_not_lead_inside(make_site, outside, tmp_path, where):
    inside = make_site()
    outside.routes["/robots.txt"] = reply("", status="404 Not Found")
    outside.routes["/"] = reply("", f"Location: http://{where}:{inside.port}/", status="302 Found")
    report, items = crawl(Networked, tmp_path, settings=GUARDED, start_urls=[f"{outside.url}/"], port=inside.port)
    assert items == []
    assert {kind: tally.count for kind, tally in report.stats.errors.items()} == {"AddressDenied": 1}
    assert "is not a public address, and http.allow_private is false" in report.stats.errors["AddressDenied"].message
    assert report.stats.retries == 0
    assert inside.accepted == 0


def test_robots_does_not_lead_inside(make_site, outside, tmp_path):
    inside = make_site()
    outside.routes["/robots.txt"] = reply("", f"Location: {inside.url}/robots.txt", status="302 Found")
    report, items = crawl(Networked, tmp_path, settings=GUARDED, start_urls=[f"{outside.url}/"], port=inside.port)
    assert (items, inside.accepted) == ([], 0)
    assert set(report.stats.errors) == {"AddressDenied"}


def test_a_public_site_is_crawled(outside, tmp_path):
    outside.routes["/robots.txt"] = reply("", status="404 Not Found")
    urls = [f"{outside.url}/", f"http://named.test:{outside.port}/"]
    report, items = crawl(Networked, tmp_path, settings=GUARDED, start_urls=urls, port=outside.port, to="127.0.0.2")
    assert sorted(item["url"] for item in items) == sorted(urls)
    assert report.failure is None


def test_a_hop_through_a_proxy_is_looked_at_too(make_site, tmp_path):
    proxy = make_site()
    proxy.routes = {"*": reply("", "Location: http://169.254.169.254/latest/meta-data/", status="302 Found")}

    class Proxied(Networked):
        def start(self):
            yield Request("http://outside.test/", proxy=proxy.url)

    settings = GUARDED | {"robots": {"obey": False}}
    report, _ = crawl(Proxied, tmp_path, settings=settings, port=1)
    assert set(report.stats.errors) == {"AddressDenied"}
    assert len(proxy.heads) == 1


def test_the_library_fetches_with_the_guard(make_site):
    site = make_site()
    [failed] = scrapekit.fetch(f"{site.url}/", settings=GUARDED)
    assert (failed.error, site.accepted) == ("AddressDenied", 0)


def test_by_default_a_spider_asks_the_system():
    spider = Spider()
    assert spider.ssl_context() is None
    assert spider.resolve("127.0.0.1", 80) == [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
