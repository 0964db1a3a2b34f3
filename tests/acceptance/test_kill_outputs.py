"""kill -9 in the middle of a crawl with several outputs, then ``--resume``, by the real command: each is complete."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections import Counter

import pytest
from harness import logged_site
from test_kill_kinds import SETTINGS

from scrapekit.testing import SampleSite

BOOKS = 120
POINTS = ("before COMMIT:3", "torn append:4", "after COMMIT:4")


@pytest.fixture
def site(tmp_path):
    with logged_site(tmp_path, "--books", str(BOOKS), "--latency", "0.01") as site:
        yield site


def books(site):
    return Counter(book["url"] for book in SampleSite(books=BOOKS).expected_books(site.url))


def test_each_of_several_outputs_is_complete(project, shell, site):
    outputs = ["-O", "a.jsonl", "-O", "b.jsonl.gz", "-O", "c.csv", "-O", "d.json"]
    arguments = ["crawl", "books", "-a", f"url={site.url}", *outputs, *SETTINGS]
    assert shell.die_and_resume(arguments, POINTS) >= 2
    whole = books(site)
    lines = (project / "a.jsonl").read_bytes().splitlines()
    assert Counter(json.loads(line)["url"] for line in lines) == whole
    with gzip.open(project / "b.jsonl.gz") as packed:
        assert packed.read().splitlines() == lines
    with (project / "c.csv").open(newline="") as file:
        assert Counter(row["url"] for row in csv.DictReader(file)) == whole
    assert json.loads((project / "d.json").read_bytes()) == [json.loads(line) for line in lines]


KINDS = """
from dataclasses import dataclass
from scrapekit import Request, Spider

@dataclass
class Book:
    url: str
    title: str | None

class Cheap(Book):
    pass

class Kinds(Spider):
    name = "kinds"

    def start(self):
        yield Request(self.url)

    def parse(self, response):
        yield {"list": response.url}
        yield from response.follow_all("article.product_pod h3 a", callback="book")
        yield from response.follow_all("li.next a")

    def book(self, response):
        title = response.css("h1::text").get()
        yield (Cheap if len(response.url) % 2 else Book)(response.url, title if len(title) % 3 else None)
"""
LISTED = """
export:
  - {path: all.jsonl}
  - {path: cheap.csv, items: Cheap}
  - {path: titled.jsonl.gz, items: Book, having: title}
  - {path: untitled.json, without: [title, list]}
  - {path: "kinds/{item}.jsonl"}
"""


def test_outputs_that_choose_their_items_are_complete(project, shell, site):
    (project / "spiders" / "kinds.py").write_text(KINDS)
    (project / "settings.yaml").write_text(LISTED)
    arguments = ["crawl", "kinds", "-a", f"url={site.url}", "--fleet", "processes:2", *SETTINGS]
    assert shell.die_and_resume(arguments, POINTS) >= 2
    lines = (project / "all.jsonl").read_bytes().splitlines()
    items = [json.loads(line) for line in lines]
    found = [item for item in items if "url" in item]
    assert Counter(item["url"] for item in found) == books(site)
    assert len({item["list"] for item in items if "list" in item}) == len(items) - BOOKS
    cheap = [item["url"] for item in found if len(item["url"]) % 2]
    with (project / "cheap.csv").open(newline="") as file:
        assert [row["url"] for row in csv.DictReader(file)] == cheap
    with gzip.open(project / "titled.jsonl.gz") as packed:
        assert [json.loads(line) for line in packed] == [item for item in found if item["title"]]
    assert json.loads((project / "untitled.json").read_bytes()) == [item for item in found if not item["title"]]
    by_kind = {path.stem: path.read_bytes().splitlines() for path in (project / "kinds").iterdir()}
    assert by_kind.keys() == {"dict", "Book", "Cheap"}
    assert [json.loads(line)["url"] for line in by_kind["Cheap"]] == cheap
    assert sorted(line for file in by_kind.values() for line in file) == sorted(lines)
    (job,) = (project / ".scrapekit" / "jobs").iterdir()
    (project / "kinds" / "Book.jsonl").write_bytes(b"".join(line + b"\n" for line in by_kind["Book"][:-2]))
    repaired = shell.run("jobs", "repair", job.name)
    assert "kinds/Book.jsonl, or stand behind the first change" in repaired.stdout
    assert shell.run("crawl", "kinds", "--resume").returncode == 0
    again = (project / "all.jsonl").read_bytes().splitlines()
    assert sorted(again) == sorted(lines)
    assert sorted((project / "kinds" / "Book.jsonl").read_bytes().splitlines()) == sorted(by_kind["Book"])


PARTS = """
export:
  - {path: all.jsonl}
  - {path: "parts/{spider}.jsonl.gz", parts: {items: 10}}
  - {path: parts/dear.csv, having: price, parts: {size: 2KiB}}
  - {path: "parts/{part}-{item}.json", parts: {items: 25}}
