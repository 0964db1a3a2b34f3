"""What goes wrong around a crawl, and is neither its fault nor its site's: disks, clocks, databases, code that hangs or dies."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from harness import PATIENCE, Shell, logged_site, wait_until
from test_interrupt import FAST, LoggedSite, assert_complete, interrupted, one_line, resume_command, shorten, start

import scrapekit
from scrapekit.testing import Reply, serve

BOOKS = 160
ROOT_ONLY = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount a tmpfs")


@pytest.fixture
def site(tmp_path):
    with logged_site(tmp_path, "--books", str(BOOKS), "--latency", "0.01") as site:
        yield site


@pytest.fixture
def output(project: Path) -> Path:
    return project / "books.jsonl"


@pytest.fixture
def mount(tmp_path):
    """Mounts a tmpfs of so many KiB, and can make it larger."""
    mounted = []

    def mount(folder: Path, size: int) -> None:
        options = f"size={size}k" if folder not in mounted else f"remount,size={size}k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        if folder not in mounted:
            mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def the_job(project: Path) -> Path:
    (job,) = (project / ".scrapekit" / "jobs").iterdir()
    return job


# A full disk


@ROOT_ONLY
@pytest.mark.parametrize(
    ("small", "size", "said"),
    [
        ("results", 24, "No space left on device"),
        (".scrapekit", 240, "disk is full"),
    ],
    ids=["while items are appended", "while state is committed"],
)
def test_a_full_disk_stops_the_crawl_in_one_line_and_with_space_the_resume_loses_nothing(
    small, size, said, shell, site, project, mount
):
    (project / small).mkdir()
    mount(project / small, size)
    (project / "results").mkdir(exist_ok=True)
    output = project / "results" / "books.jsonl"
    broken = shell.run("crawl", "books", "-q", "-a", f"url={site.url}", "-O", output, *FAST)
    assert broken.returncode == 1, broken.stderr
    error, again, *rest = [line for line in broken.stderr.splitlines() if "WARNING" not in line]
    assert error.startswith("scrapekit: error: ")
    assert said in error
    assert again.startswith("to go on: scrapekit crawl books --resume")
    assert rest == []
    mount(project / small, 64 * 1024)
    resumed = shell.run(*resume_command(broken.stderr))
    assert resumed.returncode == 0, resumed.stderr
    assert_complete(output, site)


@ROOT_ONLY
def test_a_disk_that_is_full_when_the_csv_is_made_keeps_the_items_for_a_resume(shell, site, project, mount):
    folder = project / "small"
    folder.mkdir()
    mount(folder, 8)
    output = folder / "books.csv"
    broken = shell.run("crawl", "books", "-q", "-a", f"url={site.url}", "-O", output, *FAST)
    assert broken.returncode == 1, broken.stderr
    assert "No space left on device" in broken.stderr
    assert not output.exists()
    asked = len(site.targets)
    mount(folder, 64 * 1024)
    resumed = shell.run(*resume_command(broken.stderr))
    assert resumed.returncode == 0, resumed.stderr
    assert len(output.read_text(encoding="utf-8").splitlines()) == BOOKS + 1
    assert len(site.targets) == asked  # nothing was fetched again


# An output that others have written to


def test_what_others_append_to_the_output_of_a_job_that_was_left_is_refused_and_not_cut_off(shell, site, output):
    said = interrupted(shell, site, output)
    whole = output.read_bytes()
    output.write_bytes(whole + b'{"of": "somebody else"}\n')
    refused = shell.run(*resume_command(said))
    assert refused.returncode == 2
    assert one_line(refused.stderr) == (
        f"scrapekit: error: {output.name} has 24 bytes that this job did not write behind its own: take them out "
        f"(truncate -s {len(whole)} {output.name}), or start a new crawl"
    )
    assert output.read_bytes().endswith(b'{"of": "somebody else"}\n')
    os.truncate(output, len(whole))
    again = shell.run(*resume_command(said))
    assert again.returncode == 0, again.stderr
    assert_complete(output, site)


def change(path: Path) -> None:
    """Somewhere in the middle, where a resume does not look."""
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["books.jsonl", "books.jsonl.gz", "books.csv"])
def test_what_is_gone_from_an_output_is_fetched_again_after_a_repair(name, shell, site, project):
    """Of a job that was interrupted and resumed to its end, so that it has groups of both runs, and then of repairs."""
    output = project / name
    said = interrupted(shell, site, output)
    assert shell.run(*resume_command(said)).returncode == 0
    job = the_job(project)
    lines = job / "items.jsonl" if name == "books.csv" else output
    fine = shell.run("jobs", "repair", job.name)
    assert (fine.returncode, fine.stdout[:19]) == (0, "nothing is missing:"), fine.stderr

    for spoil in (shorten, change, Path.unlink):
        spoil(lines)
        repaired = shell.run("jobs", "repair", job.name)
        assert repaired.returncode == 0, repaired.stderr
        gone, again = repaired.stdout.splitlines()
        assert 0 < int(gone.split()[0]) <= BOOKS
        again = shell.run(*resume_command(again))
        assert again.returncode == 0, again.stderr
        if name == "books.csv":
            assert len(output.read_text(encoding="utf-8").splitlines()) == BOOKS + 1
            continue
        plain = output
        if name.endswith(".gz"):
            plain = project / "plain.jsonl"
            plain.write_bytes(gzip.decompress(lines.read_bytes()))
        assert_complete(plain, site)
        assert f"  items        {BOOKS}\n" in again.stderr


def test_a_repair_of_what_has_no_job_or_an_output_that_was_appended_to_and_is_gone_is_refused(shell, site, output):
    unknown = shell.run("jobs", "repair", "nobody")
    assert unknown.returncode == 2
    assert one_line(unknown.stderr).startswith("scrapekit: error: there is no job 'nobody'")
    output.write_text('{"before": 1}\n')
    process = shell.start("crawl", "books", "-a", f"url={site.url}", "-o", output.name, *FAST)
    assert wait_until(lambda: len(site.targets) >= 40, process)
    process.kill()
    process.communicate()
    output.unlink()
    refused = shell.run("jobs", "repair", the_job(shell.folder).name)
    assert refused.returncode == 2
    assert "does not hold any more what was in it before" in one_line(refused.stderr)


def test_the_output_of_a_stream_can_not_be_repaired(shell, site):
    done = shell.run("crawl", "books", "-q", "-a", f"url={site.url}", "-o", "-", "--max-pages", "3", *FAST)
    assert done.returncode == 0, done.stderr
    refused = shell.run("jobs", "repair", the_job(shell.folder).name)
    assert refused.returncode == 2
    assert "its output is a stream" in one_line(refused.stderr)


# The frontier


def garbage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4096 * 3)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE meta SET value = '999' WHERE key = 'version'")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(garbage, "can't be used: "), (newer, "was written by another version of scrapekit (schema 999")],
    ids=["corrupt", "newer"],
)
def test_a_frontier_that_can_not_be_used_is_one_line_and_the_output_is_left_alone(spoil, said, shell, site, output):
    command = resume_command(interrupted(shell, site, output))
    written = output.read_bytes()
    spoil(the_job(shell.folder) / "frontier.sqlite")
    refused = shell.run(*command)
    assert refused.returncode == 1
    assert said in one_line(refused.stderr)
    assert output.read_bytes() == written


@ROOT_ONLY
def test_a_job_on_a_file_system_that_is_read_only_is_one_line(shell, site, project, output, mount):
    (project / ".scrapekit").mkdir()
    mount(project / ".scrapekit", 64 * 1024)
    command = resume_command(interrupted(shell, site, output))
    remount = ["mount", "-o", "remount,ro", project / ".scrapekit"]
    subprocess.run(remount, check=True)
    refused = shell.run(*command)
    assert refused.returncode == 1
    assert "Read-only file system" in one_line(refused.stderr)
    subprocess.run([*remount[:2], "remount,rw", remount[3]], check=True)
    again = shell.run(*command)
    assert again.returncode == 0, again.stderr
    assert_complete(output, site)


def test_a_reader_that_holds_the_database_for_long_does_not_hold_the_crawl_up(shell, site, output):
    process = start(shell, site, output)
    path = the_job(shell.folder) / "frontier.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM urls WHERE state = 'done'").fetchone()
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        assert reader.execute("SELECT count(*) FROM urls WHERE state = 'done'").fetchone() == before  # its own moment
    assert_complete(output, site)


# The clock


def test_a_clock_that_jumps_by_hours_in_both_directions_changes_nothing(monkeypatch):
    jumps = itertools.cycle([5 * 3600.0, -5 * 3600.0, 0.0])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    hits = Counter()

    def app(view):
        hits[view.path] += 1
        if view.path == "/robots.txt":
            return Reply(b"User-agent: *\nCrawl-delay: 0.01\n")
        if hits[view.path] == 1 and view.path != "/":
            return Reply(b"", 503, headers=(("Retry-After", "1"),))
        links = "".join(f"<a href='/{n}'>" for n in range(3)) if view.path == "/" else ""
        return Reply(links.encode(), headers=(("Content-Type", "text/html"), ("Set-Cookie", "a=b; Max-Age=60")))

    class Pages(scrapekit.Spider):
        name = "pages"

        def parse(self, response):
            yield {"url": response.url}
            yield from response.follow_all("a")

    with serve(app) as server:
        settings = {"retry": {"backoff": {"initial": 0.01}}}
        report = scrapekit.run(Pages, start_urls=[f"{server.url}/"], settings=settings)
    assert (report.items, report.stats.failed, report.reason) == (4, 0, "finished")
    assert report.elapsed < PATIENCE


# Code of others


SPIDER = """
import ctypes
import os
import resource
import threading
import time

