"""Outputs in parts: where one ends, what is there when, and what a kill leaves."""

from __future__ import annotations

import csv
import gzip
import json
import resource
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from scrapekit.errors import ExportError, OutputError, OutputMismatch
from scrapekit.export import Limits, open_output, resume_output
from scrapekit.export.manifest import manifest_of

NAMES = pytest.mark.parametrize(
    "name", ["out-{part}.jsonl", "out-{part}.jsonl.gz", "out-{part}.csv", "out-{part}.json"]
)
THREE = Limits(items=3)


def lines(*numbers):
    return [b'{"n":%d}' % number for number in numbers]


def opened(folder, name, parts=THREE, **options):
    return open_output(folder / name, parts=parts, spool=folder / "items.jsonl", **options)


def resumed(folder, name, position, **options):
    stored = json.loads(json.dumps(position))
    return resume_output(folder / name, stored, parts=THREE, spool=folder / "items.jsonl", **options)


def commit(sink, *numbers):
    """As the engine does: the position that is stored."""
    if numbers:
        sink.append(lines(*numbers))
        sink.flush()
    position = sink.position()
    sink.committed()
    return position


def manifest(folder):
    return json.loads((folder / "out.manifest.json").read_text())


def numbers_in(path):
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [int(row["n"]) for row in csv.DictReader(file)]
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    items = json.loads(content) if path.suffix == ".json" else map(json.loads, content.splitlines())
    return [item["n"] for item in items]


def parts(folder):
    """What the listed parts hold, each of which is checked against the manifest."""
    found = []
    for number, part in enumerate(manifest(folder)["parts"], 1):
        path = folder / part["file"]
        inside = numbers_in(path)
        assert (part["number"], part["items"]) == (number, len(inside))
        assert (part["bytes"], part["sha256"]) == (path.stat().st_size, sha256(path.read_bytes()).hexdigest())
        assert part["last"] - part["first"] + 1 == len(inside)
        found.append(inside)
    return found


@NAMES
def test_a_part_is_listed_when_it_is_complete_and_committed(tmp_path, name):
    sink = opened(tmp_path, name)
    commit(sink)
    assert manifest(tmp_path) == {"complete": False, "parts": []}
    commit(sink, 1, 2, 3)
    assert parts(tmp_path) == []  # nobody knows yet whether there is a next one
    sink.append(lines(4, 5, 6, 7))
    assert parts(tmp_path) == []
    sink.flush()
    sink.position()
    sink.committed()
    assert parts(tmp_path) == [[1, 2, 3], [4, 5, 6]]
    sink.finish()
    sink.close()
    assert parts(tmp_path) == [[1, 2, 3], [4, 5, 6], [7]]
    assert manifest(tmp_path)["complete"]
    assert [(part["first"], part["last"]) for part in manifest(tmp_path)["parts"]] == [(1, 3), (4, 6), (7, 7)]
    assert (tmp_path / name.replace("{part}", "00003")).exists()


@NAMES
@pytest.mark.parametrize("then", [(), (9,), (9, 10, 11, 12, 13, 14)])
def test_what_a_kill_leaves_is_taken_up_at_the_committed_position(tmp_path, name, then):
    sink = opened(tmp_path, name)
    commit(sink)
    commit(sink, 1, 2)
    sink.append(lines(3, 4, 5, 6, 7, 8))
    sink.flush()
    position = sink.position()
    sink.close()  # killed right after the commit
    again = resumed(tmp_path, name, position)
    commit(again)
    assert parts(tmp_path) == [[1, 2, 3], [4, 5, 6]]
    again.append(lines(90, 91, 92, 93, 94, 95, 96))
    again.flush()
    again.close()  # killed right before it
    last = resumed(tmp_path, name, position)
    assert last.cut > 0
    commit(last, *then)
    last.finish()
    last.close()
    whole = [1, 2, 3, 4, 5, 6, 7, 8, *then]
    assert parts(tmp_path) == [whole[at : at + 3] for at in range(0, len(whole), 3)]
    listed = {part["file"] for part in manifest(tmp_path)["parts"]}
    assert {path.name for path in tmp_path.glob("out-*")} == listed


@NAMES
def test_an_output_that_has_ended_may_go_on(tmp_path, name):
    sink = opened(tmp_path, name)
    position = commit(sink, 1, 2, 3, 4)
    sink.finish()
    sink.close()
    again = resumed(tmp_path, name, position, whole=True)
    commit(again)
    assert not manifest(tmp_path)["complete"]
    assert parts(tmp_path) == [[1, 2, 3]]
    commit(again, 5, 6, 7)
    again.finish()
    again.close()
    assert parts(tmp_path) == [[1, 2, 3], [4, 5, 6], [7]]


@NAMES
def test_appending_adds_parts_and_overwriting_removes_the_old_ones(tmp_path, name):
    for numbers, options, expected in (
        ((1, 2, 3, 4, 5, 6, 7), {}, [[1, 2, 3], [4, 5, 6], [7]]),
        ((8, 9), {}, [[1, 2, 3], [4, 5, 6], [7], [8, 9]]),
        ((1, 2, 3, 4), {"overwrite": True}, [[1, 2, 3], [4]]),
    ):
        sink = opened(tmp_path, name, **options)
        commit(sink)
        commit(sink, *numbers)
        sink.finish()
        sink.close()
        assert parts(tmp_path) == expected
        assert len([*tmp_path.glob("out-*")]) == len(expected)


