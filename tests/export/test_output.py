"""Opening and resuming an output."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from scrapekit.errors import ConfigError, ExportError, OutputError, OutputMismatch
from scrapekit.export import linefile, open_output, resume_output

PLAIN_AND_GZIP = pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])


def content(path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def write(path, *groups, **options):
    """Write each group of lines, close, and return the position."""
    sink = open_output(path, **options)
    for group in groups:
        sink.append(group)
    position = json.loads(json.dumps(sink.position()))
    sink.close()
    return position


@PLAIN_AND_GZIP
def test_lines_are_in_the_file_as_soon_as_append_returns(tmp_path, name):
    sink = open_output(tmp_path / name)
    sink.append([b'{"a":1}', b'{"a":2}'])
    assert content(tmp_path / name) == b'{"a":1}\n{"a":2}\n'
    sink.append([])
    sink.append([b'{"a":3}'])
    assert content(tmp_path / name) == b'{"a":1}\n{"a":2}\n{"a":3}\n'
    sink.close()


@PLAIN_AND_GZIP
def test_overwrite_empties_and_append_keeps_what_is_there(tmp_path, name):
    path = tmp_path / name
    write(path, [b"1"])
    write(path, [b"2"])
    assert content(path) == b"1\n2\n"
    write(path, [b"3"], overwrite=True)
    assert content(path) == b"3\n"
    sink = open_output(path, overwrite=True)
    sink.position()
    assert content(path) == b"3\n"  # what can't begin leaves an old output as it is
    sink.committed()
    assert path.read_bytes() == b""
    sink.close()


@PLAIN_AND_GZIP
def test_appending_ends_a_last_line_that_is_complete_json(tmp_path, name):
    path = tmp_path / name
    there = b'1\n{"a": 2}'
    path.write_bytes(gzip.compress(there) if path.suffix == ".gz" else there)
    write(path, [b"3"])
    assert content(path) == b'1\n{"a": 2}\n3\n'


@PLAIN_AND_GZIP
@pytest.mark.parametrize("torn", [b'1\n{"a": ', b'"' + b"x" * (1 << 20) + b'"', b'"\xff"'])
def test_appending_to_a_torn_last_line_is_refused_and_changes_nothing(tmp_path, name, torn):
    path = tmp_path / name
    path.write_bytes(gzip.compress(torn) if path.suffix == ".gz" else torn)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="last line is cut off"):
        open_output(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "foreign",
    [
        b"no gzip",
        gzip.compress(b"1\n", mtime=0)[:-3],
        gzip.compress(b"1\n" * 99, mtime=0)[:20],
        b"\x1f\x8b\x08\0" + b"\xff" * 30,
    ],
    ids=["text", "cut in its trailer", "cut in its data", "a header and noise"],
)
def test_appending_to_what_is_not_complete_gzip_is_refused(tmp_path, foreign):
    path = tmp_path / "out.gz"
    path.write_bytes(foreign)
    with pytest.raises(OutputError, match="not complete gzip"):
        open_output(path)
    assert path.read_bytes() == foreign


@pytest.mark.parametrize("name", ["x.tsv", "x.XLSX", "x.parquet.gz", "x.sqlite.gz", "x.jsonl.xz"])
def test_formats_that_are_not_available_are_refused_before_a_file_is_made(tmp_path, name):
    with pytest.raises(OutputError, match=r"is not available; \.jsonl, \.csv, \.json, \.xml, "):
        open_output(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x", "x.txt", "x.jl", "x.ndjson", ".jsonl", "v1.2", "csv", "x.csv.jsonl"])
def test_any_other_name_is_json_lines(tmp_path, name):
    write(tmp_path / name, [b"1"])
    assert (tmp_path / name).read_bytes() == b"1\n"


@pytest.mark.parametrize("name", ["x.gz", "x.JSONL.GZ", "x.txt.gz"])
def test_gz_is_compressed(tmp_path, name):
    write(tmp_path / name, [b"1"])
    assert gzip.decompress((tmp_path / name).read_bytes()) == b"1\n"


def test_folders_are_created_on_demand_only(tmp_path):
    path = tmp_path / "a" / "b" / "out.jsonl"
    with pytest.raises(OutputError, match=f"the folder {path.parent} does not exist; create it first"):
        open_output(path)
    write(path, [b"1"], parents=True, fsync=True)
    assert path.read_bytes() == b"1\n"


def test_each_way_a_path_is_unusable_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    for target, message in {
        tmp_path: "is a folder",
        "": "is a folder",
        tmp_path / "file" / "x": "Not a directory",
        "nul\0byte": "null (?:byte|character)",
        "nul\0byte.csv": "null (?:byte|character)",
        tmp_path / ("n" * 300): "too long",
    }.items():
        with pytest.raises(OutputError, match=message) as caught:
            open_output(target)
        assert isinstance(caught.value, ConfigError)
        assert "\n" not in str(caught.value)
    for target in (tmp_path / "file" / "x" / "y", "nul\0byte/x"):
        with pytest.raises(OutputError, match="can't be created"):
            open_output(target, parents=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_without_permission_is_refused(tmp_path):
    path = tmp_path / "out.jsonl"
    path.touch(0o400)
    with pytest.raises(OutputError, match="Permission denied"):
        open_output(path)


@PLAIN_AND_GZIP
def test_one_output_is_written_by_one_crawl_at_a_time(tmp_path, name):
    path = tmp_path / name
    first = open_output(path)
    first.append([b"1"])
    for again in (lambda: open_output(path, overwrite=True), lambda: resume_output(path, first.position())):
        with pytest.raises(OutputError, match="another crawl is writing"):
            again()
    assert content(path) == b"1\n"
    first.close()
    write(path, [b"2"])


def test_a_file_system_without_locks_is_written_without(tmp_path, monkeypatch):
    def flock(fd, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(linefile.fcntl, "flock", flock)
    code = next(iter(linefile._NO_LOCKS))
    write(tmp_path / "out.jsonl", [b"1"])
    code = 5
    with pytest.raises(OutputError, match="Input/output error"):
        open_output(tmp_path / "out.jsonl")


@PLAIN_AND_GZIP
def test_resume_cuts_what_was_not_committed_and_says_how_much(tmp_path, name):
    path = tmp_path / name
    sink = open_output(path)
    sink.append([b"1"])
    committed = sink.position()
    assert "cut" not in committed
    sink.append([b"2" * 100])
    sink.close()
    size = path.stat().st_size
    resumed = resume_output(path, committed)
    assert resumed.position() == committed
    assert content(path) == b"1\n"
    assert resumed.cut == size - path.stat().st_size > 0
    resumed.append([b"3"])
    committed = resumed.position()
    resumed.close()
    assert content(path) == b"1\n3\n"
    resumed = resume_output(path, committed)
    assert resumed.cut == 0
    resumed.close()


@PLAIN_AND_GZIP
def test_resume_refuses_what_others_have_appended_to_a_crawl_that_ended_in_order(tmp_path, name):
    path = tmp_path / name
    sink = open_output(path)
    sink.append([b"1"])
    committed = sink.position()
    sink.close()
    resume_output(path, committed, whole=True).close()
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"theirs\n")
    with pytest.raises(OutputMismatch, match=rf"has 7 bytes that this job did not write .*\(truncate -s {size} "):
        resume_output(path, committed, whole=True)
    os.truncate(path, size)
    resume_output(path, committed, whole=True).close()


@PLAIN_AND_GZIP
def test_resume_keeps_the_lines_that_were_there_before_the_crawl(tmp_path, name):
    path = tmp_path / name
    write(path, [b"before"])
    sink = open_output(path)
    committed = sink.position()
    sink.append([b"lost"])
    sink.close()
    resumed = resume_output(path, committed)
    resumed.append([b"after"])
    resumed.close()
    assert content(path) == b"before\nafter\n"


@PLAIN_AND_GZIP
def test_resume_follows_a_file_that_was_copied(tmp_path, name):
    path, copy = tmp_path / name, tmp_path / ("copy-" + name)
    committed = write(path, [b"1" * 9000], [b"2"])
    copy.write_bytes(path.read_bytes())
    resumed = resume_output(copy, committed)
    resumed.append([b"3"])
    resumed.close()
    assert content(copy) == b"1" * 9000 + b"\n2\n3\n"


@PLAIN_AND_GZIP
def test_resume_refuses_a_file_that_is_not_the_one_it_wrote(tmp_path, name):
    path = tmp_path / name
    committed = write(path, [os.urandom(9000).hex().encode()], [b"2"])
    whole = path.read_bytes()
    for other in (b"X" + whole[1:], whole[: committed["offset"] - 1] + b"X" + whole[committed["offset"] :]):
        path.write_bytes(other)
        with pytest.raises(OutputMismatch, match="not the file that this job wrote"):
            resume_output(path, committed)
        assert path.read_bytes() == other
    path.write_bytes(whole[: committed["offset"] - 1])
    with pytest.raises(OutputMismatch, match=rf"bytes, but this job had written {committed['offset']:,}"):
        resume_output(path, committed)
    path.unlink()
    with pytest.raises(OutputMismatch, match="is gone, but this job had written"):
        resume_output(path, committed)
    assert not path.exists()


@PLAIN_AND_GZIP
def test_resume_makes_a_file_again_into_which_nothing_was_committed(tmp_path, name):
    path = tmp_path / name
    committed = write(path)
    path.unlink()
    resumed = resume_output(path, committed)
    resumed.append([b"1"])
    resumed.close()
    assert content(path) == b"1\n"


def test_resume_refuses_an_output_of_another_format(tmp_path):
    committed = write(tmp_path / "out.jsonl", [b"1"])
    (tmp_path / "out.jsonl").rename(tmp_path / "out.jsonl.gz")
    with pytest.raises(OutputMismatch, match="another format"):
        resume_output(tmp_path / "out.jsonl.gz", committed)
    with pytest.raises(OutputMismatch, match="another format"):
        resume_output(tmp_path / "was_stdout.jsonl", {})


def test_a_refused_output_gives_its_lock_and_its_descriptor_back(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"torn")
    descriptors = Path("/proc/self/fd")  # on Linux
    before = len(list(descriptors.glob("*")))
    for _ in range(3):
        with pytest.raises(OutputError, match="last line"):
            open_output(path)
    assert len(list(descriptors.glob("*"))) == before
    open_output(path, overwrite=True).close()


def test_a_pipe_is_written_as_a_stream(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for sink in (open_output(path), resume_output(path, {})):
            sink.append([b"1", b"2"])
            sink.close()
            assert os.read(reader, 100) == b"1\n2\n"
    finally:
        os.close(reader)


def test_dash_is_stdout_and_stays_open(capfdbinary):
    for sink in (open_output("-"), resume_output("-", {}), open_output("-", overwrite=True)):
        sink.append([b'{"a":1}', b'{"a":2}'])
        sink.append([])
        sink.flush()
        sink.close()
        sink.close()
        assert (sink.name, sink.cut, sink.position()) == ("-", 0, {})
    assert capfdbinary.readouterr().out == b'{"a":1}\n{"a":2}\n' * 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_device_is_an_export_error_that_names_it():
    sink = open_output("/dev/full")
    with pytest.raises(ExportError, match=r"^/dev/full: can't be written: No space left on device$") as caught:
        sink.append([b"1"])
    assert isinstance(caught.value.__cause__, OSError)
    sink.close()
