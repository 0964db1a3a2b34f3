"""``scrapekit crawl`` from the command line to the exit code, on a real site."""

from __future__ import annotations

import gzip
import json
import signal
import sys

import pytest

from scrapekit import project as project_module
from scrapekit.cli.page import fix_of
from scrapekit.cli.voice import _console
from scrapekit.errors import CrawlFailed, ExportError, FleetError, FrontierError
from scrapekit.export import lines
from scrapekit.project.job import Job
from scrapekit.testing import Reply, serve

ALL = ["/", *(f"/{number}" for number in range(1, 9))]


def record(project, job):
    return json.loads((project.folder / ".scrapekit" / "jobs" / job / "job.json").read_text())


def crawl(project, url, *arguments):
    return project.run("crawl", "pages", "-a", f"url={url}", *arguments)


@pytest.fixture
def disk_full(monkeypatch):
    """A function after whose call every write to an output file fails."""

    def fill():
        def write(*_):
            raise ExportError("out.jsonl: No space left on device")

        monkeypatch.setattr(lines.FileSink, "append", write)

    return fill


# Where the items go


def test_by_default_items_go_to_a_file_that_is_called_after_the_job(project, site):
    code, out, err = crawl(project, site.url)
    (job,) = project.jobs
    assert (code, out) == (0, "")
    assert project.urls(f"results/pages/{job}.jsonl") == ALL
    assert f"INFO crawling as job {job}, to results/pages/{job}.jsonl\n" in err
    assert "\npages finished\n  pages        9 in " in err
    assert "\n  errors       1 StatusError 404, such as http://127.0.0.1:" in err
    assert "\n  skipped      1 RobotsDenied, such as http://127.0.0.1:" in err
    assert "to go on" not in err
    assert record(project, job)["state"] == "finished"


def test_a_crawl_without_items_says_how_to_look_for_them(project, site):
    project.write("spiders/empty.py", """
        from scrapekit import Spider

        class Empty(Spider):
            def parse(self, response):
                yield from response.css("nothing")
    """)  # fmt: skip
    said = "\nno items: 'scrapekit parse URL --spider empty' shows what a callback makes of a page\n"
    code, _, err = project.run("crawl", "empty", "-a", f"start_urls={site.url}")
    assert (code, err.endswith(said)) == (0, True)


def test_export_path_says_where_else(project, site):
    project.write("settings.yaml", "export: {path: 'here/{spider}.jsonl'}")
    assert crawl(project, site.url).code == 0
    assert crawl(project, site.url).code == 0
    assert project.urls("here/pages.jsonl") == sorted(ALL * 2)


def test_o_appends_and_capital_o_overwrites(project, site):
    for option, expected in (("-o", ALL), ("-o", sorted(ALL * 2)), ("-O", ALL), ("-o", sorted(ALL * 2))):
        assert crawl(project, site.url, option, "out.jsonl").code == 0
        assert project.urls("out.jsonl") == expected


def test_a_name_in_gz_is_compressed(project, site):
    assert crawl(project, site.url, "-o", "out.jsonl.gz").code == 0
    with gzip.open(project.folder / "out.jsonl.gz") as items:
        assert len(items.readlines()) == 9


def test_stdout_gets_the_items_and_nothing_else(project, site):
    with project.start("crawl", "pages", "-a", f"url={site.url}", "-o", "-") as process:
        out, err = process.communicate()
    assert process.returncode == 0
    assert len([json.loads(line) for line in out.splitlines()]) == 9
    assert "pages finished" in err
    assert "  output       stdout\n" in err


def test_a_spider_may_be_a_file(project, site):
    (project.folder / "spiders/pages.py").rename(project.folder / "mine.py")
    assert project.run("crawl", "mine.py", "-a", f"url={site.url}", "-O", "out.jsonl").code == 0
    assert project.urls("out.jsonl") == ALL


