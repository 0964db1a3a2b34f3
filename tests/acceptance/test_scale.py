"""A crawl's memory does not grow with its queue."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from harness import PATIENCE, ROOT

SCRIPT = """
import json, resource, sys

import scrapekit
from scrapekit.testing import Reply, serve

PAGES = int(sys.argv[1])
PAGE = Reply(b"<p>page</p>", headers=(("Content-Type", "text/html"),))


class Wide(scrapekit.Spider):
    name = "wide"

    def start(self):
        for page in range(PAGES):
            yield scrapekit.Request(f"{self.url}/{page}", priority=1)

    def parse(self, response):
        yield {"url": response.url}
        for link in range(1_000):
            yield scrapekit.Request(f"{response.url}/and/a/path/of/usual/length/{link}")


with serve(lambda request: PAGE) as server:
    settings = {"workers": 4, "crawl": {"max_pages": PAGES}, "robots": {"obey": False}}
    report = scrapekit.run(Wide, url=server.url, settings=settings)
assert report.pages == PAGES, report
print(json.dumps([report.pending, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


def queued_and_peak(pages: int) -> tuple[int, int]:
    """Requests that were queued at the end of a crawl, and the most memory that its process has had, in bytes."""
    command = [sys.executable, "-c", SCRIPT, str(pages)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=PATIENCE).stdout
    queued, peak = json.loads(told)
    return queued, peak


def test_what_is_queued_lies_on_disk():
    few, small = queued_and_peak(60)
    many, large = queued_and_peak(240)
    assert (few, many) == (60_000, 240_000)
    a_request = (large - small) / (many - few)
    megabytes = f"{small / 2**20:.0f} and {large / 2**20:.0f} MB for {few:,} and {many:,} queued requests"
    print(f"\n{megabytes}: {a_request:.0f} bytes each")  # noqa: T201  (for pytest -s)
    # SQLite's page cache may grow to 64 MB meanwhile; a request as Python objects has a kilobyte and more.
    assert a_request < 400
