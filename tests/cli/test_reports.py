"""``--report``: JSON and a page of how a job ended, whole or not there, whatever ended it."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scrapekit.cli.reports import Reports
from scrapekit.errors import ExportError, OutputError
from scrapekit.project import Crawl
from scrapekit.project.job import Record

VOID = {"br", "line", "link", "meta", "rect"}


class Page(HTMLParser):
    """Reads a page: its text by section, and that each element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.sections, self.title = [], [], {}, ""
        self.attributes = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"h1", "h2"}:
            self.title = data
        self.sections.setdefault(self.title, []).append(data)

    def text(self, section):
        return " ".join(self.sections[section])


def crawled(project, site, *arguments):
    return project.run("crawl", "pages", "-a", f"url={site.url}", "-O", "out.jsonl", "-q", *arguments)


def read(project, name="a.json"):
    return json.loads((project.folder / name).read_text(encoding="utf-8"))


def test_the_report_as_json_has_what_the_crawl_has_come_to(project, site):
    assert crawled(project, site, "--report", "a.json").code == 0
    told = read(project)
    (job,) = project.jobs
    assert (told["version"], told["spider"], told["job"], told["state"]) == (1, "pages", job, "finished")
    assert (told["reason"], told["failure"], told["resume"]) == ("finished", None, "")
    assert (told["pages"], told["items"], told["requests"], told["failed"], told["pending"]) == (9, 9, 11, 1, 0)
    assert told["statuses"] == {"200": 10, "404": 1}
    assert [(each["kind"], each["count"], each["url"]) for each in told["errors"]] == [
        ("StatusError 404", 1, f"{site.url}/gone")
    ]
    assert [each["kind"] for each in told["skipped"]] == ["RobotsDenied"]
    latency = told["latency"]
    assert latency["count"] == sum(bucket["count"] for bucket in latency["buckets"]) == 11
    assert latency["buckets"][-1]["up_to"] is None
    assert 0 < latency["half"] <= latency["p95"] <= latency["p99"]
    assert [(host["host"], host["attempts"], host["failed"]) for host in told["hosts"]] == [("127.0.0.1", 10, 1)]
    assert len(told["slowest"]) == 10
    assert told["slowest"] == sorted(told["slowest"], key=lambda slow: -slow["seconds"])
    assert (sum(told["course"]["done"]), sum(told["course"]["failed"])) == (9, 1)
    assert told["connections"]["requests"] == 11
    assert told["outputs"] == ["out.jsonl"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["started"])


def test_a_crawl_beyond_what_fail_if_allows_ends_with_1_and_is_reported_as_failed(project, site):
    code, _, err = crawled(project, site, "--report", "a.json", "-s", "crawl.fail_if.items_below=100")
    why = "9 items, fewer than crawl.fail_if.items_below (100)"
    assert (code, f"scrapekit: error: {why}\n" in err) == (1, True)
    assert (read(project)["state"], read(project)["failure"]) == ("failed", why)


def test_what_fail_if_allows_holds_for_all_runs_of_a_job_and_may_be_changed(project, site):
    given = ("crawl", "pages", "--resume", "-q", "--report", "a.json")
    assert crawled(project, site, "-s", "crawl.fail_if.error_share=0.2", "-s", "crawl.max_pages=4").code == 0
    assert project.run(*given, "-s", "crawl.max_pages=null", "-s", "crawl.fail_if.items_below=9").code == 0
    assert read(project)["items"] == 9  # of which the first run had four
    assert crawled(project, site, "-s", "crawl.fail_if.items_below=10").code == 1
    assert project.run(*given).code == 1
    assert (read(project)["state"], read(project)["failure"]) == (
        "failed", "9 items, fewer than crawl.fail_if.items_below (10)",
    )  # fmt: skip
    assert project.run(*given, "-s", "crawl.fail_if.items_below=null").code == 0
    assert (read(project)["state"], read(project)["failure"]) == ("finished", None)


def test_the_report_as_a_page_stands_alone(project, site):
    assert crawled(project, site, "--report", "a.html", "--report", "b.json").code == 0
    text = (project.folder / "a.html").read_text(encoding="utf-8")
    page = Page(text)
    (job,) = project.jobs
    assert job in page.text("pages finished")
    assert f"{site.url}/gone" in page.text("Errors")
    assert "200 10 404 1" in page.text("Statuses")
    assert "RobotsDenied" in page.text("Skipped")
    assert "127.0.0.1" in page.text("Hosts")
    assert "half within" in page.text("How long responses took")
    assert page.tags.count("svg") == 2
    assert not {"script", "img", "link", "iframe", "a"} & set(page.tags)
    assert not [each for each in page.attributes if each[1] in {"src", "href", "action"}]
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text
    assert "default-src 'none'" in text
    assert read(project, "b.json")["pages"] == 9


