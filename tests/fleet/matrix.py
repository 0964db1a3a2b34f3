"""One rich project, run by the real command on each fleet, and all that it leaves behind, in one order."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pyarrow.parquet

from scrapekit.pipelines import read_manifest
from scrapekit.testing import Reply, SampleSite, serve

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SPIDERS = ("shop", "maps", "feed", "prices", "table", "members", "urls", "books_yaml")
PNG = b"\x89PNG\r\n\x1a\n"
TOLD = ("--report", "report.json", "--log-file", "log.jsonl")
COUNTED = ("items", "failed", "dropped", "flags", "deaths", "pending", "state", "failure")


class RichSite:
    """The sample site, and a shop with what rules, hooks and pipelines are for. Its last page waits until it may go."""

    def __init__(self):
        self.sample = SampleSite(books=12, quotes=1, retry_after=0)
        self.go = threading.Event()

    def __call__(self, view):
        path = view.path
        while path == "/shop/p/14" and not self.go.wait(0.05) and not view.closing.is_set():
            pass
        if path.startswith("/shop/list/"):
            number = int(path.rpartition("/")[2])
            links = [f"/shop/p/{number * 5 + n}?utm_source=list{number}" for n in range(5)]
            links += [f"/shop/p/{number * 5}?color=red", "/shop/agent", "/shop/hidden", f"/shop/guarded/{number}"]
            links += [f"/shop/list/{number + 1}"] if number < 2 else ["/shop/p/404"]
            anchors = "".join(f'<a href="{link}">x</a>' for link in links)
            return Reply(f'<main>{anchors}<a rel="nofollow" href="/shop/p/99">x</a></main>'.encode())
        if path.startswith("/shop/p/"):
            number = path.rpartition("/")[2]
            pictures = f"<img src='/shop/img/{int(number) % 3}.png'>"
            page = f'<link rel="canonical" href="{path}"><h1>{number}</h1>{pictures}'
            return Reply(page.encode(), 404 if number == "404" else 200)
        if path.startswith("/shop/img/"):
            return Reply(PNG + path.encode() * (5000 if "2" in path else 1), headers=(("Content-Type", "image/png"),))
        if path == "/shop/manual.txt":
            return Reply(b"Read me.", headers=(("Content-Type", "text/plain"),))
        if path.startswith("/shop/guarded/"):
            return Reply(b"welcome" if view.headers["x-hook"] == "b" else b"Access DENIED")
        if path == "/shop/agent":
            return Reply(f"{view.headers['user-agent']} {view.headers.get('x-hook')}".encode())
        if path == "/shop/hidden":
            return Reply(b'<meta name="robots" content="noindex"><a href="/shop/p/1">x</a>')
        return self.sample(view)


def crawl(folder, fleet, *options, killed_at=None, watch=None):
    """The rich project, crawled in ``folder`` on ``fleet``: what it left behind.

    With ``killed_at``, a failpoint, it is killed there and resumed. With ``watch``, that gets the URL of its dashboard.
    """
    shutil.copytree(HERE / "rich", folder)
    for name in ("urls.py", "books_yaml.yaml"):
        shutil.copy(ROOT / "spiders" / name, folder / "spiders")
    (folder / "out").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OUT": str(folder / "out")}
    site = RichSite()
    with serve(site) as server:
        (folder / "urls.txt").write_text(f"# two\n{server.url}/media/terms\n{server.url}/quotes/\n")
        arguments = [f"url={server.url}", f"shop.folder={folder}", "urls.file=urls.txt"]
        asked = [*SPIDERS, *(word for each in arguments for word in ("-a", each)), "--fleet", fleet, *options]

        def run(*words, module="scrapekit", **more):
            command = [sys.executable, "-m", module, "crawl", *words, *TOLD]
            return subprocess.run(
                command, cwd=folder, env=environment | more, capture_output=True, text=True, timeout=120
            )

        if watch is None:
            site.go.set()
        if killed_at is not None:
            died = run(*asked, module="scrapekit.testing.mortal", SCRAPEKIT_FAILPOINT=killed_at)
            assert died.returncode == -signal.SIGKILL, (died.stdout, died.stderr)
            assert (folder / "out" / "all.jsonl").stat().st_size  # in the middle: there are items, and more to come
            asked = [*SPIDERS, "--resume"]
        if watch is not None:
            watcher = threading.Thread(target=_watch, args=(folder / "log.jsonl", watch, site))
            watcher.start()
            asked += ["--ui", "0"]
        done = run(*asked)
        site.go.set()
        assert done.returncode == 0, (done.stdout, done.stderr)
        return left_behind(folder, server.url, killed=killed_at is not None)


def _watch(log, watch, site):
    """Have the dashboard of a crawl that begins looked at, and then let it go on."""
    try:
        while not log.exists() or not (found := re.search(r"the dashboard is at (http\S+?/)\"", log.read_text())):
            if site.go.wait(0.05):
                return
        watch(found[1])
    finally:
        site.go.set()


def first_frame(url, condition):
    """The first of a dashboard's frames of which it is true."""
    with urllib.request.urlopen(f"{url}events", timeout=60) as events:
        for line in events:
            if line.startswith(b"data: ") and condition(frame := json.loads(line[6:])):
                return frame
    return None


