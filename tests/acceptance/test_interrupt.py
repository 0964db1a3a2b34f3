"""Ctrl-C, SIGTERM, a second process, and an output that is not what it was: by the real command."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from harness import LoggedSite, Shell, logged_site, wait_until

from scrapekit.testing import SampleSite

BOOKS = 160
FAST = ("-s", "retry.backoff.initial=0.01")
HANGING = "/catalogue/page-3.html"


@pytest.fixture
def waiting_site(tmp_path):
    """A site whose third list page is not answered before ``site.go()``: no crawl of it ends too early for a test."""
    with logged_site(tmp_path, "--books", str(BOOKS), "--hang", HANGING) as site:
        yield site


@pytest.fixture
def site(tmp_path):
    with logged_site(tmp_path, "--books", str(BOOKS), "--latency", "0.03") as site:
        yield site


@pytest.fixture
def output(project: Path) -> Path:
    return project / "books.jsonl"


def start(shell: Shell, site: LoggedSite, output: Path, pages: int = 40, *options: str) -> subprocess.Popen[str]:
    """A crawl of the site that has asked for so many pages."""
    process = shell.start("crawl", "books", "-a", f"url={site.url}", "-O", output.name, *FAST, *options)
    if not wait_until(lambda: len(site.targets) >= pages, process):
        pytest.fail(f"it ended before its time: {process.communicate()}")
    return process


def interrupted(shell: Shell, site: LoggedSite, output: Path) -> str:
    """A job that was interrupted: what it said."""
    process = start(shell, site, output)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    return said


def assert_complete(output: Path, site: LoggedSite) -> None:
    items = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    expected = SampleSite(books=BOOKS).expected_books(site.url)
    assert Counter(item["upc"] for item in items) == Counter(item["upc"] for item in expected)
    by_upc = {item["upc"]: item for item in items}
    assert [by_upc[item["upc"]] for item in expected] == expected


def resume_command(said: str) -> list[str]:
    """The arguments of the resume command that is printed."""
    found = re.search(r"scrapekit (crawl books --resume \S+)", said)
    assert found, said
    return shlex.split(found[1])


def one_line(text: str) -> str:
    """The only line of ``text``."""
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text.strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_drains_what_is_in_flight_and_prints_the_command_that_goes_on(number, shell, site, output):
    process = start(shell, site, output)
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    asked = len(site.targets)
    assert process.returncode == 130, said
    assert out == ""
    assert "Traceback" not in said
    assert asked < BOOKS
    # All that was asked for has been written: nothing of it is fetched again.
    assert wait_until(lambda: site.open == 0)
    drained = set(site.targets)
    again = shell.run(*resume_command(said))
    assert again.returncode == 0, again.stderr
    flaky = set(SampleSite(books=BOOKS).flaky)
    assert [target for target in site.targets[asked:] if target in drained - flaky] == []
    assert_complete(output, site)


def test_a_second_ctrl_c_stops_at_once_although_a_page_hangs(shell, waiting_site, output):
    patient = ("-s", "crawl.drain_timeout=3600", "-s", "http.timeout.read=3600", "-s", "http.timeout.total=3600")
    process = start(shell, waiting_site, output, 24, *patient)
    wait_until(lambda: waiting_site.open == 1 and HANGING in waiting_site.targets, process)
    process.send_signal(signal.SIGINT)
    said = ""
    while "Ctrl-C again" not in said:  # it drains, and waits for the page
        line = process.stderr.readline()
        assert line, said
        said += line
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert waiting_site.open == 1
    assert "Traceback" not in said
    waiting_site.go()
    again = shell.run(*resume_command(said))
    assert again.returncode == 0, again.stderr
    assert_complete(output, waiting_site)


SLOW_START = """
import pathlib, sys, time
if any("spawn_main" in word for word in sys.orig_argv):
    pathlib.Path("begun").touch()
    time.sleep(60)
"""


def test_a_ctrl_c_while_processes_are_being_started_is_one_line(shell, project):
    """It reaches all that belong to the terminal, and Python itself would tell of it with a traceback."""
    (project / "sitecustomize.py").write_text(SLOW_START)
    path = f"{project}{os.pathsep}{shell.package}"
    process = shell.start("crawl", "books", "-O", "x.jsonl", "--fleet", "processes:2", "-q", env={"PYTHONPATH": path})
    assert wait_until((project / "begun").exists, process)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (130, "scrapekit: error: interrupted")


def test_resume_without_a_job_takes_the_latest_and_a_finished_job_is_not_resumed(shell, site, output):
    interrupted(shell, site, output)
    again = shell.run("crawl", "books", "--resume")
    assert again.returncode == 0, again.stderr
    assert_complete(output, site)
    over = shell.run("crawl", "books", "--resume")
    assert over.returncode == 2
    assert "nothing to resume" in one_line(over.stderr)


def test_a_second_process_on_the_same_job_is_refused_and_does_not_disturb_the_first(shell, waiting_site, output):
    process = start(shell, waiting_site, output)
    second = shell.run("crawl", "books", "--resume")
    assert second.returncode == 2
    assert str(process.pid) in one_line(second.stderr)
    waiting_site.go()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert_complete(output, waiting_site)


def test_a_second_crawl_into_the_same_output_is_refused_and_does_not_disturb_the_first(shell, waiting_site, output):
    process = start(shell, waiting_site, output)
    for option in ("-o", "-O"):
        second = shell.run("crawl", "books", "-a", f"url={waiting_site.url}", option, output.name)
        assert second.returncode == 2
        assert output.name in one_line(second.stderr)
    waiting_site.go()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert_complete(output, waiting_site)


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [shorten, change, Path.unlink])
def test_an_output_that_is_not_as_it_was_left_is_refused_and_left_alone(spoil, shell, site, output):
    said = interrupted(shell, site, output)
    whole = output.read_bytes()
    assert whole
    spoil(output)
    spoilt = output.read_bytes() if output.exists() else None
    asked = len(site.targets)
    refused = shell.run(*resume_command(said))
    assert refused.returncode == 2
    assert output.name in one_line(refused.stderr)
    assert (output.read_bytes() if output.exists() else None) == spoilt
    assert len(site.targets) == asked

    output.write_bytes(whole)  # and once it is put back, the job goes on
    again = shell.run(*resume_command(said))
    assert again.returncode == 0, again.stderr
    assert_complete(output, site)


def test_what_was_appended_to_stays(shell, site, output):
    output.write_text('{"before": 1}\n')
    process = shell.start("crawl", "books", "-a", f"url={site.url}", "-o", output.name, *FAST)
    assert wait_until(lambda: len(site.targets) >= 40, process)
    process.kill()
    process.communicate()
    again = shell.run("crawl", "books", "--resume")
    assert again.returncode == 0, again.stderr
    first, *rest = output.read_text(encoding="utf-8").splitlines(keepends=True)
    assert json.loads(first) == {"before": 1}
    output.write_text("".join(rest), encoding="utf-8")
    assert_complete(output, site)
