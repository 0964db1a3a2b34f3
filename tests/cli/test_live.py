"""The display on a terminal and the log lines: that nothing tears them, and that they end with the crawl."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest
from rich.console import Console

from scrapekit.cli.live import Live, print_line
from scrapekit.cli.log import TerminalHandler, logging_to
from scrapekit.cli.pace import Pace
from scrapekit.engine import Snapshot


class Shown:
    """Snapshots for :class:`Live`, and a way to wait until some have been shown."""

    def __init__(self):
        self.count = 0
        self.twice = threading.Event()

    def snapshot(self):
        self.count += 1
        if self.count > 2:  # the third is asked for when two have been shown
            self.twice.set()
        return Snapshot(pages=7, pages_now=7, elapsed_now=1.0)


@pytest.fixture
def terminal():
    return Console(
        file=io.StringIO(), force_terminal=True, width=60, height=10, color_system=None, legacy_windows=False
    )


def test_on_a_terminal_the_display_is_redrawn_and_messages_stand_above_it(terminal):
    shown = Shown()
    with Live(shown.snapshot, terminal, every=0.001, title="books") as live, logging_to(terminal, logging.INFO):
        assert shown.twice.wait(30)
        live.say("finishing 3 requests in flight")
        logging.getLogger("scrapekit").warning("[red]wrong\x1b[0m %s", "x" * 80)
    text = terminal.file.getvalue()
    erased = "\r" + "\x1b[2K\x1b[1A" * 2 + "\x1b[2K"
    display = "books  7 pages  1 s\n7.0 pages/s  7\n0 queued  0 in flight  0 items  0 errors"
    display = display.replace("  7\n", "  \u2588\n")
    assert f"{erased}{display}" in text
    assert f"{erased}finishing 3 requests in flight\n{display}" in text
    assert f"WARNING [red]wrong\\x1b[0m {'x' * 80}\n{display}" in text
    assert text.endswith("\x1b[?25h\r" + "\x1b[1A\x1b[2K" * 3)  # the cursor is back, and the display is gone


def test_the_pace_knows_the_limits_and_verbose_says_more(terminal):
    snapshots = [Snapshot(pages=n, pages_now=n, elapsed_now=float(n), pending=99) for n in range(10)]
    enough = threading.Event()

    def newest():
        if not snapshots[1:]:
            enough.set()
        return snapshots.pop(0) if snapshots[1:] else snapshots[0]

    with Live(newest, terminal, every=0.001, pace=Pace(max_pages=18), verbose=True):
        assert enough.wait(30)
    assert "50%  about 9 s left" in terminal.file.getvalue()
    assert "0 B" in terminal.file.getvalue()


def test_a_crawl_that_breaks_off_leaves_nothing_of_the_display(terminal):
    shown = Shown()
    with pytest.raises(ValueError, match="it broke"), Live(shown.snapshot, terminal, every=0.001):
        assert shown.twice.wait(30)
        raise ValueError("it broke")
    assert terminal.file.getvalue().endswith("\x1b[?25h\r" + "\x1b[1A\x1b[2K" * 3)


def test_notes_are_in_the_log_too_and_shown_once(terminal, caplog, capsys):
    for notes in (True, False):
        with caplog.at_level(logging.INFO), Live(Snapshot, None, every=0, notes=notes) as live:
            live.say("stopping at once")
    assert capsys.readouterr().err == "stopping at once\n"
    assert [(record.event, record.unshown) for record in caplog.records] == [("note", True), ("note", False)]


def test_the_display_leaves_log_files_a_line_now_and_then(terminal, caplog):
    snapshots = [Snapshot(pages=n, pages_now=n, elapsed_now=float(n)) for n in range(12)]
    enough = threading.Event()

    def newest():
        if not snapshots[1:]:
            enough.set()
        return snapshots.pop(0) if snapshots[1:] else snapshots[0]

    with caplog.at_level(logging.INFO), Live(newest, terminal, every=0.001):
        assert enough.wait(30)
    told = [record for record in caplog.records if record.event == "progress"]
    assert [(record.facts["pages"], record.unshown) for record in told] == [(5, True), (10, True)]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("I/O operation on closed file")])
@pytest.mark.parametrize("when", ["drawing", "ending"])
def test_a_terminal_that_goes_away_ends_the_display_alone(capsys, error, when):
    class Gone(io.StringIO):
        gone = False

        def write(self, text):
            if self.gone:
                raise error
            return super().write(text)

    terminal = Console(file=Gone(), force_terminal=True, width=60, height=10, color_system=None)
    shown = Shown()
    with Live(shown.snapshot, terminal, every=0.001) as live:
        assert shown.twice.wait(30)
        terminal.file.gone = True
        if when == "drawing":
            live.say("lost")
            live.say("said to stderr")
    assert not live._thread.is_alive()
    assert capsys.readouterr().err == ("said to stderr\n" if when == "drawing" else "")


def test_without_a_terminal_lines_are_logged(caplog, capsys):
    shown = Shown()
    with caplog.at_level(logging.INFO), Live(shown.snapshot, None, every=0.001) as line:
        assert shown.twice.wait(30)
        line.say("a note")
    assert caplog.messages[0] == "7 pages  7.0/s  0 queued  0 in flight  0 items  0 errors"
    assert capsys.readouterr().err.splitlines()[-1] == "a note"


def test_quiet_shows_notes_only(terminal, capsys):
    def never():
        raise AssertionError("asked")

    with Live(never, terminal, every=0) as line:
        line.say("a note")
    assert capsys.readouterr().err == "a note\n"
    assert terminal.file.getvalue() == ""


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file")])
def test_a_reader_that_has_gone_away_does_not_stop_the_crawl(monkeypatch, error):
    class Gone(io.StringIO):
        def write(self, text):
            raise error

    monkeypatch.setattr(sys, "stderr", Gone())
    print_line("x")


def test_without_a_stderr_nothing_is_shown(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    print_line("x")


def test_records_are_shown_in_one_format_and_the_loggers_are_left_as_they_were(capsys):
    root, urllib3 = logging.getLogger(), logging.getLogger("urllib3")
    before = (root.level, urllib3.level, [*root.handlers])
    with logging_to(None, logging.DEBUG):
        logging.getLogger("anyone").debug("at http://u:p@h/\x1b")
        urllib3.debug("one for every request")
        try:
            raise ValueError("x")
        except ValueError:
            logging.getLogger("anyone").exception("it failed")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith(r" DEBUG at http://***@h/\x1b")
    assert lines[1].endswith(" ERROR it failed")
    assert lines[2] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: x"
    assert (root.level, urllib3.level, root.handlers) == before


def test_a_record_that_cannot_be_formatted_is_reported_and_costs_nothing_else(capsys):
    TerminalHandler(None).handle(logging.LogRecord("x", logging.INFO, "f", 1, "%d", ("text",), None))
    assert "--- Logging error ---" in capsys.readouterr().err