def test_a_stdout_that_is_closed_is_no_output(project, site, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert crawl(project, site.url, "-q", "-o", "-") == (
        2, "", "scrapekit: error: the output is stdout, which is closed\n"
    )  # fmt: skip
    assert project.jobs == []


@pytest.mark.parametrize("option", ["-O", "-o", "--settings", "-a", "-s"])
def test_what_is_not_utf_8_is_refused_before_anything_is_touched(project, site, option):
    code, out, err = crawl(project, site.url, option, "export.path=\udcff.jsonl")
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == (
        r"scrapekit: error: 'export.path=\udcff.jsonl' is not UTF-8, and can't be written down for --resume"
    )
    assert sorted(path.name for path in project.folder.iterdir()) == ["spiders"]


# How much is said


def test_quiet_says_warnings_only(project, site):
    code, out, err = crawl(project, site.url, "-q")
    assert (code, out) == (0, "")
    assert [line.split(" ", 1)[1] for line in err.splitlines()] == [
        f"WARNING {site.url}/gone: StatusError 404: status 404"
    ]


def test_quiet_does_not_say_more_than_the_setting_does(project, site):
    assert crawl(project, site.url, "-q", "-s", "log.level=error") == (0, "", "")


def test_verbose_says_more(project, site):
    project.write("spiders/talks.py", "import pages, logging\nclass Talks(pages.Pages):\n"
                  "    def parse(self, response): logging.getLogger('mine').debug('a detail')")  # fmt: skip
    assert " DEBUG a detail\n" in project.run("crawl", "talks", "-a", f"url={site.url}", "-v").err
    assert " DEBUG a detail\n" not in project.run("crawl", "talks", "-a", f"url={site.url}").err


# How it ends


def test_limits_end_a_crawl_well_and_say_how_to_go_on(project, site):
    code, _, err = crawl(project, site.url, "--max-pages", "1", "--workers", "1", "-O", "out.jsonl")
    (job,) = project.jobs
    assert code == 0
    assert "\npages stopped at crawl.max_pages\n" in err
    assert err.endswith(f"\nto go on: scrapekit crawl pages --resume {job} --max-pages MORE\n")
    assert record(project, job)["state"] == "stopped"

    code, _, err = project.run("crawl", "pages", "--resume", "--max-pages", "100")
    assert code == 0
    assert f"INFO going on with job {job}, to out.jsonl" in err
    assert project.urls("out.jsonl") == ALL
    assert record(project, job)["overrides"] == ["workers=1", "crawl.max_pages=1", "crawl.max_pages=100"]
    assert project.run("crawl", "pages", "--resume", job).err.startswith(
        f"scrapekit: error: job {job} can't be resumed: it has finished"
    )


def test_a_spider_that_has_seen_enough_ends_a_crawl_well(project, site):
    project.write(
        "spiders/enough.py",
        """
        from scrapekit import Spider, StopCrawl
        class Enough(Spider):
            def __init__(self, url):
                self.start_urls = [url]
            def parse(self, response):
                yield {"url": response.url}
                raise StopCrawl("seen it all")
        """,
    )
    code, _, err = project.run("crawl", "enough", "-a", f"url={site.url}", "-o", "out.jsonl")
    assert code == 0
    assert "\nenough stopped: seen it all\n" in err


def test_nothing_fetched_is_a_failure(project):
    with serve(lambda _: Reply(b"", 404)) as server:
        url = server.url
    code, _, err = crawl(project, url, "-s", "retry.times=0")
    assert code == 1
    assert "\npages failed\n" in err
    assert "\nscrapekit: error: nothing was fetched: ConnectError: " in err
    assert err.splitlines()[-1].startswith("is it up, and the port right? ")
    assert "to go on" not in err
    code, _, err = crawl(project, url, "-s", "retry.times=0", "-q")
    assert code == 1
    assert "\nscrapekit: error: nothing was fetched: ConnectError: " in err


@pytest.mark.parametrize(
    ("kind", "fix"),
    [
        ("RobotsDenied", "if the site's owner lets you all the same: -s robots.obey=false"),
        ("StatusError 503", "the site is in trouble, or wants fewer requests: try again later"),
        ("StatusError 429", "the site is in trouble, or wants fewer requests: try again later"),
        ("StatusError 401", "it wants a login: "),
        ("StatusError 404", ""),
        ("CallbackError", ""),
    ],
)
def test_errors_that_have_a_fix_are_told_with_it(kind, fix):
    assert fix_of(kind)[: len(fix) or None] == fix


def test_start_requests_that_break_off_are_a_failure_that_can_be_resumed(project, site):
    project.write("spiders/broken.py", "import pages\nclass Broken(pages.Pages):\n    def start(self):\n"
                  "        yield from super().start()\n        raise ValueError('no more')")  # fmt: skip
    code, _, err = project.run("crawl", "broken", "-a", f"url={site.url}", "-q", "-O", "out.jsonl")
    (job,) = project.jobs
    assert code == 1
    assert "ValueError: no more\n" in err
    assert err.endswith(f"\nto go on: scrapekit crawl broken --resume {job}\n")
    project.write("spiders/broken.py", "import pages\nclass Broken(pages.Pages): pass")
    assert project.run("crawl", "broken", "--resume", job).code == 0
    assert project.urls("out.jsonl") == ALL


WRONG = """
    from scrapekit import Request, Spider
    class Wrong(Spider):
        def start(self):
            yield from self.good()
            yield Request("http://127.0.0.1:1/", "nowhere")
        def good(self):
            return []
"""


def test_a_first_start_request_that_is_wrong_is_the_users_error_and_leaves_nothing(project):
    project.write("spiders/wrong.py", WRONG)
    (project.folder / "out.jsonl").write_text("mine\n")
    code, out, err = project.run("crawl", "wrong", "-O", "out.jsonl")
    assert (code, out) == (2, "")
    assert err.startswith("scrapekit: error: unknown callback 'nowhere'")
    assert len(err.splitlines()) == 1
    assert project.jobs == []
    assert (project.folder / "out.jsonl").read_text() == "mine\n"


def test_a_later_start_request_that_is_wrong_ends_the_start_requests_not_the_crawl(project, site):
    project.write("spiders/wrong.py", WRONG.replace("return []", f"yield Request({site.url!r})"))
    code, _, err = project.run("crawl", "wrong", "-q")
    said = [line for line in err.splitlines() if "unknown callback 'nowhere'" in line]
    assert code == 1
    assert any(line.startswith("scrapekit: error: ") for line in said)
    assert len(project.jobs) == 1


def test_a_full_disk_is_one_line_and_how_to_go_on(project, site, disk_full, monkeypatch):
    disk_full()
    code, _, err = crawl(project, site.url, "-q", "-O", "out.jsonl")
    (job,) = project.jobs
    assert code == 1
    assert err.splitlines()[-2:] == [
        "scrapekit: error: out.jsonl: No space left on device", f"to go on: scrapekit crawl pages --resume {job}",
    ]  # fmt: skip
    monkeypatch.undo()
    monkeypatch.chdir(project.folder)
    in_flight = project.folder / ".scrapekit" / "jobs" / job / "in_flight"
    in_flight.unlink(missing_ok=True)
    in_flight.symlink_to("nowhere/at/all")  # no more can be written there than on a disk without a free block
    assert project.run("crawl", "pages", "--resume", job) == (
        1, "", f"scrapekit: error: {in_flight}: the crawl's state can't be kept: No such file or directory\n"
    )  # fmt: skip
    in_flight.unlink()
    assert project.run("crawl", "pages", "--resume", job).code == 0
    assert project.urls("out.jsonl") == ALL


def test_a_disk_too_full_to_write_that_down_hides_nothing(project, site, disk_full, monkeypatch):
    def finish(self, state):
        raise FrontierError("job.json: No space left on device")

    disk_full()
    monkeypatch.setattr(Job, "finish", finish)
    assert "\nscrapekit: error: out.jsonl: No space" in "\n" + crawl(project, site.url, "-q", "-O", "out.jsonl").err


@pytest.mark.parametrize("error", [FleetError("no worker is left"), CrawlFailed("it can't be called done")])
def test_a_crawl_that_its_fleet_left_is_one_line_and_how_to_go_on(project, site, monkeypatch, error):
    def run(self):
        raise error

    monkeypatch.setattr(project_module.Crawl, "run", run)
    code, out, err = crawl(project, site.url, "-q")
    (job,) = project.jobs
    assert (code, out) == (1, "")
    assert err == f"scrapekit: error: {error}\nto go on: scrapekit crawl pages --resume {job}\n"
    assert record(project, job)["state"] == "failed"


def test_a_bug_is_a_traceback_with_how_to_go_on(project, site, monkeypatch):
    def run(self):
        raise RuntimeError("a bug")

    monkeypatch.setattr(project_module.Crawl, "run", run)
    with pytest.raises(RuntimeError) as error:
        crawl(project, site.url)
    (job,) = project.jobs
    assert error.value.__notes__ == [f"to go on: scrapekit crawl pages --resume {job}"]
    assert record(project, job)["state"] == "failed"


# Resuming


def test_a_resumed_job_has_its_own_arguments_settings_and_output(project, site):
    project.write("other.yaml", "throttle: {maxsize: 1}")
    crawl(project, site.url, "-O", "out.jsonl", "--settings", "other.yaml", "-s", "crawl.max_items=2", "-q")
    (job,) = project.jobs
    assert 2 <= len(project.urls("out.jsonl")) < 9
    code, _, err = project.run("crawl", "pages", "--resume", job)
    assert code == 0
    assert err.endswith(f"\nto go on: scrapekit crawl pages --resume {job} -s crawl.max_items=MORE\n")
    assert project.run("crawl", "pages", "--resume", "-s", "crawl.max_items=null").code == 0
    assert project.urls("out.jsonl") == ALL
    assert site.max_open_by_host == {"127.0.0.1": 1}
    assert record(project, job)["settings"] == "other.yaml"


def test_a_job_whose_output_was_changed_is_refused_and_stays_as_it_was(project, site):
    crawl(project, site.url, "-O", "out.jsonl", "--max-pages", "1", "-q")
    (job,) = project.jobs
    before = record(project, job)
    (project.folder / "out.jsonl").write_text("mine\n")
    code, _, err = project.run("crawl", "pages", "--resume", "--max-pages", "2")
    assert code == 2
    assert err.startswith("scrapekit: error: out.jsonl has 5 bytes, but this job had written ")
    assert record(project, job) == before


def test_a_job_that_runs_is_refused(project, site):
    crawl(project, site.url, "-O", "out.jsonl", "--max-pages", "1", "-q")
    (job,) = project.jobs
    with Job(project.folder / ".scrapekit" / "jobs" / job):
        code, _, err = project.run("crawl", "pages", "--resume")
    assert (code, err.startswith(f"scrapekit: error: job {job} is being run by process ")) == (2, True)


@pytest.mark.parametrize("limit", ["--max-pages=2", "-scrawl.max_items=2"])
@pytest.mark.parametrize("option", ["-o", "-O"])
def test_the_output_of_a_job_that_its_limits_stopped_may_be_taken_over_with_a_warning(project, site, limit, option):
    assert crawl(project, site.url, "-O", "out.jsonl", "-q", limit).code == 0
    (old,) = project.jobs
    before = len((project.folder / "out.jsonl").read_bytes().splitlines())
    code, _, err = crawl(project, site.url, option, "out.jsonl", "-q")
    assert code == 0
    assert f"WARNING job {old} had not finished, and can't be resumed any more: its output is this job's now\n" in err
    lines = len((project.folder / "out.jsonl").read_bytes().splitlines())
    assert lines == len(ALL) + (before if option == "-o" else 0)
    assert project.run("crawl", "pages", "--resume", old).code == 2


def test_a_job_that_broke_off_is_not_appended_to_but_may_be_overwritten(project, site, disk_full, monkeypatch):
    disk_full()
    assert crawl(project, site.url, "-o", "out.jsonl", "-q").code == 1
    (old,) = project.jobs
    monkeypatch.undo()
    monkeypatch.chdir(project.folder)
    code, _, err = crawl(project, site.url, "-o", "out.jsonl")
    assert code == 2
    assert err.startswith(f"scrapekit: error: out.jsonl is the output of job {old}, which broke off: ")
    code, _, err = crawl(project, site.url, "-O", "out.jsonl", "-q")
    assert code == 0
    assert f"WARNING job {old} had not finished, and can't be resumed any more: its output is this job's now\n" in err
    assert project.urls("out.jsonl") == ALL


# The terminal


class Terminal:
    def __init__(self, stream, tty=True):
        self._stream, self._tty = stream, tty

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def isatty(self):
        return self._tty


@pytest.mark.parametrize(
    ("quiet", "err", "out", "output", "term", "live"),
    [
        (False, True, True, "x.jsonl", "xterm", True),
        (False, True, False, "-", "xterm", True),
        (False, True, True, "-", "xterm", False),
        (False, False, True, "x.jsonl", "xterm", False),
        (False, True, True, "x.jsonl", "dumb", False),
        (True, True, True, "x.jsonl", "xterm", False),
    ],
)
def test_a_live_line_needs_a_terminal_of_its_own(monkeypatch, quiet, err, out, output, term, live):
    monkeypatch.setattr(sys, "stderr", Terminal(sys.stderr, err))
    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout, out))
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("CI", "")
    assert (_console([output], quiet=quiet) is not None) == live
    monkeypatch.setenv("CI", "true")
    assert _console([output], quiet=quiet) is None