"""


def in_parts(manifest, read):
    """The items of all parts, each of which is as the manifest says."""
    listed = json.loads(manifest.read_bytes())
    assert listed["complete"]
    found = []
    for part in listed["parts"]:
        content = (manifest.parent / part["file"]).read_bytes()
        assert (part["bytes"], part["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        items = read(content)
        assert (part["first"], part["last"]) == (len(found) + 1, len(found) + len(items))
        found += items
    return found


def of_lines(content):
    return [json.loads(line) for line in gzip.decompress(content).splitlines()]


def of_csv(content):
    return [row["url"] for row in csv.DictReader(io.StringIO(content.decode(), newline=""))]


def test_outputs_in_parts_are_complete_and_can_be_repaired(project, shell, site):
    (project / "settings.yaml").write_text(PARTS)
    arguments = ["crawl", "books", "-a", f"url={site.url}", *SETTINGS]
    points = ("before rename:6", "after rename:7", "mid-finalise:2", "before COMMIT:3", "torn append:5")
    assert shell.die_and_resume(arguments, points) >= 3

    def check():
        items = [json.loads(line) for line in (project / "all.jsonl").read_bytes().splitlines()]
        assert Counter(item["url"] for item in items) == books(site)
        folder = project / "parts"
        assert in_parts(folder / "books.manifest.json", of_lines) == items
        assert in_parts(folder / "dear.manifest.json", of_csv) == [item["url"] for item in items]
        assert in_parts(folder / "-dict.manifest.json", json.loads) == items
        files = {part["file"] for path in folder.glob("*.json") if path.stem.endswith("manifest")
                 for part in json.loads(path.read_bytes())["parts"]}  # fmt: skip
        assert {path.name for path in folder.iterdir() if "manifest" not in path.name} == files
        assert len([*folder.glob("books-*")]) == BOOKS // 10

    check()
    (job,) = (project / ".scrapekit" / "jobs").iterdir()
    assert "nothing is missing: " in shell.run("jobs", "repair", job.name).stdout
    (project / "parts" / "books-00004.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    repaired = shell.run("jobs", "repair", job.name)
    assert " items are gone from " in repaired.stdout, repaired.stderr
    assert "books-0000" in repaired.stdout
    assert shell.run("crawl", "books", "--resume").returncode == 0
    check()


def test_what_one_of_several_outputs_has_lost_is_fetched_again_for_all(project, shell, site):
    arguments = [
        "crawl",
        "books",
        "-a",
        f"url={site.url}",
        "-O",
        "a.jsonl",
        "-O",
        "b.csv",
        "-O",
        "c.jsonl.gz",
        *SETTINGS,
    ]
    assert shell.run(*arguments).returncode == 0
    (job,) = (project / ".scrapekit" / "jobs").iterdir()
    fine = shell.run("jobs", "repair", job.name)
    assert fine.stdout == f"nothing is missing: a.jsonl, b.csv, c.jsonl.gz holds all that job {job.name} has written\n"
    with (project / "a.jsonl").open("r+b") as file:
        file.seek(-1000, 2)
        file.write(b"x")
    repaired = shell.run("jobs", "repair", job.name)
    assert " items are gone from " in repaired.stdout
    assert "a.jsonl, or stand behind the first change" in repaired.stdout
    assert shell.run("crawl", "books", "--resume").returncode == 0
    lines = (project / "a.jsonl").read_bytes().splitlines()
    assert Counter(json.loads(line)["url"] for line in lines) == books(site)
    with gzip.open(project / "c.jsonl.gz") as packed:
        assert packed.read().splitlines() == lines
    with (project / "b.csv").open(newline="") as file:
        assert [row["url"] for row in csv.DictReader(file)] == [json.loads(line)["url"] for line in lines]


def test_a_job_one_of_whose_outputs_another_takes_over_can_not_go_on(project, shell, site):
    first = shell.run("crawl", "books", "-a", f"url={site.url}", "-O", "a.jsonl", "-O", "b.jsonl", "--max-pages", "5")
    assert first.returncode == 0
    (job,) = (project / ".scrapekit" / "jobs").iterdir()
    second = shell.run("crawl", "books", "-a", f"url={site.url}", "-O", "b.jsonl", "-O", "c.jsonl", "--max-pages", "5")
    assert f"job {job.name} had not finished, and can't be resumed any more" in second.stderr
    assert shell.run("crawl", "books", "--resume", job.name).returncode == 2
