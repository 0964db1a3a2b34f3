"""Repairing jobs; the whole of it, by the real command, is in tests/acceptance/test_around.py."""

import json
import sqlite3
from contextlib import closing

import pytest

import scrapekit
from scrapekit.errors import FrontierError, JobNotFound
from scrapekit.project import Crawl
from scrapekit.project.jobs import Jobs
from scrapekit.project.lineup import line_up
from scrapekit.project.repairing import repair
from scrapekit.settings import OutputSettings, load
from scrapekit.testing import Reply, serve

HTML = (("Content-Type", "text/html"),)


class Pages(scrapekit.Spider):
    name = "pages"
    unique = ("url",)

    def parse(self, response):
        yield {"url": response.url}
        if response.url.endswith("/3"):
            yield {"url": object()}  # is rejected
        yield from response.follow_all("a", errback="failed")

    def failed(self, error):
        yield {"url": None, "failed": error.request.url}


@pytest.fixture
def job(tmp_path):
    """A job that has finished: a page, 20 that it links to, one of which fails and has an errback that yields."""
    links = "".join(f"<a href='/{n}'>" for n in range(20))

    def app(view):
        status = 404 if view.path in ("/7", "/robots.txt") else 200
        return Reply(links.encode() if view.path == "/" else b"", status, headers=HTML)

    with serve(app) as server:
        spider = Pages(start_urls=[f"{server.url}/"])
        with Jobs(tmp_path).create("pages", lambda job: [OutputSettings(path="out.jsonl")], arguments={}) as job:
            with Crawl(
                spider, load(None).settings, job=job, outputs=[OutputSettings(path=str(tmp_path / "out.jsonl"))]
            ) as crawl:
                crawl.run()
            job.finish("finished")
            yield job


def stats(job):
    with closing(sqlite3.connect(job.frontier_path)) as db:
        return json.loads(db.execute("SELECT value FROM meta WHERE key = 'stats'").fetchone()[0])


def test_the_counters_are_those_of_what_is_left(job, tmp_path):
    with closing(sqlite3.connect(job.frontier_path)) as db:
        kept = (
            db.execute("SELECT count(*) FROM item_keys").fetchone(),
            db.execute("SELECT count(*) FROM rejected").fetchone(),
        )
        assert kept == ((20,), (1,))
    before = stats(job)
    assert (before["pages"], before["items"], before["failed"]) == (20, 21, 1)
    (tmp_path / "out.jsonl").unlink()
    done = repair(job, tmp_path)
    assert (done.lines, done.requests, done.kept) == (21, 21, 0)
    after = stats(job)
    assert (after["pages"], after["items"], after["failed"]) == (0, 0, 0)
    assert job.record.state == "interrupted"
    with closing(sqlite3.connect(job.frontier_path)) as db:
        assert db.execute("SELECT count(*) FROM item_keys").fetchone() == (0,)  # or the items would count as known
        assert db.execute("SELECT count(*) FROM rejected").fetchone() == (0,)
        assert db.execute("SELECT DISTINCT state, finished FROM urls").fetchall() == [("pending", None)]


def test_a_job_that_has_lost_nothing_stays_as_it_is(job, tmp_path):
    before = stats(job)
    assert repair(job, tmp_path).lines == 0
    assert (job.record.state, stats(job)) == ("finished", before)


def test_a_job_whose_output_is_anothers_is_refused(job, tmp_path):
    job.record.replaced_by = "other"
    with pytest.raises(JobNotFound, match="can't be repaired: job other has taken over its output"):
        repair(job, tmp_path)


def test_a_job_that_somebody_else_writes_to_is_an_error(job, tmp_path, monkeypatch):
    (tmp_path / "out.jsonl").unlink()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **options: connect(*given, **options, timeout=0))
    with closing(connect(job.frontier_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FrontierError, match="the crawl's state can't be used: database is locked"):
            repair(job, tmp_path)


def test_the_counters_of_several_spiders_go_back_with_their_items(tmp_path):
    class Others(Pages):
        name = "others"

        def parse(self, response):
            yield {"url": response.url}

    def app(view):
        return Reply(b"<a href='/1'><a href='/2'>" if view.path == "/" else b"", 200, headers=HTML)

    with serve(app) as server:
        url = f"{server.url}/"
        loaded = [load(None, {"robots": {"obey": False}})] * 2
        lineup, shared = line_up([Pages(start_urls=[url]), Others(start_urls=[url])], loaded)
        outputs = [OutputSettings(path=str(tmp_path / "out.jsonl"))]
        with Jobs(tmp_path).create("others, pages", lambda _: outputs) as job:
            with Crawl(lineup, shared, job=job, outputs=outputs) as crawl:
                report = crawl.run()
            assert {name: share.items for name, share in report.spiders.items()} == {"pages": 3, "others": 1}
            (tmp_path / "out.jsonl").write_bytes(b"")
            assert repair(job, tmp_path).lines == 4
            assert stats(job)["items_of"] == {"pages": 0, "others": 0}
            lineup, shared = line_up([Pages(start_urls=[url]), Others(start_urls=[url])], loaded)
            with Crawl(lineup, shared, job=job, outputs=outputs, resume=True) as crawl:
                report = crawl.run()
            assert {name: (share.pages, share.items) for name, share in report.spiders.items()} == {
                "pages": (3, 3),
                "others": (1, 1),
            }
