"""URLs from a file or from standard input."""

import io
import re
import signal
import subprocess
import sys
import threading

import pytest

import scrapekit
from scrapekit.errors import SpiderError
from scrapekit.spiders import ListSpider
from scrapekit.testing import Reply, serve


class Urls(ListSpider):
    def parse(self, response):
        yield {"path": response.url[-2:]}


def paths(crawled):
    return sorted(item["path"] for item in crawled.items)


@pytest.fixture
def urls(site, tmp_path):
    site.pages = dict.fromkeys(["/1", "/2", "/3"], "<p>")
    file = tmp_path / "urls.txt"
    file.write_text(f"\ufeff{site.url}/1\n\n# a remark\r\n  {site.url}/2  \nftp://nowhere/\n{site.url}/3", "utf-8")
    return file


def test_each_line_is_a_request_and_a_bad_one_is_logged_with_its_number(urls, crawl, caplog):
    assert paths(crawl(Urls, file=str(urls))) == ["/1", "/2", "/3"]
    [message] = [message for message in caplog.messages if "left out" in message]
    assert message.startswith(f"{urls}:5: left out: not a URL that can be fetched: 'ftp://nowhere/'")


def test_standard_input_is_a_list_too(urls, crawl, monkeypatch, caplog):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(urls.read_bytes())))
    assert paths(crawl(Urls, file="-")) == ["/1", "/2", "/3"]
    assert any(message.startswith("stdin:5: left out") for message in caplog.messages)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_crawl_that_waits_for_standard_input_may_be_interrupted(site, tmp_path):
    came = threading.Event()

    def page(view):
        came.set()
        return Reply(b"<p>")

    with serve(page) as server:
        words = [sys.executable, "-m", "scrapekit", "crawl", f"{__file__}:Urls", "-a", "file=-", "-O", "x.jsonl"]
        with subprocess.Popen(
            words, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as crawl:
            crawl.stdin.write(f"{server.url}/1\n")
            crawl.stdin.flush()
            assert came.wait(60)
            crawl.send_signal(signal.SIGINT)
            said = crawl.stdout.read()
            assert crawl.wait(60) == 130, said


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be"])
def test_a_list_may_be_in_utf_16_as_powershell_writes_it(urls, crawl, codec):
    text = urls.read_text("utf-8-sig")
    urls.write_bytes(("\ufeff" * (codec == "utf-16-be") + text).encode(codec))
    assert paths(crawl(Urls, file=str(urls))) == ["/1", "/2", "/3"]


def test_what_is_no_list_ends_the_crawl_and_not_the_memory(urls, site):
    urls.write_bytes(f"{site.url}/1\n".encode() + b"\0" * 200_000)
    report = scrapekit.run(Urls, file=str(urls), settings={"robots": {"obey": False}})
    assert report.start_error == f"{urls}:2: a line of over 65,536 characters is no URL"
    assert report.failure


def test_requests_may_be_made_of_anything_that_a_line_says(urls, crawl):
    class Numbered(Urls):
        def request(self, line):
            return super().request(line.replace("/3", "/1")).replace(dont_filter=True)

    assert paths(crawl(Numbered, file=str(urls))) == ["/1", "/1", "/2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "spider 'urls' needs a list of URLs: -a file=urls.txt"),
        ({"file": "gone.txt"}, "gone.txt: No such file or directory: -a file= must be a list of URLs"),
    ],
    ids=["none", "missing"],
)
def test_a_list_that_is_not_there_is_said_in_one_line(arguments, message):
    with pytest.raises(SpiderError, match=re.escape(message)):
        scrapekit.run(Urls, **arguments)


def test_the_spider_that_ships_says_what_each_url_answers(urls, crawl, site):
    from pathlib import Path

    from scrapekit.project.spiders import load_spider

    root = Path(__file__).parents[2]
    site.pages["/2"] = b"bytes"
    crawled = crawl(load_spider(str(root / "spiders" / "urls.py"), root), file=str(urls))
    assert sorted(crawled.items, key=str) == [
        {"url": f"{site.url}/1", "status": 200, "size": 3, "title": None},
        {"url": f"{site.url}/2", "status": 200, "size": 5, "title": None},
        {"url": f"{site.url}/3", "status": 200, "size": 3, "title": None},
    ]
