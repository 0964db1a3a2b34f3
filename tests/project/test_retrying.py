"""Retrying: which failures go back into a job's queue, and when that is refused."""

import pytest

from scrapekit.engine import Frontier, Stats
from scrapekit.engine.batch import Batch
from scrapekit.engine.schema import FAILED, QUARANTINED
from scrapekit.errors import ConfigError, JobNotFound, OutputMismatch
from scrapekit.messages import Request, link_of
from scrapekit.project.jobs import Jobs
from scrapekit.project.retrying import requeue
from scrapekit.settings import OutputSettings

ENDS = [
    ("StatusError 503: status 503", 503, FAILED),
    ("StatusError 503: status 503", 503, FAILED),
    ("StatusError 404: status 404", 404, FAILED),
    ("ConnectError: refused", None, FAILED),
    ("TLSError: handshake", None, FAILED),
    ("CallbackError: KeyError: 'x'", 200, FAILED),
    ("Quarantined: the process died 3 times while it was in flight", None, QUARANTINED),
]


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path)


def create(jobs, *, state="finished", output="out.jsonl", ends=ENDS, overwrite=False):
    """A job that has ended with these failures and one page, locked."""
    job = jobs.create("pages", lambda _: [OutputSettings(path=output, overwrite=overwrite)])
    (job.path.parents[2] / output).write_text("{}\n")
    frontier = Frontier(str(job.frontier_path))
    batch = Batch()
    for number in range(len(ends) + 1):
        batch.add(link_of(Request(f"http://a.test/{number}")), 0, None)
    with frontier.commit(batch, lambda number, row: True):
        pass
    batch, stats = Batch(), Stats(pages=1, queued=len(ends) + 1)
    batch.end(1, status=200)
    for number, (error, status, ended) in enumerate(ends, 2):
        batch.end(number, ended, status=status, error=error, attempts=4)
        if ended == FAILED:
            stats.failed += 1
            stats.tally(stats.errors, error.partition(":")[0], "http://a.test/", "")
        else:
            stats.quarantined += 1
    batch.meta["stats"] = stats
    batch.meta["output"] = {"offset": 3, "mark": ""}
    with frontier.commit(batch):
        pass
    frontier.close()
    job.finish(state)
    return job


def retry(jobs, job, *, statuses=(), errors=()):
    return requeue(jobs, job, statuses=statuses, errors=errors)


@pytest.mark.parametrize(
    ("statuses", "errors", "numbers"),
    [
        ((), (), [2, 3, 4, 5, 6, 7]),
        ((503,), (), [2, 3]),
        ((503, 404), (), [2, 3, 4]),
        ((), ("ConnectError",), [5]),
        ((), ("DownloadError",), [5, 6]),
        ((), ("StatusError", "CallbackError"), [2, 3, 4, 7]),
        ((404,), ("StatusError", "CallbackError"), [4]),
        ((), ("Quarantined",), [8]),
        ((), ("RequestError",), [2, 3, 4, 5, 6, 7, 8]),
    ],
    ids=["all", "503", "two", "connect", "download", "kinds", "both", "quarantined", "any"],
)
def test_what_is_meant_is_pending_again_and_not_counted_as_failed(jobs, statuses, errors, numbers):
    with create(jobs) as job:
        assert retry(jobs, job, statuses=statuses, errors=errors) == len(numbers)
        assert job.record.state == "interrupted"
        frontier = Frontier(str(job.frontier_path))
        frontier.recover([], 0.0, 600.0, 3)
        with frontier.commit(Batch()):
            leased = frontier.lease("a.test", 100)
        stats = frontier.get("stats")
        left = sum(count for *_, count in frontier.failures())
        frontier.close()
    assert [queued.id for queued in leased] == numbers
    assert {queued.attempt for queued in leased} == {0}
    assert stats["failed"] + stats["quarantined"] == left == 7 - len(numbers)
    assert sum(tally["count"] for tally in stats["errors"].values()) == stats["failed"]


def test_what_has_not_failed_so_is_said_with_what_has(jobs):
    with (
        create(jobs) as job,
        pytest.raises(JobNotFound, match=r"no request has failed so; there are: .*2 StatusError 503"),
    ):
        retry(jobs, job, statuses=[500])
    assert job.record.state == "finished"


def test_a_job_without_failures_has_nothing_to_retry(jobs):
    with create(jobs, ends=[]) as job, pytest.raises(JobNotFound, match="no request has failed"):
        retry(jobs, job)


@pytest.mark.parametrize(
    ("name", "said"), [("ConectError", "did you mean ConnectError"), ("x", "AddressDenied, .*TooManyRedirects")]
)
def test_an_unknown_error_is_refused_with_those_there_are(jobs, name, said):
    with create(jobs) as job, pytest.raises(ConfigError, match=f"there is no error '{name}'.*{said}"):
        retry(jobs, job, errors=[name])


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv"])
def test_an_output_that_a_newer_job_has_written_is_left_to_it(jobs, output):
    with create(jobs, output=output, overwrite=True) as job:
        pass
    with create(jobs, output=output, overwrite=True) as newer:
        pass
    with jobs.open(job.id) as again, pytest.raises(OutputMismatch, match=f"job {newer.id} has written there since"):
        retry(jobs, again)
    with jobs.open(newer.id) as again:
        assert retry(jobs, again) == 6


def test_a_job_whose_output_was_taken_over_is_refused(jobs):
    with create(jobs) as job:
        job.record.replaced_by = "other"
        with pytest.raises(JobNotFound, match="job other has taken over"):
            retry(jobs, job)


def test_stdout_can_be_written_to_by_any_number_of_jobs(jobs):
    with create(jobs, output="-") as job:
        pass
    with create(jobs, output="-"), jobs.open(job.id) as again:
        assert retry(jobs, again) == 6


def test_an_interrupted_job_keeps_its_state(jobs):
    with create(jobs, state="stopped") as job:
        assert retry(jobs, job) == 6
        assert job.record.state == "stopped"
