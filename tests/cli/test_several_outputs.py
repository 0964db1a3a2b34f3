"""Several outputs of one crawl, from the command line."""

from __future__ import annotations

import csv
import json

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
        ("export:\n  - a\n", "settings.yaml:2: export.outputs.1 must be a mapping (path, fields, "),
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
