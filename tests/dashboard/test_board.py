"""The dashboard of a crawl that runs, by plain HTTP."""

from __future__ import annotations

import json
import socket
from threading import Event

import pytest
from chromium import PATIENCE

from scrapekit.cli import main
from scrapekit.project.lineup import Lineup


def test_the_page_hears_how_the_crawl_stands_and_how_it_ended(crawl, site):
    site.statuses["/7"] = 404
    with crawl("--workers", "3") as crawling:
        page = crawling.page
        frame = page.wait(lambda frame: frame["numbers"]["in_flight"] == 3)
        assert (frame["spider"], frame["phase"], frame["controls"]) == ("pages", "running", True)
        assert frame["numbers"]["queued"] == 37
        assert frame["workers"] == 3
        [host] = frame["hosts"]
        assert (host["name"], host["in_flight"], host["queued"]) == ("127.0.0.1", 3, 37)
        assert frame["items"][0]["text"].startswith('{"url":"http://127.0.0.1:')
        assert frame["pool"]["in_use"] == 3
        with page.events() as events:
            site.go.set()
            *_, (name, last) = events
    assert crawling.code == 0
    assert (name, last["phase"], last["controls"]) == ("frame", "finished", False)
    assert last["numbers"] | {"bytes": 0, "elapsed": 0} == {
        "pages": 40, "items": 40, "requests": 42, "bytes": 0, "queued": 0, "in_flight": 0, "failed": 1, "retries": 0,
        "elapsed": 0,
    }  # fmt: skip
    assert last["statuses"] == {"200": 40, "404": 2}
    [error] = last["errors"]
    assert (error["kind"], error["count"], error["url"]) == ("StatusError 404", 1, f"{site.url}7")
    [failing] = last["failing"]
    assert (failing["url"], failing["error"], failing["state"]) == (f"{site.url}7", "StatusError: status 404", "failed")
    assert (last["left_out"], len(last["latency"])) == ([], 3)
    assert 0 < last["latency"][0] <= last["latency"][2]
    assert len(last["slowest"]) == 10
    assert [item["n"] for item in last["items"]] == list(range(20, 40))
    assert last["points"]


def test_pause_starts_nothing_more_until_resume(crawl, site):
    with crawl("--workers", "2") as crawling:
        page = crawling.page
        page.wait(lambda frame: frame["numbers"]["in_flight"] == 2)
        assert page.act("/pause").status == 200
        site.go.set()
        frame = page.wait(lambda frame: frame["phase"] == "paused" and not frame["numbers"]["in_flight"])
        assert frame["numbers"]["pages"] == 3
        assert site.server.hits.total() == 4  # with robots.txt
        assert page.ask("/healthz").text == "ok\n"
        assert page.act("/resume").status == 200
    assert crawling.code == 0
    assert site.server.hits.total() == 42


def test_stop_is_the_first_ctrl_c_and_the_second_one_is_stop_now(crawl, site, project, capsys):
    with crawl("--workers", "2") as crawling:
        page = crawling.page
        page.wait(lambda frame: frame["numbers"]["in_flight"] == 2)
        assert page.act("/stop").status == 200
        frame = page.wait(lambda frame: frame["phase"] == "stopping")
        assert frame["numbers"]["in_flight"] == 2
        assert page.act("/pause").status == 409
        with page.events() as events:
            assert page.act("/stop").status == 200  # at once, however quickly it comes
            *_, (_, last) = events
    assert crawling.code == 130
    assert last["phase"] == "interrupted"
    (job,) = (path.name for path in (project / ".scrapekit" / "jobs").iterdir())
    assert last["resume"] == f"scrapekit crawl pages --resume {job}"
    assert f"to go on: {last['resume']}\n" in capsys.readouterr().err


def test_the_crawl_goes_on_after_its_dashboard_stopped_it(crawl, site, project):
    with crawl("--workers", "2") as crawling:
        crawling.page.wait(lambda frame: frame["numbers"]["in_flight"] == 2)
        crawling.page.act("/stop")
        crawling.page.wait(lambda frame: frame["phase"] == "stopping")
        crawling.page.act("/stop")
    site.go.set()
    assert main(["crawl", "pages", "--resume", "-q"]) == 0  # with a dashboard: that is what the job was asked for
    [output] = (project / "results" / "pages").iterdir()
    assert len(output.read_text().splitlines()) == 41


