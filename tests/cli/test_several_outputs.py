"""Several outputs of one crawl, from the command line."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing

import pytest

ALL = ["/", *(f"/{number}" for number in range(1, 9))]


def crawl(project, url, *arguments):
    return project.run("crawl", "pages", "-a", f"url={url}", *arguments)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_settings_may_list_several(project, site):
    project.write(
        "settings.yaml",
        """
        export:
          - path: "out/{job}.jsonl"
          - path: out/all.csv
            fields: [url, more]
            overwrite: true
          - path: out/{spider}.json
        """,
    )
    code, _, err = crawl(project, site.url)
    assert code == 0
    (job,) = project.jobs
    assert project.urls(f"out/{job}.jsonl") == ALL
    assert [list(row) for row in rows(project.folder / "out" / "all.csv")] == [["url", "more"]] * 9
    assert len(json.loads((project.folder / "out" / "pages.json").read_text())) == 9
    assert f"  output       out/{job}.jsonl\n               out/all.csv\n               out/pages.json\n" in err
    shown = project.run("jobs", "show").out
    assert f"output     out/{job}.jsonl\n           out/all.csv\n           out/pages.json\n" in shown
    assert f"out/{job}.jsonl, out/all.csv, out/pages.json\n" in project.run("jobs").out


def test_what_an_output_does_not_say_is_as_the_section_says(project, site):
    project.write(
        "settings.yaml",
        "export: {fields: [url, a], overwrite: true, outputs: [{path: a.csv}, {path: b.csv, fields: [b]}]}",
    )
    for _ in range(2):  # the second time they are overwritten
        assert crawl(project, site.url).code == 0
        assert (list(rows(project.folder / "a.csv")[0]), len(rows(project.folder / "a.csv"))) == (["url", "a"], 9)
        assert list(rows(project.folder / "b.csv")[0]) == ["b"]


def test_options_take_the_place_of_the_list_and_may_come_several_times(project, site):
    project.write("settings.yaml", "export: [{path: never.jsonl}, {path: never.csv}]")
    for times in (1, 2):
        options = ("-o", "a.jsonl", "-O", "b.csv", "-o", "-")
        with project.start("crawl", "pages", "-a", f"url={site.url}", *options) as process:
            out, err = process.communicate(timeout=60)
        assert (process.returncode, len(out.splitlines())) == (0, 9), err
        assert project.urls("a.jsonl") == sorted(ALL * times)
        assert len(rows(project.folder / "b.csv")) == 9
    assert not list(project.folder.glob("never*"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("export:\n  - path: a\n  - fields: [x]\n", "settings.yaml:3: export.outputs.2 has no path"),
        ("export:\n  - path: a\n    fieldz: [x]\n", "settings.yaml:3: unknown key 'export.outputs.1.fieldz'"),
        ("export:\n  - path: a\n    fields: 3\n", "settings.yaml:3: export.outputs.1.fields must be a list, each item"),
        ("export:\n  - a\n", "settings.yaml:2: export.outputs.1 must be a mapping (path, items, "),
        ("export: a\n", "settings.yaml:1: export.outputs must be a list of mappings, not 'a'"),
        (
            "export:\n  path: a\n  outputs: [{path: b}]\n",
            "settings.yaml:2: export.path and export.outputs exclude each",
        ),
        ("export: [{path: a}, {path: ./a}]", "./a: two outputs can't be the same file"),
    ],
)
def test_a_list_that_is_wrong_is_an_error_with_its_line(project, settings, said):
    project.write("settings.yaml", settings)
    ended = crawl(project, "http://127.0.0.1:9/")
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert not list(project.folder.glob(".scrapekit/jobs/*"))


def test_the_stronger_of_a_path_and_a_list_wins(project):
    project.write("settings.yaml", "export: [{path: a.jsonl}]")
    assert "export.outputs = [{" in (all_of := project.run("settings").out)
    assert '"path": "a.jsonl"' in all_of
    weaker = project.run("settings", "-s", "export.path=b.jsonl").out
    assert 'export.path = "b.jsonl"  (-s)' in weaker
    assert "export.outputs = []  (-s)" in weaker
    project.write("settings.yaml", "export: {path: a.jsonl}")
    assert '"path": "c.csv"' in project.run("settings", "-s", "export=[{path: c.csv}]").out


def test_an_output_that_can_not_be_opened_closes_the_others(project, site):
    ended = crawl(project, site.url, "-o", "a.jsonl", "-o", "nowhere/b.jsonl")
    assert ended.code == 2
    assert "nowhere/b.jsonl: the folder nowhere does not exist" in ended.err
    assert crawl(project, site.url, "-o", "a.jsonl").code == 0  # it is not locked


KINDS = """
    from dataclasses import dataclass
    from scrapekit import Request, Spider

    @dataclass
    class Thing:
        url: str
        price: int | None = None

    class Special(Thing):
        pass

    class Kinds(Spider):
        name = "kinds"

        def start(self):
            yield Request(self.url)

        def parse(self, response):
            yield {"url": response.url}
            number = len(response.url)
            yield from response.follow_all("a", callback="thing")

        def thing(self, response):
            number = int(response.url.rsplit("/", 1)[1])
            yield (Special if number % 2 else Thing)(response.url, number if number > 4 else None)
