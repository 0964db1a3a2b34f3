"""The live line and the log lines: what they show of a snapshot, and that nothing tears them."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest
from rich.console import Console

from scrapekit.cli.live import Live, Rate, print_line, status_line
from scrapekit.cli.log import TerminalHandler, logging_to
from scrapekit.engine import HostSnapshot, Snapshot

NEVER = float("inf")


def test_the_line_has_what_a_user_wants_to_know():
    snapshot = Snapshot(pages=1234, items=1100, pending=50, in_flight=16, failed=2)
    assert status_line(snapshot, 98.24, 0.0) == ("1,234 pages  98.2/s  1,100 items  34 queued  16 in flight  2 errors")


def waits(name, reason, until):
    return HostSnapshot(name, reason=reason, until=until)


@pytest.mark.parametrize(
    ("waiting", "shown"),
    [
        ([waits("books.toscrape.com", "Retry-After", 112.4)], "  books.toscrape.com: Retry-After 12 s"),
        ([waits("x", "robots.txt", NEVER)], "  x: robots.txt"),
        ([waits("x", "delay", 100.2)], "  x: delay"),
        ([waits("x\x1b[2J", "delay", 90)], r"  x\x1b[2J: delay"),
        ([waits(str(n), "delay", 90) for n in range(5)], "  0: delay  1: delay  3 more hosts wait"),
        ([waits("x", "", NEVER)], ""),
    ],
)
def test_hosts_that_wait_are_shown_with_the_reason(waiting, shown):
    assert status_line(Snapshot(hosts=tuple(waiting)), 0.0, 100.0).partition("0 errors")[2] == shown


def test_a_stale_snapshot_never_shows_less_than_nothing_queued():
    assert "  0 queued  " in status_line(Snapshot(pending=1, in_flight=2), 0.0, 0.0)


def test_the_rate_is_that_of_the_last_seconds():
    rate = Rate()
    assert rate.add(Snapshot()) == 0
    assert rate.add(Snapshot(elapsed_now=2.0, pages_now=10)) == 5
    assert rate.add(Snapshot(elapsed_now=2.0, pages_now=10)) == 5
    for second in range(3, 20):
        last = rate.add(Snapshot(elapsed_now=float(second), pages_now=10 + 100 * (second - 2)))
    assert last == 100
    assert rate.add(Snapshot(elapsed_now=60.0, pages_now=1710)) == 0


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
    return Console(file=io.StringIO(), force_terminal=True, width=60, color_system=None, legacy_windows=False)


def test_on_a_terminal_one_line_is_rewritten_and_messages_stand_above_it(terminal):
    shown = Shown()
    with Live(shown.snapshot, terminal, every=0.001) as line, logging_to(terminal, logging.INFO):
        assert shown.twice.wait(30)
        line.say("finishing 3 requests in flight")
        logging.getLogger("scrapekit").warning("[red]wrong\x1b[0m %s", "x" * 80)
    text = terminal.file.getvalue()
    erased = "\r\x1b[2K"
    assert text.count(f"{erased}7 pages  7.0/s") >= 1
    assert f"{erased}finishing 3 requests in flight\n7 pages" in text
    assert f"WARNING [red]wrong\\x1b[0m {'x' * 80}\n7 pages" in text
    assert text.endswith("\x1b[?25h\r\x1b[1A\x1b[2K")  # the cursor is back, and the line is gone


def test_without_a_terminal_lines_are_logged(caplog, capsys):
    shown = Shown()
    with caplog.at_level(logging.INFO), Live(shown.snapshot, None, every=0.001) as line:
        assert shown.twice.wait(30)
        line.say("a note")
    assert caplog.messages[0] == "7 pages  7.0/s  0 items  0 queued  0 in flight  0 errors"
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
