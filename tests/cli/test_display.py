"""What the display shows of a snapshot, on terminals of any size, and that it is safe to show."""

from __future__ import annotations

import time
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from scrapekit.cli.display import HOSTS, Look, flow, picture, size, sparkline, status_line, why
from scrapekit.cli.pace import Pace
from scrapekit.engine import HostSnapshot, Latency, Snapshot, Tally

NEVER = float("inf")
WIDE = Look(100, 30)


def host(name="a.test", reason="", **facts):
    return HostSnapshot(name, **{"in_flight": 2, "limit": 4, "maxsize": 8, "queued": 30, "reason": reason, **facts})


def lines(snapshot=None, look=WIDE, pace=None, title="books", **facts):
    return picture(title, snapshot or Snapshot(**facts), pace or Pace(), look).plain.split("\n")


def test_the_counters_are_what_a_user_wants_to_know():
    shown = lines(pages=1234, items=1100, pending=50, in_flight=16, workers=32, failed=2, elapsed_now=12.0)
    assert shown[0] == "books  1,234 pages  12 s"
    assert shown[2] == "34 queued  16 of 32 in flight  1,100 items  2 errors"
    assert len(shown) == 3


def test_what_is_there_now_and_then_is_shown_when_it_is():
    shown = lines(retries=1, quarantined=2, dropped={"duplicate": 2, "old": 1})
    assert shown[2].endswith("  1 retry  2 quarantined  3 items dropped")
    assert lines(retries=5)[2].endswith("  5 retries")
    assert lines(last_error="StatusError 404: http://a.test/")[-1] == "last error: StatusError 404: http://a.test/"


def test_a_stale_snapshot_never_shows_less_than_nothing_queued():
    assert lines(pending=1, in_flight=2)[2].startswith("0 queued  ")


def test_a_crawl_that_is_held_or_ends_says_so():
    assert lines(pages=7, paused=True, elapsed_now=3.0)[0] == "books  7 pages  paused  3 s"
    assert lines(pages=7, reason="interrupted", in_flight=3)[0] == "books  7 pages  finishing 3 in flight  0 s"
    assert lines(pages=7, reason="finished")[0] == "books  7 pages  finishing the output  0 s"


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        (host(), ""),
        (host(reason="delay", delay=1.0000002, until=9.0), "delay 1.0 s"),
        (host(reason="Crawl-delay", delay=5.0, until=9.0), "Crawl-delay 5.0 s"),
        (host(reason="robots.txt", until=NEVER), "robots.txt is being fetched"),
        (host(reason="adaptive limit", limit=2, until=NEVER), "adaptive limit 2 of 8"),
        (host(reason="maxsize", limit=8, until=NEVER), "maxsize 8 reached"),
        (host(reason="else\x1b", until=NEVER), r"else\x1b"),
    ],
)
def test_why_a_host_waits(waits, said):
    assert why(waits) == said


def test_until_when_a_host_asked_to_be_left_alone_is_local_time():
    until = time.mktime((2026, 5, 4, 14, 3, 7, 0, 0, -1))
    assert why(host(reason="Retry-After", until=until)) == "Retry-After until 14:03:07"


def test_hosts_are_shown_by_name_with_what_they_have_and_why_they_wait():
    hosts = (host("b.test", "maxsize"), host("a.test", in_flight=8, limit=8, queued=1234))
    assert [line.rstrip() for line in lines(hosts=hosts, host_count=2)[3:]] == [
        "  a.test  8/8   1,234 queued",
        "  b.test  2/4      30 queued  maxsize 8 reached",
    ]


def test_a_narrow_terminal_has_the_reason_and_a_host_without_its_middle():
    hosts = (host("a-very-long-name.shop.example.com", "robots.txt", until=NEVER),)
    assert lines(hosts=hosts, host_count=1, look=Look(57, 20))[3] == (
        "  a-very-lo..mple.com  2/4  robots.txt is being fetched"
    )


def test_hosts_that_find_no_room_are_counted():
    hosts = tuple(host(f"{n}.test") for n in range(9))
    shown = lines(hosts=hosts, host_count=1200)
    assert len(shown) == 3 + HOSTS
    assert shown[-1] == "  and 1,196 more hosts"
    assert lines(hosts=hosts[:HOSTS], host_count=HOSTS + 1)[3:] == lines(hosts=hosts[:HOSTS], host_count=HOSTS)[3:]
    assert lines(hosts=hosts[:2], host_count=3)[-1] == "  and 1 more host"


