"""Tables as outputs: what is in them after a crawl, after a crash and a resume, and beside what others have made."""

from __future__ import annotations

import json
import logging
from contextlib import closing

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrapekit.errors import ExportError, OutputError, OutputMismatch
from scrapekit.export import Options, open_output, resume_output


def encoded(items):
    return [msgspec.json.encode(item) for item in items]


def loaded(target, *groups, spool=None, **options):
    """Write groups of items, each committed, to the end; the last position."""
    sink = open_output(target, spool=spool, **options)
    try:
        for group in groups:
            sink.append(encoded(group))
            sink.committed()
        sink.committed()
        sink.finish()
        return json.loads(json.dumps(sink.position()))
    finally:
        sink.close()


def rows(database, columns, table="items"):
    return database.run(f'SELECT {columns} FROM "{table}" ORDER BY "_n"')


def test_an_item_is_a_row_and_a_field_a_column(database):
    loaded(f"{database.url}?table=quotes", [{"text": "Ä", "n": 1}, {"text": None}], [{"n": 2, "score": 0.5}])
    assert rows(database, "text, n, score", "quotes") == [("Ä", 1, None), (None, None, None), (None, 2, 0.5)]
    assert [row[0] for row in rows(database, '"_n"', "quotes")] == [1, 2, 3]
    assert len({row[0] for row in rows(database, '"_job"', "quotes")}) == 1


def test_the_table_is_called_items_unless_the_url_says(database):
    loaded(database.url, [{"a": 1}])
    assert rows(database, "a", "items") == [(1,)]


def test_what_is_nested_is_json(database):
    loaded(database.url, [{"tags": ["x", {"y": None}], "by": {"name": "A"}, "huge": 2**70}])
    [(tags, by, huge)] = rows(database, 'tags, "by", huge')
    assert [json.loads(text) for text in (tags, by, huge)] == [["x", {"y": None}], {"name": "A"}, 2**70]


@pytest.mark.parametrize("database", ["sqlite", "sqlite+pysqlite"], indirect=True)
def test_sqlite_keeps_values_as_they_are_whatever_came_before(database):
    loaded(database.url, [{"x": value} for value in (1, "007", 0.5, "text", 2**60)])
    assert [row[0] for row in rows(database, "x")] == [1, "007", 0.5, "text", 2**60]


def test_postgresql_widens_a_column_for_what_comes(postgres):
    types = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'items'"
    groups = [
        [{"a": 1, "b": True, "c": 1, "d": "x", "e": None}],
        [{"a": 2, "b": False, "c": 0.5, "d": 1, "e": 1}],
        [{"a": "three", "b": 3, "c": 2, "d": [1], "e": "x"}],
    ]
    expected = [
        {"a": "bigint", "b": "boolean", "c": "bigint", "d": "text", "e": "text"},
        {"a": "bigint", "b": "boolean", "c": "double precision", "d": "text", "e": "text"},
        {"a": "text", "b": "text", "c": "double precision", "d": "text", "e": "text"},
    ]
    sink = open_output(postgres.url)
    for group, kinds in zip(groups, expected, strict=True):
        sink.append(encoded(group))
        sink.committed()
        sink.finish()
        assert {name: kind for name, kind in postgres.run(types) if not name.startswith("_")} == kinds
    sink.close()
    assert rows(postgres, "a, b, c, d, e") == [
        ("1", "true", 1.0, "x", None),
        ("2", "false", 0.5, "1", "1"),
        ("three", "3", 2.0, "[1]", "x"),
    ]


def test_names_and_values_are_never_taken_for_sql(database):
    evil = "x\"'); DROP TABLE items; --"
    item = {evil: evil, "100%": "100%", "a:b": ":b", "q?": "?", "%s": "%s", "select": 1, "naïve €": "\\"}
    loaded(f"{database.url}?table=a%22%20%25s%3B--", [item])
    [found] = rows(
        database, ", ".join('"' + name.replace('"', '""') + '"' for name in item), 'a" %s;--'.replace('"', '""')
    )
    assert list(found) == list(item.values())


def test_what_can_be_no_column_is_left_out_and_said_once(database, caplog):
    with caplog.at_level(logging.WARNING, "scrapekit"):
        item = {"": 1, "x" * 64: 2, "nul\0": 3, "_job": "mine", "_N": 4, "a": 5}
        loaded(database.url, [item, item])
    assert rows(database, "a") == [(5,), (5,)]
    assert sum("it is left out" in record.message for record in caplog.records) == 5


