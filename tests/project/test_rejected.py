"""The file of rejected items: where it is, and when it is there."""

import json
from dataclasses import dataclass

import pytest

import scrapekit
from scrapekit.errors import ExportError
from scrapekit.export import rejected_beside, write_rejected
from scrapekit.testing import Reply, serve


@dataclass
class Book:
    title: str
    price: float


class Books(scrapekit.Spider):
    wrong = True

    def parse(self, response):
        yield Book("A", 1.5)
        if self.wrong:
            yield Book("B", "cheap")


@pytest.fixture
def url():
    with serve(lambda request: Reply(b"x") if request.path != "/robots.txt" else Reply(b"", 404)) as server:
        yield server.url


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_rejected_item_is_in_a_file_beside_the_output(url, tmp_path):
    output, beside = tmp_path / "books.jsonl", tmp_path / "books.rejected.jsonl"
    report = scrapekit.run(Books, start_urls=[url], output=output)
    assert lines(output) == [{"title": "A", "price": 1.5}]
    told = {
        "error": "price: Expected `float`, got `str`",
        "field": "price",
        "value": "cheap",
        "url": f"{url}/",
        "item": {"title": "B", "price": "cheap"},
    }
    assert lines(beside) == [told]
    assert report.rejected == str(beside)
    assert report.stats.item_errors["ItemError"].count == 1

    scrapekit.run(Books, start_urls=[url], output=output, overwrite=False)
    assert lines(beside) == [told, told]

    report = scrapekit.run(Books, start_urls=[url], output=output, wrong=False)
    assert report.rejected == ""
    assert not beside.exists()


def test_of_several_outputs_it_is_the_first_file_that_has_one_beside_it(url, tmp_path):
    table, output = f"sqlite:///{tmp_path}/items.db", tmp_path / "books.csv"
    report = scrapekit.run(Books, start_urls=[url], output=[table, output])
    assert report.rejected == str(tmp_path / "books.rejected.jsonl")
    assert len(lines(tmp_path / "books.rejected.jsonl")) == 1
    assert scrapekit.run(Books, start_urls=[url], output=table).rejected == ""


def test_without_an_output_they_are_counted_and_logged(url, caplog):
    report = scrapekit.run(Books, start_urls=[url])
    assert report.rejected == ""
    assert f"{url}/: ItemError: price: Expected `float`, got `str`" in caplog.text


def test_a_crawl_that_fails_tells_them_too(url, tmp_path):
    class Halted(Exception):
        pass

    class Audience:
        def committed(self, lines, kept):
            raise Halted

    from scrapekit.project import Crawl
    from scrapekit.settings import OutputSettings, load

    output = tmp_path / "b.jsonl"
    with (
        Crawl(
            Books(start_urls=[url]),
            load(None, {}, "").settings,
            outputs=[OutputSettings(path=str(output), overwrite=True)],
            audience=Audience(),
        ) as crawl,
        pytest.raises(Halted),
    ):
        crawl.run()
    assert len(lines(tmp_path / "b.rejected.jsonl")) == 1


@pytest.mark.parametrize(
    ("output", "beside"),
    [
        ("b.jsonl", "b.rejected.jsonl"),
        ("b.csv.gz", "b.rejected.jsonl"),
        ("v1.2.json.zst", "v1.2.rejected.jsonl"),
        ("b", "b.rejected.jsonl"),
        ("-", None),
        ("/dev/null", None),
    ],
)
def test_the_name_of_the_file(output, beside):
    found = rejected_beside(output)
    assert (found and found.name) == beside


def test_a_file_that_can_not_be_written_is_said_in_a_line(tmp_path):
    with pytest.raises(ExportError, match="the rejected items can't be written: No such file or directory"):
        write_rejected(tmp_path / "no" / "b.jsonl", iter(["{}"]))
