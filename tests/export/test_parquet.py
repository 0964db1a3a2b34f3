"""Parquet, as its readers see it: what was written is read again with pyarrow."""

from __future__ import annotations

import io
import json
import tracemalloc

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from scrapekit.errors import ExportError, OutputError
from scrapekit.export import Options, extras, open_output, resume_output
from scrapekit.export.parquet import write_parquet
from scrapekit.export.parts import Limits


def table(items, fields=None, compression="zstd"):
    """What a reader finds in a file of these items."""
    lines = [msgspec.json.encode(item) for item in items]
    file = io.BytesIO()
    write_parquet(lambda: lines, file, fields, compression)
    return parquet.read_table(io.BytesIO(file.getvalue()))


def column(*values):
    """The type and the values that a field comes to."""
    found = table([{"x": value} for value in values])["x"]
    return str(found.type), found.to_pylist()


def test_columns_have_the_types_of_all_items_and_null_where_one_has_no_such_field():
    items = [
        {"title": "Ä", "price": 3, "stock": True},
        {"title": None, "price": 2.5, "rating": 9},
        {"tags": ["x", None], "by": {"name": "A", "born": 1900}},
        {"by": {"name": "B", "died": None}},
    ]
    found = table(items)
    assert {field.name: str(field.type) for field in found.schema} == {
        "title": "string",
        "price": "double",
        "stock": "bool",
        "rating": "int64",
        "tags": "list<element: string>",
        "by": "struct<name: string, born: int64, died: string>",
    }
    assert found.column_names == ["title", "price", "stock", "rating", "tags", "by"]
    assert found.to_pylist()[3]["by"] == {"name": "B", "born": None, "died": None}
    assert found["price"].to_pylist() == [3.0, 2.5, None, None]
    assert found["tags"].to_pylist() == [None, None, ["x", None], None]


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        ((1, "one"), "string", ["1", '"one"']),
        ((True, 1), "string", ["true", "1"]),
        ((1, [1]), "string", ["1", "[1]"]),
        (([1], {"a": 1}), "string", ["[1]", '{"a":1}']),
        (({"a": 1}, "x"), "string", ['{"a":1}', '"x"']),
        ((2**53 + 1, 0.5), "string", [str(2**53 + 1), "0.5"]),
        ((2**63, 1), "string", [str(2**63), "1"]),
        (({}, None), "string", ["{}", None]),
        ((None, None), "string", [None, None]),
        ((-(2**63), 1), "int64", [-(2**63), 1]),
        ((2**53, 0.5), "double", [2.0**53, 0.5]),
        (([1, "x"], ["y"]), "list<element: string>", [["1", '"x"'], ['"y"']]),
        (({"a": 1}, {"a": "x", "b": 1}), "struct<a: string, b: int64>", [{"a": "1", "b": None}, {"a": '"x"', "b": 1}]),
        (([], None), "list<element: string>", [[], None]),
    ],
    ids=str,
)
def test_values_that_fit_no_one_type_become_json_text_and_no_more_than_those(values, kind, read):
    assert column(*values) == (kind, read)


def test_an_object_with_data_for_its_keys_is_json_text_not_a_thousand_columns():
    kind, (value,) = column({str(number): number for number in range(1001)})
    assert kind == "string"
    assert json.loads(value)["1000"] == 1000


def test_a_very_deep_value_is_json_text_at_its_depth():
    value = "x"
    for _ in range(100):
        value = {"in": [value]}
    _, (read,) = column(value)
    depth = 0
    while not isinstance(read, str):
        read = read["in"][0] if isinstance(read, dict) else read[0]
        depth += 1
    assert 10 < depth < 40
    assert '"x"' in read


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", ""]), JSON, max_size=3), max_size=4))
def test_any_item_can_be_told_from_its_row(items):
    items = [json.loads(msgspec.json.encode(item)) for item in items]
    found = table(items)
    assert found.num_rows == len(items) or not found.column_names
    for read, item in zip(found.to_pylist(), items, strict=False):
        for name, value in read.items():
            assert told(value, item.get(name))


def told(read, value):
    """Whether what was read says what was written: as it is, or as JSON; a struct has null for what is missing."""
    if isinstance(read, dict) and isinstance(value, dict):
        return all(told(inner, value.get(name)) for name, inner in read.items()) and value.keys() <= read.keys()
    if isinstance(read, list) and isinstance(value, list):
        return len(read) == len(value) and all(map(told, read, value))
    return read == value or (isinstance(read, str) and json.loads(read) == value)


