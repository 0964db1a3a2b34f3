"""The YAML that ``scrapekit new --yaml`` writes: a spider that takes from the page what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scrapekit.cli.yamldraft import described
from scrapekit.declarative import load
from scrapekit.messages import Request
from scrapekit.testing import SampleSite, response, serve

URL = "https://example.org/list?a={b}"


@pytest.fixture(scope="module")
def shop():
    with serve(SampleSite(books=45, quotes=30, retry_after=0)) as server:
        yield server.url


def test_new_writes_yaml_that_yields_what_is_listed(project, shop):
    code, out, err = project.run("new", "quotes", f"{shop}/quotes/", "--yaml")
    assert (code, err) == (0, "")
    wrote, told, *following = out.splitlines()
    assert wrote == "wrote  spiders/quotes.yaml"
    assert told.startswith("10 items on this page, with text, author, ")
    assert told.endswith(", and the link to the next page")
    assert following[-1] == "  scrapekit crawl quotes -O quotes.jsonl --max-pages 10"
    assert project.run("crawl", "quotes", "-O", "quotes.jsonl", "-q").code == 0
    assert len((project.folder / "quotes.jsonl").read_text().splitlines()) == 30


def test_new_overwrites_neither_form(project, shop):
    project.write("spiders/shop.py", "")
    said = "scrapekit: error: spiders/shop.py is there already: choose another name, or delete it\n"
    assert project.run("new", "shop", f"{shop}/", "--yaml") == (2, "", said)
    assert project.run("new", "list", f"{shop}/", "--yaml", "--empty").code == 0
    assert "spiders/list.yaml is there already" in project.run("new", "list", f"{shop}/").err
    code, out, _ = project.run("parse", f"{shop}/", "--spider", "list")
    assert code == 0
    assert out.startswith("1 item\n")


def taken(tmp_path: Path, body: str, kind: str = "text/html"):
    """What the spider that is written for a page takes from it: items, and how many requests."""
    page = response(Request(URL).url, body, headers={"Content-Type": kind})
    file = tmp_path / "drafted.yaml"
    file.write_text(described("drafted", page.url, "example.org", page), encoding="utf-8")
    yielded = list(load(file)().parse(page))
    items = [one.model_dump() for one in yielded if not isinstance(one, Request)]
    return items, len(yielded) - len(items)


def test_what_only_some_records_have_is_not_required(tmp_path):
    rows = "".join(
        f"<li><b class=all>t{n}</b><a href=p{n}><img src=/{n}.png></a>{f'<i>x{n}</i>' if n % 3 else ''}</li>"
        for n in range(6)
    )
    items, requests = taken(tmp_path, f"<ul>{rows}</ul><a class=next href=2>2</a>")
    assert [item["text"] for item in items] == [None, "x1", "x2", None, "x4", "x5"]
    assert [item["all_"] for item in items] == [f"t{n}" for n in range(6)]  # "all" is a name that items need
    assert (items[1]["url"], items[1]["image"]) == ("https://example.org/p1", "https://example.org/1.png")
    assert requests == 1


def test_a_page_without_a_list_is_one_item(tmp_path):
    items, requests = taken(tmp_path, "<title>T</title><p>x</p>")
    assert (items, requests) == ([{"url": Request(URL).url, "title": "T", "heading": None}], 0)


@pytest.mark.parametrize(
    ("found", "items"),
    [
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2}]),
        ({"data": {"the-rows": [{"a": 1, "b-c": 2}]}}, [{"a": 1, "b-c": 2}]),
        ({"rows": [{"all": 1}]}, [{"data": {"all": 1}}]),
        ({"a": 1}, [{"url": Request(URL).url, "data": {"a": 1}}]),
    ],
)
def test_json(tmp_path, found, items):
    assert taken(tmp_path, json.dumps(found), "application/json") == (items, 0)


def test_csv_and_text(tmp_path):
    assert taken(tmp_path, "a,b\n1,2\n", "text/csv") == ([{"a": "1", "b": "2"}], 0)
    assert taken(tmp_path, "hello", "text/plain") == ([{"url": Request(URL).url, "status": 200}], 0)
