"""Formats that are made at the end: CSV, JSON, XML."""

from __future__ import annotations

import csv
import gzip
import io
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from scrapekit.errors import ExportError, OutputError, OutputMismatch
from scrapekit.export import Options, open_output, resume_output
from scrapekit.export import formats as formats_module

ITEMS = [{"title": "Ä, b", "price": 3, "tags": ["x", "y"]}, {"title": None, "in stock": True}, {"title": 'a\n"q"'}]


def made(path, items=ITEMS, **options):
    """What is at ``path`` after a whole crawl."""
    sink = open_output(path, overwrite=True, **options)
    for item in items:
        sink.append([msgspec.json.encode(item)])
    sink.finish()
    sink.close()
    return path.read_bytes()


def rows(data):
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_a_csv_has_the_columns_of_all_items_in_the_order_in_which_they_came(tmp_path):
    assert rows(made(tmp_path / "x.csv")) == [
        ["title", "price", "tags", "in stock"],
        ["Ä, b", "3", '["x","y"]', ""],
        ["", "", "", "true"],
        ['a\n"q"', "", "", ""],
    ]


def test_a_csv_has_the_columns_that_were_asked_for(tmp_path):
    data = made(tmp_path / "x.csv", options=Options(fields=("price", "missing")))
    assert rows(data) == [["price", "missing"], ["3", ""], ["", ""], ["", ""]]


def test_a_spreadsheet_takes_no_text_of_a_safe_csv_for_a_formula(tmp_path):
    items = [{"=name": value} for value in ("=1+1", "+x", "-x", "@x", "\tx", "\n=1", "\uff1d1", "-12.5", "x=1", -3)]
    safe = [row[0] for row in rows(made(tmp_path / "x.csv", items, options=Options(spreadsheet_safe=True)))]
    assert safe == ["'=name", "'=1+1", "'+x", "'-x", "'@x", "'\tx", "'\n=1", "'\uff1d1", "-12.5", "x=1", "-3"]
    plain = [row[0] for row in rows(made(tmp_path / "x.csv", items))]
    assert plain[:2] == ["=name", "=1+1"]


def test_json_is_an_array_with_one_item_a_line(tmp_path):
    data = made(tmp_path / "x.json")
    assert json.loads(data) == ITEMS
    assert len(data.splitlines()) == len(ITEMS) + 2


def test_xml_holds_what_the_items_hold(tmp_path):
    items = [*ITEMS, {"a": {"b": [1, None]}, "bad\0name": "bell\a"}]
    root = etree.fromstring(made(tmp_path / "x.xml", items))
    assert [item.tag for item in root] == ["item"] * 4
    assert root.xpath("item[1]/title/text()") == ["Ä, b"]
    assert root.xpath("item[1]/tags/value/text()") == ["x", "y"]
    assert root.xpath("item[2]/field[@name='in stock']/text()") == ["true"]
    assert root.xpath("item[4]/a/b/value[1]/text()") == ["1"]
    assert root.xpath("item[4]/field/@name") == ["bad\ufffdname"]
    assert root.xpath("item[4]/field/text()") == ["bell\ufffd"]


def test_what_is_too_deep_for_readers_of_xml_is_json_in_its_element(tmp_path):
    item = {"a": 1}
    for _ in range(498):
        item = {"a": [item]} if len(str(item)) % 2 else {"a": item}
    root = etree.fromstring(made(tmp_path / "x.xml", [item]))
    (innermost,) = root.xpath("//a[not(*)] | //value[not(*)]")
    inner = json.loads(innermost.text)
    for _ in innermost.xpath("ancestor-or-self::*[ancestor::item]"):
        item = item["a"] if isinstance(item, dict) else item[0]
    assert inner == item


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=3), max_size=4))
def test_any_items_can_be_written_in_any_format(items):
    lines = [msgspec.json.encode(item) for item in items]
    for name in (".json", ".csv", ".xml"):
        file = io.BytesIO()
        formats_module._WRITERS[name](lambda: lines, file, Options())
        if name == ".json":
            assert json.loads(file.getvalue()) == items
        elif name == ".csv":
            header, *found = rows(file.getvalue()) or [[]]
            assert len(found) == (len(items) if header else 0)
            assert all(len(row) == len(header) for row in found)
        else:
            assert len(etree.fromstring(file.getvalue())) == len(items)


