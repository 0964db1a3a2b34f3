"""The faults by other ways: through proxies, in several processes, in bounded memory, with too few files, in a soak."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faultcrawl import COMMON, SETTINGS, kind, meet, merged

import scrapekit
from scrapekit.project.spiders import load_spider
from scrapekit.testing.faults import FAULTS, serve_faults, soak

pytestmark = pytest.mark.xdist_group("faults-wide")
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GUARD = 60.0  # seconds: what hangs takes longer
SHORT = {"http": {"timeout": {"total": 2}}}
BY_PATH = [path for path, fault in FAULTS.items() if fault.group == "timing" and fault.door is None]
ENDLESS = [path for path in BY_PATH if "endless" in path or "flood" in path]


@pytest.fixture(scope="module")
def server():
    with serve_faults() as running:
        yield running


@pytest.fixture(scope="module", params=[False, True], ids=["absolute", "tunnel"])
def proxied(request, server, tmp_path_factory):
    """All faults of time, met through a proxy: one crawl."""
    output = tmp_path_factory.mktemp("proxied") / "met.jsonl"
    return meet(server, BY_PATH, output, tls=request.param, proxy=server.proxy)


@pytest.mark.parametrize("path", BY_PATH)
def test_faults_of_time_have_the_same_answer_through_a_proxy(proxied, path):
    assert proxied.answers[path]["answer"] == FAULTS[path].answer
    assert proxied.following[path] == "ok"


def test_a_crawl_through_a_proxy_ends_and_leaves_nothing(proxied):
    assert proxied.seconds < GUARD
    proxied.assert_nothing_is_left()


def test_requests_with_bodies_go_through_the_proxy(server):
    urls = [f"{server.url}/good/{number}" for number in range(4)]
    requests = [scrapekit.Request(url, method="POST", body=b"x" * 300_000, proxy=server.proxy) for url in urls]
    one = COMMON | {"workers": 1, "throttle": {"maxsize": 1}}
    assert [answer.status for answer in scrapekit.fetch(requests, settings=one)] == [200] * 4


@pytest.mark.parametrize(
    "path", ["/tls/expired", "/tls/not-yet-valid", "/tls/wrong-host", "/tls/self-signed", "/tls/unknown-ca"]
)
def test_without_verification_the_certificate_is_all_that_was_wrong(server, path):
    [answer] = scrapekit.fetch(server.request(path), settings=merged(COMMON, {"http": {"verify": False}}))
    assert FAULTS[path].body in answer.body


ASK_ROBOTS = {"documents", "policies"}  # the groups where robots.txt is asked for, or may be
SAMPLES = {"network": {fault.group for fault in FAULTS.values()} - ASK_ROBOTS, "documents and policies": ASK_ROBOTS}


@pytest.mark.parametrize("sample", SAMPLES)
def test_some_faults_of_each_group_in_two_processes(sample, server, tmp_path):
    """The spider is found by its file, as processes need it; the requests are given by value."""
    groups = {
        group: [path for path, fault in FAULTS.items() if kind(path) == group and not fault.second][::2]
        for group in SAMPLES[sample]
    }
    spider = load_spider(f"{HERE / 'faultcrawl.py'}:Meets", ROOT)
    settings = merged(*(SETTINGS.get(group, {}) for group in groups), {"fleet": "processes:2", "workers": 16})
    paths = [path for few in groups.values() for path in few]
    crawl = meet(server, paths, tmp_path / "met.jsonl", settings=settings, spider=spider)
    assert {path: answer["answer"] for path, answer in crawl.answers.items()} == {
        path: FAULTS[path].answer.partition(",")[0] for path in paths
    }
    assert crawl.following == dict.fromkeys(paths, "ok")
    assert crawl.report.workers == 32
    assert crawl.report.stats.deaths == 0
    crawl.assert_nothing_is_left()


IN_A_PROCESS = """
import json, resource, sys
import scrapekit
from scrapekit.project import fetch
urls, settings, files = json.load(sys.stdin)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
list(fetch(urls[:1], settings=settings))
before = peak()
if files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
got = [getattr(one, "message", "ok") for one in fetch(urls[1:], settings=settings)]
got += [getattr(one, "message", "ok") for one in fetch(urls[:1], settings=settings)]
print(json.dumps([got, peak() - before]))
"""


def in_a_process(urls, settings, files=0):
    """What comes of each URL in a process of its own, and then of the first again; by how many MiB memory peaked."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS], input=json.dumps([urls, settings, files]), capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count the peak otherwise")
def test_what_has_no_end_does_not_fill_the_memory(server):
    urls = [f"{server.url}{path}" for path in ENDLESS for _ in range(4)]
    got, grown = in_a_process([f"{server.url}/good/first", *urls], merged(COMMON, SHORT, {"workers": 8}))
    assert [message == "ok" for message in got] == [False] * len(urls) + [True]
    assert grown < 100  # MiB, for 8 at a time of at most 1 MiB each, and what the interpreter keeps


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_NOFILE means something else")
def test_too_many_open_files_cost_requests_and_not_the_crawl(server):
    """Sixty at once with forty files: some fail with that reason, the crawl ends, and what comes after it works."""
    urls = [f"{server.url}/timing/silence"] * 60
    got, _ = in_a_process([f"{server.url}/good/first", *urls], merged(COMMON, SHORT, {"workers": 60}), files=40)
    assert sum("no connection: OSError: Too many open files" in message for message in got) > 10
    assert sum("while waiting for the response" in message for message in got) > 10
    assert (len(got), got[-1]) == (61, "ok")


def test_a_soak_accounts_for_every_request(server, capsys):
    places = {"ca_bundle": server.ca_bundle, "faults": server.places()}
    verdict = soak.soak(places, count=300, seed=5, workers=32, total=0.5)
    # The server's threads and connections are in this process too, so only the accounts are judged here.
    assert [what for what in verdict.wrong if "threads" not in what and "files" not in what] == []
    assert verdict.answers.total() + sum(t.count for t in verdict.report.stats.skipped.values()) == 300
    assert len(verdict.answers) > 5


def test_the_command_soaks_against_another_process(capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert soak.main(["--requests", "40", "--total", "0.3", "--workers", "20"]) == 0
    assert "all accounted for" in capsys.readouterr().out


def test_memory_that_grows_is_seen():
    def samples(*sizes):
        return [soak.Sample(0, 0.0, size * 2**20, 0, 0) for size in sizes]

    assert soak.flat(samples(50, 80, *[90] * 18))
    assert soak.flat(samples(50))
    assert not soak.flat(samples(50, 60, *range(70, 142, 4)))
