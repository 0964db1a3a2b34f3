"""The :class:`Campaign`: crawls of the sample site by the real command, killed at random and at failpoints."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct, field

from scrapekit.engine.engine import COMMIT_OUTCOMES
from scrapekit.project.job import Record
from scrapekit.settings import Settings
from scrapekit.testing.application import Reply, RequestView
from scrapekit.testing.killer.verdict import Verdict
from scrapekit.testing.mortal import AT_THE_END, LOADING, POINTS, VARIABLE
from scrapekit.testing.samplesite import SampleSite
from scrapekit.testing.server import serve

_PACKAGES = Path(__file__).resolve().parents[3]  # that this scrapekit lies in, whatever another folder has
_PATIENCE = 120.0  # seconds until a run is given up
_PART_ITEMS = 7
_STOPPED = 0.2  # seconds that a stopped process stays so
_SETTINGS = (
    *("-s", "crawl.quarantine_after=100"),  # the requests in flight are not to blame here
    *("-s", "retry.backoff.initial=0.01"),
)


def _in_parts(output: Path) -> bool:
    return output.name.partition("-")[2].startswith("parts.")


class Tally(Struct):
    """What a campaign came to.

    Args:
        kills: Deaths of the whole crawl.
        kinds: How they came, by name.
        children: Worker processes that were killed besides.
        stops: How often a process was stopped (SIGSTOP) and went on.
        crawls: Crawls that came to their end.
        refetched: For each kill, the pages that were fetched again after it.
        wrong: Verdicts on outputs that are not as they must be, by the name of the output.
    """

    kills: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    children: int = 0
    stops: int = 0
    crawls: int = 0
    refetched: list[int] = field(default_factory=list)
    wrong: dict[str, Verdict] = field(default_factory=dict)


class _Log:
    """What the site was asked for. ``lock`` guards ``targets``."""

    def __init__(self, books: int, latency: float) -> None:
        self.lock = threading.Lock()
        self.targets: list[str] = []
        self._site = SampleSite(books=books, retry_after=0)
        self._latency = latency

    def __call__(self, request: RequestView) -> Reply:
        with self.lock:
            self.targets.append(request.target)
        request.closing.wait(self._latency)
        return self._site(request)

    def __len__(self) -> int:
        return len(self.targets)


class Campaign:
    """Kills crawls until it has killed enough, and judges each output. One thread.

    Args:
        project: A folder with the spider ``books``; jobs and outputs go there.
        seed: Draws when and how.
        fleet: As for ``--fleet``.
        books: Size of the site.
        latency: Seconds that it takes to answer.
    """

    def __init__(
        self, project: Path, *, seed: int = 0, fleet: str = "threads", books: int = 150, latency: float = 0.01
    ) -> None:
        self._project = project
        self._dice = random.Random(seed)
        self._fleet = fleet
        self._books = books
        self._log = _Log(books, latency)
        self.tally = Tally()
        """What it has come to so far."""
        workers = Settings().workers * int(fleet.partition(":")[2] or 1)
        self.most_again = COMMIT_OUTCOMES + 2 * workers
        """Pages that one kill can cost: what a commit gathers, and what came or was under way meanwhile."""

    def run(self, kills: int, outputs: list[str]) -> Tally:
        """Crawl to each of ``outputs`` (such as ``out.csv``, ``parts.csv``) in turn until there were so many kills."""
        with serve(self._log) as server:
            url = f"{server.url}/"
            expected = SampleSite(books=self._books).expected_books(url)
            number = 0
            while self.tally.kills < kills:
                name = outputs[number % len(outputs)]
                output = self._project / f"{number}-{name}"
                number += 1
                self._crawl(url, output, kills)
                verdict = (Verdict.on_parts if _in_parts(output) else Verdict.on)(output, expected)
                if verdict != Verdict():
                    self.tally.wrong[output.name] = verdict
                self.tally.crawls += 1
        return self.tally

    def _crawl(self, url: str, output: Path, kills: int) -> None:
        """One crawl with about a dozen kills, to its end."""
        tally, begun = self.tally, [len(self._log)]
        first = ["books", "-a", f"url={url}", "-O", _target(output), "--fleet", self._fleet, *_SETTINGS]
        arguments = first
        points: tuple[str, ...] = POINTS + LOADING if output.suffix == ".db" else POINTS
        if _in_parts(output):
            first += ["-s", f"export.parts.items={_PART_ITEMS}"]
            points += AT_THE_END if output.suffix == ".csv" else AT_THE_END[1:]  # then they come all the time
        at_the_end = iter(() if output.suffix in {".jsonl", ".db"} or ".jsonl" in output.suffixes else AT_THE_END)
        for _ in range(self._dice.randint(8, 14)):
            if tally.kills >= kills:
                break
            kind = "failpoint" if self._dice.random() < 0.4 else "moment"
            name = f"{self._dice.choice(points)}:{self._dice.randint(1, 4)}" if kind == "failpoint" else ""
            if not self._killed(arguments, name):
                break
            begun.append(len(self._log))
            arguments = self._again(first)
        for name in at_the_end:
            if self._killed(arguments, f"{name}:1"):
                begun.append(len(self._log))
                arguments = self._again(first)
        with self._started(arguments, "") as process:
            said, _ = process.communicate(timeout=_PATIENCE)
        finished_before = process.returncode == 2 and "nothing to resume" in said
        if process.returncode != 0 and not finished_before:
            raise RuntimeError(f"scrapekit crawl {' '.join(arguments)} ended with {process.returncode}: {said}")
        self._count_refetched(begun)

    def _again(self, first: list[str]) -> list[str]:
        """How to go on: by ``--resume``, or from the start if the process died before there was a job."""
        states = [Record.read(path.parent).state for path in self._project.glob(".scrapekit/jobs/*/job.json")]
        return ["books", "--resume"] if "running" in states else first

    def _killed(self, arguments: list[str], failpoint: str) -> bool:
        """Run until a kill; false where the crawl came to its end before."""
        with self._started(arguments, failpoint) as process:
            if not failpoint:
                self._wait_and_kill(process)
            said, _ = process.communicate(timeout=_PATIENCE)
        if process.returncode == -signal.SIGKILL:
            kind = failpoint.rpartition(":")[0] or "any moment"
            self.tally.kills += 1
            self.tally.kinds[kind] = self.tally.kinds.get(kind, 0) + 1
            return True
        if process.returncode not in (0, 2):
            raise RuntimeError(f"scrapekit crawl {' '.join(arguments)} ended with {process.returncode}: {said}")
        return False

    def _wait_and_kill(self, process: subprocess.Popen[str]) -> None:
        """After some requests, or some time, wherever the process then is; sometimes it, or a child, is met before."""
        dice = self._dice
        enough = len(self._log) + dice.randint(1, 60)
        until = time.monotonic() + (dice.uniform(0.05, 0.8) if dice.random() < 0.2 else _PATIENCE)
        while len(self._log) < enough and time.monotonic() < until:
            if process.poll() is not None:
                return
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.03))
        if dice.random() < 0.2:
            process.send_signal(signal.SIGSTOP)
            time.sleep(_STOPPED)
            process.send_signal(signal.SIGCONT)
            self.tally.stops += 1
        children = _children(process.pid)
        if children and dice.random() < 0.5:
            with suppress(ProcessLookupError):
                os.kill(dice.choice(children), signal.SIGKILL)
                self.tally.children += 1
            time.sleep(dice.uniform(0, 0.2))
        process.kill()

    @contextmanager
    def _started(self, arguments: list[str], failpoint: str) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "scrapekit.testing.mortal", "crawl", *arguments]
        process = subprocess.Popen(  # noqa: S603  (our own command)
            command,
            cwd=self._project,
            env={**os.environ, VARIABLE: failpoint, "PYTHONPATH": str(_PACKAGES)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def _count_refetched(self, begun: list[int]) -> None:
        seen: set[str] = set()
        with self._log.lock:
            targets = list(self._log.targets)
        for start, end in zip(begun, [*begun[1:], len(targets)], strict=True):
            if start != begun[0]:
                self.tally.refetched.append(sum(target in seen for target in targets[start:end]))
            seen.update(targets[start:end])


def _target(output: Path) -> str:
    """The table of a database, for a ``.db``; otherwise the file."""
    return f"sqlite:///{output}?table=books" if output.suffix == ".db" else str(output)


def _children(pid: int) -> list[int]:
    """The processes that a process has started; none where there is no /proc."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []
