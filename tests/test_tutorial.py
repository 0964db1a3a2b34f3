"""The tutorial, done as it says: its files written, its commands typed, and what it shows compared with what comes."""

import doctest
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

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
URL = "http://127.0.0.1:8000"
# What the walk does by itself: the environment is there, and so is the site.
DONE = {
    'python3 -m venv .venv && .venv/bin/pip install ".[warc]" pytest',
    "source .venv/bin/activate",
    "python -m scrapekit.testing.samplesite --port 8000",
}
SIGNALS = {"^C": signal.SIGINT, "Killed": signal.SIGKILL}


class HeldSite:
    """The practice site, which holds back the third page that is asked for after ``hold()``."""

    def __init__(self):
        self.sample = SampleSite()
        self.asked = threading.Event()
        self.answer = threading.Event()
        self._passes = iter(())

    def __call__(self, request):
        if request.path.startswith("/quotes/") and next(self._passes, None) == "held":
            self.asked.set()
            assert self.answer.wait(60)
        return self.sample(request)

    def hold(self):
        self.asked.clear()
        self.answer.clear()
        self._passes = iter(["first", "second", "held"])


@pytest.fixture
def site():
    held = HeldSite()
    with serve(held) as server:
        yield held, server.url
        held.answer.set()


@pytest.fixture
def programs(tmp_path):
    """A folder with ``scrapekit`` and ``python`` as an installation has them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, arguments in (("scrapekit", "-m scrapekit"), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def entered(block):
    """Each command of a console block, with what is shown below it."""
    yield from re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


@pytest.mark.timeout(400)
def test_the_tutorial_can_be_done_as_it_stands(site, programs, tmp_path):
    held, url = site
    folder, typed = tmp_path, 0
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    for language, block in BLOCKS:
        if language == "python":
            name = re.match(r"# (\S+\.py)\n", block)
            (folder / name[1]).write_text(block.replace(URL, url), encoding="utf-8")
            continue
        assert language == "console"
        for command, shown in entered(block):
            if command in DONE:
                continue
            if command.startswith("cd "):
                folder /= command.removeprefix("cd ")
                continue
            said = run(command.replace(URL, url), shown, folder, environment, held).replace(url, URL)
            wanted = "\n".join(line for line in shown.splitlines() if line not in SIGNALS)
            assert not wanted or agrees(wanted, said), f"$ {command}\n{said}"
            typed += 1
    assert typed >= 18


def run(command, shown, folder, environment, held):
    """Type a command, and send it the signal that is shown, once a page is held back."""
    kill = next((SIGNALS[line] for line in shown.splitlines() if line in SIGNALS), None)
    if kill:
        held.hold()
        command = f"exec {command}"
    with subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, encoding="utf-8", process_group=0,
    ) as process:  # fmt: skip
        before = ""
        if kill:
            assert held.asked.wait(60)
            process.send_signal(kill)
            if kill == signal.SIGINT:
                before = next(line for line in process.stdout if "press Ctrl-C again to stop at once" in line)
            held.answer.set()
        said = before + process.communicate(timeout=100)[0]
    assert process.returncode == {None: 0, signal.SIGINT: 130, signal.SIGKILL: -9}[kill], f"$ {command}\n{said}"
    return said


def agrees(shown, said):
    """Whether the output is what is shown, in which ``...`` stands for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(shown, said, flags)


def test_what_is_shown_is_compared():
    assert agrees("a\n...\nb", "a\nx\ny\nb\n")
    assert not agrees("a\n...\nb", "a\nx\ny\nc\n")
