"""``scrapekit jobs``, ``why`` and ``retry``: the ledger from the command line, beside a crawl and after it."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from contextlib import closing

import pytest

from scrapekit.project.jobs import Jobs
from scrapekit.testing import Reply, serve

HTML = (("Content-Type", "text/html"),)


class Site:
    """``/`` links to pages that fail as long as ``down`` is set, redirect, are off-site, forbidden or too long."""

    def __init__(self):
        self.down = True
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        """Somebody waits at the gate."""

    def __call__(self, request):
        if request.path == "/robots.txt":
            return Reply(b"User-agent: *\nDisallow: /private\nCrawl-delay: 0.01")
        if request.path == "/":
            links = ["/ok", "/ok?b=2&a=1", "/flaky", "/gone", "/old", "/private", "http://elsewhere.test/", "/x" * 40]
            return Reply("".join(f"<a href='{link}'>x</a>" for link in links).encode(), headers=HTML)
        if request.path == "/old":
            return Reply(b"", 302, headers=(("Location", "/new"),))
        if request.path == "/flaky":
            if not self.gate.is_set():
                self.asked.set()
            assert self.gate.wait(60)
        if self.down and request.path in {"/flaky", "/gone"}:
            return Reply(b"", 503 if request.path == "/flaky" else 404)
        return Reply(b"<a href='/deep'>x</a>", headers=HTML)


@pytest.fixture
def pages():
    return Site()


@pytest.fixture
def site(pages):
    with serve(pages) as server:
        yield server


SETTINGS = "retry: {times: 1, backoff: {initial: 0}}\ncrawl: {limits: {path_depth: 5}, max_depth: 2}\n"


@pytest.fixture
def crawled(project, site):
    """The job of a crawl that has finished, with its failures."""
    project.write("settings.yaml", SETTINGS)
    assert project.run("crawl", "pages", "-a", f"url={site.url}", "-o", "out.jsonl", "-q").code == 0
    [job] = project.jobs
    return job


def database(project, job):
    return closing(sqlite3.connect(project.folder / ".scrapekit" / "jobs" / job / "frontier.sqlite"))


def record_of(project, job):
    return json.loads((project.folder / ".scrapekit" / "jobs" / job / "job.json").read_text())


# jobs


def test_no_job_no_list(project):
    assert project.run("jobs") == (0, "", "no job has been run in this folder\n")
    for command in (["jobs", "show"], ["why", "http://a.test/"]):
        code, out, err = project.run(*command)
        assert (code, out, err) == (2, "", "scrapekit: error: no job has been run in this folder\n")


def test_the_list_has_each_job_the_latest_first(project, crawled, site):
    project.run("crawl", "spiders/pages.py", "-a", f"url={site.url}", "-o", "-", "-q", "--max-pages", "1")
    latest = next(job for job in project.jobs if job != crawled)
    code, out, err = project.run("jobs")
    assert (code, err) == (0, "")
    titles, *rows = [re.split(r" {2,}", line) for line in out.splitlines()]
    assert titles == ["job", "spider", "state", "started", "done", "pending", "failed", "output"]
    assert [[row[0], row[1], row[2], *row[4:]] for row in rows] == [
        [latest, "pages", "stopped", "1", "6", "0", "-"],
        [crawled, "pages", "finished", "6", "0", "2", "out.jsonl"],
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", rows[0][3])


def test_a_job_whose_state_cannot_be_read_is_listed_all_the_same(project, crawled):
    with database(project, crawled) as frontier, frontier:
        frontier.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    assert re.search(rf"^{crawled} .* finished .* \? +\? +\? +out.jsonl$", project.run("jobs").out, re.MULTILINE)
    code, out, err = project.run("jobs", "show", crawled)
    assert (code, out) == (1, "")
    assert "another version of scrapekit (schema 99, this one reads" in err


def test_show_says_how_a_job_stands_and_how_to_go_on(project, crawled, site):
    shown = project.run("jobs", "show").out
    assert shown == project.run("jobs", "show", crawled).out
    said = dict(re.split(r" {2,}", line, maxsplit=1) for line in shown.splitlines())
    assert (said["job"], said["state"], said["requests"]) == (crawled, "finished", "6 done, 1 dropped, 2 failed")
    assert (
        said["errors"] == "1 StatusError 503, 1 StatusError 404"
        or said["errors"] == "1 StatusError 404, 1 StatusError 503"
    )
    assert said["to retry"] == f"scrapekit retry {crawled}"
    assert said["arguments"] == "url"  # not its value, which may be a password
    assert "to go on" not in said
    project.run("crawl", "spiders/pages.py", "-a", f"url={site.url}", "-o", "-", "-q", "--max-pages", "1")
    latest = next(job for job in project.jobs if job != crawled)
    assert f"\nto go on   scrapekit crawl spiders/pages.py --resume {latest}\n" in project.run("jobs", "show").out


def test_an_unknown_job_is_refused_with_those_there_are(project, crawled):
    for command in (["jobs", "show"], ["jobs", "rm"], ["retry"], ["why", "http://a.test/", "--job"]):
        assert project.run(*command, crawled[:-1]) == (
            2, "", f"scrapekit: error: there is no job {crawled[:-1]!r}; did you mean {crawled}?\n",
        )  # fmt: skip
        assert project.run(*command, "x").err == f"scrapekit: error: there is no job 'x'; there are: {crawled}\n"


def test_rm_removes_what_is_kept_and_not_the_output(project, crawled):
    assert project.run("jobs", "rm", crawled) == (0, f"removed {crawled}\n", "")
    assert project.jobs == []
    assert (project.folder / "out.jsonl").stat().st_size


def test_rm_refuses_a_job_that_runs(project, crawled):
    with Jobs(project.folder).open(crawled):
        code, out, err = project.run("jobs", "rm", crawled)
        assert re.search(rf"^{crawled} .* running ", project.run("jobs").out, re.MULTILINE)
    assert (code, out) == (2, "")
    assert f"job {crawled} is being run by process" in err
    assert project.jobs == [crawled]


def test_rm_removes_what_can_no_longer_be_read_as_a_job(project, crawled):
    (project.folder / ".scrapekit" / "jobs" / crawled / "job.json").write_text("{")
    assert "can't be read as a job" in project.run("jobs").err
    assert project.run("why", "http://a.test/", "--job", crawled).code == 2
    assert project.run("jobs", "rm", crawled).code == 0
    assert project.jobs == []


def test_rm_finished_takes_what_has_finished_long_enough_ago(project, crawled, site):
    project.run("crawl", "pages", "-a", f"url={site.url}", "-o", "-", "-q", "--max-pages", "1")
    assert project.run("jobs", "rm", "--finished", "--older-than", "1") == (0, "", "")
    assert project.run("jobs", "rm", "--finished") == (0, f"removed {crawled}\n", "")
    assert len(project.jobs) == 1  # the other one can be resumed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "say which JOB, or --finished"), (("--older-than", "3"), "--older-than goes with --finished")],
    ids=["none", "older"],
)
def test_rm_wants_to_know_what(project, crawled, arguments, said):
    names = [crawled] if arguments else []
    code, _, err = project.run("jobs", "rm", *names, *arguments)
    assert code == 2
    assert said in err
    assert project.jobs == [crawled]


def test_a_folder_that_cannot_be_removed_is_said(project, crawled, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    code, _, err = project.run("jobs", "rm", crawled)
    assert code == 1
    assert "can't be removed: Permission denied" in err


# why


def why(project, site, path, *arguments):
    code, out, err = project.run("why", f"{site.url}{path}", *arguments)
    assert err == ""
    return code, re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", re.sub(r"\d\.\d{3} s", "N s", out))


def test_why_tells_where_it_was_found_and_what_each_attempt_came_to(project, crawled, site):
    assert why(project, site, "/flaky") == (0, f"""job {crawled}, finished

