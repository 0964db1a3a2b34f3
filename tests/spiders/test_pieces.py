"""Files that are gzip themselves."""

import gzip

from scrapekit.spiders import iter_nodes, iter_rows
from scrapekit.spiders.pieces import pieces
from scrapekit.testing import response

XML = "<r>" + "<item>text</item>" * 20_000 + "</r>"


def test_gzip_files_are_unzipped_on_the_way():
    page = response(
        "https://ex.com/a.xml.gz", gzip.compress(XML.encode()), headers={"Content-Type": "application/gzip"}
    )
    assert sum(1 for _ in iter_nodes(page, "item")) == 20_000
    page = response("https://ex.com/a.csv.gz", gzip.compress(b"a\n1\n") + gzip.compress(b"2\n"))
    assert [row["a"] for row in iter_rows(page)] == ["1", "2"]
    assert page.flags == []
    assert b"".join(pieces(response("https://ex.com/", XML))) == XML.encode()


def test_a_gzip_file_that_is_cut_or_a_bomb_is_read_as_far_as_it_goes():
    cut = response("https://ex.com/a.csv.gz", gzip.compress(b"a\n" + b"1\n" * 9)[:-9])
    assert 0 < len(list(iter_rows(cut))) <= 9
    assert cut.flags == ["gzip_damaged"]
    bomb = response("https://ex.com/a.csv.gz", gzip.compress(b"0" * 20_000_000))
    assert sum(map(len, pieces(bomb))) <= max(4 * 2**20, bomb.size * 250)
    assert bomb.flags == ["gzip_damaged"]
