"""The fleet of processes: the same crawl, and what happens when one of them dies."""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sites import site

import scrapekit
from scrapekit.engine import watchdog
from scrapekit.errors import FleetError, SpiderError
from scrapekit.project.spiders import load_spider
from scrapekit.testing import serve

HERE = os.path.dirname(__file__)
QUICK = {"workers": 4, "fleet": "processes:2", "retry": {"backoff": {"initial": 0.01}}}


def spider(name):
    return load_spider(f"{HERE}/process_spiders.py:{name}", Path(HERE))


def crawl(cls, url, tmp_path, **settings):
    output = tmp_path / "out.jsonl"
    report = scrapekit.run(cls, output=output, start_urls=[url], settings=QUICK | settings)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    return report, lines


def no_children():
    return not multiprocessing.active_children() and not any("scrapekit" in t.name for t in threading.enumerate())


def test_processes_share_the_work_and_give_the_same_items(tmp_path):
    with serve(site(60), latency=0.01) as server:
        report, lines = crawl(spider("Links"), f"{server.url}/", tmp_path)
    assert sorted(line["url"] for line in lines) == sorted(
        [f"{server.url}/", *(f"{server.url}/{n}" for n in range(60))]
    )
    assert len({line["process"] for line in lines}) == 2
    assert os.getpid() not in {line["process"] for line in lines}
    assert not any(line["blocked"] for line in lines)  # no signal: commands that a spider starts would inherit that
    assert (report.workers, report.stats.deaths) == (8, 0)
    assert report.pool.requests == report.stats.requests
    assert no_children()


def test_processes_may_be_forked_from_a_clean_one(tmp_path):
    with serve(site(20)) as server:
        report, lines = crawl(
            spider("Links"), f"{server.url}/", tmp_path, fleet={"kind": "processes:2", "start_method": "forkserver"}
        )
    assert (report.pages, len(lines)) == (21, 21)
    assert os.getpid() not in {line["process"] for line in lines}
    assert no_children()


def test_one_maxsize_holds_over_all_processes(tmp_path):
    with serve(site(60), latency=0.02) as server:
        crawl(spider("Links"), f"{server.url}/", tmp_path, throttle={"maxsize": 3, "adaptive": False})
    assert server.max_open_by_host == {"127.0.0.1": 3}


def test_a_killed_process_is_replaced_and_its_requests_are_done_by_others(tmp_path):
    killed = threading.Event()

    def app(view):
        if view.path == "/20" and not killed.is_set():
            killed.set()
            next(child for child in multiprocessing.active_children()).kill()
        return site(60)(view)

    with serve(app, latency=0.01) as server:
        report, lines = crawl(spider("Links"), f"{server.url}/", tmp_path)
    assert killed.is_set()
    assert report.stats.deaths == 1
    assert sorted(line["url"] for line in lines) == sorted(
        [f"{server.url}/", *(f"{server.url}/{n}" for n in range(60))]
    )
    assert len({line["process"] for line in lines}) <= 3
    assert no_children()


def test_a_page_that_kills_its_process_is_quarantined_and_takes_no_other_page_with_it(tmp_path):
    with serve(site(40, deadly=True)) as server:
        report, lines = crawl(spider("Killer"), f"{server.url}/", tmp_path)
    assert sorted(line["url"] for line in lines) == sorted(
        [f"{server.url}/", *(f"{server.url}/{n}" for n in range(40))]
    )
    assert (report.stats.deaths, report.stats.quarantined, report.stats.failed) == (3, 1, 0)
    assert server.hits["/deadly"] == 3
    assert report.quarantined == (f"{server.url}/deadly",)
    assert report.failure is None
    assert no_children()


def test_a_spider_that_can_not_be_made_in_the_child_is_one_clear_line_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRAPEKIT_TEST_PARENT", str(os.getpid()))
    with pytest.raises(SpiderError, match=r"^a worker process can't start: .*RuntimeError: not in a worker process$"):
        crawl(spider("Unmakeable"), "http://127.0.0.1/", tmp_path, archive={"record": str(tmp_path / "x.warc.gz")})
    assert no_children()
    assert [*tmp_path.iterdir()] == []


