"""``python -m scrapekit.testing.faults.soak``: a long crawl over faults drawn by a seed, whose accounts must be right.

The faults are served by another process, so that what is measured here is the crawl's alone.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from scrapekit.errors import RequestError
from scrapekit.fleet.allocator import give_memory_back
from scrapekit.messages import Request, Response
from scrapekit.project import CrawlReport, run
from scrapekit.spider import Spider
from scrapekit.testing.faults import FAULTS

_SAMPLES = 20
_LARGE = 65_536
_SLACK = 16 * 2**20  # bytes by which memory may grow after the first tenth, besides a tenth of what it was


class Sample(NamedTuple):
    """How the process stood when ``done`` requests had an end."""

    done: int
    seconds: float
    rss: int
    threads: int
    files: int


class Soak(Spider):
    """Draws ``count`` faults by ``seed``, yields one item for each end of a request, and takes samples by the way.

    Args:
        places: What ``FaultServer.places`` says.
        count: How many requests.
        seed: Of the draw: the same one gives the same requests.
    """

    name = "soak"
    allowed_domains = ("*",)

    def __init__(self, places: dict[str, dict[str, Any]], count: int, seed: int) -> None:
        super().__init__()
        self._places = places
        self._count = count
        self._seed = seed
        self._lock = threading.Lock()  # guards the two that follow: callbacks run in many threads
        self._done = 0
        self.samples: list[Sample] = []

    def start(self) -> Iterator[Request]:
        """The draw."""
        draw = random.Random(self._seed)
        # Without large request bodies: thousands of them would do nothing but fill the frontier.
        paths = [path for path in self._places if len(FAULTS[path].request.get("body", b"")) <= _LARGE]
        for number in range(self._count):
            path = draw.choice(paths)
            place = self._places[path]
            url = place["tls"] if place["tls"] and draw.random() < 0.25 else place["url"]
            options: dict[str, Any] = dict(FAULTS[path].request)
            if place["proxy"]:
                options["proxy"] = place["proxy"]
            meta = {"number": number, "fault": path}
            yield Request(url, meta=meta, errback="failed", dont_filter=True, **options)

    def parse(self, response: Response) -> Iterator[dict[str, Any]]:
        """It came to a page."""
        self._sample()
        yield {**response.meta, "answer": "ok"}

    def failed(self, error: RequestError) -> Iterator[dict[str, Any]]:
        """It came to an error."""
        self._sample()
        yield {**error.request.meta, "answer": type(error).__name__}

    def _sample(self) -> None:
        with self._lock:
            self._done += 1
            if self._done % max(self._count // _SAMPLES, 1) == 0:
                self.samples.append(sample(self._done))


class Verdict(NamedTuple):
    """What came of a soak, and what is wrong about it: nothing, it is hoped."""

    report: CrawlReport
    answers: Counter[str]
    samples: list[Sample]
    seconds: float
    wrong: list[str]


def soak(places: dict[str, Any], *, count: int, seed: int, workers: int, total: float) -> Verdict:
    """Crawl, and look whether everything is accounted for.

    Args:
        places: What ``python -m scrapekit.testing.faults --places`` prints.
        count: Requests.
        seed: Of the draw.
        workers: Threads.
        total: Seconds that a request may take.
    """
    spider = Soak(places["faults"], count, seed)
    gc.collect()
    before = sample(0)
    with TemporaryDirectory(prefix="scrapekit-soak-") as folder:
        output = Path(folder, "ends.jsonl")
        settings = {
            "workers": workers,
            "http": {
                "timeout": {"connect": total, "read": total, "total": total, "pool": total},
                "max_body": "256KiB",
                "ca_bundle": places["ca_bundle"],
            },
            "throttle": {"maxsize": workers, "adaptive": False},
            "retry": {"times": 0, "max_retry_after": 0.01},  # every fault has the same host: one must not hold all
            "robots": {"obey": False},
        }
        report = run(spider, output=output, settings=settings)
        ends = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    gc.collect()
    after = sample(count)
    numbers = Counter(end["number"] for end in ends)
    skipped = sum(tally.count for tally in report.stats.skipped.values())
    checks = {
        f"{len(numbers)} of {count} requests have an end, and {skipped} were skipped": len(numbers) + skipped == count,
        "a request has two ends": max(numbers.values(), default=1) == 1,
        f"{report.pending} requests are left": report.pending == 0,
        f"{report.pool.in_use} connections are still in use": report.pool.in_use + report.pool.waiting == 0,
        f"{after.threads} threads, {before.threads} before": after.threads <= before.threads,
        f"{after.files} open files, {before.files} before": after.files <= before.files,
        f"it ended because: {report.reason}": report.reason == "finished",
        "memory grew after the first tenth": flat(spider.samples),
    }
    wrong = [what for what, holds in checks.items() if not holds]
    answers = Counter(end["answer"] for end in ends)
    return Verdict(report, answers, [before, *spider.samples, after], report.elapsed, wrong)


def flat(samples: Sequence[Sample]) -> bool:
    """Whether memory stayed where it was after the first tenth."""
    if len(samples) < 3:
        return True
    first = samples[len(samples) // 10].rss
    return max(one.rss for one in samples[len(samples) // 10 :]) <= first * 1.1 + _SLACK


def sample(done: int) -> Sample:
    """How this process stands. Only Linux tells the memory and the open files; elsewhere they are 0."""
    rss = files = 0
    if sys.platform == "linux":
        rss = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (only their number is of interest)
    return Sample(done, time.monotonic(), rss, threading.active_count(), files)


@contextmanager
def other_process() -> Iterator[dict[str, Any]]:
    """The faults, served by a process of their own: what it says about its places."""
    command = [sys.executable, "-m", "scrapekit.testing.faults", "--places"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603
    with process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            places: dict[str, Any] = json.loads(process.stdout.readline())
            yield places
        finally:
            process.send_signal(signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print the curve and the accounts, and return 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m scrapekit.testing.faults.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="how many (default: 20000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same faults (default: 1)")
    parser.add_argument("--workers", type=int, default=32, help="threads (default: 32)")
    parser.add_argument("--total", type=float, default=0.5, help="seconds that a request may take (default: 0.5)")
    options = parser.parse_args(arguments)
    give_memory_back()  # as the command line does for a crawl
    logging.disable(logging.WARNING)  # failures are what is asked for
    try:
        with other_process() as places:
            verdict = soak(
                places, count=options.requests, seed=options.seed, workers=options.workers, total=options.total
            )
    finally:
        logging.disable(logging.NOTSET)
    began = verdict.samples[0].seconds
    out = sys.stdout.write
    out(f"{'requests':>8} {'seconds':>8} {'MiB':>7} {'threads':>7} {'files':>6}\n")
    for one in verdict.samples:
        out(f"{one.done:8} {one.seconds - began:8.1f} {one.rss / 2**20:7.1f} {one.threads:7} {one.files:6}\n")
    out(f"{', '.join(f'{kind} {count}' for kind, count in verdict.answers.most_common())}\n")
    out(f"{len(FAULTS)} faults, {options.requests} requests in {verdict.seconds:.1f} s: ")
    out(f"{'; '.join(verdict.wrong) or 'all accounted for'}\n")
    return 1 if verdict.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