from scrapekit import Spider, Request


class Block:
    def process(self, item):
        if item["url"].endswith("page-2.html") and item["way"] == "pipeline":
            threading.Event().wait()
        return item


class Bad(Spider):
    name = "bad"
    pipelines = [Block]

    def start(self):
        for path in ("", *(f"catalogue/page-{n}.html" for n in range(1, 7))):
            hangs = self.way in ("callback", "pipeline") and path.endswith("page-2.html")
            yield Request(self.url + path, timeout=1 if hangs else None)  # its time is up soon, the others' is not

    def parse(self, response):
        if response.url.endswith("page-2.html"):
            getattr(self, self.way, lambda: None)()
        yield {"url": response.url, "way": self.way}

    def callback(self):
        threading.Event().wait()

    def segfault(self):
        ctypes.string_at(0)

    def killed(self):
        os.kill(os.getpid(), 9)

    def memory(self):
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        eaten = []
        while True:
            eaten.append(bytearray(2**26))
"""
BAD = "catalogue/page-2.html"
GOOD = {"", *(f"catalogue/page-{n}.html" for n in (1, 3, 4, 5, 6))}
LIMITS = ("-s", "crawl.callback_timeout=0.5", "--workers", "2")


def bad_crawl(
    shell: Shell, site: LoggedSite, way: str, *options: str
) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    (shell.folder / "spiders" / "bad.py").write_text(SPIDER)
    output = shell.folder / "bad.jsonl"
    done = shell.run("crawl", "bad", "-a", f"url={site.url}", "-a", f"way={way}", "-O", output, *options)
    urls = [json.loads(line)["url"].removeprefix(site.url) for line in output.read_text().splitlines()]
    assert len(urls) == len(set(urls))
    return done, set(urls)


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
@pytest.mark.parametrize("way", ["callback", "pipeline"])
def test_code_that_never_returns_is_reported_with_its_stack_and_the_crawl_goes_on_and_ends(way, fleet, shell, site):
    done, urls = bad_crawl(shell, site, way, "--fleet", fleet, *LIMITS)
    assert done.returncode == 0, done.stderr
    assert urls == GOOD
    assert f"{site.url}{BAD}: Quarantined: its callback or a pipeline has not returned in" in done.stderr
    assert "threading.Event().wait()" in done.stderr
    assert f"  quarantined  {site.url}{BAD}" in done.stderr


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("segfault", f"  quarantined  {{}}{BAD}"),
        ("killed", f"  quarantined  {{}}{BAD}"),
        ("memory", f"  errors       1 CallbackError, such as {{}}{BAD} (parse raised MemoryError"),
    ],
    ids=["segfault", "killed as by a system without memory", "memory"],
)
def test_a_callback_that_crashes_or_eats_all_memory_costs_its_own_page_only(way, said, shell, site):
    patient = ("-s", "crawl.callback_timeout=60")  # to fill the memory may take its time
    done, urls = bad_crawl(shell, site, way, "--fleet", "processes:2", *LIMITS, *patient)
    assert done.returncode == 0, done.stderr
    assert urls == GOOD
    assert said.format(site.url) in done.stderr


def test_a_callback_that_is_gone_when_the_job_goes_on_is_one_line_and_its_requests_are_kept(shell, site, output):
    command = resume_command(interrupted(shell, site, output))
    spider = shell.folder / "spiders" / "books.py"
    before = spider.read_text()
    with closing(sqlite3.connect(the_job(shell.folder) / "frontier.sqlite")) as db:
        (name, *_) = db.execute("SELECT callback FROM requests WHERE state = 0 AND callback IS NOT NULL").fetchone()
    spider.write_text(before.replace(name, f"{name}_that_is_new"))
    refused = shell.run(*command)
    assert refused.returncode == 2
    assert f"requests of the job wait for a callback that is gone: unknown callback {name!r}" in one_line(
        refused.stderr
    )
    spider.write_text(before)
    again = shell.run(*command)
    assert again.returncode == 0, again.stderr
    assert_complete(output, site)


# Service managers and terminals


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_the_end_of_the_terminal_drains_like_ctrl_c_also_when_all_processes_are_told(fleet, shell, site, output):
    process = start(shell, site, output, 40, "--fleet", fleet)
    os.killpg(process.pid, signal.SIGHUP)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert "died" not in said
    again = shell.run(*resume_command(said))
    assert again.returncode == 0, again.stderr
    assert_complete(output, site)


def test_the_end_of_a_terminal_that_nobody_reads_any_more_can_be_resumed(shell, site, output):
    reader, writer = os.openpty()
    process = shell.start(
        "crawl", "books", "-a", f"url={site.url}", "-O", output.name, *FAST, stdout=writer, stderr=writer
    )
    os.close(writer)
    assert wait_until(lambda: len(site.targets) >= 40, process)
    os.close(reader)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=PATIENCE) == 130
    again = shell.run("crawl", "books", "--resume")
    assert again.returncode == 0, again.stderr
    assert_complete(output, site)