def test_a_spider_that_is_in_no_file_can_not_be_found_by_processes(tmp_path):
    class Local(scrapekit.Spider):
        pass

    with pytest.raises(SpiderError, match="worker processes can't find spider 'Local' again"):
        crawl(Local, "http://127.0.0.1/", tmp_path)


def test_arguments_that_are_not_json_can_not_reach_processes(tmp_path):
    with pytest.raises(SpiderError, match="arguments of spider 'links' must be JSON to reach worker processes"):
        scrapekit.run(spider("Links"), start_urls={"http://127.0.0.1/"}, settings=QUICK)


def test_the_crawl_ends_when_processes_only_die(tmp_path):
    with serve(site(40)) as server, pytest.raises(FleetError, match="worker processes keep dying: exit code 7"):
        urls = [f"{server.url}/{n}" for n in range(40)]
        scrapekit.run(spider("Mortal"), start_urls=urls, settings=QUICK)
    assert no_children()


def test_fetch_uses_threads_whatever_the_fleet_is():
    with serve(site(1)) as server:
        results = list(scrapekit.fetch([f"{server.url}/0"], settings=QUICK))
    assert [result.status for result in results] == [200]
    assert "scrapekit.fleet.processes" in sys.modules
    assert no_children()


def test_a_crawl_whose_only_page_kills_its_process_has_failed(tmp_path):
    with serve(site(0)) as server:
        report, lines = crawl(spider("Killer"), f"{server.url}/deadly", tmp_path)
    assert (report.pages, lines) == (0, [])
    assert report.failure == "nothing was fetched: 1 requests killed their process or never returned"


@pytest.mark.parametrize(("name", "deaths"), [("Hangs", 0), ("Hogs", 2)])
def test_a_page_that_never_comes_back_is_quarantined_and_takes_no_other_page_with_it(
    tmp_path, monkeypatch, caplog, name, deaths
):
    monkeypatch.setattr(watchdog, "GRACE_SECONDS", 1.0)
    with serve(site(40, deadly=True)) as server:
        settings = {"http": {"timeout": {"total": 0.5}}, "crawl": {"callback_timeout": 0.5, "quarantine_after": 2}}
        report, lines = crawl(spider(name), f"{server.url}/", tmp_path, **settings)
    assert sorted(line["url"] for line in lines) == sorted(
        [f"{server.url}/", *(f"{server.url}/{n}" for n in range(40))]
    )
    assert report.quarantined == (f"{server.url}/deadly",)
    assert (report.stats.deaths, report.stats.quarantined) == (deaths, 1)
    said = "killed because it hung" if deaths else "threading.Event().wait()"
    assert said in caplog.text
    assert no_children()


A_CHILD_WITH_A_BUG = """
from multiprocessing import Pipe
from scrapekit import Spider
from scrapekit.download import PoolStats
from scrapekit.fleet import child
from scrapekit.testing import SimulatedWeb
def bug(*_):
    raise ValueError("http://user:hunter2@a.test/ \\x1b[31m")
class Downloader:
    stats = PoolStats
BUGGY
ours, theirs = Pipe()
if child.hand_out is bug:
    ours.send_bytes(b"leases")
child.serve(theirs, 1, lambda: (SimulatedWeb({}).worker(Spider()), Downloader()))
"""


@pytest.mark.parametrize("buggy", ["child.hand_out = bug", "Downloader.stats = bug"], ids=["reading", "sending"])
def test_a_bug_in_a_worker_process_ends_it_and_is_told_without_passwords_and_escapes(buggy):
    child = A_CHILD_WITH_A_BUG.replace("BUGGY", buggy)
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: http://***@a.test/ \\x1b[31m\n")
    assert "hunter2" not in done.stderr
