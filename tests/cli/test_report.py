"""The report at the end: every figure in its place, and nothing of the web's that could drive a terminal."""

from __future__ import annotations

from msgspec.structs import replace

from scrapekit.cli.report import report_text
from scrapekit.download import PoolStats
from scrapekit.engine import Stats, Tally
from scrapekit.project import CrawlReport

BARE = CrawlReport("quotes", "", "finished", Stats(), PoolStats(), "", elapsed=0.0, pending=0)


def full():
    stats = Stats(
        pages=1200,
        items=1100,
        requests=1300,
        bytes=5_000_000,
        redirects=2,
        retries=4,
        duplicates=31,
        failed=3,
        quarantined=1,
        deaths=2,
        elapsed=12.0,
        statuses={404: 1, 200: 1200, 503: 4},
        errors={
            "StatusError 404": Tally(1, "http://x/gone", "status 404"),
            "ConnectError": Tally(2, "http://y/", "no"),
        },
        item_errors={"ItemError": Tally(1, "http://x/1", "NaN")},
        skipped={"OffSite": Tally(7, "http://u:secret@z/\x1b[2J", "outside")},
        dropped={"too\ncheap": 5},
        flags={"parse_truncated": 1},
    )
    return replace(
        BARE,
        job="quotes-20261120-184501",
        reason="interrupted",
        stats=stats,
        pool=PoolStats(opened=8, reused=1290),
        outputs=("q.jsonl",),
        elapsed=5.0,
        pending=40,
        quarantined=("http://x/kills",),
        workers=16,
    )


def test_every_figure_is_there():
    assert report_text(full()).splitlines() == [
        "quotes interrupted",
        "  pages        1,200 in 12.0 s (100.0 a second), 5.0 s of them in this run",
        "  items        1,100",
        "  bytes        5,000,000",
        "  requests     1,300 sent, 4 retries, 2 redirects, 3 failed for good, 1 quarantined, 31 duplicates left out",
        "  statuses     200: 1,200, 404: 1, 503: 4",
        "  errors       2 ConnectError, such as http://y/ (no)",
        "               1 StatusError 404, such as http://x/gone (status 404)",
        "  item errors  1 ItemError, such as http://x/1 (NaN)",
        r"  skipped      7 OffSite, such as http://***@z/\x1b[2J (outside)",
        "  dropped      too cheap: 5",
        "  flags        parse_truncated: 1",
        "  quarantined  http://x/kills",
        "  workers      16 at once; 2 processes died",
        "  connections  8 opened, reused 1,290 times",
        "  output       q.jsonl",
        "  job          quotes-20261120-184501",
        "  left         40 requests",
    ]


def test_what_did_not_happen_is_left_out():
    assert report_text(BARE).splitlines() == [
        "quotes finished",
        "  pages        0 in 0.0 s (0.0 a second)",
        "  items        0",
        "  bytes        0",
        "  requests     0 sent",
        "  workers      0 at once",
        "  connections  0 opened, reused 0 times",
    ]


def test_the_first_line_says_why_it_ended():
    def first(**changes):
        return report_text(replace(BARE, **changes)).splitlines()[0]

    assert first(reason="max_pages") == "quotes stopped at crawl.max_pages"
    assert first(reason="max_items") == "quotes stopped at crawl.max_items"
    assert first(reason="seen\x1b all") == r"quotes stopped: seen\x1b all"
    assert first(failure="nothing was fetched") == "quotes failed"


def test_long_lists_are_cut_off():
    many = {f"reason {number}": 1 for number in range(13)}
    tallies = {kind: Tally(1, "u", "m") for kind in many}
    lines = report_text(replace(BARE, stats=Stats(dropped=many, errors=tallies), outputs=("-",))).splitlines()
    dropped = next(line for line in lines if line.startswith("  dropped"))
    assert dropped.endswith("reason 9: 1, and 3 more")
    assert "               and 3 more" in lines
    assert "  output       stdout" in lines
