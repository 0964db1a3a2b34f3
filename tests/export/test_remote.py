"""Files elsewhere: in memory, on a file system that fails, and in real processes that are killed by file://."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import fsspec
import msgspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry
from pyarrow import parquet

import scrapekit
from scrapekit import Spider
from scrapekit.errors import ExportError, OutputError
from scrapekit.export import extras, open_output, resume_output
from scrapekit.export.parts import Limits
from scrapekit.testing import SampleSite, serve
from scrapekit.testing.mortal import VARIABLE

ROOT = Path(__file__).parents[2]
ITEMS = [{"a": 1, "b": "ä"}, {"a": 2, "c": [1]}]
LINES = [msgspec.json.encode(item) for item in ITEMS]


class Troubled(MemoryFileSystem):
    """A store in memory that can fail, and tells what it was asked to do."""

    protocol = "troubled"
    store: dict = {}
    pseudo_dirs = [""]
    fails: list = []  # what is to fail, once each, for any file or for one
    done: list = []

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.partition("://")[2] or path)

    def _step(self, name, path):
        self.done.append((name, path))
        if failing := {name, f"{name} {path.rpartition('/')[2]}"} & {*self.fails}:
            self.fails.remove(failing.pop())
            raise OSError(f"no {name} today\nsecret line at troubled://user:hidden@host")

    def put_file(self, lpath, rpath, **kwargs):
        self._step("put", rpath)
        super().put_file(lpath, rpath, **kwargs)

    def mv(self, path1, path2, **kwargs):
        self._step("mv", path2)
        super().mv(path1, path2, **kwargs)

    def exists(self, path, **kwargs):
        self._step("exists", path)
        return super().exists(path, **kwargs)


class Immovable(Troubled):
    protocol = "immovable"

    def mv(self, path1, path2, **kwargs):
        raise NotImplementedError


class Store(Troubled):
    """One where an upload shows when it is complete, as in s3://."""

    protocol = ("s3", "s3a")


for kind in (Troubled, Immovable):
    fsspec.register_implementation(kind.protocol, kind, clobber=True)


@pytest.fixture(autouse=True)
def _stores():
    yield
    for kind in (MemoryFileSystem, Troubled):
        kind.store.clear()
        kind.pseudo_dirs[:] = [""]
    Troubled.fails.clear()
    Troubled.done.clear()


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where files lie that nobody is to see."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def sent(url, lines=LINES, **options):
    """What a reader finds after a whole crawl, where there was nothing before its end."""
    fs, path = fsspec.core.url_to_fs(url)
    before = fs.cat_file(path) if fs.exists(path) else None
    sink = open_output(url, **options)
    sink.append(lines)
    sink.flush()
    sink.committed()
    assert (fs.cat_file(path) if fs.exists(path) else None) == before
    sink.finish()
    sink.close()
    return fs.cat_file(path)


def test_a_file_elsewhere_is_sent_whole_at_the_end(temporary):
    data = sent("memory://bucket/a/items.jsonl")
    assert data == b"".join(line + b"\n" for line in LINES)
    assert fsspec.filesystem("memory").find("/bucket") == ["/bucket/a/items.jsonl"]
    assert not list(temporary.iterdir())


def test_any_format_can_be_sent(temporary):
    assert json.loads(sent("memory://b/x.json")) == ITEMS
    assert next(csv.reader(io.StringIO(sent("memory://b/x.csv").decode()))) == ["a", "b", "c"]
    assert gzip.decompress(sent("memory://b/x.jsonl.gz")) == b"".join(line + b"\n" for line in LINES)
    assert gzip.decompress(sent("memory://b/x.csv.gz")) == sent("memory://b/y.csv")
    assert sent("memory://b/x.xml").startswith(b"<?xml")
    assert parquet.read_table(io.BytesIO(sent("memory://b/x.parquet"))).num_rows == 2
    assert sent("memory://b/data") == sent("memory://b/other.txt")
    assert not list(temporary.iterdir())


def test_what_is_there_can_not_be_appended_to_but_overwritten():
    sent("memory://b/x.jsonl")
    with pytest.raises(OutputError, match=r"^memory://b/x.jsonl: can't be appended to, .* overwrite it with -O"):
        open_output("memory://b/x.jsonl")
    assert sent("memory://b/x.jsonl", LINES[:1], overwrite=True) == LINES[0] + b"\n"