def left_behind(folder, url, *, killed):
    """All that a crawl gave, by what it is called: sorted, and without what is no crawl's own."""
    out = folder / "out"
    (job,) = (folder / ".scrapekit" / "jobs").iterdir()
    report = json.loads((folder / "report.json").read_bytes())
    found = {
        "all.jsonl": (out / "all.jsonl").read_text().splitlines(),
        **{path.name: gzip.decompress(path.read_bytes()).decode().splitlines() for path in out.glob("kind-*")},
        "dear.csv": [str(sorted(row.items())) for row in csv.DictReader((out / "dear.csv").read_text().splitlines())],
        "shop.parquet": [str(sorted(row.items())) for row in pyarrow.parquet.read_table(out / "shop.parquet").to_pylist()],
        "rows.xml": re.findall("<item>.*?</item>", "".join(path.read_text() for path in out.glob("rows*.xml")), re.DOTALL),
        **{path.name: list(map(str, json.loads(path.read_bytes()))) for path in out.glob("m*.json")},
        "items.db": rows(out / "items.db"),
        "remote": gzip.decompress((out / "remote.jsonl.gz").read_bytes()).decode().splitlines(),
        "rejected": (job / "rejected.jsonl").read_text().splitlines(),
        "journal": journal(folder / "journal.txt", killed=killed),
        "files": [str(each) for name in ("files", "images") for each in read_manifest(folder / name)],
        "on the disk": [f"{path.name} {path.stat().st_size}" for name in ("files", "images")
                        for path in (folder / name).glob("*/*")],
        "log": logged(folder / "log.jsonl"),
    }  # fmt: skip
    found = {name: sorted(line.replace(url, "") for line in lines) for name, lines in found.items()}
    return found | {"counters": counters(report)}


def counters(report):
    """Those that don't depend on how often members are sent to the login, nor on what was under way at a crash."""
    found = {key: report[key] for key in COUNTED}
    for kind in ("skipped", "item_errors"):
        found[kind] = {each["kind"]: each["count"] for each in report[kind]}
    found["statuses"] = {status: report["statuses"][status] for status in ("301", "404")}
    del report["spiders"]["members"]["pages"]
    keys = ("pages", "items", "failed", "stopped")
    return found | {name: [share.get(key) for key in keys] for name, share in report["spiders"].items()}


def rows(path):
    """The rows of the table, without the columns that say whose they are."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT * FROM things")
        names = [column[0] for column in found.description]
        return [
            str(sorted((name, value) for name, value in zip(names, row, strict=True) if name[0] != "_"))
            for row in found
        ]


def journal(path, *, killed):
    """What hooks and pipelines saw. Each pipeline that was opened has been closed, unless its process was killed."""
    lines = path.read_text().splitlines()
    ends = {what: {who for first, _, who in (line.partition(" ") for line in lines) if first == what}
            for what in ("opened", "closed")}  # fmt: skip
    assert ends["opened"] >= ends["closed"] > set()
    assert killed or ends["opened"] == ends["closed"]
    return [line for line in lines if line.partition(" ")[0] not in ends]


def logged(path):
    """What the spider itself has logged."""
    records = map(json.loads, path.read_text().splitlines())
    return [
        f"{each['level']} {each['event']} {each['message']} {each.get('status')}"
        for each in records
        if each["logger"] == "shop"
    ]
