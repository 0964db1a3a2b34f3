"""A crawl that meets faults, and after each one fetches a good page of the same origin."""

import gc
import json
import threading
import time

import pytest

import scrapekit
from scrapekit.testing.faults import FAULTS
from scrapekit.testing.faults.registry import marker

COMMON = {
    "workers": 64,
    "http": {"timeout": {"connect": 30, "read": 30, "total": 30, "pool": 30}, "max_body": "1MiB"},
    "throttle": {"maxsize": 64, "adaptive": False},
    "retry": {"times": 0},
    "robots": {"obey": False},
}
"""So patient that a machine which stands still spoils no answer. Nothing is tried twice, no robots.txt is asked for."""
SLOW = 1.0
"""Seconds that those get that end only at their deadline: by then it is the same answer in whatever phase they are."""
_POLICIES = {
    "robots": {"obey": True, "max_crawl_delay": 0},
    "retry": {"times": 1, "max_retry_after": 0, "backoff": {"initial": 0}},
}
SETTINGS = {
    "documents": {"http": {"max_body": "12MiB"}},
    "policies": _POLICIES,
    "hasty": {"http": {"timeout": {"connect": 2}}},
    "hasty policies": _POLICIES | {"http": {"timeout": {"total": 2}}},
}
"""What some kinds need besides."""


def kind(path):
    """Which crawl meets a fault: that of its group, or a hasty one, where it is not its own deadline that ends it."""
    fault = FAULTS[path]
    if not fault.slow or fault.answer == "DeadlineExceeded":
        return fault.group
    return "hasty policies" if fault.group == "policies" else "hasty"


CASES = [
    (path, tls)
    for path, fault in FAULTS.items()
    for tls in ((False, True) if fault.tls and not fault.door else (False,))
]
"""Each fault, and whether it is met by TLS."""


def named(cases):
    """The cases as parameters of a test."""
    return [pytest.param(path, tls, id=f"{'https' if tls else 'http'}{path}") for path, tls in cases]


class Meets(scrapekit.Spider):
    """Its items say what came of each fault, and of the good page after it."""

    name = "meets"
    allowed_domains = ["*"]
    settings = COMMON

    requests = {}

    def start(self):
        for path, request in self.requests.items():
            yield self.good_page(request, "first") if FAULTS[path].second else request

    def first(self, response):
        yield self.requests[response.meta["fault"]]

    def parse(self, response):
        path = response.meta["fault"]
        body = FAULTS[path].body
        shown = body in response.body or body.decode() in response.text if body else not response.body
        _ = response.doc
        yield {"fault": path, "answer": "ok", "flags": response.flags, "shown": shown, "body": response.text[:200]}
        yield self.good_page(response.request)

    def failed(self, error):
        path = error.request.meta["fault"]
        yield {"fault": path, "answer": type(error).__name__, "message": str(error)}
        yield self.good_page(error.request)

    def good_page(self, request, callback="good"):
        meta = request.meta
        options = {"callback": callback, "meta": meta, "errback": "not_good", "dont_filter": True}
        return scrapekit.Request(meta["good"], proxy=meta["proxy"], **options)

    def good(self, response):
        path = response.meta["fault"]
        right = response.body.count(b"[scrapekit") == 1 and marker(f"/good{path}") in response.body
        yield {"fault": path, "next": "ok" if right else response.text[:200]}

    def not_good(self, error):
        yield {"fault": error.request.meta["fault"], "next": f"{type(error).__name__}: {error}"}


def merged(*settings):
    """Nested settings as one; the last ones win."""
    result = {}
    for given in settings:
        for key, value in given.items():
            result[key] = merged(result.get(key, {}), value) if isinstance(value, dict) else value
    return result


def meet(server, paths, output, *, tls=False, proxy=None, settings=None, spider=Meets):
    """What came of a crawl over these faults: its report, what each answered, what the page after it was, seconds."""
    met = spider()
    met.requests = {
        path: server.request(
            path,
            tls=tls,
            meta={"fault": path, "good": server.good(path[1:], like=path, tls=tls), "proxy": proxy},
            errback="failed",
            dont_filter=True,
            timeout=SLOW if FAULTS[path].answer == "DeadlineExceeded" else None,
            **({"proxy": proxy} if proxy else {}),
        )
        for path in paths
    }
    began = time.monotonic()
    own = {"http": {"ca_bundle": server.ca_bundle}}
    report = scrapekit.run(met, output=output, settings=merged(COMMON, own, settings or {}))
    seconds = time.monotonic() - began
    answers, following = {}, {}
    for line in map(json.loads, output.read_text().splitlines()):
        if "next" in line:
            following[line["fault"]] = line["next"]
        else:
            answers[line["fault"]] = line
    return Met(report, answers, following, seconds)


class Met:
    def __init__(self, report, answers, following, seconds):
        self.report, self.answers, self.following, self.seconds = report, answers, following, seconds

    def assert_nothing_is_left(self):
        """No slot is taken, no thread is left."""
        assert (self.report.pool.in_use, self.report.pool.waiting) == (0, 0)
        assert self.report.pending == 0
        assert left_threads() == []


def left_threads():
    """Names of threads that a crawl has left behind."""
    gc.collect()
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("scrapekit")]