@pytest.mark.parametrize("step", ["put", "mv"])
def test_a_file_that_could_not_be_sent_is_sent_by_the_next_run(tmp_path, step):
    spool = tmp_path / "items.jsonl"
    sink = open_output("troubled://b/x.csv", spool=spool)
    sink.append(LINES)
    Troubled.fails.append(step)
    with pytest.raises(ExportError, match=f"^troubled://b/x.csv: can't be sent: no {step} today") as caught:
        sink.finish()
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)
    position = sink.position()
    sink.close()
    fs = fsspec.filesystem("troubled")
    assert fs.find("/b") == []
    resumed = resume_output("troubled://b/x.csv", position, spool=spool)
    resumed.finish()
    resumed.finish()
    resumed.close()
    assert fs.find("/b") == ["/b/x.csv"]
    assert fs.cat_file("/b/x.csv").startswith(b"a,b,c\r\n1,")
    assert list(tmp_path.iterdir()) == [spool]


def test_a_file_system_that_can_not_move_files_gets_it_in_one_go():
    assert sent("immovable://b/x.jsonl") == b"".join(line + b"\n" for line in LINES)
    assert [each for each in Troubled.done if each[0] == "put"][-1] == ("put", "/b/x.jsonl")


def test_a_store_where_uploads_show_when_they_are_complete_gets_it_in_one_go(monkeypatch):
    monkeypatch.setitem(_registry, "s3", Store)
    assert sent("s3://b/x.jsonl") == b"".join(line + b"\n" for line in LINES)
    assert [name for name, _ in Troubled.done if name != "exists"] == ["put"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://u:hidden@example.org/x.jsonl", "the web can't be written to"),
        ("nosuch://x/y.jsonl", "the output can't be opened: Protocol not known: nosuch"),
        ("hdfs://x/y.jsonl", "the output can't be opened|needs a library"),
        ("gs://x/y.jsonl", "gs:// needs a library that is not installed here: .*gcsfs"),
        ("s3://b.jsonl", "names no file|needs a library"),
        ("memory://b/x.xlsx", r"\.xlsx is not available"),
        ("file:///no/such/folder/x.jsonl", "the folder /no/such/folder does not exist; create it first"),
    ],
    ids=["the web", "a typo", "hdfs", "no library", "no path", "no format", "no folder"],
)
def test_what_can_not_be_used_is_one_line_at_the_start(url, said, temporary):
    with pytest.raises(OutputError, match=said) as caught:
        open_output(url)
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert not list(temporary.iterdir())


THREE = Limits(items=3)


def numbered(*numbers):
    return [b'{"n":%d}' % number for number in numbers]


def commit(sink, *numbers):
    """As the engine does: the position that is stored, as it is read again."""
    sink.append(numbered(*numbers))
    sink.flush()
    position = json.loads(json.dumps(sink.position()))
    sink.committed()
    return position


def first_of(line):
    return next(iter(json.loads(line).values()))


def parts(fs, folder):
    """What the listed parts hold, each of which is as the manifest says; and whether all are there."""
    manifest = json.loads(fs.cat_file(f"{folder}/out.manifest.json"))
    found = []
    for number, part in enumerate(manifest["parts"], 1):
        content = fs.cat_file(f"{folder}/{part['file']}")
        assert (part["bytes"], part["sha256"]) == (len(content), sha256(content).hexdigest())
        if ".gz" in part["file"]:
            content = gzip.decompress(content)
        lines = content.splitlines()
        items = [int(row) for row in lines[1:]] if ".csv" in part["file"] else [first_of(line) for line in lines]
        found.append(items)
        assert (part["number"], part["items"]) == (number, len(items)) == (number, part["last"] - part["first"] + 1)
    listed = {part["file"] for part in manifest["parts"]} | {"out.manifest.json"}
    assert listed == {path.rpartition("/")[2] for path in fs.ls(folder, detail=False)}
    return found, manifest["complete"]


@pytest.mark.parametrize("name", ["out-{part}.jsonl", "out-{part}.csv.gz"])
def test_a_part_elsewhere_is_sent_when_it_is_complete_and_then_listed(name, tmp_path, temporary):
    for url in (f"memory://b/c/{name}", f"file://{tmp_path}/c/{name}"):
        fs, path = fsspec.core.url_to_fs(url)
        folder = path.rpartition("/")[0]
        for numbers, options, whole in (
            (range(1, 8), {}, [[1, 2, 3], [4, 5, 6], [7]]),
            (range(8, 10), {}, [[1, 2, 3], [4, 5, 6], [7], [8, 9]]),
            (range(1, 5), {"overwrite": True}, [[1, 2, 3], [4]]),
        ):
            sink = open_output(url, parts=THREE, parents=True, **options)
            commit(sink, *numbers)
            assert parts(fs, folder) == (whole[:-1], False)
            sink.finish()
            sink.close()
            assert parts(fs, folder) == (whole, True)
    assert not list(temporary.iterdir())


