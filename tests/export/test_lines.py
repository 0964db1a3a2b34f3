"""What the sinks write, whatever happens while they write it."""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapekit.errors import ExportError
from scrapekit.export import lines as lines_module
from scrapekit.export import open_output, resume_output
from scrapekit.export.lines import StreamSink, write_all

PLAIN_AND_GZIP = pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])


def read(path: Path) -> list[bytes]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert data.endswith(b"\n") or not data
    return data.splitlines()


LINE = st.binary(max_size=40).map(lambda noise: json.dumps(noise.hex()).encode())
LONG_LINE = st.integers(0, 9000).map(lambda length: b'"%s"' % (b"x" * length))
STEP = st.one_of(
    st.tuples(st.just("append"), st.lists(LINE | LONG_LINE, max_size=5)),
    st.tuples(st.just("commit"), st.none()),
    st.tuples(st.just("crash"), st.floats(0, 1)),
    st.tuples(st.just("close"), st.none()),
)


@PLAIN_AND_GZIP
@settings(max_examples=150, deadline=None)
@given(before=st.lists(LINE, max_size=3), steps=st.lists(STEP, max_size=25))
def test_after_any_crashes_the_file_holds_exactly_the_committed_lines(suffix, before, steps):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "out" + suffix)
        sink = open_output(path)
        sink.append(before)
        sink.close()
        sink = open_output(path)
        committed, lost = list(before), []
        stored = sink.position()
        image = path.read_bytes()  # before the last append
        for step, argument in steps:
            if step == "append":
                image = path.read_bytes()
                sink.append(argument)
                lost += argument
                assert read(path) == committed + lost
                continue
            if step == "commit":
                sink.flush()
                stored = json.loads(json.dumps(sink.position()))
                committed, lost = committed + lost, []
                image = path.read_bytes()
                continue
            sink.close()
            if step == "crash":  # the last append was written up to any byte
                now = path.read_bytes()
                same = next(
                    (n for n, pair in enumerate(zip(image, now, strict=False)) if pair[0] != pair[1]), len(image)
                )
                written = same + round(argument * (len(now) - same))
                path.write_bytes(now[:written] + image[written:])
            sink, lost = resume_output(path, stored), []
            assert read(path) == committed
            image = path.read_bytes()
        sink.close()
        resume_output(path, stored).close()
        assert read(path) == committed


