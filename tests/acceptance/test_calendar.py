"""A site with every kind of trap, over real sockets: the crawl ends, also when it was resumed, and the report says of what."""

from __future__ import annotations

import re
import sys
from subprocess import run
from textwrap import dedent

from scrapekit.testing import Reply, serve

LIMITS = ["url_length=200", "path_depth=12", "repeated_segments=4", "query_parameters=3", "pages_per_host=60"]
SPIDER = '''
    from scrapekit import Request, Spider

    class Everything(Spider):
        """Every page."""

        def start(self):
            yield Request(self.url)

        def parse(self, response):
            yield {"url": response.url}
            yield from response.follow_all("a")
'''


def trap(view):
    """The front page leads to five traps; each of their pages leads deeper into the same one."""
    path, _, query = view.target.partition("?")
    name = path.split("/")[1]
    links = {
        "": ["/calendar?month=1", "/loop/", "/deep/", "/session", "/long?x"],
        "calendar": [f"/calendar?month={int(query[6:] or 0) + 1}"] if name == "calendar" else [],
        "loop": ["a/"],
        "deep": [f"{path.count('/')}/"],
        "session": [f"{view.target}{'&' if query else '?'}sid={len(query)}"],
        "long": [f"{view.target}{'x' * 40}"],
    }.get(name, [])
    page = "".join(f'<a href="{link}">x</a>' for link in links)
    return Reply(page.encode(), headers=[("Content-Type", "text/html")], status=404 if name == "robots.txt" else 200)


def test_a_site_of_traps_is_left_when_it_has_given_enough_and_the_report_counts_each_kind(tmp_path):
    (tmp_path / "everything.py").write_text(dedent(SPIDER))
    limits = [word for limit in LIMITS for word in ("-s", f"crawl.limits.{limit}")]
    with serve(trap) as server:

        def scrapekit(*words):
            line = [sys.executable, "-m", "scrapekit", "crawl", "everything.py", *words]
            done = run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
            return done.stderr

        scrapekit("-a", f"url={server.url}/", "-O", "out.jsonl", *limits, "--max-pages", "30")
        report = scrapekit("--resume", "--max-pages", "100000")
    shown = re.findall(r"^  (?:skipped)? +(\d+) (\w+), such as .*crawl\.limits", report, re.MULTILINE)
    assert {kind: int(count) for count, kind in shown} == {
        "UrlTooLong": 1,
        "PathTooDeep": 1,
        "RepeatingPath": 1,
        "TooManyParameters": 1,
        "HostFull": 1,
    }
    assert 60 <= len((tmp_path / "out.jsonl").read_text().splitlines()) < 68