{site.url}/flaky: failed, StatusError 503: status 503
  found      on {site.url}/, by parse(), a start request
  callback   parse(), depth 1, priority 0
  queued     TIME
  attempts   TIME N s StatusError: status 503
             TIME N s StatusError: status 503
  finished   TIME
""")  # fmt: skip


def test_why_follows_redirects_both_ways(project, crawled, site):
    _, old = why(project, site, "/old")
    assert f"attempts   TIME N s 302 to {site.url}/new\n  redirects  to {site.url}/new\n" in old
    _, new = why(project, site, "/new")
    assert f"found      by a redirect of {site.url}/old\n             on {site.url}/, by parse(), a start" in new


def test_why_knows_a_url_in_any_spelling_and_says_of_which_it_is_a_duplicate(project, crawled, site):
    for spelling in ("/ok?a=1&b=2", "/x/../ok?b=2&a=1#part"):
        code, said = why(project, site, spelling)
        assert code == 0
        assert f"\n{site.url}/ok?b=2&a=1: done\n" in said
    _, said = why(project, site, "/ok?a=1&b=2")
    assert f"  spelling   a link to {site.url}/ok?a=1&b=2 is a duplicate of it\n" in said


def test_why_heeds_the_parameters_that_the_job_ignores_and_knows_the_pages_of_sessions(project, site):
    project.write("spiders/pages.py", """
        from scrapekit import Request, Spider

        class Pages(Spider):
            def start(self):
                yield Request(self.url + "/ok?a=1&utm_source=x")
                yield Request(self.url + "/ok?a=1", session="other")

            def parse(self, response):
                yield {"url": response.url}
    """)  # fmt: skip
    project.run("crawl", "pages", "-a", f"url={site.url}", "-q", "-s", "crawl.ignore_parameters=[utm_*]")
    code, said = why(project, site, "/ok?utm_medium=y&a=1")
    assert code == 0
    assert f"\n{site.url}/ok?a=1&utm_source=x: done\n" in said
    assert f"\n{site.url}/ok?a=1: done\n" in said


def test_why_says_why_it_was_dropped(project, crawled, site):
    assert f"{site.url}/private: dropped, RobotsDenied: robots.txt forbids it\n" in why(project, site, "/private")[1]


NOTHING = (
    "  rules      nothing keeps it out: no page that was fetched has a link to it that was followed\n"
    "  perhaps    too deep: 1 link was, beyond crawl.max_depth (2)\n"
    "  perhaps    on a page that failed: 2 did\n"
)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/private/other", "kept out   RobotsDenied: robots.txt forbids it"),
        ("/x" * 40, "kept out   PathTooDeep: 40 segments, more than crawl.limits.path_depth (5)"),
        ("/never", NOTHING),
    ],
    ids=["robots", "trap", "none"],
)  # fmt: skip
def test_why_computes_the_rule_that_keeps_out_what_was_never_let_in(project, crawled, site, path, said):
    code, out = why(project, site, path)
    assert code == 1
    assert f"was never seen in job {crawled}, finished\n" in out
    assert said in out


def test_why_knows_what_is_off_site(project, crawled):
    code, out, _ = project.run("why", "http://elsewhere.test/", "--job", crawled)
    assert code == 1
    assert "  kept out   OffSite: elsewhere.test is outside allowed_domains (127.0.0.1)\n" in out


def test_why_mentions_links_that_were_too_deep(project, site):
    project.write("settings.yaml", SETTINGS.replace("max_depth: 2", "max_depth: 1"))
    project.run("crawl", "pages", "-a", f"url={site.url}", "-q")
    code, said = why(project, site, "/deep")
    assert code == 1
    assert "perhaps    too deep: 3 links were, beyond crawl.max_depth (1)" in said


def test_why_looks_through_all_jobs_the_latest_first(project, crawled, site):
    project.run("crawl", "pages", "-a", f"url={site.url}/new", "-o", "-", "-q")
    latest = next(job for job in project.jobs if job != crawled)
    assert why(project, site, "/new")[1].startswith(f"job {latest}, finished\n")
    assert why(project, site, "/old")[1].startswith(f"job {crawled}, finished\n")
    assert f"never seen in job {latest}, finished, nor in any other job\n" in why(project, site, "/never")[1]
    assert why(project, site, "/old", "--job", latest)[0] == 1


def test_why_takes_urls_only(project, crawled):
    code, out, err = project.run("why", "mailto:me@example.org")
    assert (code, out) == (2, "")
    assert err.startswith("scrapekit: error: mailto:")


def test_why_says_that_no_job_can_be_read(project, crawled, site):
    with database(project, crawled) as frontier, frontier:
        frontier.execute("DROP VIEW urls")
    code, _, err = project.run("why", site.url)
    assert code == 1
    assert "no job of this folder can be read" in err
    assert "the job's state can't be read: no such table: urls" in project.run("why", site.url, "--job", crawled).err


def test_why_shows_requests_that_are_not_deduplicated(project, site):
    project.write("spiders/pages.py", """
        from scrapekit import Request, Spider

        class Pages(Spider):
            def start(self):
                for number in range(25):
                    yield Request(self.url + "/ok?b=2&a=1", dont_filter=True)
                yield Request(self.url + "/ok?b=2&a=1", method="POST")
    """)  # fmt: skip
    project.run("crawl", "pages", "-a", f"url={site.url}", "-q", "-s", "robots.obey=false")
    _, said = why(project, site, "/ok?a=1&b=2")
    assert "; the last 20 of 26 requests\n" in said
    assert said.count("found      as a start request\n") == 20


def test_why_tells_a_long_way_in_short(project, site, pages):
    project.write("spiders/pages.py", """
        from scrapekit import Request, Spider

        class Pages(Spider):
            def start(self):
                yield Request(self.url + "/ok?n=0")

            def parse(self, response):
                number = int(response.url.rpartition("=")[2])
                if number < 15:
                    yield Request(f"{self.url}/ok?n={number + 1}")
    """)  # fmt: skip
    project.run("crawl", "pages", "-a", f"url={site.url}", "-q")
    said = why(project, site, "/ok?n=15")[1]
    assert f"and so on, 5 more steps to the start request {site.url}/ok?n=0\n" in said
    assert said.count(", by parse()") == 10


def test_why_without_the_attempts_that_went_well(project, site):
    project.run("crawl", "pages", "-a", f"url={site.url}", "-q", "-s", "crawl.ledger=errors", "-s", "retry.times=0")
    assert "attempts   0 failed; the last brought 200\n" in why(project, site, "/ok")[1]
    assert f"redirects  to {site.url}/new\n" in why(project, site, "/old")[1]


# why, for what waits


def waits(project, crawled, site, sql, *, path="/ok", running=False):
    """What the request waits for once the database says so."""
    with database(project, crawled) as frontier, frontier:
        frontier.executescript(sql)
    if not running:
        return why(project, site, path)[1]
    with Jobs(project.folder).open(crawled):
        return why(project, site, path)[1]


OPEN = "UPDATE requests SET state = 0, finished = NULL WHERE url LIKE '%/ok';"


def test_what_waits_for_its_turn(project, crawled, site):
    job = record_of(project, crawled)
    assert job["sources"] == ["pages"]
    said = waits(project, crawled, site, OPEN)
    assert (
        "  waits for  its turn: 0 of 127.0.0.1 are before it, and what the engine has taken already; "
        f"robots.txt asks for 0.01 s between two\n             the job is finished; to go on: "
        f"scrapekit crawl pages --resume {crawled}\n"
    ) in said
    said = waits(project, crawled, site, OPEN.replace("state = 0", "state = 1"), running=True)
    assert said.startswith(f"job {crawled}, running\n")
    assert "waits for  its turn: the engine has it among the next" in said
    assert "to go on" not in said
    code, said = why(project, site, "/never")
    assert code == 1
    assert "  open       1 requests: it may be found yet\n" in said


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE requests SET not_before = 4e9, error = 'ConnectError: refused' WHERE url LIKE '%/ok';",
         r"waits for  its retry, at TIME \([\d,]+ s\), after ConnectError: refused"),
        ("INSERT INTO hosts VALUES ('127.0.0.1', 4e9, 'Retry-After');",
         r"waits for  its host: Retry-After, until TIME \([\d,]+ s\)"),
        ("DELETE FROM robots;", "waits for  the robots.txt of its host, which has not come yet"),
    ],
    ids=["retry", "host", "robots"],
)  # fmt: skip
def test_what_waits_for_something_else(project, crawled, site, sql, said):
    assert re.search(said, waits(project, crawled, site, OPEN + sql))


def test_what_a_worker_has_is_told_while_the_crawl_runs(project, site, pages):
    pages.gate.clear()
    process = project.start("crawl", "pages", "-a", f"url={site.url}", "-o", "out.jsonl", "-q", "-s", "retry.times=0")
    try:
        assert pages.asked.wait(60)
        said = project.run("why", f"{site.url}/flaky").out
        assert "waits for  its outcome: a worker has it\n" in said
        [job] = project.jobs
        assert re.search(rf"^{job} .* running ", project.run("jobs").out, re.MULTILINE)
        process.kill()
        process.communicate()
        assert re.search(rf"^{job} .* killed ", project.run("jobs").out, re.MULTILINE)
        said = project.run("why", f"{site.url}/flaky").out
        assert "the next run: a worker had it when the process died" in said
        assert f"the job is killed; to go on: scrapekit crawl pages --resume {job}\n" in said
    finally:
        process.kill()
        process.communicate()
        pages.gate.set()
    pages.down = False
    assert project.run("crawl", "pages", "--resume", "-q").code == 0
    assert "Lost: the process died\n" in project.run("why", f"{site.url}/flaky").out


# retry


def test_retry_goes_on_with_what_failed_in_the_same_output(project, crawled, site, pages):
    before = project.urls("out.jsonl")
    pages.down = False
    code, out, err = project.run("retry", crawled, "--status", "503")
    assert (code, out) == (0, "")
    assert f"1 request of job {crawled} will be tried again\n" in err
    assert project.urls("out.jsonl") == sorted([*before, "/flaky"])
    assert "1 failed for good" in err
    code, _, err = project.run("retry", crawled, "--error", "StatusError")
    assert code == 0
    assert project.urls("out.jsonl") == sorted([*before, "/flaky", "/gone"])
    assert "failed for good" not in err
    code, _, err = project.run("retry", crawled)
    assert (code, err) == (2, f"scrapekit: error: job {crawled}: no request has failed\n")
    assert record_of(project, crawled)["state"] == "finished"


def test_retry_may_only_put_them_back(project, crawled, pages):
    before = project.urls("out.jsonl")
    code, _, err = project.run("retry", crawled, "--no-run")
    assert code == 0
    assert err == (
        f"2 requests of job {crawled} will be tried again\nto go on: scrapekit crawl pages --resume {crawled}\n"
    )
    assert project.urls("out.jsonl") == before
    pages.down = False
    assert project.run("crawl", "pages", "--resume", "-q").code == 0
    assert project.urls("out.jsonl") == sorted([*before, "/flaky", "/gone"])


def test_a_kill_between_the_retry_and_its_end_loses_nothing(project, crawled, site, pages):
    before = project.urls("out.jsonl")
    pages.down = False
    pages.gate.clear()
    process = project.start("retry", crawled)
    try:
        assert pages.asked.wait(60)
    finally:
        process.kill()
        process.communicate()
        pages.gate.set()
    assert project.run("crawl", "pages", "--resume", "-q").code == 0
    assert project.urls("out.jsonl") == sorted([*before, "/flaky", "/gone"])


def test_retry_of_a_format_that_is_made_at_the_end(project, site, pages):
    project.write("settings.yaml", SETTINGS)
    project.run("crawl", "spiders/pages.py", "-a", f"url={site.url}", "-O", "out.csv", "-q")
    [job] = project.jobs
    before = (project.folder / "out.csv").read_text().splitlines()
    pages.down = False
    assert project.run("retry", job, "-q") == (0, "", "")
    after = (project.folder / "out.csv").read_text().splitlines()
    assert set(after) - set(before) == {f"{site.url}/flaky", f"{site.url}/gone"}
    assert len(after) == len(before) + 2


def test_retry_does_not_cut_off_what_somebody_has_appended(project, crawled, pages):
    pages.down = False
    output = project.folder / "out.jsonl"
    before = output.read_bytes() + b'{"mine": 1}\n'
    output.write_bytes(before)
    code, _, err = project.run("retry", crawled)
    assert code == 2
    assert "out.jsonl" in err.splitlines()[-1]
    assert output.read_bytes() == before


def test_retry_with_a_spider_that_is_gone_changes_nothing(project, crawled):
    (project.folder / "spiders" / "pages.py").unlink()
    code, _, err = project.run("retry", crawled)
    assert code == 2
    assert "there is no spider 'pages'" in err
    assert record_of(project, crawled)["state"] == "finished"


def test_retry_refuses_a_job_that_runs(project, crawled):
    with Jobs(project.folder).open(crawled):
        code, _, err = project.run("retry", crawled)
    assert code == 2
    assert "is being run by process" in err
