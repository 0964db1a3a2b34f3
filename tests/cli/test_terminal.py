"""The crawl on a terminal: one live line, whole messages above it, and nothing of it left at the end."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading

import pytest

from scrapekit.testing import Reply, serve

HTML = (("Content-Type", "text/html"),)


@pytest.fixture
def waits():
    """A site whose ``/1`` says 503 at first, and to come back in a second; so a crawl of it lasts for that long."""

    def app(request):
        if request.path == "/robots.txt":
            return Reply(b"", 404)
        if request.path == "/1" and request.visit == 1:
            return Reply(b"", 503, (("Retry-After", "1"),))
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
    environment = {"TERM": "xterm-256color", "COLUMNS": "80", **environment}
    command = ["crawl", "pages", "-a", f"url={url}", *arguments]
    with project.start(*command, stderr=theirs, stdout=theirs, env=environment) as process:
        os.close(theirs)
        reader.start()
        process.wait()
        reader.join()
    os.close(ours)
    assert process.returncode == 0
    return b"".join(written).decode()


def test_the_live_line_says_why_nothing_happens_and_goes(project, waits):
    text = on_a_terminal(project, waits, "--workers", "1", NO_COLOR="")
    assert "\x1b[?25l" in text
    assert "127.0.0.1: Retry-After" in text
    assert "\x1b[1m1 pages" in text
    before, _, after = text.rpartition("\x1b[2K")
    assert before.endswith("\x1b[?25h\r\x1b[1A")
    assert after.startswith("pages finished\r\n")
    assert "\x1b" not in after


def test_no_color_means_no_colours(project, site):
    text = on_a_terminal(project, site.url, NO_COLOR="1")
    assert "\x1b[?25l" in text
    assert not re.search(r"\x1b\[[0-9;]*[34]\d", text)


@pytest.mark.parametrize(("arguments", "term"), [((), "dumb"), (("-q",), "xterm"), (("-o", "-"), "xterm")])
def test_a_dumb_terminal_quiet_and_items_on_the_terminal_mean_no_live_line(project, site, arguments, term):
    text = on_a_terminal(project, site.url, *arguments, TERM=term)
    assert "\x1b" not in text
    assert ("pages finished" in text) == ("-q" not in arguments)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_screen_shows_whole_messages_and_no_rest_of_the_live_line(project, waits):
    tmux = ["tmux", "-S", str(project.folder / "socket")]
    command = [
        sys.executable,
        "-m",
        "scrapekit",
        "crawl",
        "pages",
        "-a",
        f"url={waits}",
        "-O",
        "out.jsonl",
        "--workers",
        "1",
    ]
    line = f"{shlex.join(command)}; echo ended $?; {shlex.join([*tmux, 'wait-for', '-S', 'ended'])}; cat"
    environment = {**os.environ, "PYTHONPATH": str(project.root), "TERM": "xterm", "HOME": str(project.folder)}
    subprocess.run(
        [*tmux, "-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "40", line],
        cwd=project.folder,
        env=environment,
        check=True,
    )
    try:
        subprocess.run([*tmux, "wait-for", "ended"], check=True, timeout=60)
        screen = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
    lines = [line.rstrip() for line in screen.splitlines() if line.strip()]
    assert lines[0].endswith(", to out.jsonl")
    assert " INFO " in lines[1]
    assert "StatusError" in lines[1]
    assert lines[2] == "pages finished"
    assert lines[-1] == "ended 0"
    assert not [line for line in lines if "in flight" in line]