def test_verbose_says_more():
    latency = Latency()
    for _ in range(99):
        latency.add(0.15)
    tally = Tally(3, "http://a.test/", "no")
    facts = {"latency": latency, "bytes": 12_345_678, "statuses": {404: 2, 200: 1100}, "duplicates": 7}
    facts["items_of"] = {"books": 1100, "quotes": 9}
    shown = lines(look=Look(200, 30, verbose=True), errors={"DNSError": tally}, skipped={"OffSite": tally}, **facts)
    assert shown[3] == (
        "half within 0.15 s  95 % within 0.2 s  99 % within 0.2 s  12.3 MB  200: 1,100  404: 2  "
        "DNSError: 3  OffSite: 3  duplicates: 7  items of books: 1,100  items of quotes: 9"
    )
    hosts = tuple(host(f"{n}.test") for n in range(9))
    assert len(lines(look=Look(200, 30, verbose=True), hosts=hosts)) == 4 + 9


def paced(limit=None, seconds=10, pending=900):
    pace = Pace(max_pages=limit)
    for second in range(1, seconds + 1):
        last = Snapshot(elapsed_now=float(second), pages_now=9 * second, pages=9 * second, pending=pending)
        pace.add(last)
    return pace, last


def test_progress_is_a_bar_where_it_is_known():
    pace, last = paced(180)
    assert lines(last, pace=pace)[0] == f"books  90 pages  {'━' * 15}{'╌' * 15}  50%  about 10 s left"
    assert (
        lines(last, pace=pace, look=Look(60, 9, ascii=True))[0]
        == "books  90 pages  ##########-----------  50%  about 10 s left"
    )
    assert lines(last, pace=pace, look=Look(42, 9))[0] == "books  90 pages  50%  about 10 s left"


def test_the_last_minute_is_a_sparkline():
    pace, last = paced()
    assert lines(last, pace=pace)[1] == f"9.0 pages/s  {'█' * 10}"
    assert lines(last, pace=pace, look=Look(18, 9, ascii=True))[1] == "9.0 pages/s  #####"
    assert sparkline([0, 5, 10], "_-#") == "_-#"
    assert sparkline([], "_-#") == ""


def everything(name="books", error="x"):
    hosts = tuple(host(f"{name}{n}.test", "Retry-After", until=1e9) for n in range(20))
    return Snapshot(
        pages=10**9, items=10**9, pending=10**9, in_flight=512, workers=512, failed=10**6, retries=10**6,
        quarantined=3, dropped={"x": 10**6}, hosts=hosts, host_count=16_000, last_error=error, elapsed_now=86_400.0,
    )  # fmt: skip


@given(
    st.integers(1, 250), st.integers(1, 80), st.booleans(), st.booleans(), st.text(max_size=30), st.text(max_size=400)
)
def test_it_fits_any_terminal_and_drives_none(width, height, ascii_only, verbose, name, error):
    shown = lines(everything(name, error), Look(width, height, ascii_only, verbose), title=name)
    assert len(shown) <= max(1, height - 2)
    assert max(map(cell_len, shown)) <= width
    assert not {category(char) for line in shown for char in line} & {"Cc", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize("height", [4, 6, 7, 8, 9, 12])
def test_a_short_terminal_keeps_what_matters_most(height):
    shown = lines(everything(), Look(97, height))
    assert shown[0].startswith("books  1,000,000,000 pages")
    assert shown[1 if height < 7 else 2].startswith("999,999,488 queued  512 of 512 in flight")
    assert any(line.startswith("last error: x") for line in shown) == (height >= 6)


def test_parts_flow_over_lines():
    assert flow(["a" * 4, "b" * 4, "c" * 4], 10) == ["aaaa  bbbb", "cccc"]
    assert flow(["a" * 20, "b"], 10) == ["a" * 20, "b"]
    assert flow([], 10) == []


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2.5e9, "2.5 GB"), (3e15, "3,000.0 TB")]
)
def test_sizes_are_as_people_say_them(count, said):
    assert size(count) == said


def test_a_log_line_has_the_same_in_one():
    snapshot = Snapshot(pages=1234, items=1100, pending=50, in_flight=16, failed=2)
    assert status_line(snapshot, 98.24) == "1,234 pages  98.2/s  34 queued  16 in flight  1,100 items  2 errors"


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ([host("x", "robots.txt")], "  x: robots.txt is being fetched"),
        ([host("x\x1b[2J", "delay", delay=1.0)], r"  x\x1b[2J: delay 1.0 s"),
        (
            [host(str(n), "maxsize") for n in range(5)],
            "  0: maxsize 8 reached  1: maxsize 8 reached  3 more hosts wait",
        ),
        ([host("x")], ""),
    ],
)
def test_a_log_line_says_which_hosts_wait(hosts, said):
    assert status_line(Snapshot(hosts=tuple(hosts)), 0.0).partition("0 errors")[2] == said
    assert status_line(Snapshot(paused=True), 0.0).endswith("  paused")
