"""Unique and rejected items by the command line: across processes, and over kills at each point of a commit."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from scrapekit.testing import SampleSite, serve
from scrapekit.testing.mortal import VARIABLE

ROOT = Path(__file__).parents[2]
SPIDER = '''
from scrapekit import Request, Spider
from scrapekit.items import Item, css, page_url


class Author(Item):
    """Each quote names one; there are fewer authors than quotes, and those up to F are not taken."""

    unique = ["name"]
    name = css("small.author::text", lambda name: name if name[0] > "F" else int(name))
    page = page_url()


class Quotes(Spider):
    name = "authors"
    unique = ["tag"]
    settings = {"workers": 4, "throttle": {"delay": 0.05}}

    def start(self):
        for number in range(1, 21):
            yield Request(f"{self.url}page/{number}/")

    def parse(self, response):
        for quote in response.css("div.quote"):
            yield {"text": quote.css("span.text::text").get()}
            for tag in quote.css("a.tag::text").getall():
                yield {"tag": tag}
        yield from Author.all(response, "div.quote")
'''


@pytest.fixture
def site():
    with serve(SampleSite(quotes=200)) as server:
        yield server


@pytest.fixture
def project(tmp_path):
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "authors.py").write_text(SPIDER)
    return tmp_path


def crawl(project, *arguments, failpoint=None):
    environment = os.environ | {"PYTHONPATH": str(ROOT), **({VARIABLE: failpoint} if failpoint else {})}
    command = [sys.executable, "-m", "scrapekit.testing.mortal", "crawl", "authors", *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=100)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def judge(project, ran):
    """What is there, against what the site has."""
    assert ran.returncode == 0, ran.stderr
    quotes = SampleSite(quotes=200).quotes
    items = lines(project / "q.jsonl")
    authors = Counter(quote.author.name for quote in quotes)
    wrong = {name: count for name, count in authors.items() if name[0] <= "F"}
    assert wrong
    assert len(authors) > len(wrong)
    assert Counter(item["text"] for item in items if "text" in item) == Counter(quote.text for quote in quotes)
    tags = {tag for quote in quotes for tag in quote.tags}
    assert sorted(item["tag"] for item in items if "tag" in item) == sorted(tags)
    assert sorted(item["name"] for item in items if "name" in item) == sorted(authors.keys() - wrong)
    (job,) = (project / ".scrapekit" / "jobs").iterdir()
    rejected = lines(job / "rejected.jsonl")
    assert Counter(each["value"] for each in rejected) == wrong
    assert {each["field"] for each in rejected} == {"name"}
    assert all(each["url"].startswith("http://127.0.0.1:") for each in rejected)
    assert f"  rejected     {job / 'rejected.jsonl'}\n" in ran.stderr
    assert f" item errors  {sum(wrong.values())} ItemError, such as " in ran.stderr
    duplicates = sum(len(quote.tags) for quote in quotes) - len(tags) + len(quotes) - sum(wrong.values())
    duplicates -= len(authors) - len(wrong)
    assert f"  dropped      duplicate: {duplicates}\n" in ran.stderr


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_items_are_unique_across_workers_and_processes(fleet, project, site):
    judge(project, crawl(project, "-a", f"url={site.url}/quotes/", "-O", "q.jsonl", "--fleet", fleet))


def test_kills_at_each_point_leave_them_unique_and_told_once(project, site):
    ran = crawl(project, "-a", f"url={site.url}/quotes/", "-O", "q.jsonl", failpoint="before append:2")
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    for point in ("torn append", "after append", "before COMMIT", "after COMMIT", "before append"):
        ran = crawl(project, "--resume", failpoint=f"{point}:3")
        assert ran.returncode == -signal.SIGKILL, ran.stderr
    judge(project, crawl(project, "--resume"))