def test_a_crawl_that_breaks_tells_the_page(crawl, site, monkeypatch):
    from scrapekit.errors import ExportError
    from scrapekit.export import lines

    with crawl() as crawling:
        page = crawling.page
        page.wait(lambda frame: frame["numbers"]["in_flight"])

        def full(*_):
            raise ExportError("s3://me:secret@\udcff.jsonl: No space left on device")

        monkeypatch.setattr(lines.FileSink, "append", full)
        with page.events() as events:
            site.go.set()
            *_, (_, last) = events
    assert crawling.code == 1
    assert (last["phase"], last["why"]) == ("failed", "s3://***@\ufffd.jsonl: No space left on device")


def test_while_the_output_is_completed_the_page_says_so(crawl, site, monkeypatch):
    completed, shares = Event(), Lineup.shares

    def slow(*given):  # as much as a file of another format takes, which is made at the end
        assert completed.wait(PATIENCE)
        return shares(*given)

    monkeypatch.setattr(Lineup, "shares", slow)
    site.go.set()
    with crawl() as crawling:
        frame = crawling.page.wait(lambda frame: frame["phase"] == "finishing")
        assert (frame["numbers"]["pages"], frame["numbers"]["in_flight"], frame["controls"]) == (41, 0, False)
        completed.set()
    assert crawling.code == 0


def test_why_tells_the_story_of_a_url(crawl, site):
    with crawl() as crawling:
        page = crawling.page
        page.wait(lambda frame: frame["numbers"]["in_flight"])
        story = page.ask(f"/why?url={site.url}1").text
        assert f"{site.url}1: leased" in story
        assert "waits for  its outcome: a worker has it" in story
        assert "was never seen in job" in page.ask(f"/why?url={site.url}unknown").text
        assert page.ask("/why?url=nonsense").text.startswith("nonsense: ")
        site.go.set()


def test_what_is_left_out_is_told_with_the_reason(crawl, site, project):
    site.pages["/"] += "<a href=/1>x</a><a href=http://elsewhere.example/>x</a>"
    spider = project / "spiders" / "pages.py"
    spider.write_text(spider.read_text() + "\n        yield {'bad': object()}\n")
    with crawl() as crawling, crawling.page.events() as events:
        site.go.set()
        *_, (_, last) = events
    assert crawling.code == 0
    told = {each["kind"]: (each["count"], each["url"]) for each in last["left_out"]}
    assert told["duplicates"] == (1, "")
    assert told["OffSite"] == (1, "http://elsewhere.example/")
    assert [count for kind, (count, _) in told.items() if kind.startswith("item: ")] == [41]


def test_it_works_with_processes_too(crawl, site, project):
    with crawl("--workers", "2", "--fleet", "processes:1") as crawling:
        page = crawling.page
        frame = page.wait(lambda frame: frame["numbers"]["in_flight"] == 2)
        assert frame["numbers"]["queued"] == 38
        frame = page.wait(lambda frame: frame["pool"] and frame["pool"]["in_use"] == 2)  # which it tells once a second
        assert (frame["pool"]["pools"], frame["pool"]["opened"] >= 1) == (1, True)
        assert "scrapekit_in_flight 2.0" in page.ask("/metrics").text
        site.go.set()
        page.wait(lambda frame: frame["phase"] == "finished")
    assert crawling.code == 0


def test_several_spiders_share_one_dashboard(crawl, site, project):
    (project / "spiders" / "more.py").write_text(
        (project / "spiders" / "pages.py").read_text().replace("Pages", "More").replace('"pages"', '"more"')
    )
    crawling = crawl("--workers", "2")
    crawling._arguments = ("more", *crawling._arguments)
    with crawling:
        frame = crawling.page.wait(lambda frame: frame["numbers"]["in_flight"] == 2)
        assert frame["spider"] == "more, pages"
        assert [(each["name"], each["ended"]) for each in frame["spiders"]] == [("more", ""), ("pages", "")]
        site.go.set()
        frame = crawling.page.wait(lambda frame: frame["phase"] == "finished")
        assert [(each["name"], each["items"]) for each in frame["spiders"]] == [("more", 41), ("pages", 41)]
    assert crawling.code == 0


def test_a_ledger_that_cant_be_read_costs_the_urls_and_not_the_crawl(crawl, site, monkeypatch):
    from scrapekit.dashboard.trail import Trail
    from scrapekit.errors import FrontierError

    def fail(*_, **__):
        raise FrontierError("frontier.sqlite: the job's state can't be read")

    monkeypatch.setattr(Trail, "seen", fail)
    with crawl() as crawling:
        site.go.set()
    assert crawling.code == 0
    assert "the dashboard shows no more URLs: frontier.sqlite: the job's state can't be read" in crawling.lines


