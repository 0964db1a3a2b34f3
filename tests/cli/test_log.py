"""The log of a crawl: in a file, as JSON, from processes too, and that nothing about it stops the crawl."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import threading

import pytest

from scrapekit.cli.jsonlog import JsonFormatter
from scrapekit.cli.log import LogTarget, logging_to
from scrapekit.cli.logfile import LogFile
from scrapekit.errors import ExportError, OutputError
from scrapekit.project import Crawl
from scrapekit.testing import Reply, serve

HTML = (("Content-Type", "text/html"),)
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (DEBUG|INFO|WARNING|ERROR) .+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TALKS = """
    import logging
    from scrapekit import Request, Spider

    class Talks(Spider):
        def start(self):
            yield Request(self.url)

        def parse(self, response):
            logging.getLogger("mine").warning(
                "seen \\x1b[2J %s", response.url, extra={"event": "seen", "url": response.url, "host": object()}
            )
            yield from response.follow_all("a")
            if "bad" in response.url:
                raise ValueError("http://u:secret@h/")
"""


@pytest.fixture
def bad():
    """A site of ``/`` and ``/bad``, on which callbacks raise, and of a link that is gone."""

    def app(request):
        if request.path in {"/robots.txt", "/gone"}:
            return Reply(b"", 404)
        return Reply(b"<a href=/bad>x</a><a href=/gone>x</a><a href=http://else.test/>x</a>", headers=HTML)

    with serve(app) as server:
        yield server.url


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def of(event, told):
    return [each for each in told if each["event"] == event]


def record(message="x", *args, **extra):
    made = logging.LogRecord("mine", logging.WARNING, "f.py", 1, message, args, extra.pop("exc_info", None))
    made.__dict__.update(extra)
    return made


def crawled(project, url, *arguments):
    project.write("spiders/talks.py", TALKS)
    return project.run("crawl", "talks", "-a", f"url={url}", "-O", "out.jsonl", *arguments)


# As text


def test_a_log_file_has_what_is_logged_also_what_a_quiet_terminal_does_not_show(project, site):
    code, out, err = project.run("crawl", "pages", "-a", f"url={site.url}", "-q", "--log-file", "a.log")
    assert (code, out) == (0, "")
    lines = (project.folder / "a.log").read_text().splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert " INFO crawling as job " in lines[0]
    assert lines[-1].endswith(" INFO pages: finished: 9 pages, 9 items, 1 errors")
    assert [line.partition(" ")[2] for line in err.splitlines()] == [
        line.partition(" ")[2] for line in lines if "WARNING" in line
    ]


def test_a_log_file_is_appended_to_and_verbose_says_what_was_dropped(project, site):
    for _ in range(2):
        assert project.run("crawl", "pages", "-a", f"url={site.url}", "-v", "--log-file", "a.log").code == 0
    text = (project.folder / "a.log").read_text()
    assert text.count("crawling as job") == 2
    assert text.count(f"DEBUG {site.url}/9: RobotsDenied: robots.txt forbids it") == 2


def test_a_log_file_that_cannot_be_opened_is_said_in_one_line_before_anything_begins(project, site):
    code, _, err = project.run("crawl", "pages", "-a", f"url={site.url}", "--log-file", "no/such/a.log")
    assert (code, err) == (
        2,
        "scrapekit: error: the log file no/such/a.log can't be opened: No such file or directory\n",
    )
    assert project.jobs == []


def test_items_and_log_are_not_mixed_in_one_file(project, site):
    run = ("crawl", "pages", "-a", f"url={site.url}", "-q")
    code, _, err = project.run(*run, "-O", "./a.jsonl", "--log-file", "a.jsonl")
    assert (code, err) == (
        2, "scrapekit: error: a.jsonl: items and the log can't go to one file: take another name for one of them\n"
    )  # fmt: skip
    assert not (project.folder / "a.jsonl").exists()
    assert project.run(*run, "-O", os.devnull, "--log-file", os.devnull).code == 0


def test_a_log_file_needs_a_name(project):
    code, _, err = project.run("crawl", "pages", "--log-file", "")
    assert code == 2
    assert "--record, --replay and --log-file need the name of a FILE" in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_is_said_once_and_the_crawl_goes_on(project, site):
    code, _, err = project.run("crawl", "pages", "-a", f"url={site.url}", "--log-file", "/dev/full")
    assert code == 0
    assert err.count("the log file /dev/full can't be written: No space left on device; what is logged is lost\n") == 1
    assert "pages finished" in err


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path, monkeypatch, capsys):
    room = [10_000, 4, None, 10_000]  # bytes that the disk takes in the next writes

    def write(number, data):
        left = room.pop(0)
        if left is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(number, data[:left])

    whole = os.write
    log = LogFile(str(tmp_path / "a.log"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        for n in range(4):
            log.handle(record(f"record {n}"))
    log.close()
    log.close()
    assert (tmp_path / "a.log").read_text() == "record 0\nreco\nrecord 3\n"
    assert capsys.readouterr().err.count("can't be written") == 1


def test_a_record_that_cannot_be_formatted_costs_itself_alone(tmp_path, capsys):
    log = LogFile(str(tmp_path / "a.log"))
    log.handle(record("%d", "text"))
    log.handle(record("fine \udc80"))
    log.close()
    assert (tmp_path / "a.log").read_bytes() == b"fine \\udc80\n"
    assert "--- Logging error ---" in capsys.readouterr().err


def test_a_folder_is_no_log_file(tmp_path):
    with pytest.raises(OutputError, match="can't be opened: Is a directory"):
        LogFile(str(tmp_path))


# As JSON


def test_json_on_stderr_is_one_object_a_line_and_nothing_else(project, bad):
    code, out, err = crawled(project, bad, "--log-json", "-v")
    assert (code, out) == (0, "")
    told = objects(err)
    (job,) = project.jobs
    assert {each["spider"] for each in told} == {"talks"}
    assert {each["job"] for each in told} == {job}
    assert all(TIME.fullmatch(each["time"]) for each in told)
    (gone,) = [each for each in of("failed", told) if each["error"] == "StatusError"]
    assert {**gone, "time": "", "message": ""} == {
        "time": "", "level": "warning", "event": "failed", "message": "", "logger": "scrapekit", "spider": "talks",
        "job": job, "url": f"{bad}/gone", "host": "127.0.0.1", "status": 404, "error": "StatusError",
    }  # fmt: skip
    (raised,) = of("traceback", told)
    assert (raised["error"], raised["url"]) == ("CallbackError", f"{bad}/bad")
    assert raised["message"].endswith("ValueError: http://***@h/")
    seen = of("seen", told)
    assert [each["url"] for each in seen] == [f"{bad}/", f"{bad}/bad"]
    assert seen[0]["message"].startswith(r"seen \x1b[2J ")
    assert "host" not in seen[0]
    assert "secret" not in err
    last = told[-1]
    assert (last["event"], last["reason"], last["pages"], last["failed"]) == ("ended", "finished", 1, 2)
    assert last["outputs"] == ["out.jsonl"]
    assert "resume" not in last


def test_json_goes_to_the_log_file_where_there_is_one(project, bad):
    code, _, err = crawled(project, bad, "-s", "log.json=true", "-s", "log.file=a.jsonl")
    assert code == 0
    assert "talks finished\n" in err
    told = objects((project.folder / "a.jsonl").read_text())
    assert [told[0]["event"], told[-1]["event"]] == ["started", "ended"]
    assert len(of("failed", told)) == 2


def test_json_tells_of_errors_that_end_the_command(project, bad):
    code, _, err = crawled(project, bad, "--log-json", "-o", "no/such.jsonl")
    (told,) = objects(err)
    assert (code, told["event"], told["error"], told["exit_code"]) == (2, "error", "OutputError", 2)
    assert "the folder no does not exist" in told["message"]


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ("crawl talsk -v", "SpiderNotFound", "there is no spider 'talsk' in spiders/: did you mean 'talks'? "),
        ("crawl talks -s workers=x", "SettingsError", "-s: workers must be a whole number from 1 to 1024, not 'x'"),
        ("crawl talks -a x", "UsageError", "-a: 'x' is not of the form name=value"),
    ],
)
def test_json_tells_of_errors_before_the_settings_are_known_too(project, words, error, message):
    project.write("spiders/talks.py", TALKS)
    code, _, err = project.run(*words.split(), "--log-json")
    (told,) = objects(err)
    assert (code, told["event"], told["error"], told["exit_code"]) == (2, "error", error, 2)
    assert told["message"].startswith(message)


@pytest.mark.parametrize("options", [("--log-json",), ("--log-json", "--log-file", "a.jsonl")], ids=["stderr", "file"])
def test_a_crawl_that_breaks_off_is_told_in_the_log_too(project, bad, monkeypatch, options):
    def run(crawl):
        raise ExportError("out.jsonl: No space left on device")

    monkeypatch.setattr(Crawl, "run", run)
    code, _, err = crawled(project, bad, *options)
    told = of("error", objects(err if len(options) == 1 else (project.folder / "a.jsonl").read_text()))
    assert (code, [each["error"] for each in told]) == (1, ["ExportError"])
    assert told[0]["message"] == "out.jsonl: No space left on device"
    if len(options) == 1:
        assert told[0]["hint"].startswith("to go on: scrapekit crawl talks --resume ")


def test_an_interrupted_crawl_tells_how_to_go_on(project, bad, interrupting):
    with interrupting():
        code, _, err = crawled(project, bad, "--log-json", "-q")
    (job,) = project.jobs
    assert (code, objects(err)[-1]["resume"]) == (130, f"scrapekit crawl talks --resume {job}")


def test_what_worker_processes_log_is_told_by_the_engines(project, bad):
    code, _, err = crawled(project, bad, "--log-json", "--log-file", "a.jsonl", "--fleet", "processes:2")
    assert code == 0
    told = objects((project.folder / "a.jsonl").read_text())
    assert sorted(each["url"] for each in of("seen", told)) == [f"{bad}/", f"{bad}/bad"]
    assert {(each["logger"], each["level"]) for each in of("seen", told)} == {("mine", "warning")}
    assert err.count(f"WARNING seen \\x1b[2J {bad}/bad\n") == 1


def test_a_crawl_goes_on_telling_while_it_runs(project):
    asked, answer = threading.Event(), threading.Event()

    def app(request):
        if request.path == "/slow":
            asked.set()
            assert answer.wait(60)
        return Reply(b"<a href=slow>x</a>", headers=HTML)

    with serve(app) as server, project.start(
        "crawl", "pages", "-a", f"url={server.url}", "--log-json"
    ) as process:  # fmt: skip
        assert asked.wait(60)
        for line in process.stderr:
            told = json.loads(line)
            if told["event"] == "progress":
                break
        answer.set()
        process.communicate()
    assert (told["pages"], told["in_flight"], told["items"]) == (1, 1, 1)
    assert told["message"].startswith("1 pages  ")


def test_a_record_with_a_traceback_is_one_line_of_json():
    try:
        raise ValueError("Authorization: Bearer abcdefgh1234")
    except ValueError as error:
        made = record("it failed", exc_info=(ValueError, error, error.__traceback__))
    line = JsonFormatter("books", "books-1").format(made)
    assert "\n" not in line
    told = json.loads(line)
    assert told["traceback"].startswith("Traceback (most recent call last):\n")
    assert "abcdefgh" not in line
    assert (told["level"], told["event"], told["logger"], told["job"]) == ("warning", "log", "mine", "books-1")


def test_what_somebody_elses_records_carry_does_no_harm():
    made = record("x \u2028\x9b", event=["no"], url="http://u:p@h/\x1b", facts="none", status=None, spider="other")
    told = json.loads(JsonFormatter("books").format(made))
    assert told["message"] == r"x \u2028\x9b"
    assert (told["event"], told["url"], told["spider"]) == ("log", r"http://***@h/\x1b", "other")
    assert told.keys() == {"time", "level", "event", "message", "logger", "spider", "url"}


def test_the_loggers_are_left_as_they_were(tmp_path):
    root = logging.getLogger()
    before = root.level, [*root.handlers]
    with logging_to(None, logging.ERROR, LogTarget(logging.DEBUG, str(tmp_path / "a.log"))):
        assert root.level == logging.DEBUG
    assert (root.level, root.handlers) == before
