"""Jobs: what is written down of them, who may run them, and which can be resumed."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import stat
import subprocess
import sys

import pytest

from scrapekit.errors import FrontierError, JobLocked, JobNotFound, OutputError
from scrapekit.project import joblock
from scrapekit.project.joblock import JobLock
from scrapekit.project.jobs import Jobs
from scrapekit.settings import OutputSettings


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path)


def create(jobs, spider="quotes", output="out.jsonl", *, overwrite=False, **options):
    paths = [output] if isinstance(output, str) else output
    return jobs.create(
        spider,
        lambda job: [OutputSettings(path=path.format(job=job), overwrite=overwrite) for path in paths],
        **options,
    )


def ended(jobs, state, **options):
    """The id of a job that has ended so."""
    with create(jobs, **options) as job:
        job.finish(state)
    return job.id


def test_a_job_writes_down_what_it_takes_to_resume_it(jobs, tmp_path):
    with create(
        jobs, output="{job}.jsonl", overwrite=True, arguments={"a": "1"}, overrides=["workers=2"], settings="s.yaml"
    ) as job:
        pass
    assert job.path == tmp_path / ".scrapekit" / "jobs" / job.id
    assert (job.frontier_path, job.in_flight_path) == (job.path / "frontier.sqlite", job.path / "in_flight")
    with jobs.resume(job.id, "quotes") as again:
        record = again.record
    assert (record.spider, record.arguments, record.overrides, record.settings) == (
        "quotes", {"a": "1"}, ["workers=2"], "s.yaml",
    )  # fmt: skip
    assert (record.outputs, record.state) == ([OutputSettings(path=f"{job.id}.jsonl", overwrite=True)], "running")
    assert json.loads((job.path / "job.json").read_text())["created"].endswith("+00:00")


def test_only_the_owner_may_read_a_job_and_git_leaves_it_alone(jobs, tmp_path):
    with create(jobs) as one, create(jobs):
        assert stat.S_IMODE(one.path.stat().st_mode) == 0o700
    assert (tmp_path / ".scrapekit" / ".gitignore").read_text() == "*\n"


def test_ids_are_unique_also_within_a_second(jobs):
    made = [create(jobs) for _ in range(5)]
    assert len({job.id for job in made}) == 5
    for job in made:
        job.close()


@pytest.mark.parametrize("name", ["../up", ".hidden", "a b/c", "x" * 300, "\N{SNOWMAN}"])
def test_ids_are_file_names_whatever_the_spider_is_called(jobs, tmp_path, name):
    with create(jobs, spider=name) as job:
        assert job.path.parent == tmp_path / ".scrapekit" / "jobs"
        assert len(job.id.encode()) < 80
        assert not job.id.startswith(".")


def test_a_folder_that_cannot_be_written_is_an_error(jobs, tmp_path):
    (tmp_path / ".scrapekit").write_text("a file")
    with pytest.raises(FrontierError, match="no job can be written there: "):
        create(jobs)


def test_a_record_that_cannot_be_written_is_an_error(jobs):
    with create(jobs) as job:
        (job.path / "job.json.new").mkdir()
        with pytest.raises(FrontierError, match=r"job\.json\.new: can't be written: Is a directory"):
            job.finish("failed")


def test_a_discarded_job_was_never_there(jobs, tmp_path):
    create(jobs).discard()
    assert list((tmp_path / ".scrapekit" / "jobs").iterdir()) == []


def test_a_job_whose_output_has_no_name_was_never_there(jobs, tmp_path):
    with pytest.raises(KeyError):
        create(jobs, output="{nothing}")
    assert list((tmp_path / ".scrapekit" / "jobs").iterdir()) == []


# Locks


def test_a_second_runner_is_refused_and_told_who_is_first(jobs):
    with create(jobs) as job, pytest.raises(JobLocked, match=f"^job {job.id} is being run by process {os.getpid()}$"):
        jobs.resume(job.id, "quotes")
    jobs.resume(job.id, "quotes").close()


def test_a_killed_process_frees_its_job(jobs, tmp_path):
    code = (
        "import pathlib, signal; from scrapekit.project.jobs import Jobs; from scrapekit.settings import OutputSettings\n"
        f"job = Jobs(pathlib.Path({str(tmp_path)!r})).create('quotes', lambda job: [OutputSettings(path='x')])\n"
        "print(job.id, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        job = process.stdout.readline().strip()
        with pytest.raises(JobLocked, match=f"by process {process.pid}$"):
            jobs.resume(None, "quotes")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with jobs.resume(None, "quotes") as again:
        assert (again.id, again.record.state) == (job, "running")


def test_a_lock_whose_holder_has_not_said_who_it_is(tmp_path):
    held = JobLock(tmp_path / "lock", "j")
    (tmp_path / "lock").write_bytes(b"")
    with pytest.raises(JobLocked, match="by another process"):
        JobLock(tmp_path / "lock", "j")
    held.close()
    held.close()


def test_a_lock_that_cannot_be_opened_is_an_error(tmp_path):
    with pytest.raises(FrontierError, match="lock: can't be opened: No such file"):
        JobLock(tmp_path / "gone" / "lock", "j")


def test_a_file_system_without_locks_gets_a_warning(tmp_path, monkeypatch, caplog):
    def flock(fd, flags):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(joblock.fcntl, "flock", flock)
    with caplog.at_level(logging.WARNING):
        JobLock(tmp_path / "lock", "j").close()
    assert "can't be locked on this file system" in caplog.text


def test_a_lock_that_fails_is_an_error(tmp_path, monkeypatch):
    def flock(fd, flags):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(joblock.fcntl, "flock", flock)
    with pytest.raises(FrontierError, match="can't be locked: Input/output error"):
        JobLock(tmp_path / "lock", "j")


# Resuming


def test_the_latest_unfinished_job_of_the_spider_is_resumed(jobs):
    ended(jobs, "interrupted", output="1")
    latest = ended(jobs, "stopped", output="2")
    ended(jobs, "finished", output="3")
    ended(jobs, "interrupted", output="4", spider="books")
    with jobs.resume(None, "quotes") as job:
        assert job.id == latest


def test_nothing_to_resume_is_said(jobs):
    with pytest.raises(JobNotFound, match=r"^there is nothing to resume: spider 'quotes' has no unfinished job$"):
        jobs.resume(None, "quotes")
    with pytest.raises(JobNotFound, match=r"^there is no job 'x'; spider 'quotes' has no unfinished job$"):
        jobs.resume("x", "quotes")


@pytest.mark.parametrize("job", ["..", ".", "", "/etc", "x/../.."])
def test_only_jobs_can_be_resumed_not_folders_elsewhere(jobs, job):
    ended(jobs, "failed")
    with pytest.raises(JobNotFound, match="there is no job"):
        jobs.resume(job, "quotes")


def test_the_message_says_which_jobs_there_are(jobs):
    ids = [ended(jobs, "failed", output=str(number)) for number in range(7)]
    with pytest.raises(JobNotFound) as error:
        jobs.resume("x", "quotes")
    assert str(error.value) == (
        f"there is no job 'x'; unfinished jobs of spider 'quotes': {', '.join(ids[:-6:-1])} and 2 more"
    )


def test_finished_jobs_and_those_of_other_spiders_are_not_resumed(jobs):
    job = ended(jobs, "finished")
    with pytest.raises(JobNotFound, match=f"^job {job} can't be resumed: it has finished; spider 'quotes' has no"):
        jobs.resume(job, "quotes")
    with pytest.raises(JobNotFound, match=f"^job {job} is of spider 'quotes', not 'books'; "):
        jobs.resume(job, "books")
    with pytest.raises(JobNotFound):  # and not JobLocked: the refusal above let go of the lock
        jobs.resume(job, "quotes")


def test_a_job_that_finished_while_it_was_looked_for_is_not_resumed(jobs, monkeypatch):
    job = ended(jobs, "failed")
    listed = jobs._unfinished("quotes")
    with jobs.resume(job, "quotes") as other:
        other.finish("finished")
    monkeypatch.setattr(Jobs, "_unfinished", lambda *_: listed)
    with pytest.raises(JobNotFound, match="it has finished"):
        jobs.resume(None, "quotes")


def test_a_record_that_was_tampered_with_is_an_error(jobs, caplog):
    with create(jobs) as job:
        pass
    whole = (job.path / "job.json").read_text()
    (job.path / "job.json").write_text("{}")
    with pytest.raises(JobNotFound, match=r"job\.json: can't be read as a job: "):
        jobs.resume(job.id, "quotes")
    with pytest.raises(JobNotFound, match="there is nothing to resume"):
        jobs.resume(None, "quotes")
    assert "job.json: can't be read as a job: " in caplog.text
    with create(jobs) as healthy:  # it is no concern of others
        assert jobs.replace(healthy) == []
        healthy.finish("finished")
    (job.path / "job.json").write_text('{"spider": "quotes", "state": "odd"}')
    with pytest.raises(JobNotFound, match=r"job\.json: can't be read as a job: "):
        jobs.resume(job.id, "quotes")
    (job.path / "job.json").write_text(whole.replace(job.record.created, "some day"))
    assert jobs.all() == [(healthy.id, healthy.record)]
    jobs.all()
    assert caplog.text.count("Invalid isoformat string: 'some day'") == 1
    (job.path / "job.json").unlink()  # a process that died before it had written one
    with pytest.raises(JobNotFound, match="nothing to resume"):
        jobs.resume(None, "quotes")


# Jobs that share an output


@pytest.mark.parametrize("state", ["running", "interrupted", "failed"])
def test_the_output_of_a_job_that_broke_off_is_not_appended_to(jobs, tmp_path, state):
    (tmp_path / "out.jsonl").touch()
    (tmp_path / "link.jsonl").symlink_to("out.jsonl")
    job = ended(jobs, state)
    with pytest.raises(OutputError) as error:
        create(jobs, output="link.jsonl")
    assert str(error.value) == (
        f"link.jsonl is the output of job {job}, which broke off: go on with it (scrapekit crawl quotes --resume {job}), "
        f"overwrite the file with -O, or give that job up (scrapekit jobs rm {job})"
    )


def test_nobody_is_told_to_delete_a_job_that_runs(jobs, tmp_path):
    (tmp_path / "out.jsonl").touch()
    with create(jobs) as running, pytest.raises(OutputError) as error:
        create(jobs)
    assert str(error.value) == (
        f"out.jsonl: another crawl is writing to this output: job {running.id} is being run by process {os.getpid()}"
    )
    jobs.resume(running.id, "quotes").close()


def test_the_output_of_a_job_that_has_finished_is_appended_to(jobs, tmp_path):
    (tmp_path / "out.jsonl").touch()
    ended(jobs, "finished")
    create(jobs).close()


def test_a_job_that_finished_while_it_was_looked_for_is_appended_to(jobs, tmp_path, monkeypatch):
    (tmp_path / "out.jsonl").touch()
    job = ended(jobs, "failed")
    listed = jobs._unfinished()
    with jobs.resume(job, "quotes") as other:
        other.finish("finished")
    monkeypatch.setattr(Jobs, "_unfinished", lambda *_: listed)
    create(jobs).close()


def test_an_output_that_is_gone_is_nobodys(jobs):
    ended(jobs, "failed")
    create(jobs).close()


def test_stdout_is_nobodys(jobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").touch()
    ended(jobs, "failed", output="-")
    create(jobs, output="-").close()


def test_a_job_that_takes_over_an_output_ends_the_others_for_good(jobs, tmp_path):
    (tmp_path / "out.jsonl").touch()
    stopped, other = ended(jobs, "stopped"), ended(jobs, "failed", output="other.jsonl")
    failed = ended(jobs, "failed", overwrite=True)
    with create(jobs, overwrite=True) as job:
        assert sorted(jobs.replace(job)) == sorted([stopped, failed])
        assert jobs.replace(job) == []
    for old in (stopped, failed):
        with pytest.raises(JobNotFound, match=f"^job {old} can't be resumed: job {job.id} has taken over its output; "):
            jobs.resume(old, "quotes")
    jobs.resume(other, "quotes").close()


def test_a_job_that_is_being_run_is_not_taken_over(jobs, tmp_path):
    (tmp_path / "out.jsonl").touch()
    with create(jobs), create(jobs, overwrite=True) as job, pytest.raises(JobLocked):
        jobs.replace(job)
