"""The engine's ceiling: a crawl whose workers answer at once, so that only the engine's own work is left.

Every page has ten links, one of them new, and one item. The frontier is SQLite on the disk and the output a file, as in
any durable crawl. The rate is measured at 10 thousand and at 1 million requests done.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

from scrapekit.engine.admission import Admission
from scrapekit.engine.clock import SteadyClock
from scrapekit.engine.contract import Inbox
from scrapekit.engine.engine import Engine
from scrapekit.engine.frontier import Frontier
from scrapekit.engine.inflight import InFlight
from scrapekit.engine.outcomes import Outcomes
from scrapekit.engine.retry import RetryPolicy
from scrapekit.engine.robots import Robots
from scrapekit.engine.scheduler import Scheduler
from scrapekit.engine.stats import Stats
from scrapekit.export import Tee, open_output
from scrapekit.messages import Fetched, Lease, Link, Page, Seeded, Yielded
from scrapekit.web.cookiejar import CookieJar
from scrapekit.web.scope import Scope

RESULTS = Path(__file__).resolve().parent / "results"


def crawl(fleet: AnsweringFleet, inbox: Inbox, folder: Path, *, every_attempt: bool = True) -> None:
    """Run the engine over ``fleet`` until nothing is left, as durable as by default, as scrapekit.project wires it.

    Args:
        fleet: The fleet, which posts into ``inbox``.
        inbox: What the engine takes its outcomes from.
        folder: Where the frontier and the output go.
        every_attempt: As ``crawl.ledger: full`` has it; else as ``errors``.
    """
    frontier = Frontier(str(folder / "frontier.sqlite"))
    frontier.recover([], time.time(), 600, 3)
    scheduler = Scheduler(lambda _host: HostLimits(), Random(1))
    retry = RetryPolicy()
    robots = Robots(frontier, retry, user_agent="scrapekit")
    jar = CookieJar()
    stats = Stats()
    outcomes = Outcomes(
        frontier=frontier,
        scheduler=scheduler,
        admission=Admission(frontier.seen, stats, Scope(["example.com"]), open_scope=False),
        retry=retry,
        stats=stats,
        robots=robots,
        jar=jar,
        every_attempt=every_attempt,
    )
    output = Tee({(0, ""): open_output(folder / "items.jsonl")})
    engine = Engine(
        frontier=frontier,
        scheduler=scheduler,
        outcomes=outcomes,
        fleet=fleet,
        inbox=inbox,
        seeds={"": Starts(fleet.starts, inbox)},
        output=output,
        in_flight=InFlight(folder / "inflight", fleet.capacity),
        clock=SteadyClock(),
        robots=robots,
        jar=jar,
    )
    reason = engine.run()
    assert (reason, engine.stats.pages) == ("finished", fleet.done), reason
    output.close()
    frontier.close()


class HostLimits:
    """The default politeness."""

    maxsize = 8
    delay = 0.0
    jitter = 0.0
    adaptive = True


class Starts:
    """Start requests that are there already."""

    def __init__(self, links: list[Link], inbox: Inbox) -> None:
        self._left = links
        self._inbox = inbox

    def ask(self, count: int) -> None:
        links, self._left = self._left[:count], self._left[count:]
        self._inbox.post(Seeded(links, exhausted=not self._left))

    def close(self) -> None:
        """There is no thread to end."""


class AnsweringFleet:
    """A fleet that posts its outcome before ``submit`` returns. Engine thread only.

    Of the nine old links of a page, ``far`` are drawn from all that were ever found, so that the dupe filter has to
    look them up in the database; the others from the newest thousand, like the links that all pages of a site have.
    ``spent`` is how many seconds of the run were the fleet's own.
    """

    def __init__(self, inbox: Inbox, *, starts: int, total: int, hosts: int, capacity: int, far: int) -> None:
        self.capacity = capacity
        self.isolates = False
        self.done = 0
        self.spent = 0.0
        self.marks: list[tuple[int, float, float, float]] = []  # (done, clock, spent, CPU seconds), every thousand
        self._inbox = inbox
        self._hosts = [f"host{n}.example.com" for n in range(hosts)]
        self._fingerprints = bytearray()  # of every URL, by its number
        self._total = total
        self._far = far
        self._random = Random(1).random
        self._item = b'{"url":"https://host.example.com/page","title":"A page of the ceiling","text_length":1234}'
        self.starts = [self._new() for _ in range(starts)]

    def submit(self, lease: Lease) -> None:
        began = time.perf_counter()
        if lease.is_robots:
            page = Page(lease.request.url, 404, [], b"")
            self._inbox.post(Fetched(id=lease.id, status=404, yielded=Yielded(), page=page))
            return
        number = self._random
        known = len(self._fingerprints) >> 4
        near = max(0, known - 1_000)
        links = [self._link(int(number() * known)) for _ in range(self._far)]
        links += [self._link(near + int(number() * (known - near))) for _ in range(9 - self._far)]
        if known < self._total:
            links.append(self._new())
        yielded = Yielded(items=[self._item], links=links)
        self._inbox.post(Fetched(id=lease.id, status=200, size=14_000, elapsed=0.05, yielded=yielded))
        self.done += 1
        now = time.perf_counter()
        self.spent += now - began
        if self.done % 1_000 == 0:
            self.marks.append((self.done, now, self.spent, time.process_time()))

    def close(self, deadline: float) -> None:
        """Nothing is under way, ever."""

    def _new(self) -> Link:
        number = len(self._fingerprints) >> 4
        # Hashed, as real ones are: in order they would be too easy for the index.
        self._fingerprints += blake2b(number.to_bytes(8, "big"), digest_size=16).digest()
        return self._link(number)

    def _link(self, number: int) -> Link:
        host = self._hosts[number % len(self._hosts)]
        fingerprint = bytes(self._fingerprints[number << 4 : (number + 1) << 4])
        return Link(f"https://{host}/page-{number}.html", host, fingerprint)


def rates(marks: list[tuple[int, float, float, float]], at: int, width: int) -> dict[str, float]:
    """Requests a second over the ``width`` requests that end at ``at``: with, and without the fleet's own time."""
    by_done = {done: rest for done, *rest in marks}
    (began, spent_before, cpu_before), (ended, spent_after, cpu_after) = by_done[at - width], by_done[at]
    whole = ended - began
    return {
        "requests_per_second": round(width / whole),
        "without_the_fleet": round(width / (whole - (spent_after - spent_before))),
        "requests_per_cpu_second": round(width / (cpu_after - cpu_before)),
        "fleet_us_each": round((spent_after - spent_before) / width * 1e6, 1),  # grows when something else runs
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/engine_ceiling.py", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--total", type=int, default=1_000_000, help="requests in all, at least 20000 (1000000)")
    parser.add_argument("--starts", type=int, default=2_000, help="start requests: what is queued at any time (2000)")
    parser.add_argument("--hosts", type=int, default=200, help="hosts that they are spread over (200)")
    parser.add_argument("--capacity", type=int, default=256, help="leases that the fleet takes at once (256)")
    parser.add_argument("--far", type=int, default=9, help="of nine old links, how many are not recent ones (9)")
    parser.add_argument("--ledger", choices=("full", "errors"), default="full", help="crawl.ledger (full)")
    parser.add_argument(
        "--compare-ledgers",
        type=int,
        metavar="N",
        help="run N crawls of each ledger in turn, and compare their medians",
    )
    parser.add_argument("--json", type=Path, default=RESULTS / "engine_ceiling.json", help="where the results go")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    told = compare_ledgers(options) if options.compare_ledgers else measure(options, options.ledger)
    print(json.dumps(told, indent=1))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


