"""Every fault of the public fault server, met alone: its own time and memory, and what it leaves behind.

Two processes, one for TCP and one for TLS, meet them one after the other, with one worker and one connection a host: a
connection that a fault has spoilt would serve the page after it, and one that it has taken would keep that page from
coming.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faultcrawl import CASES, COMMON, SETTINGS, kind
from faultsalone import NEVER

from scrapekit.testing.faults import FAULTS, serve_faults

pytestmark = pytest.mark.xdist_group("faults-alone")
HERE = Path(__file__).parent
TOTAL = COMMON["http"]["timeout"]["total"]  # seconds: the deadline of what ends by itself
SHORT = 0.1  # of what does not
ROBOTS = SETTINGS["hasty policies"]["http"]["timeout"]["total"]  # of robots.txt
BODY = {"documents": 12}  # MiB: http.max_body, where it is not one
BY_PATH = [path for path, fault in FAULTS.items() if fault.group == "timing" and fault.door is None]
WAYS = (
    [("direct", *case) for case in CASES]
    + [("proxied", path, tls) for path in BY_PATH for tls in (False, True)]  # absolute URLs, and a tunnel
    + [("unresolved", "/timing/silence", tls) for tls in (False, True)]
)


def deadline(way, fault):
    slow = fault.slow or way == "unresolved"
    return (ROBOTS if fault.group == "policies" else SHORT) if slow else TOTAL


def order(server, over_tls):
    """What is to be met, as faultsalone.py reads it."""
    crawls = {}
    for way, path, tls in WAYS:
        if tls != over_tls:
            continue
        fault, request = FAULTS[path], server.request(path, tls=tls)
        settings = {} if kind(path) == "hasty" else SETTINGS.get(kind(path), {})
        crawl = crawls.setdefault((way, repr(settings)), {"way": way, "settings": settings, "cases": {}})
        proxy = server.proxy if way == "proxied" else None
        crawl["cases"][path] = {
            "url": request.url.replace("127.0.0.1", NEVER) if way == "unresolved" else request.url,
            "good": server.good(path[1:], like=path, tls=tls),
            "proxy": proxy or request.proxy,
            "good_proxy": proxy,
            "timeout": deadline(way, fault),
        }
    return json.dumps({"ca_bundle": server.ca_bundle, "crawls": list(crawls.values())})


@pytest.fixture(scope="module")
def alone():
    """What was found of each fault, by TCP and by TLS."""
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    found = {}
    with serve_faults() as server:
        processes = {
            tls: subprocess.Popen(
                [sys.executable, HERE / "faultsalone.py"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
            )
            for tls in (False, True)
        }  # fmt: skip
        for tls, process in processes.items():
            process.stdin.write(order(server, tls))
            process.stdin.close()
            process.stdin = None
        for tls, process in processes.items():
            answer, said = process.communicate(timeout=100)
            assert process.returncode == 0, said
            found[tls] = json.loads(answer)
    return found


@pytest.mark.parametrize(
    ("way", "path", "tls"), WAYS, ids=[f"{way}-{'https' if tls else 'http'}{path}" for way, path, tls in WAYS]
)
def test_a_fault_costs_no_more_than_its_time_and_its_memory_and_leaves_nothing(alone, way, path, tls):
    fault, facts = FAULTS[path], alone[tls]["ways"][way][path]
    if deadline(way, fault) == TOTAL:  # so short a deadline may come while it connects still
        assert facts["answer"] == fault.answer.partition(",")[0], facts
    # From the moment in which a callback asks for it to the one in which the next callback runs, less those in which
    # the machine did not let the process run (see Sentinel): no neighbour's work makes this fail.
    assert facts["seconds"] - facts["stood"] <= deadline(way, fault) + 0.5, facts
    if facts["grown"] is not None:  # only Linux tells
        body = max(BODY.get(fault.group, 1), len(fault.request.get("body", b"")) / 2**20)
        assert facts["grown"] <= 8 * body + 8, facts
    assert facts["next"] == "ok"
    assert facts["threads"] == []


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_after_all_of_them_no_connection_is_taken_and_no_thread_is_there(alone, tls):
    assert (alone[tls]["in_use"], alone[tls]["threads"]) == (0, [])