@pytest.mark.parametrize(
    ("name", "opened"),
    [("x.csv.gz", gzip.decompress), ("x.JSON.GZ", gzip.decompress), ("x.jsonl.zst", formats_module.zstd.decompress)],
)
def test_what_is_packed_holds_the_same_and_is_the_same_each_time(tmp_path, name, opened):
    first = made(tmp_path / name)
    assert made(tmp_path / name) == first
    plain = tmp_path / name.rpartition(".")[0]
    assert opened(first) == made(plain)


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.xml"])
def test_a_crawl_without_items_gives_a_whole_file_too(tmp_path, name):
    data = made(tmp_path / name, [])
    if name == "x.json":
        assert json.loads(data) == []
    elif name == "x.xml":
        assert len(etree.fromstring(data)) == 0
    else:
        assert data == b""


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    sink = open_output(path, overwrite=True)
    sink.append([b'{"a":1}'])
    assert path.read_text() == "old"
    sink.finish()
    assert json.loads(path.read_bytes()) == [{"a": 1}]
    sink.close()
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


def test_what_was_committed_is_in_the_file_of_a_resumed_crawl_and_nothing_else(tmp_path):
    path, spool = tmp_path / "x.json", tmp_path / "items.jsonl"
    sink = open_output(path, spool=spool)
    sink.append([b'{"a":1}'])
    committed = sink.position()
    sink.append([b'{"a":"never committed"}'])
    sink.close()
    resumed = resume_output(path, committed, spool=spool)
    assert resumed.cut > 0
    resumed.append([b'{"a":2}'])
    resumed.flush()
    resumed.finish()
    resumed.close()
    assert json.loads(path.read_bytes()) == [{"a": 1}, {"a": 2}]
    assert spool.exists()


def test_a_finished_file_can_be_made_again(tmp_path):
    path, spool = tmp_path / "x.csv", tmp_path / "items.jsonl"
    sink = open_output(path, spool=spool, fsync=True)
    sink.append([b'{"a":1}'])
    sink.finish()
    committed = sink.position()
    sink.close()
    path.unlink()
    again = resume_output(path, committed, spool=spool)
    again.finish()
    again.close()
    assert rows(path.read_bytes()) == [["a"], ["1"]]


def test_a_spool_that_is_gone_is_said(tmp_path):
    sink = open_output(tmp_path / "x.csv", spool=tmp_path / "items.jsonl")
    sink.append([b'{"a":1}'])
    committed = sink.position()
    sink.close()
    (tmp_path / "items.jsonl").unlink()
    with pytest.raises(OutputMismatch, match=r"items\.jsonl is gone"):
        resume_output(tmp_path / "x.csv", committed, spool=tmp_path / "items.jsonl")


def test_a_file_that_cannot_be_made_is_an_error_and_the_lines_stay(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    sink = open_output(folder / "x.csv", spool=tmp_path / "items.jsonl")
    sink.append([b'{"a":1}'])
    folder.rmdir()
    with pytest.raises(ExportError, match=r"x\.csv: can't be written"):
        sink.finish()
    sink.close()
    assert (tmp_path / "items.jsonl").read_bytes() == b'{"a":1}\n'


def test_what_cannot_be_made_at_the_end_is_found_at_the_start(tmp_path):
    (tmp_path / "there.csv").write_text("a\n1\n")
    with pytest.raises(OutputError, match=r"there\.csv: can't be appended to.*-O"):
        open_output(tmp_path / "there.csv")
    with pytest.raises(OutputError, match="does not exist; create it first"):
        open_output(tmp_path / "no" / "x.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        open_output(tmp_path / "folder.csv", overwrite=True)
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(OutputError, match="so it can't go to a pipe"):
        open_output(tmp_path / "pipe.csv", overwrite=True)


def test_a_folder_that_takes_no_files_is_found_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(OutputError, match="no file can be made in"):
        open_output(tmp_path / "x.csv")