@PLAIN_AND_GZIP
def test_a_killed_process_leaves_the_committed_lines(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    program = """
import itertools, json, sys
from scrapekit.export import open_output
sink = open_output(sys.argv[1])
for number in itertools.count():
    print(json.dumps([number, sink.position()]), flush=True)
    sink.append([b'{"n": %d, "padding": "%s"}' % (number, b"x" * 5000)])
"""
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as process:
        for _ in range(30):
            count, committed = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    resume_output(path, committed).close()
    assert [json.loads(line)["n"] for line in read(path)] == list(range(count))


@PLAIN_AND_GZIP
def test_short_writes_are_continued(tmp_path, suffix, monkeypatch):
    write = os.write
    monkeypatch.setattr(lines_module.os, "write", lambda fd, data: write(fd, bytes(data)[:7]))
    sink = open_output(tmp_path / f"out{suffix}")
    sink.append([b"1" * 100, b"2" * 100])
    sink.close()
    assert read(tmp_path / f"out{suffix}") == [b"1" * 100, b"2" * 100]


def in_a_small_file(limit, call):
    """Run ``call`` while files can't grow beyond ``limit`` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        call()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@PLAIN_AND_GZIP
def test_a_write_that_fails_half_way_leaves_no_torn_line_and_can_be_tried_again(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    sink = open_output(path)
    sink.append([b"1"])
    sink.append([b"2"])
    noise = os.urandom(5000).hex().encode()

    def fail():
        with pytest.raises(ExportError, match=rf"out{suffix}: can't be written: File too large") as caught:
            sink.append([noise])
        assert isinstance(caught.value.__cause__, OSError)

    committed = sink.position()
    in_a_small_file(3000, fail)
    assert read(path) == [b"1", b"2"]
    assert sink.position() == committed
    sink.append([noise, b"3"])
    assert read(path) == [b"1", b"2", noise, b"3"]
    committed = sink.position()
    sink.close()
    resume_output(path, committed).close()
    assert read(path) == [b"1", b"2", noise, b"3"]


def test_even_a_trailer_that_can_not_be_written_is_written_by_the_resume(tmp_path):
    path = tmp_path / "out.gz"
    sink = open_output(path)
    sink.append([b"1"])
    committed = sink.position()

    def fail():
        with pytest.raises(ExportError):
            sink.append([os.urandom(5000).hex().encode()])

    in_a_small_file(committed["offset"] + 1, fail)
    assert sink.position() == committed
    sink.close()
    resume_output(path, committed).close()
    assert read(path) == [b"1"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="needs root to mount a small disk")
def test_a_full_disk_is_an_export_error_and_the_crawl_can_go_on_when_there_is_room(tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"can't mount: {mounted.stderr.decode().strip()}")
    try:
        path = tmp_path / "out.jsonl"
        other = tmp_path / "other"
        other.write_bytes(b"x" * 32_000)
        sink = open_output(path)
        sink.append([b"1"])
        with pytest.raises(ExportError, match="No space left on device"):
            sink.append([b"2" * 60_000])
        assert read(path) == [b"1"]
        other.unlink()
        sink.append([b"3" * 30_000])
        sink.close()
        assert read(path) == [b"1", b"3" * 30_000]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_reader_that_has_gone_is_an_export_error(tmp_path):
    reader, writer = os.pipe()
    sink = StreamSink(writer, "pipe")
    os.close(reader)
    with pytest.raises(ExportError, match="pipe: the reader of the output has gone") as caught:
        sink.append([b"1"])
    assert isinstance(caught.value.__cause__, BrokenPipeError)
    sink.close()


def test_a_stream_that_others_made_non_blocking_is_waited_for():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    received = bytearray()

    def drain():
        while chunk := os.read(reader, 65536):
            received.extend(chunk)

    data = os.urandom(1 << 20)  # more than a pipe holds
    thread = threading.Thread(target=drain)
    thread.start()
    write_all(writer, data)
    os.close(writer)
    thread.join()
    os.close(reader)
    assert received == data


def test_flush_waits_for_the_disk_only_where_asked(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(lines_module.os, "fsync", synced.append)
    lazy = open_output(tmp_path / "lazy.jsonl")
    lazy.flush()
    assert not synced
    lazy.close()
    durable = open_output(tmp_path / "durable.jsonl", fsync=True)
    assert len(synced) == 1  # the folder that the new file's name is in
    durable.flush()
    assert len(synced) == 2
    durable.close()


def test_errors_of_the_disk_are_export_errors(tmp_path):
    sink = open_output(tmp_path / "out.jsonl", fsync=True)
    os.close(sink._fd)
    for call in (sink.flush, lambda: sink.append([b"1"]), sink.close):
        with pytest.raises(ExportError, match=r"out\.jsonl: can't be written: Bad file descriptor"):
            call()
    sink.close()


@PLAIN_AND_GZIP
def test_a_closed_sink_refuses_lines(tmp_path, suffix):
    sink = open_output(tmp_path / f"out{suffix}")
    sink.append([b"1"])
    sink.close()
    with pytest.raises(ExportError):
        sink.append([b"2"])
    assert read(tmp_path / f"out{suffix}") == [b"1"]


def test_small_groups_compress_nearly_like_one_stream(tmp_path):
    lines = [
        json.dumps({"url": f"https://example.org/books/{n}", "title": f"Book {n * 7919 % 1000}"}).encode()
        for n in range(500)
    ]
    sink = open_output(tmp_path / "out.gz")
    for line in lines:
        sink.append([line])
    sink.close()
    assert read(tmp_path / "out.gz") == lines
    whole = b"\n".join(lines)
    assert (tmp_path / "out.gz").stat().st_size < len(whole) / 2
    assert sum(len(gzip.compress(line)) for line in lines) > len(whole)  # as one member a group would be