def opened(tmp_path, name="out-{part}.csv", **options):
    return open_output(f"troubled://b/c/{name}", parts=THREE, spool=tmp_path / "items.jsonl", **options)


def resumed(tmp_path, position):
    return resume_output("troubled://b/c/out-{part}.csv", position, parts=THREE, spool=tmp_path / "items.jsonl")


@pytest.mark.parametrize(
    "step",
    ["put .out-00001.csv.part", "mv out-00001.csv", "put .out.manifest.json.part", "mv out.manifest.json"],
)
def test_a_part_that_could_not_be_sent_or_listed_is_by_the_next_run(tmp_path, step):
    fs = Troubled()
    sink = opened(tmp_path)
    commit(sink)
    sink.append(numbered(1, 2, 3, 4))
    position = json.loads(json.dumps(sink.position()))
    Troubled.fails.append(step)
    with pytest.raises(ExportError, match=r"troubled://b/c/out\S+: can't be sent: no (put|mv) today"):
        sink.committed()
    sink.close()
    assert not any(path.endswith(".part") for path in fs.find("b"))
    again = resumed(tmp_path, position)
    commit(again, 5, 6, 7)
    again.finish()
    again.close()
    assert parts(fs, "/b/c") == ([[1, 2, 3], [4, 5, 6], [7]], True)


def test_parts_elsewhere_begin_at_the_committed_position_again(tmp_path):
    sink = opened(tmp_path)
    commit(sink, 1, 2, 3, 4)
    position = commit(sink, 5)
    sink.append(numbered(90, 91, 92, 93))
    sink.close()
    again = resumed(tmp_path, position)
    commit(again, 6, 7)
    again.finish()
    again.close()
    assert parts(Troubled(), "/b/c") == ([[1, 2, 3], [4, 5, 6], [7]], True)


def test_a_folder_elsewhere_that_can_not_be_read_is_said_at_the_start(tmp_path, monkeypatch):
    with closing(opened(tmp_path)) as sink:
        position = commit(sink, 1, 2, 3, 4)

    def no(*_, **__):
        raise OSError("no list today")

    with monkeypatch.context() as patch:
        patch.setattr(Troubled, "cat_file", no)
        with pytest.raises(OutputError, match="^troubled://b/c/out.manifest.json: can't be read: no list today$"):
            resumed(tmp_path, position)
    with monkeypatch.context() as patch:
        patch.setattr(Troubled, "ls", no)
        with pytest.raises(OutputError, match="the folder can't be read: no list today"):
            opened(tmp_path, overwrite=True)
    Troubled().pipe_file("b/c/out-00002.csv", b"old")
    with closing(opened(tmp_path, overwrite=True)) as sink, monkeypatch.context() as patch:
        patch.setattr(Troubled, "rm_file", no)
        with pytest.raises(ExportError, match="out-00002.csv: can't be removed: no list today"):
            commit(sink)
    with monkeypatch.context() as patch:
        patch.setattr(Troubled, "makedirs", no)
        with pytest.raises(OutputError, match="the folder can't be created: no list today"):
            opened(tmp_path, parents=True)


def test_parts_in_a_store_are_sent_in_one_go_and_need_no_folder(monkeypatch):
    monkeypatch.setitem(_registry, "s3", Store)
    sink = open_output("s3://b/c/out-{part}.jsonl", parts=THREE, parents=True)
    commit(sink, 1, 2, 3, 4)
    sink.finish()
    sink.close()
    assert [path for name, path in Troubled.done if name == "put"] == [
        f"/b/c/out{name}" for name in ("-00001.jsonl", ".manifest.json", "-00002.jsonl", ".manifest.json")
    ]
    with pytest.raises(OutputError, match="^s3://b.manifest.json: names no file: after the bucket"):
        open_output("s3://b-{part}.jsonl", parts=THREE)


def test_a_table_can_not_be_in_parts():
    with pytest.raises(OutputError, match="only files can be written in parts"):
        open_output("sqlite:///items.db?table={part}", parts=THREE)


def test_a_store_that_can_not_be_reached_is_found_at_the_start():
    Troubled.fails.append("exists")
    with pytest.raises(OutputError, match="^troubled://b/x.jsonl: the output can't be opened: no exists today"):
        open_output("troubled://b/x.jsonl")


