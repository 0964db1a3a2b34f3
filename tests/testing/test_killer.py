"""The kill campaign, a small one; the command runs a large one."""

import gzip
import json
import os
import signal
import subprocess
import sys

import pytest

from scrapekit.export import Limits, open_output
from scrapekit.testing import SampleSite, serve
from scrapekit.testing.killer import Campaign
from scrapekit.testing.killer import __main__ as command
from scrapekit.testing.killer.verdict import Verdict
from scrapekit.testing.mortal import AT_THE_END, LOADING, POINTS, VARIABLE

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="there is no SIGSTOP here")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "books.py").write_bytes((command._ROOT / "spiders" / "books.py").read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("fleet", "output"),
    [
        ("threads", "out.csv"),
        ("processes:2", "out.jsonl.gz"),
        ("threads", "out.db"),
        ("threads", "parts.csv"),
    ],
)
def test_a_crawl_that_is_killed_over_and_over_gives_a_whole_output(fleet, output, project):
    campaign = Campaign(project, seed=1, fleet=fleet, books=60)
    tally = campaign.run(3, [output])
    assert tally.wrong == {}
    assert tally.kills >= 3
    assert tally.crawls
    assert tally.refetched
    assert max(tally.refetched) <= campaign.most_again


MADE = ["out.json", "out.xml", "out.parquet"]  # besides CSV, of which each failpoint is met
POINTS_AND_OUTPUTS = [
    *((point, "out.csv") for point in (*POINTS, *AT_THE_END)),
    *(("mid-finalise", name) for name in MADE),
    *((point, "out.db") for point in LOADING),
]


@pytest.mark.parametrize(("point", "name"), POINTS_AND_OUTPUTS)
def test_each_failpoint_is_reached_and_nothing_is_lost_there(point, name, project):
    site = SampleSite(books=30, retry_after=0)
    target = "sqlite:///out.db?table=books" if point in LOADING else name
    with serve(site) as server:
        arguments = [sys.executable, "-m", "scrapekit.testing.mortal", "crawl", "books"]
        environment = {**os.environ, "PYTHONPATH": str(command._ROOT), VARIABLE: f"{point}:1"}
        first = subprocess.run(
            [*arguments, "-a", f"url={server.url}/", "-O", target, "-s", "retry.backoff.initial=0"],
            cwd=project, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert first.returncode == -signal.SIGKILL, first.stderr
        again = subprocess.run(
            [*arguments, "--resume"], cwd=project, env=environment | {VARIABLE: ""}, capture_output=True, text=True
        )
        assert again.returncode == 0, again.stderr
        assert Verdict.on(project / name, site.expected_books(f"{server.url}/")) == Verdict()


def test_a_failpoint_that_does_not_exist_is_refused(project):
    ran = subprocess.run(
        [sys.executable, "-m", "scrapekit.testing.mortal", "list"],
        env={**os.environ, VARIABLE: "never:1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "never:1: not NAME:COUNT" in ran.stderr


ITEMS = [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
LINES = b"".join(json.dumps(item).encode() + b"\n" for item in ITEMS)


@pytest.mark.parametrize(
    ("name", "content", "verdict"),
    [
        ("x.jsonl", LINES, Verdict()),
        ("x.jsonl", LINES + LINES, Verdict(doubled=2)),
        ("x.jsonl", LINES[:-2], Verdict(missing=1, torn=1)),
        ("x.jsonl", b'{"a": \n' + LINES, Verdict(torn=1)),
        ("x.jsonl", b'{"a": 3}\n' + LINES, Verdict(strange=1)),
        ("x.jsonl.gz", gzip.compress(LINES, mtime=0), Verdict()),
        ("x.jsonl.gz", gzip.compress(LINES, mtime=0)[:-9], Verdict(missing=2, torn=1)),
        ("x.json", json.dumps(ITEMS).encode(), Verdict()),
        ("x.json", b"[", Verdict(missing=2, torn=1)),
        ("x.csv", b"a,b\r\n1,\r\n2,x\r\n", Verdict()),
        ("x.csv", b"a,b\r\n1,\r\n", Verdict(missing=1)),
        ("x.csv", None, Verdict(missing=2)),
        ("x.xml", b"<items><item><a>1</a><b/></item><item><a>2</a><b>x</b></item></items>", Verdict()),
        ("x.xml", b"<items><item><a>1</a><b/></item><item>", Verdict(missing=2, torn=1)),
        ("x.parquet", b"PAR1", Verdict(missing=2, torn=1)),
    ],
    ids=range(15),
)
def test_the_verdict_counts_what_is_wrong(name, content, verdict, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert Verdict.on(tmp_path / name, ITEMS) == verdict


def test_the_verdict_holds_parts_to_their_manifest(tmp_path):
    sink = open_output(tmp_path / "0-parts-{part}.jsonl", parts=Limits(items=1))
    sink.append(LINES.splitlines())
    sink.flush()
    sink.committed()
    output = tmp_path / "0-parts.jsonl"
    assert Verdict.on_parts(output, ITEMS) == Verdict(missing=1, torn=2)  # not complete, and a part that is not listed
    sink.finish()
    sink.close()
    assert Verdict.on_parts(output, ITEMS) == Verdict()
    (tmp_path / "0-parts-00001.jsonl").write_bytes(LINES)
    assert Verdict.on_parts(output, ITEMS) == Verdict(doubled=1, torn=2)  # two parts are not as they are listed


def test_the_verdict_reads_tables(tmp_path):
    from scrapekit.export import open_output

    for name, target in (("x.db", f"sqlite:///{tmp_path}/x.db?table=books"), ("x.parquet", tmp_path / "x.parquet")):
        sink = open_output(target)
        sink.append([json.dumps(item).encode() for item in ITEMS])
        sink.committed()
        sink.finish()
        sink.close()
        assert Verdict.on(tmp_path / name, ITEMS) == Verdict()
        assert Verdict.on(tmp_path / name, [*ITEMS, {"a": 3, "b": None}]) == Verdict(missing=1)
        assert Verdict.on(tmp_path / f"no-{name}", ITEMS) == Verdict(missing=2)


def test_the_command_tells_what_it_has_found(capsys, monkeypatch):
    def run(campaign, kills, outputs):
        campaign.tally.kills, campaign.tally.refetched = kills, [2, 4]
        return campaign.tally

    monkeypatch.setattr(Campaign, "run", run)
    assert command.main(["--kills", "3"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 kills of 0 crawls with --fleet threads")
    assert "3.0 on average, 4 at most\n0 missing, 0 doubled, 0 torn\n" in said


def test_the_command_fails_when_something_is_wrong(capsys, monkeypatch):
    def run(campaign, kills, outputs):
        campaign.tally.wrong[outputs[0]] = Verdict(doubled=1)
        return campaign.tally

    monkeypatch.setattr(Campaign, "run", run)
    assert command.main(["--output", "mine.csv"]) == 1
    assert "mine.csv: Verdict(missing=0, doubled=1, torn=0, strange=0)" in capsys.readouterr().out


def test_the_command_fails_when_more_is_fetched_again_than_a_commit_can_have_had(capsys, monkeypatch):
    def run(campaign, kills, outputs):
        campaign.tally.refetched = [3, campaign.most_again + 1]
        return campaign.tally

    monkeypatch.setattr(Campaign, "run", run)
    assert command.main(["--fleet", "processes:2"]) == 1
    assert "more were fetched again than a commit and the workers can have had: 264\n" in capsys.readouterr().out


def test_outside_a_checkout_it_says_what_it_needs(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "_ROOT", tmp_path)
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == 2
    assert "it needs a checkout" in capsys.readouterr().err
