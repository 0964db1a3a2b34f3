"""The same work by scrapekit, a hand-written loop, Scrapy and Crawlee, side by side: `make bench`.

Every system follows all internal links of Debian's python3-doc, served by an nginx of our own, evaluates four
selectors a page and writes one JSON line a page. The runs are interleaved (A B C D, A B C D, ...), the outputs are
compared, and the medians are printed as one table and written as JSON. See docs/performance.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import docsite
import systems
from report import Row, Run, differences, summary, table

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nginx and the running system are ended too
    wanted = options.systems
    try:
        root = options.root.resolve() if options.root else docsite.documentation()
        why = systems.install_peers(wanted)
        if why:
            print(f"skipping scrapy and crawlee: {why}", file=sys.stderr)
            wanted = [system for system in wanted if not systems.is_peer(system)]
        files, size = docsite.warm(root)
        latencies = sorted({0, *options.latency})  # start-up is measured without latency
        with docsite.serve(root, latencies, options.copies) as bases:
            rows = measure(options, wanted, bases)
    except docsite.MissingSiteError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(rows))
    for row in rows:
        for difference in sorted(row.differences):
            print(f"{row.system}, {row.latency} ms, {row.in_flight} in flight: {difference}")
    results = {
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": cpu_model(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": systems.versions(wanted) | {"nginx": docsite.nginx_version()},
        "site": {"root": str(root), "files": files, "bytes": size, "copies": options.copies},
        "settings": options.set,
        "rows": [summary(row, rows) for row in rows],
    }
    target = options.json or RESULTS / f"{results['when'].replace(':', '')}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwritten to {target}")
    return 0 if all(run.exit_code == 0 for row in rows for run in row.runs) else 1


def arguments() -> argparse.Namespace:
    numbers = lambda text: [int(part) for part in text.split(",")]  # noqa: E731  (two options share it)
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="rounds; medians are over them (3)")
    parser.add_argument("--latency", type=numbers, default=[0, 100], help="milliseconds, separated by commas (0,100)")
    parser.add_argument("--inflight", type=numbers, default=[16, 64, 256], help="requests in flight (16,64,256)")
    parser.add_argument(
        "--systems", type=lambda text: text.split(","), default=list(systems.DEFAULT),
        help=f"of {','.join(systems.DEFAULT)}, scrapekit+processes:2, ...",
    )  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of scrapekit's")
    parser.add_argument("--root", type=Path, help="another folder of HTML with an index.html, instead of python3-doc")
    parser.add_argument("--copies", type=int, default=1, help="crawl so many copies of the site (1)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds until a run is ended (600)")
    parser.add_argument("--json", type=Path, help="where the results go (bench/results/TIME.json)")
    parser.add_argument("--quick", action="store_true", help="one round, 16 in flight, no latency")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.latency, options.inflight = 1, [0], [16]
    return options


def measure(options: argparse.Namespace, wanted: list[str], bases: dict[int, str]) -> list[Row]:
    """All rows, their runs interleaved."""
    start = "copies.html" if options.copies > 1 else "index.html"
    rows = [
        Row(system, latency, in_flight)
        for latency in options.latency
        for in_flight in options.inflight
        for system in wanted
    ]
    _, pages = run("hand", bases[0] + start, bases[0], 16, options)  # warms nginx up
    reference = {page["url"]: page for page in pages}
    for turn in range(options.runs):
        fixed = {}
        for system in wanted:
            fixed[system] = run(system, bases[0] + "one.html", bases[0], 16, options)[0].seconds
        for row in rows:
            base = bases[row.latency]
            done, pages = run(row.system, base + start, base, row.in_flight, options)
            told = f"{row.system}, {row.latency} ms, {row.in_flight} in flight: {done.pages / done.seconds:.0f} pages/s"
            print(f"round {turn + 1}: {told}", file=sys.stderr)
            row.runs.append(done)
            row.start_up.append(fixed[row.system])
            row.differences |= set(differences(pages, reference))
            if done.exit_code:
                row.differences.add(f"exit code {done.exit_code}: see {RESULTS / 'work' / row.system}")
    return rows


def run(system: str, url: str, base: str, in_flight: int, options: argparse.Namespace) -> tuple[Run, list[dict]]:
    """Run one process to its end. Returns its figures and its pages, whose URLs are relative to ``base``."""
    work = RESULTS / "work" / system  # on the disk, as users have it: the temporary folder may be in memory
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    output = work / "pages.jsonl"
    command = systems.command(system, url, output, in_flight, options.set)
    with (work / "log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=work, env=systems.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        watchdog = threading.Timer(options.timeout, os.killpg, [process.pid, signal.SIGKILL])
        watchdog.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)  # unlike Popen.wait(), it tells this one child's usage
        except BaseException:  # it has a session of its own, so the terminal's Ctrl-C does not reach it
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            watchdog.cancel()
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    pages = []
    if output.exists():
        with output.open(encoding="utf-8") as lines:
            pages = [json.loads(line) for line in lines]
    for page in pages:
        page["url"] = page["url"].removeprefix(base)
    cpu = usage.ru_utime + usage.ru_stime
    return Run(len({page["url"] for page in pages}), seconds, cpu, usage.ru_maxrss / 1024, process.returncode), pages


def cpu_model() -> str:
    """As Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
