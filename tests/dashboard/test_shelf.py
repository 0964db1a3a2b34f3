"""The jobs of a folder in a browser, by plain HTTP; they are only read."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from watching import Page

from scrapekit.cli import main
from scrapekit.dashboard import Server, Shelf
from scrapekit.dashboard.message import SAME, Question
from scrapekit.project.ledger import Ledger
from scrapekit.settings.listen import Listen

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def shelf(folder, why=lambda url, job: f"{url} of {job or 'any'}"):
    shown = Shelf(folder, why)
    server = Server(Listen("127.0.0.1", 0))
    server.start(shown.page)
    try:
        yield Page(server.url())
    finally:
        shown.close()
        server.close()


@pytest.fixture
def finished(project, site):
    """A job that has finished, with one URL that failed."""
    site.statuses["/7"] = 404
    site.go.set()
    assert main(["crawl", "pages", "-a", f"url={site.url}", "-q"]) == 0
    [job] = (project / ".scrapekit" / "jobs").iterdir()
    return job.name


def first(page, path="/events"):
    with page.events(path) as events:
        return next(events)


def test_the_list_has_every_job_and_how_it_stands(project, finished):
    with shelf(project) as page:
        name, [row] = first(page)
    assert name == "jobs"
    assert (row["job"], row["spider"], row["state"]) == (finished, "pages", "finished")
    assert (row["done"], row["pending"], row["failed"]) == (40, 0, 1)
    assert row["output"] == f"results/pages/{finished}.jsonl"


def test_without_jobs_the_list_is_empty(project):
    with shelf(project) as page:
        assert first(page) == ("jobs", [])
        assert page.ask("/").status == 200
        assert page.ask("/healthz").text == "ok\n"


def test_a_finished_job_has_the_page_that_its_crawl_had(project, site, finished):
    with shelf(project) as page:
        assert page.ask(f"/jobs/{finished}").text == page.ask("/").text
        name, frame = first(page, f"/events?job={finished}")
    assert (name, frame["phase"], frame["controls"], frame["live"]) == ("frame", "finished", False, False)
    assert (frame["numbers"]["pages"], frame["numbers"]["items"], frame["numbers"]["failed"]) == (40, 40, 1)
    assert frame["statuses"] == {"200": 40, "404": 2}
    assert [(error["kind"], error["url"]) for error in frame["errors"]] == [("StatusError 404", f"{site.url}7")]
    assert [each["url"] for each in frame["failing"]] == [f"{site.url}7"]
    assert (len(frame["slowest"]), len(frame["items"]), frame["resume"], frame["hosts"]) == (10, 20, "", [])
    assert frame["rate"] > 0
    assert (sum(frame["course"]["done"]), sum(frame["course"]["failed"]), frame["spiders"]) == (40, 1, [])


def test_a_job_is_read_again_only_where_something_was_written_since(project, finished, monkeypatch):
    course, reads = Ledger.course, []
    monkeypatch.setattr(Ledger, "course", lambda ledger, bars: reads.append(bars) or course(ledger, bars))
    monkeypatch.setattr(Shelf, "_rest", lambda *_: False)
    shown = Shelf(project, lambda *_: "").page(Question("GET", "/events", {"job": finished}))
    before = [next(shown.events) for _ in range(4)]
    assert (len(reads), before[0][:12], set(before[1:])) == (1, b"event: frame", {SAME})
    with closing(sqlite3.connect(project / ".scrapekit" / "jobs" / finished / "frontier.sqlite")) as db, db:
        db.execute("UPDATE meta SET value = json_set(value, '$.items', 1234) WHERE key = 'stats'")
    assert b"1234" in next(shown.events)
    assert next(shown.events) == SAME
    assert len(reads) == 2
    shown.events.close()


def test_a_job_that_runs_elsewhere_is_shown_as_it_grows(project, site, crawl):
    with crawl("--workers", "2") as crawling, shelf(project) as page:
        crawling.page.wait(lambda frame: frame["numbers"]["in_flight"] == 2)
        [job] = (path.name for path in (project / ".scrapekit" / "jobs").iterdir())
        frame = page.wait(lambda frame: frame["numbers"]["pages"] == 1, f"/events?job={job}")
        assert (frame["phase"], frame["controls"], frame["resume"]) == ("running", False, "")
        assert [(host["name"], host["queued"]) for host in frame["hosts"]] == [("127.0.0.1", 40)]
        [row] = page.wait(lambda rows: rows[0]["state"] == "running")
        assert (row["done"], row["pending"]) == (1, 40)
        site.go.set()
        page.wait(lambda frame: frame["phase"] == "finished", f"/events?job={job}")
        [row] = page.wait(lambda rows: rows[0]["state"] == "finished")
        assert (row["done"], row["pending"]) == (41, 0)


def test_an_interrupted_job_says_how_to_go_on_and_why_its_host_waits(project, site, crawl):
    site.statuses["/1"] = 503
    site.retry_after = 400
    with crawl("--workers", "1") as crawling:
        page = crawling.page
        page.wait(lambda frame: frame["numbers"]["in_flight"] == 1)
        site.go.set()
        page.wait(lambda frame: frame["hosts"] and frame["hosts"][0]["why"] == "Retry-After")
        page.act("/stop")
    [job] = (path.name for path in (project / ".scrapekit" / "jobs").iterdir())
    with shelf(project) as page:
        _, frame = first(page, f"/events?job={job}")
    assert (frame["phase"], frame["resume"]) == ("interrupted", f"scrapekit crawl pages --resume {job}")
    [host] = frame["hosts"]
    assert host["why"] == "Retry-After"
    assert 300 < host["until"] - frame["at"] <= 400
    assert frame["failing"][0]["state"] == "to be retried"


def test_what_became_of_a_url_is_asked_of_the_job_that_is_shown(project):
    with shelf(project) as page:
        assert page.ask("/why?url=http://a.example/&job=x").text == "http://a.example/ of x\n"
        assert page.ask("/why?url=http://a.example/").text == "http://a.example/ of any\n"


def test_a_job_that_is_not_there_is_not_found(project, finished):
    with shelf(project) as page:
        answer = page.ask("/events?job=other")
        assert (answer.status, answer.text) == (404, f"there is no job 'other'; there are: {finished}\n")
        assert page.ask("/events?job=..").status == 404
        assert page.ask("/nothing").status == 404


def test_nothing_can_be_done_to_a_job(project, finished):
    with shelf(project) as page:
        for path in ("/pause", "/stop", "/", "/page.js"):
            assert page.act(path).status == 404


def test_a_job_that_is_removed_while_it_is_shown_is_gone(project, finished):
    with shelf(project) as page, page.events(f"/events?job={finished}") as events:
        next(events)
        assert main(["jobs", "rm", finished]) == 0
        name, why = next(events)
        assert (name, finished in why) == ("gone", True)
        assert first(page) == ("jobs", [])


def test_a_job_whose_ledger_cant_be_read_is_in_the_list(project, finished):
    (project / ".scrapekit" / "jobs" / finished / "frontier.sqlite").write_bytes(b"x" * 4096)
    with shelf(project) as page:
        _, [row] = first(page)
        assert (row["job"], row["done"], row["failed"]) == (finished, None, None)
        name, why = first(page, f"/events?job={finished}")
        assert (name, "can't be read" in why) == ("gone", True)


def test_a_folder_whose_name_is_no_utf_8_can_be_told_of(project, finished):
    folder = project / os.fsdecode(b"\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("names are UTF-8 here")
    (project / ".scrapekit").rename(folder / ".scrapekit")
    (folder / ".scrapekit" / "jobs" / finished / "frontier.sqlite").write_bytes(b"x" * 4096)
    with shelf(folder) as page:
        name, why = first(page, f"/events?job={finished}")
    assert (name, f"/\ufffd/.scrapekit/jobs/{finished}/frontier.sqlite: the job's state can't be read" in why) == (
        "gone", True,
    )  # fmt: skip


def test_counters_that_cant_be_read_are_told_and_not_logged(project, finished, caplog):
    database = sqlite3.connect(project / ".scrapekit" / "jobs" / finished / "frontier.sqlite")
    with database:
        database.execute("UPDATE meta SET value = '{\"pages\": \"many\"}' WHERE key = 'stats'")
    database.close()
    caplog.clear()
    with shelf(project) as page:
        name, why = first(page, f"/events?job={finished}")
    assert (name, "can't be read: Expected `int`" in why) == ("gone", True)
    assert main(["jobs", "show", finished, "--report", "a.json"]) == 0
    assert "can't be read: Expected `int`" in (project / "a.json").read_text()
    assert caplog.text == ""


def test_a_job_whose_output_another_one_has_taken_over_says_so(project, site, crawl):
    with crawl("-O", "out.jsonl") as crawling:
        crawling.page.wait(lambda frame: frame["numbers"]["in_flight"])
        crawling.page.act("/stop")
        crawling.page.wait(lambda frame: frame["phase"] == "stopping")
        crawling.page.act("/stop")
    [before] = (path.name for path in (project / ".scrapekit" / "jobs").iterdir())
    site.go.set()
    assert main(["crawl", "pages", "-a", f"url={site.url}", "-O", "out.jsonl", "-q"]) == 0
    with shelf(project) as page:
        _, frame = first(page, f"/events?job={before}")
    assert (frame["phase"], frame["resume"]) == ("replaced", "")
    assert frame["why"].endswith(" has taken over its output")


def test_the_command_serves_until_ctrl_c(project, finished):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "scrapekit", "ui", "0", "-s", "ui.token=0123456789abcdef"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shown:
        line = shown.stdout.readline()
        url = line.split()[7]
        assert line == f"the jobs of this folder are at {url} (Ctrl-C ends it)\n"
        page = Page(url)
        assert page.ask("/").status == 401
        page.headers = {"Authorization": "Bearer 0123456789abcdef"}
        assert first(page)[1][0]["job"] == finished
        assert f"never seen in job {finished}" in page.ask("/why?url=http://a.example/").text
        shown.send_signal(signal.SIGINT)
        out, err = shown.communicate()
    assert (shown.returncode, out, err) == (0, "", "")


def test_whoever_watches_is_let_go_when_the_command_ends(project, finished, monkeypatch, capsys):
    start, seen = Server.start, []

    def watch(server):
        page = Page(server.url())
        with page.events() as events:
            seen.append(next(events))
            os.kill(os.getpid(), signal.SIGINT)
            seen.extend(events)

    def started(server, site):
        start(server, site)
        watcher.append(threading.Thread(target=watch, args=(server,)))
        watcher[0].start()

    watcher = []
    monkeypatch.setattr(Server, "start", started)
    assert main(["ui", "0"]) == 0
    watcher[0].join()
    assert seen[0][1][0]["job"] == finished
    assert capsys.readouterr().out.startswith("the jobs of this folder are at http://127.0.0.1:")


@pytest.mark.parametrize("where", ["x", "99999", "a:b"])
def test_the_command_refuses_what_is_no_address(project, where, capsys):
    assert main(["ui", where]) == 2
    assert "[HOST:]PORT must be PORT or HOST:PORT, such as 8080" in capsys.readouterr().err


def test_look_ups_come_one_at_a_time(project, finished, monkeypatch):
    from scrapekit.cli import ui, why

    entered, go = threading.Event(), threading.Event()

    def slow(*_):
        entered.set()
        assert go.wait(30)
        return True, ["found"]

    monkeypatch.setattr(why, "why", slow)
    ask = ui._why(project)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask("http://a.example/", "")))
    asking.start()
    assert entered.wait(30)
    assert ask("http://b.example/", "") == "another look-up is going on: try again when it is done"
    go.set()
    asking.join()
    assert answers == ["found"]
