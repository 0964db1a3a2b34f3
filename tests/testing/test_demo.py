"""What `make demo` runs, around the crawl: the site that it starts and stops, what it prints, how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import nullcontext

import pytest
import urllib3

from scrapekit.testing import demo


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty checkout, with the handler of SIGTERM as it was afterwards."""
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "books.py").touch()
    monkeypatch.setattr(demo, "_ROOT", tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


def test_the_site_runs_while_the_demo_does():
    with demo._sample_site() as url, urllib3.PoolManager() as pool:
        assert pool.request("GET", url).status == 200
    with urllib3.PoolManager(retries=False) as pool, pytest.raises(urllib3.exceptions.NewConnectionError):
        pool.request("GET", url)


def test_the_site_is_stopped_when_the_demo_breaks():
    site = demo._sample_site()
    url = site.__enter__()
    with pytest.raises(SystemExit):
        site.gen.throw(SystemExit(143))
    with urllib3.PoolManager(retries=False) as pool, pytest.raises(urllib3.exceptions.NewConnectionError):
        pool.request("GET", url)


def test_a_site_that_does_not_start_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(RuntimeError, match="did not start"), demo._sample_site():
        pass


def test_the_demo_crawls_as_a_user_would_and_shows_the_first_items(checkout, monkeypatch, capsys):
    commands = []

    def crawl(command):
        commands.append(command)
        lines = [json.dumps({"title": f"Book {number}", "upc": "x"}) for number in range(9)]
        (checkout / "results" / "demo.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return 3

    monkeypatch.setattr(demo, "_sample_site", lambda: nullcontext("http://x/"))
    monkeypatch.setattr(demo, "_crawl", crawl)
    assert demo.main() == 3
    assert commands == [
        [sys.executable, "-m", "scrapekit", "crawl", "books", "-a", "url=http://x/", "-O", "results/demo.jsonl"]
    ]
    printed = capsys.readouterr().out
    assert "$ scrapekit crawl books -a url=http://x/ -O results/demo.jsonl\n" in printed
    assert f"The first 5 items of {checkout}/results/demo.jsonl:\n\n  title  Book 0\n  upc    x\n\n  title" in printed
    assert "Book 4" in printed
    assert "Book 5" not in printed


def test_a_crawl_without_output_shows_nothing_old(checkout, monkeypatch, capsys):
    (checkout / "results").mkdir()
    (checkout / "results" / "demo.jsonl").write_text('{"title": "of the last run"}\n', encoding="utf-8")
    monkeypatch.setattr(demo, "_sample_site", lambda: nullcontext("http://x/"))
    monkeypatch.setattr(demo, "_crawl", lambda command: 1)
    assert demo.main() == 1
    assert "first" not in capsys.readouterr().out


def test_outside_a_checkout_the_demo_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "_ROOT", tmp_path)
    assert demo.main() == 2
    assert "needs a checkout" in capsys.readouterr().err


def test_the_exit_code_of_the_crawl_is_passed_through():
    assert demo._crawl([sys.executable, "-c", "raise SystemExit(7)"]) == 7


@pytest.fixture
def broken_wait(monkeypatch):
    """A function that makes the first ``wait()`` of a process raise what it is given; the processes, afterwards."""
    processes = []

    def install(error):
        class Process(subprocess.Popen):
            def wait(self, timeout=None):
                if self not in processes:
                    processes.append(self)
                    raise error
                return super().wait(timeout)

        monkeypatch.setattr(subprocess, "Popen", Process)
        return processes

    return install


def test_after_ctrl_c_the_demo_waits_for_the_crawl(broken_wait):
    broken_wait(KeyboardInterrupt())
    assert demo._crawl([sys.executable, "-c", "raise SystemExit(130)"]) == 130


def test_when_the_demo_is_stopped_so_is_the_crawl(broken_wait):
    processes = broken_wait(SystemExit(143))
    with pytest.raises(SystemExit):
        demo._crawl([sys.executable, "-c", "import signal; signal.pause()"])
    assert processes[0].returncode == -signal.SIGTERM