def test_where_fsspec_is_missing_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(OutputError, match=r"needs fsspec, .* pip install '\.\[remote\]'"):
        open_output("s3://u:hidden@b/x.jsonl")


def test_folders_are_made_where_the_settings_name_them(tmp_path):
    open_output(f"file://{tmp_path}/a/b/x.jsonl", parents=True).close()
    sink = open_output(f"file://{tmp_path}/a/b/x.jsonl", parents=True)
    sink.append(LINES)
    sink.finish()
    sink.close()
    assert (tmp_path / "a" / "b" / "x.jsonl").read_bytes() == b"".join(line + b"\n" for line in LINES)


class Books(Spider):
    def parse(self, response):
        yield {"url": response.url, "path": object()} if response.url.endswith("missing") else {"url": response.url}


def test_the_library_sends_files_too(temporary):
    with serve(SampleSite(books=5, retry_after=0)) as server:
        report = scrapekit.run(Books, output="memory://b/books.csv", start_urls=[f"{server.url}/"])
        assert report.output == "memory://b/books.csv"
        assert fsspec.filesystem("memory").cat_file("/b/books.csv").startswith(b"url\r\nhttp://127.")
        Troubled.fails.append("put")
        with pytest.raises(ExportError, match="no put today"):
            scrapekit.run(Books, output="troubled://b/books.csv", start_urls=[f"{server.url}/"])
    assert not list(temporary.iterdir())


OUTPUTS = """
export:
  - {path: OUT/a.jsonl}
  - {path: OUT/b.csv.gz}
  - {path: OUT/c.parquet}
  - {path: "PARTS/out-{part}.jsonl", parts: {items: 9}}
"""


def test_a_crawl_that_is_killed_over_and_over_sends_whole_files_that_hold_each_item_once(tmp_path):
    (tmp_path / "spiders").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "spiders" / "books.py").write_bytes((ROOT / "spiders" / "books.py").read_bytes())
    out = tmp_path / "out"
    site = SampleSite(books=40, retry_after=0)

    def run(*arguments, point=""):
        return subprocess.run(
            [sys.executable, "-m", "scrapekit.testing.mortal", "crawl", "books", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: point, "NO_COLOR": "1"}, cwd=tmp_path,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
        )  # fmt: skip

    with serve(site) as server:
        url = f"{server.url}/"
        (tmp_path / "settings.yaml").write_text(
            OUTPUTS.replace("OUT", f"file://{out}").replace("PARTS", f"file://{tmp_path}/parts")
        )
        arguments = ["-a", f"url={url}", "-s", "crawl.quarantine_after=100", "-s", "throttle.maxsize=3"]
        points = (
            "before COMMIT:3",
            "torn append:2",
            "before rename:3",  # of a part
            "after rename:2",
            "mid-finalise:3",  # of the files at the end
            "before rename:4",
            "mid-finalise:4",
        )
        for point in points:
            ran = run(*arguments, point=point)
            assert ran.returncode == -signal.SIGKILL, ran.stderr
            arguments = ["--resume"]
            if point.endswith(("COMMIT:3", "append:2")):
                assert not list(out.iterdir())
        out.rename(tmp_path / "away")
        (tmp_path / "out").write_text("in its place")
        failed = run("--resume")
        assert failed.returncode == 1
        assert "can't be sent: " in failed.stderr
        assert "to go on: scrapekit crawl books --resume " in failed.stderr
        out.unlink()
        (tmp_path / "away").rename(out)
        done = run("--resume")
        assert done.returncode == 0, done.stderr
        (tmp_path / "settings.yaml").unlink()
        again = run("-a", f"url={url}", "-o", f"file://{out}/a.jsonl")
        assert again.returncode == 2
        assert "can't be appended to" in again.stderr
        expected = sorted(book["url"] for book in site.expected_books(url))
    lines = [json.loads(line) for line in (out / "a.jsonl").read_bytes().splitlines()]
    assert sorted(line["url"] for line in lines) == expected
    with gzip.open(out / "b.csv.gz", "rt", newline="") as file:
        assert [row["url"] for row in csv.DictReader(file)] == [line["url"] for line in lines]
    assert parquet.read_table(out / "c.parquet").to_pylist() == lines
    assert sorted(path.name for path in out.iterdir()) == ["a.jsonl", "b.csv.gz", "c.parquet"]
    listed, complete = parts(fsspec.filesystem("file"), str(tmp_path / "parts"))
    assert complete
    assert [len(part) for part in listed] == [9, 9, 9, 9, 4]
    assert [title for part in listed for title in part] == [line["title"] for line in lines]
