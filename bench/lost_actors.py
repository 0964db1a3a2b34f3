"""How long it takes until a lost actor or node is noticed, and until its requests are asked for again.

A crawl over four actors on two nodes of a Ray cluster, all on this machine. In the middle of it an actor is killed, or
all processes of the second node are killed at once, or stopped: to the others a stopped node is a machine that has lost
its power or its network, because nobody closes its connections. Needs the extra ``ray``; takes some minutes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}  # before Ray reads them

import scrapekit
from scrapekit.testing import Reply, RequestView, serve

ROOT = Path(__file__).resolve().parents[1]
PAGES = 400
AT = 150  # the request that brings the loss about
OPEN_SECONDS = 0.1  # how long the server takes, so that the lost have requests in hand
ACTORS_A_NODE = 2


class Pages(scrapekit.Spider):
    """One page that links to all others."""

    name = "pages"

    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all("a")


class Site:
    """Answers slowly, knows when each page was asked for, and calls ``lose`` at one of them."""

    def __init__(self, lose) -> None:
        self.asked: dict[str, list[float]] = {}
        self.lost_at = 0.0
        self._lose = lose
        self._seen = 0
        self._lock = threading.Lock()

    def __call__(self, view: RequestView) -> Reply:
        with self._lock:
            self._seen += 1
            self.asked.setdefault(view.path, []).append(time.time())
            if self._seen == AT:
                self._lose()
                self.lost_at = time.time()
        time.sleep(OPEN_SECONDS)
        links = "".join(f"<a href='/{n}'>{n}</a>" for n in range(PAGES)) if view.path == "/" else "<p>page"
        return Reply(links.encode(), headers=[("Content-Type", "text/html")])

    def again(self) -> list[float]:
        """When each page was asked for the second time, in seconds since the loss."""
        return sorted(times[1] - self.lost_at for times in self.asked.values() if len(times) > 1)


class Noticed(logging.Handler):
    """When the crew said that a member has died."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "died" in record.getMessage():
            self.at.append(record.created)


def family(raylet: int) -> list[int]:
    """A node's raylet and all its children, the actors among them."""
    found = [raylet]
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == raylet:
                found.append(int(folder.name))
    return found


def actors_among(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::Actor")]


def lose_one(pids: list[int]) -> None:
    os.kill(actors_among(pids)[0], signal.SIGKILL)


def lose_all(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def cut_off(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def measure(what: str, lose) -> None:
    from ray.cluster_utils import Cluster

    node_args = {"num_cpus": ACTORS_A_NODE, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=node_args | {"include_dashboard": False})
    noticed = Noticed()
    logging.getLogger("scrapekit").addHandler(noticed)
    pids: list[int] = []
    try:
        raylet = cluster.add_node(**node_args).all_processes["raylet"][0].process.pid

        def go() -> None:
            pids.extend(family(raylet))
            lose(pids)

        site = Site(go)
        with serve(site) as server:
            settings = {
                "workers": 4,
                "fleet": {"kind": f"ray:{cluster.address}", "actors": 2 * ACTORS_A_NODE},
                "throttle": {"maxsize": 16, "adaptive": False},
            }
            report = scrapekit.run(Pages, start_urls=[f"{server.url}/"], settings=settings)
        again = site.again()
        seconds = ", ".join(f"{at - site.lost_at:.2f}" for at in noticed.at)
        print(f"{what}: noticed after {seconds} s;", end=" ")
        print(f"{len(again)} requests asked for again after {again[0]:.2f} to {again[-1]:.2f} s;", end=" ")
        print(f"{report.items} of {PAGES + 1} items", flush=True)
    finally:
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)
        logging.getLogger("scrapekit").removeHandler(noticed)
        cluster.shutdown()


def main() -> None:
    os.environ["PYTHONPATH"] = str(ROOT)
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        measure("an actor is killed", lose_one)
        measure("a node is killed", lose_all)
        measure("a node is cut off", cut_off)


if __name__ == "__main__":
    main()