"""
FILTERS = """
    export:
      - {path: all.jsonl}
      - {path: things.csv, items: Thing}
      - {path: special.jsonl, items: [Special]}
      - {path: dicts.jsonl.gz, items: dict}
      - {path: priced.json, having: price}
      - {path: free.jsonl, items: Thing, without: [price]}
      - {path: others.jsonl, spider: someone}
      - {path: "by/{spider}-{item}.jsonl", spider: [kinds, other]}
"""


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_items_go_to_the_outputs_that_take_them(project, site, fleet):
    project.write("spiders/kinds.py", KINDS)
    project.write("settings.yaml", FILTERS)
    with project.start("crawl", "kinds", "-a", f"url={site.url}", "--fleet", fleet) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    things = [f"/{number}" for number in range(1, 9)]
    assert project.urls("all.jsonl") == ALL
    assert len(rows(project.folder / "things.csv")) == 8
    assert project.urls("special.jsonl") == things[::2]
    assert {item["price"] for item in json.loads((project.folder / "priced.json").read_text())} == {5, 6, 7, 8}
    assert project.urls("free.jsonl") == things[:4]
    assert not (project.folder / "others.jsonl").exists()
    files = {path.name: project.urls(f"by/{path.name}") for path in (project.folder / "by").iterdir()}
    assert files == {"kinds-dict.jsonl": ["/"], "kinds-Special.jsonl": things[::2], "kinds-Thing.jsonl": things[1::2]}
    for line in ("things.csv, 8 items", "special.jsonl, 4 items", "by/kinds-Thing.jsonl, 4 items"):
        assert line in err
    assert "by/kinds-{item}.jsonl" in project.run("jobs", "show").out


def test_a_crawl_whose_items_no_output_takes_does_not_begin(project, site):
    project.write("settings.yaml", "export: [{path: a.jsonl, spider: [other]}]")
    ended = crawl(project, site.url)
    assert ended.code == 2
    assert "no output takes the items of pages: see the key spider of each" in ended.err


def test_an_option_may_have_placeholders_and_braces(project, site):
    assert crawl(project, site.url, "-O", "{{{spider}}}-{date}.jsonl").code == 0
    (made,) = project.folder.glob("{pages}-????-??-??.jsonl")
    assert project.urls(made.name) == ALL
    again = crawl(project, site.url, "-o", made.name.replace("{", "{{").replace("}", "}}"))
    assert again.code == 0
    assert project.urls(made.name) == sorted(ALL * 2)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "{name}.csv",
            "{name}.csv: has an unknown placeholder {name}: '{name}.csv'; there are {spider}, {job}, {date}, ",
        ),
        ("{job!r}.csv", "unknown placeholder {job}"),
        ("{.csv", "has a brace out of place"),
    ],
)
def test_an_unknown_placeholder_is_an_error_that_lists_those_that_there_are(project, site, path, said):
    ended = crawl(project, site.url, "-O", path)
    assert ended.code == 2
    assert said in ended.err
    project.write("settings.yaml", f"export:\n  path: '{path}'\n")
    ended = crawl(project, site.url)
    assert ended.code == 2
    assert "settings.yaml:2: export.path" in ended.err


def test_files_by_kind_of_items_are_begun_anew_or_not_at_all(project, site):
    for _ in range(2):
        assert crawl(project, site.url, "-O", "{item}.jsonl").code == 0
        assert project.urls("dict.jsonl") == ALL
    refused = crawl(project, site.url, "-o", "{item}.jsonl")
    assert refused.code == 2
    assert "dict.jsonl: one file for each kind of items can't be appended to: overwrite them with -O" in refused.err
    (project.folder / "dict.jsonl").write_text("")
    assert crawl(project, site.url, "-o", "{item}.jsonl").code == 0
    elsewhere = f"file://{project.folder}/{{item}}.jsonl"
    refused = crawl(project, site.url, "-o", elsewhere)
    assert refused.code == 2
    assert "dict.jsonl): one file for each kind of items can't be appended to" in refused.err
    assert crawl(project, site.url, "-O", elsewhere).code == 0
    four = ("-s", "export.parts.items=4")
    assert crawl(project, site.url, "-o", "parts-{item}.csv", *four).code == 0
    (project.folder / "parts-dict-00001.csv").unlink()  # loaded elsewhere
    for gone in ("parts-dict-00002.csv", "parts-dict-00003.csv", ""):
        refused = crawl(project, site.url, "-o", "parts-{item}.csv", *four)
        assert refused.code == 2
        assert "one file for each kind of items can't be appended to" in refused.err
        (project.folder / (gone or "parts-dict.manifest.json")).unlink()
    assert crawl(project, site.url, "-o", "parts-{item}.csv", *four).code == 0
    assert crawl(project, site.url, "-o", "of/{item}/all.jsonl").code == 2
    (project.folder / "of").mkdir()
    assert crawl(project, site.url, "-o", "of/{item}/all.jsonl").code == 0
    assert project.urls("of/dict/all.jsonl") == ALL


def test_tables_by_kind_of_items_get_more_rows_or_are_emptied(project, site):
    table = "sqlite:///items.db?table={item}"
    for option, count in (("-o", 9), ("-o", 18), ("-O", 9)):
        assert crawl(project, site.url, option, table).code == 0
        with closing(sqlite3.connect(project.folder / "items.db")) as db:
            assert db.execute('SELECT count(*), count(DISTINCT url) FROM "dict"').fetchone() == (count, 9)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no/{item}.jsonl", "no/Item.jsonl: the folder no does not exist; create it first"),
        ("no/{item}.csv", "no/Item.csv: the folder no does not exist; create it first"),
        ("{item}.xlsx", "Item.xlsx: .xlsx is not available"),
        ("nosuch://a/{item}.jsonl", "nosuch://a/Item.jsonl: the output can't be opened: Protocol not known: nosuch"),
        ("sqlite:///no/items.db?table={item}", "does not exist; create it first"),
        ("sqlite:///spiders?table={item}", "the database can't be used: unable to open database file"),
    ],
)
def test_what_kinds_of_items_could_not_be_written_to_is_said_at_the_start(project, site, path, said):
    ended = crawl(project, site.url, "-o", path)
    assert ended.code == 2
    assert said in ended.err
    assert not project.jobs


def test_a_link_that_leads_nowhere_is_said(project, site):
    (project.folder / "loop.jsonl").symlink_to("loop.jsonl")
    (project.folder / "far.jsonl").symlink_to("far/away.jsonl")
    assert "loop.jsonl: the output can't be opened: Too many levels" in crawl(project, site.url, "-O", "loop.jsonl").err
    ended = crawl(project, site.url, "-O", "far.jsonl")
    assert f"far.jsonl: the folder {project.folder / 'far'} does not exist" in ended.err
    (project.folder / "far").mkdir()
    (project.folder / "far.csv").symlink_to("far/away.csv")
    assert crawl(project, site.url, "-O", "far.csv").code == 0
    assert len(rows(project.folder / "far" / "away.csv")) == 9
    assert "scrapekit: error: the output: a path, not ''" in crawl(project, site.url, "-O", "").err


TWO = """
    from scrapekit import Request, Spider

    class Other(Spider):
        name = "other"

        def start(self):
            yield Request(f"{self.url}/1")

        def parse(self, response):
            yield {"other": response.url}