def compare_ledgers(options: argparse.Namespace) -> dict[str, Any]:
    """What ``full`` costs: whole crawls of both kinds in turn, so that what else the machine does meets both alike."""
    spent: dict[str, list[dict[str, float]]] = {"errors": [], "full": []}
    for _ in range(options.compare_ledgers):
        for ledger, crawls in spent.items():
            crawls.append(measure(options, ledger)["whole"])
    median = {
        ledger: {key: statistics.median(each[key] for each in crawls) for key in crawls[0]}
        for ledger, crawls in spent.items()
    }
    shares = {key: round(median["full"][key] / median["errors"][key], 3) for key in median["full"]}
    return {"median": median, "full_to_errors": shares, "each": spent, "total": options.total}


def measure(options: argparse.Namespace, ledger: str) -> dict[str, Any]:
    """One crawl."""
    inbox = Inbox()
    fleet = AnsweringFleet(
        inbox,
        starts=options.starts,
        total=options.total,
        hosts=options.hosts,
        capacity=options.capacity,
        far=options.far,
    )
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:  # on the disk: the temporary folder may be in memory
        began, cpu = time.perf_counter(), time.process_time()
        crawl(fleet, inbox, Path(folder), every_attempt=ledger == "full")
        whole = {
            "requests_per_second": round(fleet.done / (time.perf_counter() - began)),
            "requests_per_cpu_second": round(fleet.done / (time.process_time() - cpu)),
            "database_bytes_each": round((Path(folder) / "frontier.sqlite").stat().st_size / fleet.done, 1),
        }
    early = rates(fleet.marks, 10_000, 5_000)
    late = rates(fleet.marks, fleet.marks[-1][0] - options.starts, 10_000)  # before the queue runs empty
    return {
        "whole": whole,
        "at_10000": early,
        f"at_{fleet.done}": late,
        "every_50000": [
            rates(fleet.marks, at, 50_000)["requests_per_second"]
            for at in range(60_000, fleet.marks[-1][0] + 1, 50_000)
        ],
        "late_to_early": round(late["requests_per_second"] / early["requests_per_second"], 3),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "done": fleet.done,
        "hosts": options.hosts,
        "capacity": options.capacity,
        "far": options.far,
        "ledger": ledger,
    }


if __name__ == "__main__":
    sys.exit(main())