def test_a_part_is_full_by_its_size_and_takes_one_item_at_least(tmp_path):
    sink = opened(tmp_path, "out-{part}.jsonl", Limits(size=16))
    commit(sink, 1, 2, 3, 10**20, 4)
    sink.finish()
    sink.close()
    assert parts(tmp_path) == [[1, 2], [3], [10**20], [4]]
    assert (tmp_path / "out-00001.jsonl").stat().st_size == 16


def test_a_crawl_without_items_has_no_parts(tmp_path):
    sink = opened(tmp_path, "out-{part}.jsonl")
    commit(sink)
    sink.finish()
    sink.close()
    assert manifest(tmp_path) == {"complete": True, "parts": []}
    assert not [*tmp_path.glob("out-*")]


def test_what_the_parts_may_not_be_put_to_is_refused(tmp_path):
    stray = tmp_path / "out-00001.jsonl"
    stray.write_text("{}\n")
    with pytest.raises(OutputError, match=r"is in the way of the parts of .*, and no manifest says whose it is"):
        opened(tmp_path, "out-{part}.jsonl", overwrite=True)
    stray.unlink()
    sink = opened(tmp_path, "out-{part}.jsonl")
    position = commit(sink, 1, 2, 3, 4)
    sink.close()
    with pytest.raises(OutputError, match="can't be appended to, its last part is not complete"):
        opened(tmp_path, "out-{part}.jsonl")
    (tmp_path / "out.manifest.json").unlink()
    with pytest.raises(OutputMismatch, match="not in parts"):
        resumed(tmp_path, "out-{part}.jsonl", {"offset": 0, "mark": ""})
    again = resumed(tmp_path, "out-{part}.jsonl", position)  # part 1 was sealed by this very commit
    position = commit(again, 5, 6, 7)
    again.close()
    (tmp_path / "out.manifest.json").unlink()
    with pytest.raises(OutputMismatch, match=r"out\.manifest\.json does not list part 1, which this job has written"):
        resumed(tmp_path, "out-{part}.jsonl", position)
    (tmp_path / "out.manifest.json").write_text("{")
    with pytest.raises(OutputMismatch, match="can't be read as a manifest"):
        resumed(tmp_path, "out-{part}.jsonl", position)
    for target in ("-", tmp_path / "out.jsonl"):
        with pytest.raises(OutputError, match="only files can be written in parts"):
            open_output(target, parts=THREE)


@NAMES
@pytest.mark.parametrize("spool", [None, "items.jsonl"], ids=["no job", "a job"])
def test_one_page_may_have_items_for_more_parts_than_files_can_be_open(tmp_path, name, spool):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = len([*Path("/dev/fd").iterdir()]) + 20
    sink = open_output(tmp_path / name, parts=Limits(items=1), spool=spool and tmp_path / spool)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (many, hard))
        commit(sink, *range(many))
        sink.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        sink.close()
    assert parts(tmp_path) == [[number] for number in range(many)]


def test_a_part_whose_lines_are_gone_ends_the_crawl(tmp_path):
    with closing(opened(tmp_path, "out-{part}.csv")) as sink:
        sink.append(lines(1, 2, 3, 4))
        (tmp_path / "items-00001.jsonl").unlink()
        with pytest.raises(ExportError, match="items-00001.jsonl is gone"):
            sink.committed()


def test_a_part_that_can_not_be_begun_any_more_ends_the_crawl(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with closing(opened(folder, "out-{part}.jsonl")) as sink:
        position = commit(sink, 1, 2)
        folder.rename(tmp_path / "away")
        with pytest.raises(ExportError, match="out-00002.jsonl: the folder .*out does not exist"):
            sink.append(lines(3, 4, 5))
    (tmp_path / "away").rename(folder)
    with closing(resumed(folder, "out-{part}.jsonl", position)) as again:
        commit(again, 3, 4, 5)
        again.finish()
    assert parts(folder) == [[1, 2, 3], [4, 5]]


def test_parts_of_one_name_in_two_formats_do_not_share_a_manifest(tmp_path):
    with closing(opened(tmp_path, "out-{part}.jsonl")) as sink:
        commit(sink, 1, 2, 3, 4)
    for options in ({}, {"overwrite": True}):
        with pytest.raises(OutputMismatch, match="lists out-00001.jsonl, which is no part of .*: take another name"):
            opened(tmp_path, "out-{part}.csv", **options)


def test_a_manifest_that_can_not_be_written_ends_the_crawl(tmp_path):
    folder = tmp_path / "out"
    sink = opened(folder, "out-{part}.jsonl", parents=True)
    (folder / ".out.manifest.json.part").mkdir()
    with pytest.raises(ExportError, match=r"out-{part}\.jsonl: can't be written: Is a directory"):
        commit(sink)
    sink.close()


def test_each_commit_survives_the_machine_where_that_is_asked_for(tmp_path):
    sink = opened(tmp_path, "out-{part}.csv", fsync=True)
    commit(sink, 1, 2, 3, 4)
    sink.finish()
    sink.close()
    assert parts(tmp_path) == [[1, 2, 3], [4]]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/out-{part}.jsonl", "a/out.manifest.json"),
        ("out_{part}.csv.gz", "out.manifest.json"),
        ("{part}-v1.2.json.ZST", "-v1.2.manifest.json"),
        ("{part}.jsonl", "manifest.json"),
        ("out.{part}", "out.manifest.json"),
    ],
)
def test_the_manifest_is_called_after_its_parts(tmp_path, path, name):
    assert manifest_of(path) == name
    assert manifest_of(f"s3://{tmp_path}/{path}") == f"s3://{tmp_path}/{name}"
