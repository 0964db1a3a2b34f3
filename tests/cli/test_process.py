"""The process around the commands: closed standard streams, its exit code, and that nothing holds its end up."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading

import pytest

from scrapekit.__main__ import main
from scrapekit.cli import process

BLOCKS = """
    import threading
    from pages import Pages

    class Blocks(Pages):
        def parse(self, response):
            yield from super().parse(response)
            if response.url.endswith("/1"):
                print("blocks", flush=True)
                threading.Event().wait()
"""
# The command as it is, but for the seconds that threads get to end.
QUICK = "from scrapekit.project import hands; hands._CLOSE_SECONDS = 0.1; from scrapekit.cli import entry; entry()"
STREAMS = {"out": ">&-", "err": "2>&-", "all": "<&- >&- 2>&-"}


def shell(project, line, *arguments, **environment):
    """A command whose standard streams the shell redirects."""
    script = f'exec "$0" -m scrapekit "$@" {line}'
    return project.start(*arguments, command=["sh", "-c", script, sys.executable], env=environment)


@pytest.mark.parametrize("fleet", ["threads", "processes:1"])
@pytest.mark.parametrize("line", STREAMS.values(), ids=STREAMS)
def test_a_crawl_to_a_file_needs_no_standard_streams(project, site, line, fleet):
    with shell(project, line, "crawl", "pages", "-a", f"url={site.url}", "-O", "out.jsonl", "--fleet", fleet) as crawl:
        out, err = crawl.communicate()
    assert (crawl.returncode, out) == (0, "")
    assert ("pages finished" in err) == ("2>&-" not in line)
    assert "Traceback" not in err
    assert project.urls("out.jsonl") == ["/", *(f"/{number}" for number in range(1, 9))]


def test_items_for_a_stdout_that_is_closed_are_refused(project, site):
    with shell(project, ">&-", "crawl", "pages", "-a", f"url={site.url}", "-o", "-") as crawl:
        _, err = crawl.communicate()
    assert (crawl.returncode, err) == (2, "scrapekit: error: the output is stdout, which is closed\n")


@pytest.mark.parametrize(("signals", "patience"), [(1, 0.1), (2, 600)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_crawl_ends_though_a_callback_does_not_return(project, site, number, signals, patience):
    project.write("spiders/blocks.py", BLOCKS)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    words = ["crawl", "blocks", "-a", f"url={site.url}", "-O", "out.jsonl", "-s", f"crawl.drain_timeout={patience}"]
    with project.start(*words, command=[sys.executable, "-c", QUICK]) as crawl:
        signal.signal(signal.SIGINT, before)
        assert crawl.stdout.readline() == "blocks\n"
        crawl.send_signal(number)
        assert any("press Ctrl-C again" in line for line in iter(crawl.stderr.readline, ""))
        if signals == 2:
            crawl.send_signal(number)
        _, err = crawl.communicate(timeout=60)
    (job,) = project.jobs
    assert crawl.returncode == 130
    assert err.endswith(
        f"\nto go on: scrapekit crawl blocks --resume {job}\n1 worker did not come back, from a callback or from "
        "looking up a name: the process ends without waiting any longer\n"
    )
    project.write("spiders/blocks.py", "from pages import Pages\nclass Blocks(Pages): pass")
    assert project.run("crawl", "blocks", "--resume", "-q").code == 0
    assert len(project.urls("out.jsonl")) == 9


class Left(Exception):
    """How a test leaves where the process would have ended."""


@pytest.fixture
def ends(monkeypatch):
    """Runs ``entry()`` around something else than the commands; gives the exit code, and whether Python's own end is left out."""

    def leave(code):
        raise Left(code)

    def run(main):
        monkeypatch.setattr(process, "main", main)
        try:
            process.entry()
        except SystemExit as end:
            return end.code, False
        except Left as end:
            return end.args[0], True

    monkeypatch.setattr(os, "_exit", leave)
    return run


def test_the_exit_code_is_that_of_the_command(ends):
    assert [ends(lambda code=code: code) for code in (0, 1, 2, 130)] == [
        (0, False), (1, False), (2, False), (130, False),
    ]  # fmt: skip
    assert ends(lambda: sys.exit(1)) == (1, False)
    assert ends(sys.exit) == (0, False)


@pytest.mark.parametrize("stderr", [True, False], ids=["stderr", "none"])
def test_ctrl_c_while_the_commands_are_loaded_is_an_interruption(monkeypatch, capsys, stderr):
    def load():
        raise KeyboardInterrupt

    monkeypatch.setattr("scrapekit.cli.entry", load)
    if not stderr:
        monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as end:
        main()
    monkeypatch.undo()
    assert end.value.code == 130
    assert capsys.readouterr().err == ("\nscrapekit: error: interrupted\n" if stderr else "")


def test_a_bug_ends_with_1_and_pythons_own_traceback(ends, capsys):
    assert ends(lambda: 1 / 0) == (1, False)
    assert capsys.readouterr().err.endswith("ZeroDivisionError: division by zero\n")


def test_the_traceback_of_a_bug_is_safe_to_show(ends, capsys):
    def bug():
        raise OSError("https://me:hunter2@host/ \x1b[31m")

    ends(bug)
    assert capsys.readouterr().err.endswith("OSError: https://***@host/ \\x1b[31m\n")


def test_workers_that_are_still_busy_are_counted_and_left_behind(ends, capsys):
    over = threading.Event()
    names = ("scrapekit-worker_0", "scrapekit-worker_1", "scrapekit-engine")
    threads = [threading.Thread(target=over.wait, name=name) for name in names]
    for thread in threads:
        thread.start()
    try:
        assert ends(lambda: 130) == (130, True)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert capsys.readouterr().err.startswith("2 workers did not come back, ")
    assert ends(lambda: 130) == (130, False)


@pytest.mark.parametrize(("code", "said"), [(0, True), (1, False)])
def test_a_stdout_that_does_not_take_what_was_printed_is_a_failure(ends, monkeypatch, capsys, code, said):
    class Full(io.StringIO):
        def flush(self):
            raise OSError("full")

    let_go = []
    with monkeypatch.context() as patched:  # which pytest uses as well
        patched.setattr(os, "dup2", lambda new, old: let_go.append((os.close(new), old)))
        patched.setattr(sys, "stdout", Full())
        assert ends(lambda: code) == (1, False)
    assert let_go == [(None, 1)]
    assert capsys.readouterr().err == ("scrapekit: error: stdout can't be written: full\n" if said else "")


def test_a_stdout_that_is_closed_is_not_flushed(ends, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", None)
        assert ends(lambda: 0) == (0, False)


def test_closed_standard_streams_keep_their_numbers_free(ends, monkeypatch):
    def fstat(number):
        if number in {0, 2}:
            raise OSError("Bad file descriptor")

    opened = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", fstat)
        patched.setattr(os, "set_inheritable", lambda number, _: opened.append(number))
        assert ends(lambda: 0) == (0, False)
    assert len(opened) == 2
    for number in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):  # to write is the error that it was
            os.write(number, b"x")
        os.close(number)
