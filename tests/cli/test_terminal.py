"""The crawl on a terminal: a live display, whole messages above it, and nothing of it left at the end."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
from contextlib import ExitStack

import pytest

from scrapekit.testing import Reply, serve
from scrapekit.testing.terminal import Terminal

HTML = (("Content-Type", "text/html"),)


@pytest.fixture
def waits():
    """A site whose ``/1`` says 503 at first, and to come back in a second; so a crawl of it lasts for that long."""

    def app(request):
        if request.path == "/robots.txt":
            return Reply(b"", 404)
        if request.path == "/1" and request.visit == 1:
            return Reply(b"", 503, (("Retry-After", "2"),))  # long enough to be shown on a busy machine
        return Reply(b"<a href=1>x</a><a href=2>x</a>" if request.path == "/" else b"<p>x</p>", headers=HTML)

    with serve(app) as server:
        yield server.url


def on_a_terminal(project, url, *arguments, **environment):
    """What a crawl writes to a terminal of 80 columns."""
    ours, theirs = os.openpty()
    written = []

    def read():
        try:
            while chunk := os.read(ours, 65536):
                written.append(chunk)
        except OSError:  # how Linux says that the other side has been closed
            pass

    reader = threading.Thread(target=read)
    environment = {"TERM": "xterm-256color", "CI": "", **environment}
    command = ["crawl", "pages", "-a", f"url={url}", *arguments]
    with project.start(*command, stderr=theirs, stdout=theirs, env=environment) as process:
        os.close(theirs)
        reader.start()
        process.wait()
        reader.join()
    os.close(ours)
    assert process.returncode == 0
    return b"".join(written).decode()


def test_the_display_says_why_nothing_happens_and_goes(project, waits):
    text = on_a_terminal(project, waits, "--workers", "1", NO_COLOR="")
    assert "\x1b[?25l" in text
    assert "Retry-After until" in text
    assert "\x1b[1mpages  1 pages" in text
    before, _, after = text.rpartition("\x1b[2K")
    assert re.search(r"\x1b\[\?25h\r(\x1b\[1A\x1b\[2K)*\x1b\[1A$", before)
    assert after.startswith("pages finished\r\n")
    assert "\x1b" not in after


def test_no_color_means_no_colours(project, site):
    text = on_a_terminal(project, site.url, NO_COLOR="1")
    assert "\x1b[?25l" in text
    assert not re.search(r"\x1b\[[0-9;]*[34]\d", text)


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [((), {"TERM": "dumb"}), ((), {"CI": "true"}), (("-q",), {}), (("-o", "-"), {})],
    ids=["dumb", "CI", "quiet", "items on it"],
)
def test_where_a_display_would_be_in_the_way_there_is_none(project, site, arguments, environment):
    text = on_a_terminal(project, site.url, *arguments, **environment)
    assert "\x1b" not in text
    assert ("pages finished" in text) == ("-q" not in arguments)


# In a real one


@pytest.fixture
def terminal(project):
    """Starts a command in a terminal of tmux."""
    with ExitStack() as stack:

        def start(*arguments, size=(100, 30), **environment):
            command = [sys.executable, "-m", "scrapekit", "crawl", "pages", "-O", "out.jsonl", *arguments]
            environment = {"PYTHONPATH": str(project.root), "CI": "", **environment}
            columns, rows = size
            return stack.enter_context(
                Terminal(command, columns=columns, rows=rows, folder=project.folder, environment=environment)
            )

        yield start


@pytest.fixture(scope="module")
def patient():
    """A site of ``/``, which links to what is gone, and to what asks to be left alone for an hour; and to others."""

    def app(request):
        if request.path in {"/robots.txt", "/gone"}:
            return Reply(b"", 404)
        if request.path == "/busy":
            return Reply(b"", 503, (("Retry-After", "3600"),))
        links = "".join(f"<a href={path}>x</a>" for path in ["gone", "busy", *range(40)])
        return Reply(links.encode(), headers=HTML)

    with serve(app) as server:
        yield server.url


DISPLAY = r"""^pages  \d+ pages  \d+ s
\d+\.\d pages/s  [▁▂▃▄▅▆▇█]*
\d+ queued  0 of 16 in flight  \d+ items?  1 error(  |\n)1 retry
  127\.0\.0\.1  0/[12] .*Retry-After until \d\d:\d\d:\d\d
last error: StatusError 404: http://127\.0\.0\.1:.*\Z"""
needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@needs_tmux
def test_a_screen_shows_whole_messages_and_no_rest_of_the_display(terminal, waits):
    shown = terminal("-a", f"url={waits}", "--workers", "1", size=(150, 40))
    lines = [line for line in shown.await_text(r"^\[exit").splitlines() if line]
    assert lines[0].endswith(", to out.jsonl")
    assert " INFO " in lines[1]
    assert "StatusError" in lines[1]
    assert lines[2] == "pages finished"
    assert lines[-1] == "[exit 0]"
    assert not [line for line in lines if "in flight" in line]


@needs_tmux
@pytest.mark.parametrize("size", [(100, 30), (60, 20)], ids=["100x30", "60x20"])
def test_ctrl_c_in_a_terminal_takes_the_display_away_and_says_how_to_go_on(project, terminal, patient, size):
    shown = terminal("-a", f"url={patient}", "-s", "throttle.maxsize=2", size=size, COLUMNS="200")
    running = shown.await_text(DISPLAY)
    assert max(map(len, running.splitlines())) <= size[0]
    shown.press("C-c")
    ended = shown.await_text(r"^\[exit 130\]$")
    (job,) = project.jobs
    assert f"to go on: scrapekit crawl pages --resume {job}" in ended.replace("\n", "")
    assert "left  " in ended
    assert "pages/s" not in ended


@needs_tmux
def test_a_terminal_may_shrink_while_the_crawl_runs(terminal, patient):
    shown = terminal("-a", f"url={patient}")
    shown.await_text("pages/s")
    shown.resize(40, 8)
    shown.press("C-c")
    shown.await_text(r"^\[exit 130\]$")
