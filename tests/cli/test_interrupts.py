"""Ctrl-C: once to drain, twice to stop, three times to leave; and the crawl goes on where it was, whichever it was."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from scrapekit.cli.crawl import _endings
from scrapekit.cli.interrupts import Interrupts
from scrapekit.cli.live import Live
from scrapekit.engine import Snapshot
from scrapekit.export.database.connection import Unreachable
from scrapekit.export.database.sink import DatabaseSink
from scrapekit.export.database.table import Table
from scrapekit.testing import Reply, serve

HTML = (("Content-Type", "text/html"),)


class Slow:
    """A site of ``/``, which links to ``/slow`` and ``/fast``; ``/slow`` is answered when a test says so."""

    def __init__(self):
        self.asked = threading.Event()
        self.answer = threading.Event()

    def __call__(self, request):
        if request.path == "/slow":
            self.asked.set()
            assert self.answer.wait(60)
        return Reply(b"<a href=slow>x</a><a href=fast>x</a>" if request.path == "/" else b"<p>x</p>", headers=HTML)


@pytest.fixture
def slow():
    """The site, and its server's URL as ``url``."""
    app = Slow()
    with serve(app) as server:
        app.url = server.url
        yield app
        app.answer.set()


@pytest.fixture
def crawl(project, slow):
    """A crawl that waits for ``/slow``."""
    with project.start("crawl", "pages", "-a", f"url={slow.url}", "-O", "out.jsonl") as process:
        assert slow.asked.wait(60)
        yield process
        if process.poll() is None:
            process.kill()


def read_until(process, text):
    said = []
    for line in process.stderr:
        said.append(line)
        if text in line:
            break
    else:
        pytest.fail(f"{text!r} was not said, but {said}")


def resumed(project):
    assert project.run("crawl", "pages", "--resume", "-q").code == 0
    return project.urls("out.jsonl")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_requests_in_flight_finish(project, slow, crawl, number):
    crawl.send_signal(number)
    read_until(crawl, "in flight, press Ctrl-C again to stop at once")
    slow.answer.set()
    out, err = crawl.communicate()
    (job,) = project.jobs
    assert (crawl.returncode, out) == (130, "")
    assert "pages interrupted\n" in err
    assert err.endswith(f"\nto go on: scrapekit crawl pages --resume {job}\n")
    assert "/slow" in project.urls("out.jsonl")
    assert resumed(project) == ["/", "/fast", "/slow"]


def test_the_second_signal_stops_at_once(project, slow, crawl):
    crawl.send_signal(signal.SIGINT)
    read_until(crawl, "press Ctrl-C again")
    crawl.send_signal(signal.SIGINT)
    _, err = crawl.communicate()
    (job,) = project.jobs
    assert crawl.returncode == 130
    assert "stopping at once\n" in err
    assert err.endswith(f"\nto go on: scrapekit crawl pages --resume {job}\n")
    assert "/slow" not in project.urls("out.jsonl")
    slow.answer.set()
    assert resumed(project) == ["/", "/fast", "/slow"]


def test_kill_9_is_resumed_as_well(project, slow, crawl):
    crawl.kill()
    crawl.wait()
    slow.answer.set()
    assert resumed(project) == ["/", "/fast", "/slow"]


def test_quiet_still_says_how_to_go_on(project, slow):
    with project.start("crawl", "pages", "-a", f"url={slow.url}", "-q") as process:
        assert slow.asked.wait(60)
        process.send_signal(signal.SIGINT)
        read_until(process, "press Ctrl-C again")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    (job,) = project.jobs
    assert process.returncode == 130
    assert err.splitlines() == ["stopping at once", f"to go on: scrapekit crawl pages --resume {job}"]


class Engine:
    """What tells how the crawl stands."""

    def __init__(self, in_flight):
        self.snapshot = Snapshot(in_flight=in_flight)
        self.stopped = []


class Crawled:
    """What the signals are for."""

    def __init__(self, engine):
        self.engine = engine

    def drain(self):
        self.engine.stopped.append("drained")

    def halt(self):
        self.engine.stopped.append("halted")


