"""Every fault of the public fault server, met by a real crawl on real sockets, over TCP and TLS."""

import threading

import pytest
from faultcrawl import meet

from scrapekit.testing.faults import FAULTS, serve_faults

GUARD = 10.0  # seconds: a crawl whose deadlines are 2 s hangs if it takes longer
GROUPS = list(dict.fromkeys(fault.group for fault in FAULTS.values()))
SETTINGS = {
    "documents": {"http": {"max_body": "32MiB"}},
    "policies": {
        "robots": {"obey": True, "max_crawl_delay": 0},
        "retry": {"times": 1, "max_retry_after": 0, "backoff": {"initial": 0}},
    },
}


@pytest.fixture(scope="module")
def server():
    with serve_faults() as running:
        yield running
    assert running.open_connections == 0
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("faults")] == []


@pytest.fixture(scope="module")
def met(server, tmp_path_factory):
    """What came of one crawl over all faults of a group, which meets them side by side."""
    crawls = {}

    def crawl(group, tls):
        if (group, tls) not in crawls:
            paths = [path for path, over in CASES if path.split("/")[1] == group and over == tls]
            output = tmp_path_factory.mktemp(group) / "met.jsonl"
            crawls[group, tls] = meet(server, paths, output, tls=tls, settings=SETTINGS.get(group))
        return crawls[group, tls]

    return crawl


CASES = [
    (path, tls)
    for path, fault in FAULTS.items()
    for tls in ((False, True) if fault.tls and not fault.door else (False,))
]


def named(cases):
    return [pytest.param(path, tls, id=f"{'https' if tls else 'http'}{path}") for path, tls in cases]


@pytest.mark.parametrize(("path", "tls"), named(CASES))
def test_the_answer_is_the_one_that_is_stated(met, path, tls):
    fault, crawl = FAULTS[path], met(path.split("/")[1], tls)
    answer = crawl.answers[path]
    assert answer["answer"] == fault.answer.partition(",")[0], answer
    if fault.ok:
        assert answer["shown"], answer
        assert fault.flag is None or fault.flag in answer["flags"]
    else:
        assert answer["message"].isprintable()


@pytest.mark.parametrize(("path", "tls"), named(CASES))
def test_the_next_page_of_the_host_is_right(met, path, tls):
    assert met(path.split("/")[1], tls).following[path] == "ok"


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("group", GROUPS)
def test_it_ends_and_nothing_is_left(met, group, tls):
    crawl = met(group, tls)
    assert crawl.seconds < GUARD
    crawl.assert_nothing_is_left()


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_one_connection_survives_them_all(server, tmp_path, tls):
    """With one worker and one slot, a connection that a fault has spoilt would serve the page after it."""
    paths = [path for path, fault in FAULTS.items() if not fault.slow and fault.door is None and (fault.tls or not tls)]
    one = {"workers": 1, "throttle": {"maxsize": 1}}
    crawl = meet(server, paths, tmp_path / "met.jsonl", tls=tls, settings=one)
    assert {path: after for path, after in crawl.following.items() if after != "ok"} == {}
    assert {path: answer["answer"] for path, answer in crawl.answers.items()} == {
        path: FAULTS[path].answer.partition(",")[0] for path in paths
    }
    crawl.assert_nothing_is_left()
