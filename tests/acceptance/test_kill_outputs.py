"""kill -9 in the middle of a crawl with several outputs, then ``--resume``, by the real command: each is complete."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter

import pytest
from harness import logged_site
from test_kill_kinds import SETTINGS, die_and_resume

from scrapekit.testing import SampleSite

BOOKS = 120
POINTS = ("before COMMIT:3", "after append:4", "torn append:2", "after COMMIT:4", "before append:5")


@pytest.fixture
def site(tmp_path):
    with logged_site(tmp_path, "--books", str(BOOKS), "--latency", "0.01") as site:
        yield site


def books(site):
    return Counter(book["url"] for book in SampleSite(books=BOOKS).expected_books(site.url))


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_each_of_several_outputs_is_complete(project, shell, site, fleet):
    outputs = ["-O", "a.jsonl", "-O", "b.jsonl.gz", "-O", "c.csv", "-O", "d.json"]
    arguments = ["crawl", "books", "-a", f"url={site.url}", *outputs, "--fleet", fleet, *SETTINGS]
    assert die_and_resume(project, shell, arguments, POINTS) >= 3
    whole = books(site)
    lines = (project / "a.jsonl").read_bytes().splitlines()
    assert Counter(json.loads(line)["url"] for line in lines) == whole
    with gzip.open(project / "b.jsonl.gz") as packed:
        assert packed.read().splitlines() == lines
    with (project / "c.csv").open(newline="") as file:
        assert Counter(row["url"] for row in csv.DictReader(file)) == whole
    assert json.loads((project / "d.json").read_bytes()) == [json.loads(line) for line in lines]


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