@pytest.mark.parametrize(("in_flight", "said"), [(3, "3 requests"), (1, "1 request"), (0, "0 requests")])
def test_what_the_signals_tell_the_crawl_and_the_user(capsys, in_flight, said):
    engine = Engine(in_flight)
    with Live(lambda: engine.snapshot, None, every=0) as live, Interrupts(*_endings(live, Crawled(engine)), "again"):
        signal.raise_signal(signal.SIGTERM)
        assert engine.stopped == ["drained"]
        signal.raise_signal(signal.SIGTERM)
        assert engine.stopped[1:] == ["halted"]
    assert capsys.readouterr().err == (
        f"finishing {said} in flight, press Ctrl-C again to stop at once\nstopping at once\n"
    )


def test_an_interrupted_crawl_ends_with_130_and_the_command_that_resumes_it(project, site, interrupting):
    with interrupting():
        code, out, err = project.run("crawl", "pages", "-a", f"url={site.url}", "-O", "out.jsonl", "-q")
    (job,) = project.jobs
    assert (code, out, err) == (130, "", f"to go on: scrapekit crawl pages --resume {job}\n")
    assert len(resumed(project)) == 9


def test_one_signal_ends_the_wait_for_a_database_when_the_last_page_is_done(project, site, monkeypatch):
    def load(*_):
        raise Unreachable("it is down")

    def finish(sink):
        signal.raise_signal(signal.SIGINT)
        waited(sink)

    waited = DatabaseSink.finish
    with monkeypatch.context() as patched:
        patched.setattr(Table, "load", load)
        patched.setattr(DatabaseSink, "finish", finish)
        code, _, err = project.run("crawl", "pages", "-a", f"url={site.url}", "-o", "sqlite:///b.db?table=pages")
    (job,) = project.jobs
    assert code == 130
    assert "\nfinishing the output; a database is waited for no longer\n" in err
    assert "\npages interrupted\n  pages        9 in " in err
    assert err.endswith(f"\nto go on: scrapekit crawl pages --resume {job}\n")
    assert project.run("crawl", "pages", "--resume").code == 0
    with closing(sqlite3.connect("b.db")) as database:
        assert database.execute("SELECT count(*) FROM pages").fetchone() == (9,)


# The signals themselves


def test_the_signals_do_in_turn_what_they_are_for_and_then_what_they_did_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    done = []
    with Interrupts(lambda: done.append("first"), lambda: done.append("second"), "gone"):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert done == ["first", "second"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts(pytest.fail, pytest.fail, ""):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_only_the_main_thread_takes_signals():
    def enter():
        with Interrupts(pytest.fail, pytest.fail, ""):
            taken.append(signal.getsignal(signal.SIGINT))

    taken = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert taken == [signal.getsignal(signal.SIGINT)]


THREE = """
import signal, sys
from scrapekit.cli.interrupts import Interrupts
with Interrupts(lambda: None, lambda: None, "to go on: ..."):
    for _ in range(3):
        signal.raise_signal(signal.SIGINT)
print("not reached")
"""


def test_the_third_signal_leaves_on_the_spot():
    found = subprocess.run([sys.executable, "-c", THREE], capture_output=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (130, b"", b"\nto go on: ...\n")


def test_the_third_signal_needs_no_reader():
    ours, theirs = os.pipe()
    os.close(ours)
    found = subprocess.run([sys.executable, "-c", THREE], stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    assert (found.returncode, found.stdout) == (130, b"")


def test_on_a_terminal_the_third_signal_gives_the_cursor_back():
    ours, theirs = os.openpty()
    try:
        found = subprocess.run([sys.executable, "-c", THREE], stderr=theirs, check=False)
        assert os.read(ours, 100) == b"\x1b[?25h\r\nto go on: ...\r\n"
    finally:
        os.close(ours)
        os.close(theirs)
    assert found.returncode == 130


def test_the_third_signal_does_the_same_when_it_is_not_a_terminals(monkeypatch):
    written = []

    def leave(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "write", lambda fd, text: written.append((fd, text)))
    monkeypatch.setattr(os, "_exit", leave)
    with Interrupts(lambda: None, lambda: None, "go on \N{SNOWMAN}"):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(SystemExit, match="130"):
            signal.raise_signal(signal.SIGTERM)
    (written,) = written
    assert written[0] == 2
    assert written[1].endswith("\ngo on \N{SNOWMAN}\n".encode())
