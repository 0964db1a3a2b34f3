"""Every fault of the public fault server, met by a real crawl on real sockets, over TCP and TLS."""

import threading

import pytest
from faultcrawl import CASES, SETTINGS, kind, meet, named

from scrapekit.testing.faults import FAULTS, serve_faults

pytestmark = pytest.mark.xdist_group("faults")  # the crawls of a module are made once
GUARD = 60.0  # seconds: what hangs takes longer
CRAWLS = list(dict.fromkeys((kind(path), tls) for path, tls in CASES))


@pytest.fixture(scope="module")
def server():
    with serve_faults() as running:
        yield running
    assert running.open_connections == 0
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("faults")] == []


@pytest.fixture(scope="module")
def met(server, tmp_path_factory):
    """What came of one crawl over all faults of a kind, which meets them side by side."""
    crawls = {}

    def crawl(of, tls):
        if (of, tls) not in crawls:
            paths = [path for path, over in CASES if kind(path) == of and over == tls]
            output = tmp_path_factory.mktemp("met") / "met.jsonl"
            crawls[of, tls] = meet(server, paths, output, tls=tls, settings=SETTINGS.get(of))
        return crawls[of, tls]

    return crawl


@pytest.mark.parametrize(("path", "tls"), named(CASES))
def test_the_answer_is_the_one_that_is_stated(met, path, tls):
    fault, crawl = FAULTS[path], met(kind(path), tls)
    answer = crawl.answers[path]
    assert answer["answer"] == fault.answer.partition(",")[0], answer
    if fault.ok:
        assert answer["shown"], answer
        assert fault.flag is None or fault.flag in answer["flags"]
    else:
        assert answer["message"].isprintable()


@pytest.mark.parametrize(("path", "tls"), named(CASES))
def test_the_next_page_of_the_host_is_right(met, path, tls):
    assert met(kind(path), tls).following[path] == "ok"


@pytest.mark.parametrize(("of", "tls"), CRAWLS, ids=[f"{'https' if tls else 'http'} {of}" for of, tls in CRAWLS])
def test_it_ends_and_nothing_is_left(met, of, tls):
    crawl = met(of, tls)
    assert crawl.seconds < GUARD
    crawl.assert_nothing_is_left()
