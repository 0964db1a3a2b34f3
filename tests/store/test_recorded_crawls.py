"""Whole crawls: recorded over real sockets, killed in the middle, and replayed without any."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

import scrapekit
from scrapekit.cli import main
from scrapekit.errors import ArchiveError, OutputError, SettingsError
from scrapekit.testing import Reply, serve

ROOT = Path(__file__).parents[2]
HTML = (("Content-Type", "text/html"),)
QUICK = {"retry": {"backoff": {"initial": 0}}}
SPIDER = """
    from scrapekit import Request, Spider

    class Pages(Spider):
        name = "pages"

        def start(self):
            yield Request(self.url, errback="oops")

        def parse(self, response):
            yield {"url": response.url, "text": response.css("p::text").get(), "cookie": response.headers.get("x-cookie")}
            for link in response.css("a::attr(href)").getall():
                yield response.follow(link, errback="oops")

        def oops(self, error):
            yield {"url": error.request.url, "text": str(error)}
"""


def app(view):
    """Redirects, a cookie, a page that fails once, one that is gone, one that breaks off, and 40 others."""
    if view.path == "/robots.txt":
        return Reply(b"User-agent: *\nDisallow: /private\nCrawl-delay: 0")
    if view.path == "/":
        links = [*map(str, range(40)), "moved", "flaky", "gone", "broken", "private"]
        body = "<p>start" + "".join(f"<a href=/{link}>x</a>" for link in links)
        return Reply(body.encode(), headers=(*HTML, ("Set-Cookie", "seen=1")))
    if view.path == "/moved":
        return Reply(b"", 301, (("Location", "/there"),))
    if view.path == "/flaky" and view.visit == 1:
        return Reply(b"", 503, (("Retry-After", "0"),))
    if view.path == "/broken":
        return Reply(b"xx", headers=(*HTML, ("Content-Encoding", "gzip")))
    own = (*HTML, ("X-Cookie", view.headers.get("cookie", "")))
    return Reply(f"<p>{view.path}".encode(), 404 if view.path == "/gone" else 200, own)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the folder of spiders is put there
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "pages.py").write_text(SPIDER.replace("\n    ", "\n"))
    (tmp_path / "settings.yaml").write_text("retry: {times: 1, backoff: {initial: 0}}\nworkers: 4\n")
    yield tmp_path
    for name in [name for name in set(sys.modules) - before if name.startswith("_spider_")]:
        del sys.modules[name]


def items(path):
    return sorted(path.read_text().splitlines())


def valid(path):
    """How many responses there are, in an archive that is whole."""
    with open(path, "rb") as file:
        return sum(record.rec_type == "response" for record in ArchiveIterator(file, check_digests="raise"))


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_a_replay_gives_the_same_items_without_a_network(folder, capsys, fleet):
    with serve(app) as site:
        url = f"{site.url}/"
        assert (
            main(["crawl", "pages", "-a", f"url={url}", "-O", "a.jsonl", "--record", "x.warc.gz", "--fleet", fleet])
            == 0
        )
    live = capsys.readouterr().err
    assert len(items(folder / "a.jsonl")) == 45
    assert valid("x.warc.gz") == 47  # robots.txt, 45 pages, and what was in their way; two failures
    assert sorted(path.name for path in folder.glob("x.*")) == ["x.warc.gz"]
    assert main(["crawl", "pages", "-a", f"url={url}", "-O", "b.jsonl", "--replay", "x.warc.gz"]) == 0
    again = capsys.readouterr().err
    assert items(folder / "b.jsonl") == items(folder / "a.jsonl")
    assert "0 opened" in again
    assert "replayed: " in again
    for line in ("pages", "items", "statuses", "skipped"):
        one, other = (re.search(rf"^  {line} +(\S+)", text, re.MULTILINE)[1] for text in (live, again))
        assert one == other


def test_a_crawl_that_was_killed_goes_on_with_its_archive(folder):
    """Killed while pages come in: the archive of the resumed crawl is whole, and holds every page of the output."""
    reached = []

    def slow(view):
        reached.append(view.path)
        if len(reached) == 25:
            os.kill(crawl.pid, signal.SIGKILL)
        return app(view)

    with serve(slow) as site:
        words = ["crawl", "pages", "-a", f"url={site.url}/", "-O", "a.jsonl", "--record", "x.warc.gz", "-q"]
        crawl = subprocess.Popen(
            [sys.executable, "-m", "scrapekit", *words], env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        assert crawl.wait() == -signal.SIGKILL
        with open("x.warc.gz", "ab") as file:
            file.write(b"\x1f\x8btorn")  # as if it had come in the middle of a write
        assert main(["crawl", "pages", "--resume", "-q"]) == 0
        assert main(["crawl", "pages", "-a", f"url={site.url}/", "-O", "b.jsonl", "--replay", "x.warc.gz", "-q"]) == 0
    valid("x.warc.gz")
    assert not Path("x.warc.gz.length").exists()
    assert items(folder / "b.jsonl") == items(folder / "a.jsonl")
    assert len(items(folder / "a.jsonl")) == 45


def test_what_is_not_in_the_archive_is_said(folder, capsys):
    with serve(app) as site:
        url = f"{site.url}/"
        words = ["crawl", "pages", "-a", f"url={url}", "-s", "robots.obey=false", "-q"]
        assert main([*words, "-O", "a.jsonl", "--record", "x.warc.gz", "--max-pages", "1"]) == 0
        capsys.readouterr()
        asked = site.hits.total()
        assert main([*words[:-1], "-O", "b.jsonl", "--replay", "x.warc.gz", "-s", "throttle.delay=100"]) == 0
        assert site.hits.total() == asked
    text = capsys.readouterr().err
    assert "45 NotRecorded, such as " in text
    assert "x.warc.gz has no answer to this GET" in text
    assert len(items(folder / "b.jsonl")) == 46
    assert main([*words[:3], "url=http://127.0.0.1:9/", *words[4:], "-O", "c.jsonl", "--replay", "x.warc.gz"]) == 1
    assert "nothing was fetched: NotRecorded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--record", "x", "--replay", "x"], "--record and --replay exclude each other"),
        (["--replay", "x"], "x: can't be replayed: No such file"),
        (["--replay", "settings.yaml"], "settings.yaml: can't be replayed: it is no WARC file"),
        (
            ["--record", "x.jsonl", "-O", "./x.jsonl"],
            "x.jsonl: items and the archive can't go to one file: take another",
        ),
        (["--replay", "x.json", "--report", "x.json"], "x.json: the archive and a report can't go to one file: take"),
        (["--record", "settings.yaml"], "settings.yaml is there already: record to another file, or delete it"),
        (["--record", ""], "--record, --replay and --log-file need the name of a FILE"),
        (["-s", "archive.record=x", "-s", "archive.replay=x"], "archive.record and archive.replay exclude each other"),
    ],
)
def test_what_can_not_be_is_one_line(folder, capsys, words, said):
    assert main(["crawl", "pages", "-a", "url=http://127.0.0.1:9/", *words]) == 2
    text = capsys.readouterr().err
    assert said in text
    assert len(text.splitlines()) <= 2
    assert not Path("x").exists()


def test_without_warcio_it_says_what_to_install(folder, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("warcio", "scrapekit.store."))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("tape", "archive", "warc"):
        monkeypatch.delattr(sys.modules["scrapekit.store"], name, raising=False)
    monkeypatch.setitem(sys.modules, "warcio", None)
    monkeypatch.setitem(sys.modules, "warcio.archiveiterator", None)
    assert main(["crawl", "pages", "-a", "url=http://127.0.0.1:9/", "--record", "x"]) == 2
    assert "archives need warcio, which is not installed here" in capsys.readouterr().err


def test_the_library_records_and_replays_through_a_cache(folder):
    class Pages(scrapekit.Spider):
        def parse(self, response):
            yield {"url": response.url, "flags": response.flags}
            yield from response.follow_all("a")

    def run(**settings):
        return list(scrapekit.crawl(Pages, start_urls=[url], settings={"crawl": {"max_depth": 1}, **QUICK, **settings}))

    with serve(app) as site:
        url = f"{site.url}/"
        run(cache="dev")
        run(cache="dev", archive={"record": "x.warc.gz"})
    again = run(archive={"replay": "x.warc.gz"})
    assert len(again) == 43
    assert {json.dumps(item["flags"]) for item in again} == {'["replayed"]'}
    with pytest.raises(ArchiveError):
        run(archive={"record": "x.warc.gz"})
    with pytest.raises(SettingsError):
        run(archive={"replay": 3})
    with pytest.raises(OutputError, match="x.jsonl: items and the archive can't go to one file"):
        scrapekit.run(Pages, start_urls=[url], output="x.jsonl", settings={"archive": {"record": "./x.jsonl"}})
    assert not Path("x.jsonl").exists()


class Visitors(scrapekit.Spider):
    """One page, as each of several visitors sees it."""

    url, names = "", "abcdefgh"

    def start(self):
        for name in self.names:
            yield scrapekit.Request(f"{self.url}/", session=name, cookies={"who": name})

    def parse(self, response):
        yield {response.request.session: response.text}


def test_each_session_finds_its_own_answer_again_whatever_the_order(tmp_path):
    archive = str(tmp_path / "x.warc.gz")
    off = {"robots": {"obey": False}}
    with serve(lambda view: Reply(view.headers.get("cookie", "").encode())) as site:
        url = site.url
        list(scrapekit.crawl(Visitors, url=url, settings={**off, "archive": {"record": archive}}))
    replay = {**off, "archive": {"replay": archive}}
    for names in ("hgfedcba", "e"):
        again = list(scrapekit.crawl(Visitors, url=url, names=names, settings=replay))
        assert sorted(map(str, again)) == sorted(str({name: f"who={name}"}) for name in names)
    with pytest.raises(scrapekit.errors.CrawlFailed, match="NotRecorded"):
        list(scrapekit.crawl(Visitors, url=url, names="z", settings=replay))
    assert b"Scrapekit-Session: a\r" not in gzip.decompress(Path(archive).read_bytes())