def test_a_ledger_that_is_not_there_costs_the_urls_and_not_the_crawl(crawl, site, monkeypatch):
    from scrapekit.dashboard.trail import Trail
    from scrapekit.errors import FrontierError

    def fail(*_):
        raise FrontierError("frontier.sqlite: the job's state can't be read")

    monkeypatch.setattr(Trail, "__init__", fail)
    with crawl() as crawling:
        frame = crawling.page.wait(lambda frame: frame["numbers"]["in_flight"])
        assert (frame["slowest"], frame["failing"]) == ([], [])
        site.go.set()
    assert crawling.code == 0
    assert "the dashboard shows no URLs: frontier.sqlite: the job's state can't be read" in crawling.lines


def test_what_is_not_there_is_not_found(crawl, site):
    with crawl() as crawling:
        for path in ("/nothing", "/static/page.js", "/../pyproject.toml", "/%2e%2e/pyproject.toml", "/jobs/x"):
            assert crawling.page.ask(path).status == 404
        assert crawling.page.act("/nothing").status == 404
        assert crawling.page.act("/").status == 404
        site.go.set()


def test_a_port_that_is_taken_is_one_line_and_leaves_no_job(project, site, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["crawl", "pages", "-a", f"url={site.url}", "--ui", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"scrapekit: error: can't listen on 127.0.0.1:{port}: Address already in use: take another port, or 0 for any that is free\n"
    )
    assert not (project / ".scrapekit").exists()


@pytest.mark.parametrize("where", ["x", "70000", "-1", "host:", "a b:80", "::1:80", ":80"])
def test_what_is_no_address_is_refused(project, where, capsys):
    assert main(["crawl", "pages", f"--ui={where}"]) == 2
    assert "ui.listen must be PORT or HOST:PORT" in capsys.readouterr().err


def test_the_token_is_not_shown_among_the_settings(project, capsys):
    assert main(["settings", "pages", "-s", "ui.token=0123456789abcdef"]) == 0
    shown = capsys.readouterr().out
    assert "0123456789abcdef" not in shown
    assert "ui.token" in shown
    assert main(["settings", "-s", "ui.token=secret"]) == 2
    assert "ui.token must have at least 16 characters" in capsys.readouterr().err
    assert main(["settings", "-s", "ui.hosts=[a.example, 'http://b']"]) == 2
    assert "ui.hosts must be host names: 'http://b' has a scheme" in capsys.readouterr().err


def test_the_url_with_the_token_is_printed_and_not_logged(crawl, site, capsys):
    with crawl("-s", "ui.token=0123456789abcdef", "--metrics", "0") as crawling:
        site.go.set()
    assert "0123456789abcdef" not in "\n".join(crawling.lines)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("open ")]
    assert len(said) == 2
    assert said[0] == f"open {crawling.urls[0]}?token=0123456789abcdef"
    assert said[1] == f"open {crawling.urls[1]}?token=0123456789abcdef"


def test_lines_of_json_have_no_token_in_between(crawl, site, capsys):
    with crawl("-s", "ui.token=0123456789abcdef", "--log-json"):
        site.go.set()
    lines = capsys.readouterr().err.splitlines()
    assert {type(json.loads(line)) for line in lines} == {dict}
    assert "0123456789abcdef" not in "".join(lines)


def test_metrics_can_be_served_alone(crawl, site):
    with crawl(ui="--metrics") as crawling:
        assert crawling.page.url.endswith("/metrics")
        assert crawling.page.ask("/healthz").text == "ok\n"
        assert crawling.page.ask("/").status == 404
        assert crawling.page.ask("/events").status == 404
        assert "scrapekit_in_flight" in crawling.page.ask("/metrics").text
        site.go.set()


def test_the_frames_are_json_that_holds_whatever_the_web_says(crawl, site):
    site.pages = {"/": "<a href=/1>x</a>", "/1": "<title></script><script>alert(1)</script>\u2028\n</title>"}
    with crawl() as crawling, crawling.page.events() as events:
        site.go.set()
        *_, (_, last) = events
    assert crawling.code == 0
    titles = [json.loads(item["text"])["title"] for item in last["items"]]
    assert "</script><script>alert(1)</script>\u2028\n" in titles
