"""CSV a row at a time."""

import tracemalloc

import pytest

from scrapekit.errors import ParseError, SpiderError
from scrapekit.messages import Request, Response
from scrapekit.messages.spool import Spool
from scrapekit.parse import Parsers
from scrapekit.spiders import CSVSpider, iter_rows
from scrapekit.testing import response


def rows(body, content_type="text/csv", **options):
    return list(iter_rows(response("https://ex.com/f.csv", body, headers={"Content-Type": content_type}), **options))


def test_rows_are_dicts_and_a_quoted_cell_may_hold_anything():
    body = 'name,text\r\nOne,"a, ""b""\r\nc"\r\n\r\nTwo\nThree,\u2028x\n'
    assert rows(body) == [
        {"name": "One", "text": 'a, "b"\r\nc'},
        {"name": "Two", "text": None},
        {"name": "Three", "text": "\u2028x"},
    ]
    assert rows("") == rows("\n") == rows("name,text") == []


def test_the_header_is_the_first_row_that_has_cells():
    assert rows("\ufeff\r\n\na,b\n1,2") == [{"a": "1", "b": "2"}]


def test_delimiter_quotes_and_headers():
    assert rows("1;'a;b'\n", delimiter=";", quotechar="'", headers=["n", "t"]) == [{"n": "1", "t": "a;b"}]


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [("utf-8", "text/csv"), ("utf-8-sig", "text/csv"), ("utf-16", "text/csv"), ("latin-1", "text/csv; charset=latin1"),
     ("cp1252", "text/csv")],
    ids=range(5),
)  # fmt: skip
def test_encodings(encoding, content_type):
    assert rows("náme,x\né,1\n".encode(encoding), content_type) == [{"náme": "é", "x": "1"}]


def test_a_character_may_lie_across_two_pieces():
    body = "name\n" + "é\n" * 100_000
    for shift in ("", "x"):
        assert rows(f"{shift}{body}")[-1] == {f"{shift}name": "é"}


def test_rows_with_too_many_cells_are_left_out_logged_and_flagged(caplog):
    page = response("https://ex.com/f.csv", "a,b\n1,2,3\n1,2,\n" + "4,5,6\n" * 9, headers={"Content-Type": "text/csv"})
    assert list(iter_rows(page)) == [{"a": "1", "b": "2"}]
    assert page.flags == ["csv_ragged"]
    assert caplog.messages[0] == "https://ex.com/f.csv: CSV line 2 left out: 3 cells, and the header has 2"
    assert len(caplog.messages) == 5


@pytest.mark.parametrize(
    ("body", "message"),
    [("a,b\n" + "x" * 200_000, "CSV line 2: field larger than field limit"), ("a," * 2**21, "a line is longer than")],
    ids=["cell", "line"],
)
def test_what_no_csv_has_is_an_error(body, message):
    with pytest.raises(ParseError, match=message):
        rows(body)


def test_memory_goes_with_the_longest_row_and_not_with_the_file():
    spool = Spool()
    spool.write(b"name,price\n")
    for _ in range(5):
        spool.write(b'"some name, quoted",1.00\n' * 10_000)
    page = Response("https://ex.com/", body=spool, request=Request("https://ex.com/"), parse=Parsers())
    tracemalloc.start()
    try:
        count = sum(1 for _ in iter_rows(page))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        spool.close()
    assert count == 50_000
    assert peak < 1_500_000


@pytest.mark.parametrize("arguments", [{"delimiter": "\\t"}, {"delimiter": ""}, {"quotechar": "''"}], ids=range(3))
def test_a_delimiter_that_is_none_is_refused_before_anything_is_fetched(arguments):
    with pytest.raises(SpiderError, match=r"CSVSpider.delimiter and quotechar must be one character each, not '"):
        CSVSpider(**arguments)


def test_a_spider_gets_each_row(site, crawl):
    class Prices(CSVSpider):
        delimiter = ";"

        def start(self):
            return super().start()

    site.pages["/f.csv"] = b"name;price\nOne;1\nTwo;2\n"
    assert crawl(type("Plain", (Prices,), {"start_urls": [f"{site.url}/f.csv"]})).items == [
        {"name": "One", "price": "1"}, {"name": "Two", "price": "2"}]  # fmt: skip

    class Named(Prices):
        headers = ["n", "p"]
        start_urls = [f"{site.url}/f.csv"]

        def parse_row(self, response, row):
            if row["n"] != "name":
                yield {"price": float(row["p"])}

    assert crawl(Named).items == [{"price": 1.0}, {"price": 2.0}]