def test_a_csv_is_made_at_the_end_and_again_by_whoever_resumes(project, site):
    first = crawl(project, site.url, "-O", "out.csv", "--max-pages", "2")
    assert first.code == 0
    assert (project.folder / "out.csv").read_text().splitlines()[0] == "url"
    assert len((project.folder / "out.csv").read_text().splitlines()) == 3
    assert project.run("crawl", "pages", "--resume", "-s", "crawl.max_pages=null").code == 0
    whole = (project.folder / "out.csv").read_text().splitlines()
    assert len(whole) > 3
    assert len(set(whole)) == len(whole)


def test_a_csv_can_be_overwritten_and_not_appended_to(project, site):
    assert crawl(project, site.url, "-o", "out.csv").code == 0
    refused = crawl(project, site.url, "-o", "out.csv")
    assert refused.code == 2
    assert "out.csv: can't be appended to" in refused.err
    assert crawl(project, site.url, "-O", "out.csv").code == 0


def test_an_unfinished_job_keeps_its_csv_though_nothing_is_there_yet(project, site, monkeypatch):
    from scrapekit.engine import Engine

    whole = Engine.run
    monkeypatch.setattr(Engine, "run", lambda engine: engine.stop("interrupted", at_once=True) or whole(engine))
    interrupted = crawl(project, site.url, "-o", "out.json")
    assert interrupted.code == 130
    assert "out.json, which is made when the job has ended" in interrupted.err
    assert not (project.folder / "out.json").exists()
    refused = crawl(project, site.url, "-o", "out.json")
    assert refused.code == 2
    assert "is the output of job" in refused.err
    monkeypatch.setattr(Engine, "run", whole)
    assert project.run("crawl", "pages", "--resume").code == 0
    assert (project.folder / "out.json").exists()


