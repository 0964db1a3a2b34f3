"""``python faultsalone.py``: crawls that meet faults one after the other and measure each, its time and its memory.

A process of its own, whose memory is the crawl's alone: the faults are served by another one. It reads JSON from stdin,
``{"ca_bundle": path, "crawls": [{"way": "direct", "settings": {...}, "cases": {path: {"url", "good", "proxy", "good_proxy",
"timeout"}}}]}``, and prints JSON: what was found of each fault by each way, and what is left when they are over.
"""

import gc
import json
import logging
import socket
import sys
import threading
import time
from pathlib import Path

from faultcrawl import COMMON, Meets, left_threads, merged

import scrapekit
from scrapekit.fleet.allocator import give_memory_back
from scrapekit.testing.faults import FAULTS

ALONE = {"workers": 1, "throttle": {"maxsize": 1}}
"""One at a time, over one connection a host; and nothing but its deadline ends what does not end by itself."""
NEVER = "never.test"
"""A name for which the resolver has no answer before the request is over."""
STEP = 0.005  # seconds that the sentinel sleeps
OUR_THREADS = {"MainThread", "sentinel", "scrapekit-worker_0", "scrapekit-start"}
STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Sentinel:
    """A thread that sleeps in small steps, and writes down when the machine did not let this process run.

    How late it wakes is how late any thread here may be. Where this process itself used the processor meanwhile, the
    delay is its own doing, such as code in C that keeps the GIL, and does not count.
    """

    def __init__(self):
        self._late = []  # (from, until), monotonic seconds
        threading.Thread(target=self._watch, name="sentinel", daemon=True).start()

    def _watch(self):
        woke, used = time.monotonic(), time.process_time()
        while True:
            time.sleep(STEP)
            now, using = time.monotonic(), time.process_time()
            late = now - woke - STEP - (using - used)
            if late > STEP:
                self._late.append((now - late, now))
            woke, used = now, using

    def stood(self, begin, end):
        """Seconds between two moments in which the machine stood still for us."""
        return sum(max(min(end, until) - max(begin, since), 0.0) for since, until in self._late)


class Alone(Meets):
    """The next fault comes only when the good page after the last one is there, so callbacks may change the spider."""

    def __init__(self):
        super().__init__()
        self.hooks = [self]
        self.facts = {}
        self.gone_on = threading.Event()

    def resolve(self, host, port):
        if host == NEVER:
            self.gone_on.wait()
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    def on_item(self, item):
        self.facts[item["fault"]].update(item)

    def start(self):
        self.left = list(reversed(self.requests))
        yield from self.next_fault()

    def next_fault(self):
        if self.left:
            path = self.left.pop()
            self.facts[path] = {}
            request = self.requests[path]
            yield self.good_page(request, "first") if FAULTS[path].second else self.met(request)

    def met(self, request):
        """The request, and from now on time and memory are the fault's."""
        gc.collect()
        self.rss = reset_peak()
        self.began = time.monotonic()
        return request

    def first(self, response):
        yield self.met(self.requests[response.meta["fault"]])

    def parse(self, response):
        self.facts[response.meta["fault"]]["span"] = self.began, time.monotonic()
        yield from super().parse(response)

    def failed(self, error):
        self.facts[error.request.meta["fault"]]["span"] = self.began, time.monotonic()
        yield from super().failed(error)

    def good(self, response):
        yield from super().good(response)
        yield from self.over(response.meta["fault"])

    def not_good(self, error):
        yield from super().not_good(error)
        yield from self.over(error.request.meta["fault"])

    def over(self, path):
        self.facts[path]["grown"] = None if self.rss is None else in_mib("VmHWM") - self.rss
        self.gone_on.set()
        for thread in threading.enumerate():
            if thread.name == "scrapekit-resolver":
                thread.join()
        self.facts[path]["threads"] = [t.name for t in threading.enumerate() if t.name not in OUR_THREADS]
        yield from self.next_fault()


def reset_peak():
    """Let the peak of the memory be what is used now, in MiB; None where the system can't do that (proc(5))."""
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        return None
    return in_mib("VmRSS")


def in_mib(name):
    """VmRSS, what of this process is in memory, or VmHWM, its peak."""
    return int(STATUS.read_text().partition(f"{name}:")[2].split()[0]) / 1024


def main():
    given = json.load(sys.stdin)
    give_memory_back()  # as the command line does for a crawl
    gc.freeze()  # what is there already needs no look each time
    logging.disable(logging.WARNING)
    sentinel = Sentinel()
    found = {"ways": {}, "in_use": 0}
    for crawl in given["crawls"]:
        spider = Alone()
        spider.requests = {
            path: scrapekit.Request(
                case["url"],
                proxy=case["proxy"],
                timeout=case["timeout"],
                meta={"fault": path, "good": case["good"], "proxy": case["good_proxy"]},
                errback="failed",
                dont_filter=True,
                **FAULTS[path].request,
            )
            for path, case in crawl["cases"].items()
        }
        settings = merged(COMMON, ALONE, {"http": {"ca_bundle": given["ca_bundle"]}}, crawl["settings"])
        report = scrapekit.run(spider, settings=settings)
        found["in_use"] += report.pool.in_use + report.pool.waiting + report.pending
        found["ways"].setdefault(crawl["way"], {}).update(spider.facts)
    time.sleep(2 * STEP)  # so that the sentinel has written down how late it was until now
    for crawl in given["crawls"]:
        for path, case in crawl["cases"].items():
            facts = found["ways"][crawl["way"]][path]
            begin, end = facts.pop("span")
            facts["seconds"] = end - begin
            facts["stood"] = sentinel.stood(begin + case["timeout"], end)
    found["threads"] = left_threads()
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
