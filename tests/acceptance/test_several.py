"""``scrapekit crawl A B``: several spiders under one pool and one politeness, by the real command."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from harness import Shell, logged_site, wait_until

from scrapekit.testing import SampleSite, serve

BOOKS = 60
QUIET = ("-s", "retry.backoff.initial=0.01", "-s", "crawl.quarantine_after=100")


@pytest.fixture
def site():
    with serve(SampleSite(books=BOOKS, retry_after=0)) as server:
        yield server


def arguments(url: str) -> tuple[str, ...]:
    """``-a`` for both: the one that both take, and one for quotes alone."""
    return ("-a", f"url={url}/", "-a", f"quotes.url={url}/quotes/")


def expected(url: str) -> tuple[list[str], list[str]]:
    site = SampleSite(books=BOOKS)
    return canonical(site.expected_books(url)), canonical(site.expected_quotes())


def canonical(items: list[dict]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def items(path: Path) -> list[str]:
    return canonical([json.loads(line) for line in path.read_text().splitlines()])


def refused(shell: Shell, *words: str) -> str:
    """The one line that a crawl says that can't start."""
    done = shell.run("crawl", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    line, _, rest = done.stderr.partition("\n")
    assert rest == ""
    assert not (shell.folder / ".scrapekit" / "jobs").exists() or not list((shell.folder / ".scrapekit/jobs").iterdir())
    return line.removeprefix("scrapekit: error: ")


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_each_yields_what_it_yields_alone_and_the_host_is_asked_as_little_as_by_one(shell, project, site, fleet):
    limits = ("-s", "throttle.maxsize=3", "-s", "throttle.adaptive=false", "--fleet", fleet)
    together = ("-O", "all.jsonl") if fleet == "threads" else ()  # otherwise each has a file of its own
    done = shell.run("crawl", "quotes", "books", *arguments(site.url), *limits, *QUIET, *together)
    books, quotes = expected(site.url)
    assert done.returncode == 0, done.stderr
    if together:
        assert items(project / "all.jsonl") == sorted(books + quotes)
        assert not (project / "results").exists()
    else:
        assert {path.parent.name: items(path) for path in (project / "results").rglob("*.jsonl")} == {
            "books": books,
            "quotes": quotes,
        }
    assert site.max_open_by_host["127.0.0.1"] <= 3
    assert site.hits["/robots.txt"] == 1
    table = [line.split() for line in done.stderr.splitlines() if line.strip().startswith(("spiders", "books", "quo"))]
    assert table[-3] == ["spiders", "pages", "items", "failed"]
    assert table[-1][0::2] == ["books", str(len(books))]
    assert table[-2] == ["quotes", "10", "100", "0"]
    jobs = shell.run("jobs").stdout.splitlines()[1].split("  ")
    assert jobs[0].startswith("books-quotes-")
    assert jobs[1:3] == ["books, quotes", "finished"]


def test_a_page_that_both_want_comes_to_both_and_its_story_says_so(shell, project, site):
    (project / "spiders" / "twins.py").write_text(
        "import scrapekit\n"
        "class One(scrapekit.Spider):\n"
        "    def parse(self, response):\n"
        "        yield {'spider': self.name, 'title': response.css('h1::text').get()}\n"
        "class Two(One):\n"
        "    pass\n"
    )
    url = f"{site.url}/catalogue/page-2.html"
    done = shell.run("crawl", "one", "two", "-a", f"start_urls={url}", "-o", "-")
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(line)["spider"] for line in done.stdout.splitlines()) == ["one", "two"]
    assert site.hits["/catalogue/page-2.html"] == 2
    story = shell.run("why", url).stdout
    assert "one:parse(), depth 0" in story
    assert "two:parse(), depth 0" in story


def test_nothing_is_lost_or_doubled_by_kills_and_the_job_goes_on_whatever_the_order(shell, project, tmp_path):
    with logged_site(tmp_path, "--books", str(BOOKS), "--latency", "0.005") as site:
        url = site.url.rstrip("/")
        words = ("crawl", "books", "quotes", *arguments(url), *QUIET, "-o", "all.jsonl")
        for kill in range(3):
            seen = len(site.targets)
            with shell.start(*words) as crawl:
                assert wait_until(lambda seen=seen: len(site.targets) > seen + 12, crawl)
                crawl.send_signal(signal.SIGKILL)
                crawl.communicate()
            words = ("crawl", *(("quotes", "books") if kill else ("books", "quotes")), *QUIET, "--resume")
        assert shell.run("jobs").stdout.splitlines()[1].split("  ")[2] == "killed"
        done = shell.run(*words)
        books, quotes = expected(url)
    assert done.returncode == 0, done.stderr
    assert items(project / "all.jsonl") == sorted(books + quotes)
    shown = shell.run("jobs", "show").stdout
    assert "spider     books, quotes\n" in shown
    assert "state      finished\n" in shown


def test_what_was_asked_for_wrongly_is_said_in_one_line(shell, project):
    assert refused(shell, "books", "bokks").startswith("there is no spider 'bokks' in spiders/: did you mean 'books'?")
    assert refused(shell, "books", "quotes", "books") == (
        "spider 'books' can't be there twice in one crawl: its name tells whose a request is"
    )
    file = project / "spiders" / "quotes.py"
    file.write_text(file.read_text().replace('name = "quotes"', 'name = "quotes"\n    settings = {"workers": 4}'))
    assert refused(shell, "books", "quotes") == (
        "workers must be the same for all spiders of a crawl: books has 16 (default), quotes has 4 "
        "(spiders/quotes.py Quotes.settings); say which, as in -s workers=16"
    )
    file.write_text(
        file.read_text().replace("def start(self)", "def __init__(self):\n        pass\n\n    def start(self)")
    )
    done = shell.run("crawl", "quotes", "-s", "workers=4", "-a", "shelf=1")
    assert (done.returncode, "shelf" in done.stderr) == (2, True)


def test_a_job_of_several_is_retried_and_resumed_by_its_id(shell, project, site):
    words = ("crawl", "books", "quotes", *arguments(site.url), *QUIET, "-o", "all.jsonl")
    books, quotes = expected(site.url)
    both = sorted(books + quotes)
    done = shell.run(*words, "--max-pages", "5")
    assert done.returncode == 0
    job = shell.run("jobs").stdout.splitlines()[1].split()[0]
    assert f"scrapekit crawl books quotes --resume {job} --max-pages MORE" in done.stderr
    assert refused_resume(shell, "books", job) == (
        f"job {job} is of spider 'books, quotes', not 'books'; spider 'books' has no unfinished job"
    )
    done = shell.run("crawl", "quotes", "books", "--resume", job, "-s", "crawl.max_pages=10000", *QUIET)
    assert done.returncode == 0, done.stderr
    assert items(project / "all.jsonl") == both
    again = shell.run("retry", job)  # the page that is gone
    assert "1 request of job" in again.stderr
    assert again.returncode == 0
    assert items(project / "all.jsonl") == both


def refused_resume(shell: Shell, *words: str) -> str:
    name, job = words
    done = shell.run("crawl", name, "--resume", job)
    assert done.returncode == 2
    return done.stderr.removeprefix("scrapekit: error: ").rstrip()
