"""A real site: Debian's HTML documentation of Python, served by nginx, crawled by the real command and by ``wget -r``."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from harness import Nginx, nginx

MAXSIZE = 8  # the default of throttle.maxsize


def documentation() -> Path:
    """The folder of python3-doc's pages."""
    for folder in sorted(Path("/usr/share/doc").glob("python3*/html")):
        if (folder / "library" / "index.html").is_file():
            return folder.resolve()
    pytest.skip("there is no documentation in /usr/share/doc/python3*/html (apt-get install python3-doc)")


def pages(server: Nginx) -> Counter[tuple[int, str]]:
    """What was asked for, of what may be HTML by its name: how often, by status and target."""
    asked = [(status, target) for _, status, target in server.requests()]
    return Counter(page for page in asked if page[1].endswith((".html", "/")))


def test_the_docs_spider_finds_the_pages_that_wget_finds_each_once_over_few_connections(shell, tmp_path):
    wget = shutil.which("wget")
    if wget is None:
        pytest.skip("wget is not installed (apt-get install wget)")
    work = tmp_path / "nginx"
    work.mkdir()
    output = shell.folder / "docs.jsonl"
    with nginx(documentation(), work) as server:
        begun = time.monotonic()
        crawl = shell.run("crawl", "docs", "-a", f"url={server.url}", "-O", output)
        took = time.monotonic() - begun
        assert crawl.returncode == 0, crawl.stderr
        connections = {connection for connection, _, _ in server.requests()}
        ours = pages(server)
        server.forget()
        # It follows what the spider follows: <a>, and not the style sheets, scripts and pictures.
        command = [
            wget,
            "--recursive",
            "--level=inf",
            "--follow-tags=a",
            "--no-verbose",
            "--no-host-directories",
            server.url,
        ]
        subprocess.run(command, cwd=work, capture_output=True, check=False, timeout=60)  # 8: some page is missing
        theirs = pages(server)

    urls = [json.loads(line)["url"] for line in output.read_text(encoding="utf-8").splitlines()]
    print(f"\n{len(urls)} pages in {took:.1f} s with start-up, over {len(connections)} connections")  # noqa: T201  (for pytest -s)
    assert len(urls) > 300
    assert ours == theirs  # the same URLs, with the same answers, each asked for once; no difference is left to explain
    assert set(ours.values()) == {1}
    assert Counter(urls) == Counter(server.url + target[1:] for status, target in ours if status == 200)
    # As files there is one fewer: "/" and "/index.html", which pages link to, are two URLs and one file to wget.
    saved = {str(path.relative_to(work)) for path in work.rglob("*.html")}
    assert saved == {url.removeprefix(server.url) or "index.html" for url in urls}
    assert 1 < len(connections) <= MAXSIZE
    told = re.search(r"connections\s+(\d+) opened, reused (\d+) times", crawl.stderr)
    assert told, crawl.stderr
    assert int(told[1]) == len(connections)
    assert int(told[2]) >= len(urls) - len(connections)


def test_one_connection_is_enough_when_maxsize_says_so(shell, tmp_path):
    work = tmp_path / "nginx"
    work.mkdir()
    with nginx(documentation(), work) as server:
        limited = ["-s", "throttle.maxsize=1", "--max-pages", "40"]
        crawl = shell.run("crawl", "docs", "-a", f"url={server.url}", "-O", "docs.jsonl", *limited)
        assert crawl.returncode == 0, crawl.stderr
        assert len({connection for connection, _, _ in server.requests()}) == 1
    assert len((shell.folder / "docs.jsonl").read_text(encoding="utf-8").splitlines()) == 40
