"""What Prometheus gets."""

from __future__ import annotations

import sys

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

from scrapekit.cli import main
from scrapekit.dashboard.frame import About
from scrapekit.dashboard.metrics import Named, exposition
from scrapekit.download import PoolStats
from scrapekit.engine import HostSnapshot, Latency, Snapshot, Tally

ABOUT = About(run="1", spider="books", job='a "job"\n')


def samples(snapshot, pool=None, accept="", named=None):
    answer = exposition(ABOUT, snapshot, pool or PoolStats(), accept, named or Named())
    assert answer.status == 200
    parse = open_families if "openmetrics" in answer.media_type else families
    found = {}
    for family in parse(answer.body.decode()):
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


@pytest.mark.parametrize(
    "accept", ["", "application/openmetrics-text; version=1.0.0"], ids=["prometheus", "openmetrics"]
)
def test_what_the_engine_has_published_is_there(accept):
    latency = Latency()
    for seconds in (0.004, 0.3, 0.3, 100.0):
        latency.add(seconds)
    snapshot = Snapshot(
        pages=7, items=5, requests=12, bytes=900, failed=2, quarantined=1, retries=3, duplicates=4, pending=20,
        in_flight=8, workers=16, statuses={200: 7, 503: 3}, latency=latency, paused=True,
        errors={"StatusError 404": Tally(1, "u", "m"), "StatusError 410": Tally(1, "u", "m"), "ConnectError": Tally(1, "u", "m")},
        hosts=(HostSnapshot("a.example", 3, 4, 8, 9, reason="delay"),), host_count=1,
    )  # fmt: skip
    pool = PoolStats(requests=9, opened=2, reused=7, maxsize=8, in_use=3, waiting=1, pools=1)
    found = samples(snapshot, pool, accept)
    assert found[("scrapekit_job_info", ("job", 'a "job"\n'), ("spider", "books"), ("version", "0.1.0"))] == 1
    expected = {
        "pages_total": 7, "items_total": 5, "response_bytes_total": 900, "failed_requests_total": 3, "retries_total": 3,
        "duplicates_total": 4, "queue_size": 12, "in_flight": 8, "workers": 16, "paused": 1, "hosts": 1,
        "connections_opened_total": 2, "connections_reused_total": 7, "pool_connections_in_use": 3, "pool_waiting": 1,
        "pool_connections_max": 8, "pool_hosts": 1,
        "request_duration_seconds_count": 4, "request_duration_seconds_sum": pytest.approx(100.604),
    }  # fmt: skip
    assert {name: found[(f"scrapekit_{name}",)] for name in expected} == expected
    buckets = {key[1][1]: value for key, value in found.items() if key[0].endswith("_seconds_bucket")}
    assert (buckets["0.005"], buckets["0.2"], buckets["0.5"], buckets["60.0"], buckets["+Inf"]) == (1, 1, 3, 3, 4)
    by_status = {key[1][1]: value for key, value in found.items() if key[0] == "scrapekit_requests_total"}
    assert by_status == {"200": 7, "503": 3, "none": 2}
    by_error = {key[1][1]: value for key, value in found.items() if key[0] == "scrapekit_errors_total"}
    assert by_error == {"StatusError": 2, "ConnectError": 1}
    assert found[("scrapekit_host_in_flight", ("host", "a.example"))] == 3
    assert found[("scrapekit_host_limit", ("host", "a.example"))] == 4
    assert found[("scrapekit_host_waiting", ("host", "a.example"), ("reason", "delay"))] == 1


def test_the_number_of_series_is_bounded_whatever_servers_say():
    hosts = tuple(HostSnapshot(f"{number}.example", 1, 1, 1, 2) for number in range(20))
    wild = Snapshot(
        statuses=dict.fromkeys(range(100, 1000), 1),
        requests=900,
        errors={f"StatusError {status}": Tally(1, "u", "m") for status in range(100, 1000)},
        hosts=hosts,
        host_count=5000,
        in_flight=50,
        pending=1000,
    )
    found = samples(wild)
    assert len(found) < 250
    assert found[("scrapekit_requests_total", ("status", "other"))] > 800
    assert found[("scrapekit_host_in_flight", ("host", "other"))] == 30
    assert found[("scrapekit_host_queue_size", ("host", "other"))] == 910


def test_hosts_that_take_turns_get_no_series_without_end():
    named, seen = Named(), set()
    for turn in range(100):
        hosts = tuple(HostSnapshot(f"{turn * 20 + number}.example", 1, 1, 1, 2) for number in range(19))
        hosts += (HostSnapshot("other", 4, 1, 1, 3, reason="delay"),)  # whose name is that of all others
        found = samples(Snapshot(hosts=hosts, host_count=100_000, in_flight=50, pending=1000), named=named)
        seen |= {labels[0][1] for name, *labels in found if name == "scrapekit_host_in_flight"}
        assert found[("scrapekit_host_in_flight", ("host", "other"))] == (31 if turn < 5 else 45 if turn == 5 else 50)
    assert len(seen) == 101


def test_a_real_crawl_can_be_scraped(crawl, site):
    with crawl("--workers", "2") as crawling:
        crawling.page.wait(lambda frame: frame["numbers"]["in_flight"] == 2)
        answer = crawling.page.ask("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        found = {sample.name: sample.value for family in families(answer.text) for sample in family.samples}
        assert (found["scrapekit_in_flight"], found["scrapekit_pages_total"], found["scrapekit_queue_size"]) == (
            2,
            1,
            38,
        )
        assert site.url not in answer.text
        site.go.set()


@pytest.fixture
def _not_installed(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)


@pytest.mark.usefixtures("_not_installed")
def test_without_the_extra_metrics_say_what_to_install(project, site, capsys):
    assert main(["crawl", "pages", "-a", f"url={site.url}", "--metrics", "0"]) == 2
    assert capsys.readouterr().err == (
        "scrapekit: error: metrics need prometheus-client, which is not installed here: in the checkout of scrapekit, "
        "pip install '.[metrics]'\n"
    )
    assert not (project / ".scrapekit").exists()


@pytest.mark.usefixtures("_not_installed")
def test_without_the_extra_the_page_and_the_health_check_work(crawl, site):
    with crawl() as crawling:
        answer = crawling.page.ask("/metrics")
        assert (answer.status, answer.text[-31:]) == (501, "scrapekit, pip install '.[metrics]'\n"[-31:])
        assert crawling.page.ask("/healthz").status == 200
        assert crawling.page.ask("/").status == 200
        site.go.set()