def test_what_the_web_says_is_shown_and_does_nothing(project, site):
    project.write(
        "spiders/evil.py",
        """
        from scrapekit import Request, Spider

        class Evil(Spider):
            def start(self):
                yield Request(self.url)

            def parse(self, response):
                raise ValueError("<script>alert(1)</script>\\x1b[2J http://user:secret@host/ & more")
        """,
    )
    assert project.run("crawl", "evil", "-a", f"url={site.url}", "--report", "a.html", "--report", "a.json").code == 1
    text = (project.folder / "a.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert r"ValueError: <script>alert(1)</script>\x1b[2J http://***@host/ & more" in page.text("Errors")
    assert "\x1b" not in text
    assert "secret" not in text + (project.folder / "a.json").read_text()
    assert "nothing was fetched" in page.text("evil failed")
    assert read(project)["failure"].startswith("nothing was fetched: CallbackError")


def test_of_several_spiders_the_page_says_what_each_has_come_to(project, site):
    project.write("spiders/few.py", "from spiders.pages import Pages\n\nclass Few(Pages):\n    name = 'few'\n")
    assert project.run("crawl", "pages", "few", "-a", f"url={site.url}", "-q", "--report", "a.html").code == 0
    page = Page((project.folder / "a.html").read_text(encoding="utf-8"))
    assert page.text("Spiders").split()[-8:] == ["pages", "9", "9", "1", "few", "9", "9", "1"]


def test_an_interrupted_crawl_is_reported_and_how_to_go_on(project, site, interrupting):
    with interrupting():
        assert crawled(project, site, "--report", "a.json", "--report", "a.html").code == 130
    told = read(project)
    (job,) = project.jobs
    assert (told["state"], told["resume"]) == ("interrupted", f"scrapekit crawl pages --resume {job}")
    assert (told["course"], told["latency"]["count"], told["latency"]["half"]) == (None, 0, None)
    assert told["resume"] in Page((project.folder / "a.html").read_text()).text("pages interrupted")


def test_a_crawl_that_breaks_off_is_reported_too(project, site, monkeypatch):
    def run(crawl):
        whole_run(crawl)
        raise ExportError("out.jsonl: No space left on device")

    whole_run = Crawl.run
    monkeypatch.setattr(Crawl, "run", run)
    code, _, err = crawled(project, site, "--report", "a.json")
    assert (code, "No space left" in err) == (1, True)
    told = read(project)
    assert (told["state"], told["failure"]) == ("failed", "out.jsonl: No space left on device")
    assert (told["pages"], told["connections"]) == (9, None)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("a.txt", "must end in .json or .html, which says what it will be"),
        ("no/such/a.json", "there is no folder no/such: make it first"),
        ("folder.json/../settings.yaml/a.html", "can't be written: Not a directory"),
        ("folder.json", "is a folder"),
    ],
)
def test_a_path_that_cannot_be_is_found_before_the_crawl_starts(project, site, path, why):
    (project.folder / "folder.json").mkdir()
    (project.folder / "settings.yaml").write_text("workers: 2\n")
    code, _, err = crawled(project, site, "--report", path)
    assert (code, err) == (2, f"scrapekit: error: --report {path}: {why}\n")
    assert not (project.folder / ".scrapekit").exists()


def test_a_report_overwrites_neither_items_nor_log(project, site):
    said = "scrapekit: error: a.json: items and a report can't go to one file: take another name for one of them\n"
    assert crawled(project, site, "-o", "other.jsonl", "-o", "./a.json", "--report", "a.json") == (2, "", said)
    log = said.replace("items", "the log")
    assert crawled(project, site, "--log-file", "a.json", "--report", "a.json") == (2, "", log)
    assert list((project.folder / ".scrapekit" / "jobs").iterdir()) == []
    assert project.run("crawl", "pages", "-a", f"url={site.url}", "-O", "a.json", "-q").code == 0
    items = (project.folder / "a.json").read_bytes()
    assert project.run("jobs", "show", "--report", "a.json") == (2, "", said)
    assert (project.folder / "a.json").read_bytes() == items


