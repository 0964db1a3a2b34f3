"""A project to run commands in: in this process for most tests, in one of its own where signals and terminals matter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from scrapekit.cli import main
from scrapekit.project import Crawl
from scrapekit.testing import Reply, serve

ROOT = Path(__file__).resolve().parents[2]
PAGES = '''
    from scrapekit import Request, Spider, StopCrawl

    class Pages(Spider):
        """Every page of a site."""

        def start(self):
            yield Request(self.url)

        def parse(self, response):
            yield {"url": response.url}
            yield from response.follow_all("a")
'''
HTML = (("Content-Type", "text/html"),)


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Project:
    """A folder with a spider ``pages``; what is run in it runs as a user would."""

    root = ROOT

    def __init__(self, folder: Path, capsys) -> None:
        self.folder = folder
        self._capsys = capsys

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(dedent(text), encoding="utf-8")

    def run(self, *arguments: object) -> Ended:
        """A command in this process."""
        self._capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ended(code, *self._capsys.readouterr())

    def start(self, *arguments: object, **options) -> subprocess.Popen[str]:
        """A command in a process of its own; in a process group of its own too, so that Ctrl-C is what a test sends."""
        command = [*options.pop("command", [sys.executable, "-m", "scrapekit"]), *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=environment, **{**pipes, "process_group": 0, **options})

    def urls(self, path: str) -> list[str]:
        """The URLs in an output, without their hosts."""
        lines = (self.folder / path).read_text(encoding="utf-8").splitlines()
        return sorted("/" + line.split('"')[3].split("/", 3)[3] for line in lines)

    @property
    def jobs(self) -> list[str]:
        return sorted(path.name for path in (self.folder / ".scrapekit" / "jobs").iterdir())


@pytest.fixture
def project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    before = set(sys.modules)
    made = Project(tmp_path, capsys)
    made.write("spiders/pages.py", PAGES)
    yield made
    for name in [name for name in set(sys.modules) - before if name.startswith("_spider_")]:
        del sys.modules[name]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


@pytest.fixture
def interrupting(monkeypatch):
    """While it is entered, each crawl is interrupted as it begins."""

    def run(crawl):
        crawl.engine.stop("interrupted")
        return whole_run(crawl)

    @contextmanager
    def patched():
        with monkeypatch.context() as patch:
            patch.setattr(Crawl, "run", run)
            yield

    whole_run = Crawl.run
    return patched


@pytest.fixture
def site():
    """A site of ``/``, which links to ``/1`` to ``/9`` and to ``/gone``; robots.txt forbids ``/9``."""

    def app(request):
        if request.path == "/robots.txt":
            return Reply(b"User-agent: *\nDisallow: /9")
        if request.path == "/gone":
            return Reply(b"", 404)
        links = "".join(f"<a href={path}>x</a>" for path in [*map(str, range(1, 10)), "gone"])
        return Reply(links.encode() if request.path == "/" else b"<p>x</p>", headers=HTML)

    with serve(app) as server:
        yield server