def test_the_columns_that_postgresql_has_itself_are_left_out(postgres, caplog):
    with caplog.at_level(logging.WARNING, "scrapekit"):
        loaded(postgres.url, [{"xmin": 1, "ctid": 2, "XMAX": 3, "ymin": 4}])
    assert rows(postgres, '"XMAX", ymin') == [(3, 4)]
    assert sum("it is left out" in record.message for record in caplog.records) == 2


def test_pages_that_have_data_for_names_make_no_row_too_large(postgres, caplog):
    wide = {f"field {number}": "x" * (number % 30) for number in range(1200)}
    with caplog.at_level(logging.WARNING, "scrapekit"):
        loaded(postgres.url, [{"first": 1}, wide, {"first": 2}])
    assert rows(postgres, 'first, "field 1"') == [(1, None), (None, "x"), (2, None)]
    said = [record.message for record in caplog.records if "is left out" in record.message]
    assert len(said) == 100
    assert said[-1].endswith("others are too, and not named any more")


def test_a_row_that_is_too_large_for_a_table_of_ones_own_is_refused_at_once(postgres, tmp_path):
    names = [f"c{number}" for number in range(500)]
    postgres.run(f"CREATE TABLE items ({', '.join(f'{name} text' for name in names)})")
    sink = open_output(postgres.url, spool=tmp_path / "items.jsonl", options=Options(max_outage=600))
    sink.append([msgspec.json.encode(dict.fromkeys(names, "x" * 20))])
    sink.committed()
    with closing(sink), pytest.raises(ExportError, match="the database refuses the items: row is too big"):
        sink.finish()


def test_names_that_differ_by_case_only_are_one_column(database):
    loaded(database.url, [{"Title": "a"}, {"title": "b"}, {"TITLE": "left out", "Title": "c"}])
    assert [row[0] for row in rows(database, '"Title"')] == ["a", "b", "c"]


def test_a_nul_in_a_text_costs_no_item(database):
    loaded(database.url, [{"a": "x\0y"}])
    [(text,)] = rows(database, "a")
    assert text == ("x\ufffdy" if database.url.startswith("postgresql") else "x\0y")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
ITEMS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON, max_size=3), max_size=5)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ITEMS)
def test_any_items_can_be_inserted_and_told_again(database, items):
    items = json.loads(msgspec.json.encode(items))
    loaded(f"{database.url}?table=any", items, [{"a": None, "b": None, "c": None}], overwrite=True)
    database.run('DELETE FROM "any" WHERE a IS NULL AND b IS NULL AND c IS NULL')
    found = rows(database, "a, b, c", "any")
    items = [item for item in items if any(value is not None for value in item.values())]
    assert len(found) == len(items)
    for row, item in zip(found, items, strict=True):
        for read, name in zip(row, "abc", strict=True):
            value = item.get(name)
            assert read == value or json.loads(read) == value


def test_a_crawl_appends_and_another_one_overwrites(database):
    loaded(database.url, [{"a": 1}])
    loaded(database.url, [{"a": 2}])
    assert sorted(row[0] for row in rows(database, "a")) == [1, 2]
    loaded(database.url, [{"a": 3}], overwrite=True)
    assert rows(database, "a") == [(3,)]
    loaded(database.url, overwrite=True)
    assert rows(database, "a") == []


def test_until_something_is_committed_the_old_rows_are_there(database):
    loaded(database.url, [{"a": 1}])
    sink = open_output(database.url, overwrite=True)
    sink.append(encoded([{"a": 2}]))
    sink.close()
    assert rows(database, "a") == [(1,)]


def test_what_was_not_committed_is_never_inserted(database, tmp_path):
    spool = tmp_path / "items.jsonl"
    sink = open_output(database.url, spool=spool)
    sink.append(encoded([{"a": 1}]))
    committed = sink.position()
    sink.committed()
    sink.append(encoded([{"a": "never committed"}]))
    sink.finish()
    assert rows(database, "a") == [(1,)]
    sink.close()
    resumed = resume_output(database.url, committed, spool=spool)
    assert resumed.cut > 0
    resumed.append(encoded([{"a": 2}]))
    resumed.flush()
    resumed.committed()
    resumed.finish()
    resumed.close()
    assert rows(database, '"_n", a') == [(1, 1), (2, 2)]


