"""The scale of one machine: a million URLs over many hosts and over one, and real pages by the hundred thousand.

The first two run the engine over a fleet that answers at once (see engine_ceiling.py). The third is ``scrapekit crawl``
on a loopback server in another process. Memory is sampled all along; each phase is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from engine_ceiling import RESULTS, AnsweringFleet, crawl

from scrapekit.engine.contract import Inbox
from scrapekit.messages import Lease
from scrapekit.testing import Reply, RequestView, serve

SPIDER = """
from scrapekit import Spider

class Wide(Spider):
    name = "wide"
    start_urls = ["{url}/"]

    def parse(self, response):
        yield {{"url": response.url, "title": response.css("title::text").get()}}
        yield from response.follow_all("a")
"""
SETTINGS = ("throttle.maxsize=16", "throttle.adaptive=false", "crawl.limits.pages_per_host=null")


class CountingFleet(AnsweringFleet):
    """Counts the pages of each host, and samples the memory a hundred times."""

    def __init__(self, inbox: Inbox, *, every: int, **options: int) -> None:
        super().__init__(inbox, **options)
        self.by_host: Counter[str] = Counter()
        self.curve: list[tuple[int, float]] = []
        self._every = every

    def submit(self, lease: Lease) -> None:
        super().submit(lease)
        if not lease.is_robots:
            self.by_host[lease.host] += 1
            if self.done % self._every == 0:
                self.curve.append((self.done, memory_mb(os.getpid())))


def memory_mb(pid: int) -> float:
    """The resident set of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def simulated(urls: int, hosts: int) -> dict[str, object]:
    """The engine over a fleet that answers at once."""
    inbox = Inbox()
    starts = max(2_000, hosts)
    fleet = CountingFleet(inbox, every=urls // 100, starts=starts, total=urls, hosts=hosts, capacity=256, far=9)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        crawl(fleet, inbox, Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).glob("frontier*"))
    tenth = len(fleet.marks) // 10
    first = _rate(fleet.marks[0], fleet.marks[tenth])
    last = _rate(fleet.marks[-tenth - 1], fleet.marks[-1])
    counts = fleet.by_host.values()
    return {
        "hosts": hosts,
        "urls": fleet.done,
        "first_tenth_per_second": round(first),
        "last_tenth_per_second": round(last),
        "last_to_first": round(last / first, 2),
        "pages_a_host": [min(counts), max(counts)],
        "memory_mb": [round(mb) for _, mb in fleet.curve[:: len(fleet.curve) // 10 or 1]],
        "frontier_bytes_a_url": round(size / fleet.done),
    }


def _rate(begin: tuple[int, float, float, float], end: tuple[int, float, float, float]) -> float:
    return (end[0] - begin[0]) / (end[1] - begin[1])


def real(pages: int) -> dict[str, object]:
    """``scrapekit crawl`` over so many small pages of one loopback server, each with ten links."""

    def app(request: RequestView) -> Reply:
        if request.target == "/robots.txt":
            return Reply(b"", status=404)
        number = int(request.target[1:] or 0)
        links = "".join(f'<a href="/{n}">{n}</a>' for n in range(number * 10 + 1, number * 10 + 11) if n < pages)
        body = f"<html><title>{number}</title><body>{links}{'<p>text</p>' * 50}</body></html>"
        return Reply(body.encode(), headers=(("Content-Type", "text/html"),))

    with tempfile.TemporaryDirectory(dir=RESULTS) as name, serve(app) as server:
        folder = Path(name)
        (folder / "wide.py").write_text(SPIDER.format(url=server.url), encoding="utf-8")
        command = [sys.executable, "-m", "scrapekit", "crawl", "wide.py", "-O", "out.jsonl", "-q"]
        command += [word for setting in SETTINGS for word in ("-s", setting)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        curve: list[tuple[int, float]] = []
        with subprocess.Popen(command, cwd=folder, env=environment) as process:
            began = time.perf_counter()
            while process.poll() is None:
                curve.append((len(server.hits), memory_mb(process.pid)))
                time.sleep(0.5)
            spent = time.perf_counter() - began
        lines = sum(1 for _ in (folder / "out.jsonl").open("rb"))
        size = sum(path.stat().st_size for path in folder.glob(".scrapekit/jobs/*/*"))
    return {
        "pages": lines,
        "seconds": round(spent),
        "pages_per_second": round(lines / spent),
        "memory_mb": [round(mb) for _, mb in curve[:: len(curve) // 10 or 1]],
        "job_bytes_a_url": round(size / max(1, lines)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/scale.py", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--urls", type=int, default=1_000_000, help="simulated URLs (1000000)")
    parser.add_argument("--hosts", type=int, default=10_000, help="hosts of the first phase (10000)")
    parser.add_argument("--pages", type=int, default=100_000, help="real pages (100000)")
    parser.add_argument("--phase", choices=("many", "one", "real"), help="only this one")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    if options.phase:
        told = (
            real(options.pages)
            if options.phase == "real"
            else simulated(options.urls, options.hosts if options.phase == "many" else 1)
        )
        print(json.dumps({options.phase: told}), flush=True)
        return 0
    for phase in ("many", "one", "real"):
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--phase", phase], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