def test_what_killed_the_process_in_earlier_runs_is_told_when_it_is_given_up_and_in_the_last_report(project, site):
    project.write(
        "spiders/deadly.py",
        """
        import os
        import signal
        from scrapekit import Request, Spider

        class Deadly(Spider):
            def start(self):
                for n in range(3):
                    yield Request(f"{self.url}?{n}")

            def parse(self, response):
                if response.url[-1] != "2":
                    os.kill(os.getpid(), signal.SIGKILL)
                yield {"url": response.url}
        """,
    )
    words = ["-s", "workers=1", "-s", "crawl.quarantine_after=1", "-s", "log.json=true"]
    for more in (["-a", f"url={site.url}/", "-O", "d.jsonl"], ["--resume"]):
        with project.start("crawl", "deadly", *words, *more) as process:
            process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
    ended = project.run("crawl", "deadly", *words, "--resume", "--report", "r.json")
    assert ended.code == 0
    [told] = [line for line in map(json.loads, ended.err.splitlines()) if line["event"] == "quarantined"]
    assert (told["url"], told["error"]) == (f"{site.url}/?1", "Quarantined")
    report = json.loads((project.folder / "r.json").read_text())
    assert (report["quarantined"], report["quarantined_urls"]) == (2, [f"{site.url}/?0", f"{site.url}/?1"])
    assert project.urls("d.jsonl") == ["/?2"]