def test_a_job_that_goes_on_inserts_what_is_missing_and_no_more(database, tmp_path):
    spool = tmp_path / "items.jsonl"
    position = loaded(database.url, [{"a": n} for n in range(1200)], spool=spool, overwrite=True)
    for _ in range(2):
        resumed = resume_output(database.url, position, spool=spool)
        resumed.committed()
        resumed.finish()
        resumed.close()
    assert [row[0] for row in rows(database, "a")] == list(range(1200))
    # As after a kill between the commit of the job and that of the database.
    database.run('DELETE FROM items WHERE "_n" > 700')
    size = sum(len(line) + 1 for line in encoded([{"a": n} for n in range(700)]))
    database.run(f"UPDATE scrapekit_outbox SET items = 700, bytes = {size}")
    resumed = resume_output(database.url, position, spool=spool)
    resumed.committed()
    resumed.finish()
    resumed.close()
    assert [row[0] for row in rows(database, "a")] == list(range(1200))


def test_an_outbox_that_somebody_has_deleted_doubles_nothing_in_our_own_table(database, tmp_path):
    spool = tmp_path / "items.jsonl"
    position = loaded(database.url, [{"a": 1}, {"a": 2}], spool=spool)
    database.run("DELETE FROM scrapekit_outbox")
    resumed = resume_output(database.url, position, spool=spool)
    resumed.committed()
    resumed.finish()
    resumed.close()
    assert rows(database, "a") == [(1,), (2,)]


def test_items_that_the_spool_has_lost_go_from_the_table_too(database, tmp_path):
    spool = tmp_path / "items.jsonl"
    sink = open_output(database.url, spool=spool)
    sink.append(encoded([{"a": 1}]))
    kept = sink.position()
    sink.append(encoded([{"a": 2}]))
    sink.committed()
    sink.finish()
    sink.close()
    resumed = resume_output(database.url, kept, spool=spool)
    resumed.append(encoded([{"a": "again"}]))
    resumed.committed()
    resumed.finish()
    resumed.close()
    assert [row[0] for row in rows(database, "CAST(a AS TEXT)")] == ["1", "again"]


def test_a_table_of_ones_own_gets_the_fields_that_it_has_and_is_not_changed(database, tmp_path, caplog):
    database.run(
        "CREATE TABLE mine (id INTEGER, title VARCHAR(20), price NUMERIC(6, 2), seen DATE DEFAULT '2026-01-01')"
    )
    item = {"Title": "x", "price": "3.50", "other": 1, "id": 7}
    spool = tmp_path / "items.jsonl"
    with caplog.at_level(logging.WARNING, "scrapekit"):
        position = loaded(f"{database.url}?table=mine", [item, {"nothing": 1}], [item], spool=spool)
    found = [tuple(map(str, row)) for row in database.run("SELECT id, title, price, seen FROM mine")]
    assert found in (
        [("7", "x", "3.50", "2026-01-01")] * 2,
        [("7", "x", "3.5", "2026-01-01")] * 2,
    )
    assert [record.message for record in caplog.records if "'other'" in record.message] == [
        "table mine has no column for the field 'other': it is left out"
    ]
    resumed = resume_output(f"{database.url}?table=mine", position, spool=spool)
    resumed.committed()
    resumed.finish()
    resumed.close()
    assert database.run("SELECT count(*) FROM mine") == [(2,)]
    with pytest.raises(OutputMismatch, match="it has more items of this job than the job has"):
        resume_output(f"{database.url}?table=mine", {**position, "items": 1}, spool=spool)


def test_a_table_of_ones_own_that_refuses_an_item_ends_the_crawl_and_keeps_the_items(database, tmp_path):
    database.run("CREATE TABLE mine (id INTEGER NOT NULL)")
    target, spool = f"{database.url}?table=mine", tmp_path / "items.jsonl"
    sink = open_output(target, spool=spool)
    sink.append(encoded([{"id": 1}, {"id": None}]))
    position = sink.position()
    sink.committed()
    with pytest.raises(
        ExportError, match=r"the database refuses the items: .*; the items stay in .*items\.jsonl$"
    ) as e:
        sink.finish()
    assert "\n" not in str(e.value)
    with pytest.raises(ExportError, match="refuses"):
        sink.committed()
    sink.close()
    assert database.run("SELECT id FROM mine") == []
    database.run("DROP TABLE mine")
    database.run("CREATE TABLE mine (id INTEGER)")
    resumed = resume_output(target, position, spool=spool)
    resumed.committed()
    resumed.finish()
    resumed.close()
    assert database.run("SELECT id FROM mine") == [(1,), (None,)]