"""


def test_several_spiders_may_have_outputs_of_their_own(project, site):
    project.write("spiders/other.py", TWO)
    project.write(
        "settings.yaml",
        """
        export:
          - {path: "{spider}.jsonl"}
          - {path: only.jsonl, spider: other}
          - {path: all.jsonl}
        """,
    )
    assert project.run("crawl", "pages", "other", "-a", f"url={site.url}").code == 0
    assert project.urls("pages.jsonl") == ALL
    assert project.urls("other.jsonl") == project.urls("only.jsonl") == ["/1"]
    assert project.urls("all.jsonl") == sorted([*ALL, "/1"])


def test_how_an_output_looks_may_be_changed_when_the_job_goes_on(project, site):
    assert crawl(project, site.url, "-O", "a.csv", "--max-pages", "3").code == 0
    (job,) = project.jobs
    options = ("-s", "export.fields=[more, url]", "-s", "crawl.max_pages=null")
    assert project.run("crawl", "pages", "--resume", job, *options).code == 0
    assert [list(row) for row in rows(project.folder / "a.csv")] == [["more", "url"]] * 9


def test_an_old_output_stays_where_another_one_can_not_be_opened(project, site):
    assert crawl(project, site.url, "-O", "a.jsonl").code == 0
    assert crawl(project, site.url, "-O", "a.jsonl", "-O", "nowhere/b.jsonl").code == 2
    assert project.urls("a.jsonl") == ALL


def parts(project, manifest):
    """Which parts are listed, with how many items each."""
    listed = json.loads((project.folder / manifest).read_text())
    assert listed["complete"]
    return [(part["file"], part["items"]) for part in listed["parts"]]


def test_outputs_in_parts(project, site):
    project.write(
        "settings.yaml",
        """
        export:
          - {path: "out/{job}.jsonl", parts: {items: 4}}
          - {path: "out/{part}-{item}.csv.gz", parts: {size: 100B}}
          - {path: whole.jsonl}
        """,
    )
    code, _, err = crawl(project, site.url)
    assert code == 0
    (job,) = project.jobs
    assert parts(project, f"out/{job}.manifest.json") == [
        (f"{job}-0000{number}.jsonl", items) for number, items in ((1, 4), (2, 4), (3, 1))
    ]
    assert f"out/{job}-{{part}}.jsonl" in err
    by_size = parts(project, "out/-dict.manifest.json")
    assert sum(items for _, items in by_size) == 9
    assert by_size[0][0] == "00001-dict.csv.gz"
    assert len(by_size) >= 3
    assert "nothing is missing: " in project.run("jobs", "repair", job).out


def test_parts_of_a_job_go_on_and_more_may_be_appended(project, site):
    four = ("-s", "export.parts.items=4")
    assert crawl(project, site.url, "-O", "a.csv", *four, "--max-pages", "6").code == 0
    (job,) = project.jobs
    assert parts(project, "a.manifest.json") == [("a-00001.csv", 4), ("a-00002.csv", 2)]
    assert project.run("crawl", "pages", "--resume", job, "-s", "crawl.max_pages=null").code == 0
    assert parts(project, "a.manifest.json") == [("a-00001.csv", 4), ("a-00002.csv", 4), ("a-00003.csv", 1)]
    assert crawl(project, site.url, "-o", "a.csv", *four, "--max-pages", "1").code == 0
    assert parts(project, "a.manifest.json")[3:] == [("a-00004.csv", 1)]


@pytest.mark.parametrize(
    ("path", "parts", "said"),
    [
        ("a-{part}.csv", "{}", "{part} is for outputs in parts: set parts.items or parts.size of this one"),
        ("{part}/a.csv", "{items: 1}", "{part} must stand in the name of the file, not in that of a folder"),
        ("-", "{items: 1}", "-: only files can be written in parts"),
        ("a.csv", "{size: big}", "settings.yaml:1: export.outputs.1.parts.size must be a size from 1 byte to 1TiB"),
        ("a.csv", "{item: 1}", "settings.yaml:1: unknown key 'export.outputs.1.parts.item'"),
    ],
)
def test_parts_that_can_not_be_are_an_error(project, site, path, parts, said):
    project.write("settings.yaml", f"export: [{{path: '{path}', parts: {parts}}}]\n")
    ended = crawl(project, site.url)
    assert ended.code == 2
    assert said in ended.err


def test_two_outputs_can_not_share_a_manifest(project, site):
    project.write("settings.yaml", "export: {parts: {items: 4}, outputs: [{path: a.jsonl}, {path: a.csv}]}\n")
    ended = crawl(project, site.url)
    assert ended.code == 2
    assert "a-{part}.csv: its parts would be listed in a.manifest.json, as those of a-{part}.jsonl are" in ended.err
    assert not project.jobs