def test_a_report_replaces_an_older_one_as_a_whole_or_leaves_it(project, site, monkeypatch, tmp_path):
    assert crawled(project, site, "--report", "a.json").code == 0
    old = (project.folder / "a.json").read_bytes()

    def run(crawl):
        report = whole_run(crawl)
        (project.folder / "a.json").unlink()
        (project.folder / "a.json").mkdir()  # nothing can be moved there now
        return report

    whole_run = Crawl.run
    monkeypatch.setattr(Crawl, "run", run)
    code, _, err = crawled(project, site, "--report", "a.json", "--report", "b.json")
    assert code == 1
    assert "scrapekit: error: --report a.json: can't be written: " in err
    assert [path.name for path in project.folder.iterdir() if path.suffix == ".part"] == []
    assert json.loads(old)["pages"] == 9


def test_a_ctrl_c_while_it_is_written_leaves_no_half_of_it(tmp_path, monkeypatch):
    def interrupt(_self, _content):
        raise KeyboardInterrupt

    reports = Reports([str(tmp_path / "a.json")])
    folder = tmp_path / "books-1"
    folder.mkdir()
    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        reports.write(folder, Record(spider="books"), "failed")
    assert [path.name for path in tmp_path.iterdir()] == ["books-1"]


def test_jobs_show_writes_the_report_of_a_job_of_any_state(project, site):
    assert crawled(project, site, "--max-pages", "3").code == 0
    (job,) = project.jobs
    code, out, _ = project.run("jobs", "show", job, "--report", "a.html", "--report", "a.json")
    assert (code, job in out) == (0, True)
    told = read(project)
    assert (told["state"], told["reason"], told["pages"], told["connections"]) == ("stopped", "", 3, None)
    assert told["pending"] > 0
    Page((project.folder / "a.html").read_text())


@pytest.mark.parametrize("name", [b"books-1", b"books-\xff"], ids=["ascii", "no UTF-8"])
def test_a_state_that_cannot_be_read_is_said_in_the_report(tmp_path, name):
    folder = tmp_path / os.fsdecode(name) / "books-1"
    try:
        folder.mkdir(parents=True)
    except OSError:
        pytest.skip("names are UTF-8 here")
    (folder / "frontier.sqlite").write_bytes(b"no database" * 100)
    record = Record(spider="books")
    Reports([str(tmp_path / "a.json"), str(tmp_path / "a.html")]).write(folder, record, "failed")
    told = json.loads((tmp_path / "a.json").read_text())
    assert "can't be read" in told["failure"]
    assert (told["pages"], told["started"]) == (0, "")
    Page((tmp_path / "a.html").read_text())
    Reports([str(tmp_path / "a.json")]).write(folder, record, "failed", failure="it broke off")
    assert json.loads((tmp_path / "a.json").read_text())["failure"] == "it broke off"


def test_without_a_report_nothing_is_read(tmp_path):
    Reports([]).write(tmp_path / "none", Record(spider="books"), "finished")
    with pytest.raises(OutputError):
        Reports([str(tmp_path / "x.csv")])


def test_a_page_shows_all_that_there_may_be(project, site):
    assert crawled(project, site).code == 0
    (job,) = project.jobs
    database = sqlite3.connect(project.folder / ".scrapekit" / "jobs" / job / "frontier.sqlite")
    (kept,) = database.execute("SELECT value FROM meta WHERE key = 'stats'").fetchone()
    stats = json.loads(kept) | {
        "dropped": {"old <b>": 3}, "flags": {"parse_truncated": 2}, "quarantined": 1, "deaths": 2,
        "item_errors": {"ItemError": {"count": 4, "url": "http://a.test/", "message": "price"}},
        "latency": {"counts": [0] * 14 + [5], "sum": 400.0},
    }  # fmt: skip
    with database:
        database.execute("UPDATE meta SET value = ? WHERE key = 'stats'", (json.dumps(stats),))
    database.close()
    project.run("jobs", "show", job, "--report", "a.html")
    page = Page((project.folder / "a.html").read_text())
    assert "old <b> 3" in page.text("Items that were not written")
    assert "ItemError 4 http://a.test/ price" in page.text("Items that were not written")
    assert "parse_truncated 2" in page.text("Flags")
    assert "processes died 2" in page.text("pages finished")
    assert "half within 60 s" in page.text("How long responses took")
