"""docs/declarative.md: each spider in it crawls, and its tables have all that there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

import scrapekit
from scrapekit.declarative import load, parts, schema
from scrapekit.declarative.steps import PROCESSORS, TYPES
from scrapekit.errors import SpiderError
from scrapekit.testing import Reply, SampleSite, serve

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "declarative.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^```yaml\n# spiders/(\w+\.yaml)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
PARTS = {
    "The file": schema.Description,
    "start": schema.Start,
    "items": schema.Items,
    "each": parts.Each,
    "detail": schema.Detail,
    "A field": parts.Field,
    "next": schema.Next,
    "links": schema.Links,
    "pages": schema.Page,
}
ATOM = b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">
<entry><title>One</title><link href="/1"/></entry><entry><title>Two</title><link href="/2"/></entry></feed>"""


class Api:
    """The sample site, and the API of which the docs speak."""

    def __init__(self) -> None:
        self.site = SampleSite(books=60, quotes=40, retry_after=0)

    def __call__(self, view) -> Reply:
        if view.path == "/api/atom.xml":
            return Reply(ATOM, headers=(("Content-Type", "application/atom+xml"),))
        if view.path != "/api/books":
            return self.site(view)
        start = int((re.findall(r"cursor=(\d+)", view.target) or [0])[0])
        books = [{"id": n, "title": f"B{n}", "authors": [{"name": "A"}], "links": {}} for n in range(start, start + 3)]
        page = {"results": books, "meta": {"next_cursor": start + 3 if start < 6 else None}}
        return Reply(json.dumps(page).encode(), headers=(("Content-Type", "application/json"),))


def on_loopback(text, url):
    for there, here in (
        ("books.toscrape.com", url),
        ("quotes.toscrape.com", f"{url}/quotes"),
        ("api.example.org", f"{url}/api"),
    ):
        text = text.replace(f"https://{there}", here)
    assert "https://" not in text
    return text


def test_the_errors_that_are_shown_are_those_that_come(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("spiders").mkdir()
    shown = re.findall(r"^scrapekit: error: (spiders/shop.*)$", TEXT, re.MULTILINE)
    text = f"# spiders/shop.yaml\n{EXAMPLES['shop.yaml']}"
    came = []
    for right, wrong in (("next:", "nxet:"), ("to: number", "to: numbr")):
        Path("spiders/shop.yaml").write_text(text.replace(right, wrong))
        with pytest.raises(SpiderError) as caught:
            load("spiders/shop.yaml")
        came.append(str(caught.value))
    assert came == shown


def test_there_are_examples():
    assert len(EXAMPLES) >= 15
    assert TEXT.count("```yaml") == len(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_crawls(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with serve(Api()) as server:
        Path(name).write_text(on_loopback(EXAMPLES[name], server.url), encoding="utf-8")
        settings = {"retry": {"backoff": {"initial": 0}}, "crawl": {"max_pages": 100}}
        report = scrapekit.run(load(name), output="items.jsonl", settings=settings)
    assert report.failure is None
    assert report.stats.item_errors == {}
    assert set(report.stats.errors) <= {"StatusError 404"}  # the sample site has a dead link
    items = [json.loads(line) for line in Path("items.jsonl").read_text(encoding="utf-8").splitlines()]
    assert items
    expected = {
        "api.yaml": 9, "atom.yaml": 2, "both.yaml": 60, "counted.yaml": 30, "gentle.yaml": 10, "mapped.yaml": 60,
        "nested.yaml": 1, "sayings.yaml": 10, "shop.yaml": 60, "table.yaml": 60,
    }  # fmt: skip
    assert len(items) == expected.get(name, len(items))


def test_what_the_examples_promise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    came = {}
    with serve(Api()) as server:
        for name in ("typed.yaml", "nested.yaml", "processed.yaml"):
            Path(name).write_text(on_loopback(EXAMPLES[name], server.url), encoding="utf-8")
            came[name] = next(iter(scrapekit.crawl(load(name))))
    typed, nested, processed = came.values()
    assert re.fullmatch(r"\d+\.\d\d", typed["price"])
    assert typed["url"].startswith(server.url)
    assert (typed["stars"] in range(1, 6), typed["in_stock"], typed["currency"]) == (True, True, "GBP")
    assert len(nested["books"]) >= 20
    assert isinstance(nested["books"][0]["price"], float)
    assert nested["side"]["first"]
    assert processed["words"] > 3
    assert processed["markup"].startswith("<small")


def keys_of(heading, text=TEXT):
    section = re.split(rf"^#+ {heading}$", text, flags=re.MULTILINE)[1]
    rows = re.split(r"^#", section, flags=re.MULTILINE)[0]
    first = [line.split(" | ")[0] for line in rows.splitlines() if line.startswith("| `")]
    return [key for cell in first for key in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("heading", PARTS)
def test_the_tables_have_all_keys(heading):
    fields = msgspec.structs.fields(PARTS[heading])
    there = {field.encode_name for field in fields} - {"where"}
    assert sorted(keys_of(heading, TEXT.partition("## All keys")[2])) == sorted(there)


def test_the_tables_have_all_processors_and_types():
    assert sorted(keys_of("Processors")) == sorted(PROCESSORS)
    assert sorted(keys_of("Types")) == sorted([*TYPES, "list", "list[int]"])
