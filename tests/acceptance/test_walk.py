"""A newcomer's walk: the first steps of README, typed one after the other, in the folders that they lead to."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scrapekit.testing import SampleSite, serve

ROOT = Path(__file__).parents[2]
STEPS = re.search(
    r"## First steps\n\n```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.fixture
def site():
    """A shop of three pages whose third is held back until a test says so; and whether it was asked for."""
    sample = SampleSite(books=50, retry_after=0)
    asked, answer = threading.Event(), threading.Event()

    def app(request):
        if request.path == "/catalogue/page-3.html":
            asked.set()
            assert answer.wait(60)
        return sample(request)

    with serve(app) as server:
        yield server.url, asked, answer
        answer.set()


def test_the_first_steps_of_the_readme_lead_to_a_finished_crawl(site, tmp_path):
    url, asked, answer = site
    lines = STEPS[1].replace("https://books.toscrape.com", url).splitlines()
    folder, said = tmp_path, {}
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        program, *words = shlex.split(line.removeprefix("$ "))
        if program == "cd":
            folder /= words[0]
        if program != "scrapekit":
            continue
        # The crawl stays on loopback, and the page that is held back is the last one that it asks for.
        with subprocess.Popen(
            [sys.executable, "-m", "scrapekit", *words],
            cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, process_group=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            before = ""
            if after == "^C":
                assert asked.wait(60)
                process.send_signal(signal.SIGINT)
                before = next(line for line in process.stderr if "press Ctrl-C again to stop at once" in line)
                answer.set()
            err = before + process.stderr.read()
            said[line] = process.stdout.read(), err
        assert process.returncode == (130 if after == "^C" else 0), err
    commands = [shlex.split(line)[2] for line in said]
    assert commands == ["init", "new", "fetch", "select", "parse", "crawl", "crawl"]
    init, new, fetch, select, parse, interrupted, resumed = said.values()
    assert "\nnext:\n  cd my_project\n" in init[0]
    assert "items on this page" in new[0]
    assert "\nnext:\n  scrapekit parse" in new[0]
    assert "Books to Scrape" in fetch[0]
    assert len(select[0].splitlines()) >= 20
    assert "\n1 request\n" in parse[0]
    assert re.search(r"to go on: scrapekit crawl shop --resume \S+\n", interrupted[1])
    assert "\nshop finished\n" in f"\n{resumed[1]}"
    titles = [json.loads(line)["title"] for line in (folder / "shop.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {book.title for book in SampleSite(books=50).books} <= set(titles)