@pytest.mark.parametrize("key", ["url", "url,lang"])
def test_an_item_that_comes_again_refreshes_its_row(database, key):
    target = f"{database.url}?table=pages&key={key}"
    loaded(target, [{"url": "/1", "lang": "en", "price": 1, "note": "kept"}, {"url": "/2", "lang": "en", "price": 2}])
    loaded(target, [{"url": "/1", "lang": "en", "price": 3}, {"url": "/1", "lang": "en", "price": 4}, {"url": None}])
    loaded(target, [{"url": "/2", "lang": "en"}])
    found = database.run("SELECT url, price, note FROM pages WHERE url IS NOT NULL ORDER BY url")
    assert found == [("/1", 4, "kept"), ("/2", 2, None)]


def test_a_table_of_ones_own_has_a_key_of_ones_own(database):
    database.run("CREATE TABLE mine (url VARCHAR(20) PRIMARY KEY, n INTEGER)")
    target = f"{database.url}?table=mine&key=url"
    for n in (1, 2):
        loaded(target, [{"url": "/1", "n": n}])
    loaded(target, [{"url": "/1"}])
    assert database.run("SELECT * FROM mine") == [("/1", 2)]


def test_a_job_that_was_repaired_refreshes_its_rows_by_their_key(database, tmp_path):
    target, spool = f"{database.url}?key=url", tmp_path / "items.jsonl"
    sink = open_output(target, spool=spool)
    kept = sink.position()
    sink.append(encoded([{"url": "/1", "n": 1}]))
    sink.committed()
    sink.finish()
    sink.close()
    resumed = resume_output(target, kept, spool=spool)
    resumed.append(encoded([{"url": "/1", "n": 2}]))
    resumed.committed()
    resumed.finish()
    resumed.close()
    assert database.run("SELECT url, n FROM items") == [("/1", 2)]


@pytest.mark.parametrize(
    ("made", "query", "said"),
    [
        ("CREATE TABLE items (url VARCHAR(9))", "?key=url", "url are not declared to be unique, as a key must be"),
        ("CREATE TABLE items (a VARCHAR(9))", "?key=url", "it has no column 'url' that could be a key"),
        ("CREATE VIEW items AS SELECT 1 AS a", "?key=b", "the table can't be used"),
    ],
    ids=["not unique", "no column", "a view"],
)
def test_a_key_that_is_none_is_found_at_the_start(database, made, query, said):
    database.run(made)
    with pytest.raises(OutputError, match=said):
        open_output(database.url + query)


def test_rows_that_are_doubled_already_can_get_no_key(database):
    loaded(database.url, [{"url": "/1"}, {"url": "/1"}])
    with pytest.raises(OutputError, match="the table can't be used"):
        open_output(f"{database.url}?key=url")


def test_a_crawl_without_a_job_leaves_no_spool_and_loads_all_that_was_committed(database, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    sink = open_output(database.url)
    sink.append(encoded([{"a": 1}]))
    assert list((tmp_path / "tmp").iterdir())
    sink.committed()
    sink.close()
    assert rows(database, "a") == [(1,)]
    assert not list((tmp_path / "tmp").iterdir())


def test_an_output_of_another_format_is_not_gone_on_with(database, tmp_path):
    loaded(tmp_path / "items.jsonl", [{"a": 1}])
    sink = open_output(tmp_path / "x.jsonl")
    with pytest.raises(OutputMismatch, match="was of another format"):
        resume_output(database.url, sink.position(), spool=tmp_path / "items.jsonl")
    sink.close()


def test_two_crawls_at_once_make_the_same_columns(database):
    first, second = open_output(database.url), open_output(database.url)
    for sink in (first, second):  # both have seen the table without a column
        sink.committed()
        sink.finish()
    for value in (1, "one", 0.5):
        for sink in (first, second):
            sink.append(encoded([{"x": value}]))
            sink.committed()
            sink.finish()
    for sink in (first, second):
        sink.close()
    found = sorted(str(row[0]) for row in database.run("SELECT x FROM items"))
    assert found == ["0.5", "0.5", "1", "1", "one", "one"]
