"""A million queued URLs: what they cost to add, to hold and to resume. Each phase is a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scrapekit.engine.batch import Batch
from scrapekit.engine.frontier import Frontier
from scrapekit.messages import Request, link_of

RESULTS = Path(__file__).resolve().parent / "results"
BATCH = 2_000  # links a commit: 200 pages of 10
WINDOW = 1_024  # requests that the engine has leased at any time


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/queued.py", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="URLs (1000000)")
    parser.add_argument("--hosts", type=int, default=1_000, help="hosts that they are spread over (1000)")
    parser.add_argument("--json", type=Path, default=RESULTS / "queued.json", help="where the results go")
    parser.add_argument("--phase", choices=("add", "resume"), help=argparse.SUPPRESS)
    parser.add_argument("--frontier", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        path = options.frontier
        phase = add(path, options.count, options.hosts) if options.phase == "add" else resume(path)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(phase | {"peak_memory_mb": round(memory, 1)}), flush=True)
        os._exit(0)  # as a killed process leaves: nothing is closed
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:  # on the disk: the temporary folder may be in memory
        path = Path(folder) / "frontier.sqlite"
        told = {phase: _run(phase, path, options) for phase in ("add", "resume")}
        told["database_mb"] = round(path.stat().st_size / 2**20, 1)
    told |= {"count": options.count, "hosts": options.hosts}
    for name in ("add", "resume"):
        print(f"{name}: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in told[name].items()))
    print(f"database: {told['database_mb']} MB for {options.count} URLs of {options.hosts} hosts")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(told, indent=1) + "\n")


def add(path: Path, count: int, hosts: int) -> dict[str, float]:
    """Add ``count`` URLs as the engine does, lease a window of them, without closing the frontier."""
    frontier = Frontier(str(path))
    encoding = adding = adding_cpu = 0.0
    for first in range(0, count, BATCH):
        began = time.perf_counter()
        links = [
            link_of(Request(f"https://host{n % hosts}.example.com/section/{n % 97}/page-{n}.html"))
            for n in range(first, min(first + BATCH, count))
        ]
        encoded, cpu = time.perf_counter(), time.process_time()
        batch = Batch()
        for link in links:
            if link.fingerprint is not None and frontier.seen.add(link.fingerprint):
                batch.add(link, 1, None)
        with frontier.commit(batch, None, time.time()):
            pass
        encoding += encoded - began
        adding += time.perf_counter() - encoded
        adding_cpu += time.process_time() - cpu
    with frontier.commit(Batch()):
        for host in frontier.hosts_after("", 64):
            frontier.lease(host, WINDOW // 64)
    return {
        "us_each_in_the_engine": round(adding / count * 1e6, 2),
        "cpu_us_each_in_the_engine": round(adding_cpu / count * 1e6, 2),  # what others do beside it counts less
        "us_each_in_a_worker": round(encoding / count * 1e6, 2),
    }


def resume(path: Path) -> dict[str, float]:
    """Take the job up again, until the first window is leased."""
    began, cpu = time.perf_counter(), time.process_time()
    frontier = Frontier(str(path))
    frontier.recover([], time.time(), 600, 3)
    counts = frontier.counts()
    with frontier.commit(Batch()):
        leased = sum(len(frontier.lease(host, WINDOW // 64)) for host in frontier.hosts_after("", 64))
    return {
        "seconds": round(time.perf_counter() - began, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
        "pending": counts["pending"],
        "window": leased,
    }


def _run(phase: str, path: Path, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--phase", phase, "--frontier", str(path)]
    command += ["--count", str(options.count), "--hosts", str(options.hosts)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


if __name__ == "__main__":
    main()