def test_the_columns_that_were_asked_for():
    found = table([{"a": 1, "b": 2}], fields=("b", "missing", "b"))
    assert found.column_names == ["b", "missing"]
    assert found.to_pylist() == [{"b": 2, "missing": None}]


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "none"])
def test_columns_are_compressed_as_the_settings_say(tmp_path, compression):
    path = tmp_path / "x.parquet"
    sink = open_output(path, options=Options(compression=compression))
    sink.append([b'{"a":1}'])
    sink.finish()
    sink.close()
    said = parquet.ParquetFile(path).metadata.row_group(0).column(0).compression
    assert said == {"none": "UNCOMPRESSED"}.get(compression, compression.upper())
    assert [each.name for each in tmp_path.iterdir()] == ["x.parquet"]


def test_many_items_are_written_in_row_groups_with_flat_memory():
    line = msgspec.json.encode({"text": "x" * 2000, "n": 1, "tags": ["a", "b"]})

    def lines():
        return (line for _ in range(30_000))  # 60 MB

    file = io.BytesIO()
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        write_parquet(lines, file, None, "zstd")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20 << 20
    assert pa.total_allocated_bytes() - before < 32 << 20
    whole = parquet.ParquetFile(io.BytesIO(file.getvalue()))
    assert whole.metadata.num_rows == 30_000
    assert whole.num_row_groups >= 3
    assert max(whole.metadata.row_group(number).total_byte_size for number in range(whole.num_row_groups)) < 32 << 20


def test_items_with_data_for_names_of_fields_take_no_more_memory(monkeypatch):
    monkeypatch.setattr("scrapekit.export.parquet._CELLS", 5_000)
    items = [{f"{number}-{key}": key for key in range(3)} for number in range(200)]  # 600 columns
    lines = [msgspec.json.encode(item) for item in items]
    file = io.BytesIO()
    tracemalloc.start()
    try:
        write_parquet(lambda: lines, file, None, "zstd")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 << 20
    read = parquet.read_table(io.BytesIO(file.getvalue())).to_pylist()
    assert [{name: value for name, value in row.items() if value is not None} for row in read] == items


def test_a_resumed_crawl_has_what_was_committed_and_nothing_else(tmp_path):
    path, spool = tmp_path / "x.parquet", tmp_path / "items.jsonl"
    sink = open_output(path, spool=spool)
    sink.append([b'{"a":1}'])
    committed = sink.position()
    sink.append([b'{"a":"never committed"}'])
    sink.close()
    assert not path.exists()
    resumed = resume_output(path, committed, spool=spool)
    resumed.append([b'{"a":2}'])
    resumed.finish()
    resumed.close()
    assert parquet.read_table(path).to_pylist() == [{"a": 1}, {"a": 2}]


def test_a_crawl_without_items_gives_a_whole_file_too():
    assert table([]).num_rows == 0


def test_what_arrow_refuses_is_an_export_error(monkeypatch):
    def from_pylist(*_):
        raise pa.ArrowInvalid("no")

    monkeypatch.setattr(pa, "RecordBatch", type("Refusing", (), {"from_pylist": staticmethod(from_pylist)}))
    with pytest.raises(ExportError, match="can't be written as Parquet: no"):
        table([{"a": 1}])


def test_a_disk_that_is_full_is_an_export_error(tmp_path):
    path = tmp_path / "x.parquet"
    sink = open_output(path, spool=tmp_path / "items.jsonl")
    (tmp_path / ".x.parquet.part").symlink_to("/dev/full")
    sink.append([b'{"a":1}'])
    with pytest.raises(ExportError, match=r"x\.parquet: can't be written: No space left on device"):
        sink.finish()
    sink.close()
    assert {path.name for path in tmp_path.iterdir()} == {"items.jsonl"}  # half a file would only keep the disk full
    assert (tmp_path / "items.jsonl").read_bytes() == b'{"a":1}\n'


def test_where_pyarrow_is_missing_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    for opened in (lambda: open_output(tmp_path / "x.parquet"), lambda: resume_output(tmp_path / "x.parquet", {})):
        with pytest.raises(OutputError, match=r"needs pyarrow, .* pip install '\.\[parquet\]'"):
            opened()
    assert not list(tmp_path.iterdir())


def test_each_part_is_a_whole_file_whose_columns_are_those_of_its_own_items(tmp_path):
    sink = open_output(tmp_path / "x-{part}.parquet", parts=Limits(items=2), spool=tmp_path / "items.jsonl")
    sink.append([b'{"a":1}', b'{"a":2}', b'{"a":"x"}'])
    sink.committed()
    sink.finish()
    sink.close()
    first, second = (parquet.read_table(tmp_path / f"x-0000{number}.parquet") for number in (1, 2))
    assert first.to_pylist() == [{"a": 1}, {"a": 2}]
    assert second.to_pylist() == [{"a": "x"}]
