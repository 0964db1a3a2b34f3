"""Which outputs an item goes to, and several outputs as one."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from scrapekit.errors import ExportError
from scrapekit.export import Filter, Tee, committed_of, is_routed, open_output, resume_output, router_of
from scrapekit.export.routes import ways
from scrapekit.export.tee import MOST_KINDS
from scrapekit.messages import encode_item


@dataclass
class Product:
    price: float | None = None


class Book(Product):
    pass


class Page(dict):
    pass


def outputs(item, *filters, spider="books"):
    router = router_of(filters, spider)
    return ways(router(item, encode_item(item)))


@pytest.mark.parametrize(
    ("item", "chosen", "taken"),
    [
        ({}, Filter(items=["dict"]), True),
        (Page(), Filter(items=["dict"]), True),
        (Page(), Filter(items=["Page"]), True),
        ({}, Filter(items=["Page"]), False),
        (Book(), Filter(items=["Book"]), True),
        (Book(), Filter(items=["Page", "Product"]), True),
        (Product(), Filter(items=["Book"]), False),
        ({}, Filter(spiders=["books", "quotes"]), True),
        ({}, Filter(spiders=["quotes"]), False),
        ({"price": 0}, Filter(having=["price"]), True),
        ({"price": 0}, Filter(having=["price", "name"]), False),
        ({"price": None}, Filter(having=["price"]), False),
        (Book(), Filter(having=["price"]), False),
        (Book(1.5), Filter(having=["price"]), True),
        (Book(), Filter(without=["price"]), True),
        (Book(1.5), Filter(without=["price"]), False),
        (Book(1.5), Filter(items=["Book"], having=["price"], without=["name"]), True),
        (Book(1.5), Filter(items=["Page"], having=["price"], without=["name"]), False),
    ],
)
def test_an_output_takes_what_its_filter_lets_pass(item, chosen, taken):
    assert outputs(item, chosen) == ([(0, "")] if taken else [])


def test_each_of_several_outputs_has_a_filter_of_its_own():
    filters = [Filter(), Filter(items=["Book"]), Filter(by_kind=True), Filter(having=["price"], by_kind=True)]
    assert outputs({}, *filters) == [(0, ""), (2, "dict")]
    assert outputs(Book(), *filters) == [(0, ""), (1, ""), (2, "Book")]
    assert outputs(Book(2), *filters) == [(0, ""), (1, ""), (2, "Book"), (3, "Book")]


def test_where_all_take_all_there_is_no_router():
    assert router_of([Filter(), Filter()], "books") is None
    assert not is_routed([Filter()])
    assert is_routed([Filter(), Filter(by_kind=True)])


@pytest.mark.parametrize(
    ("kind", "name"), [("../x", "_x"), ("a/b", "a_b"), ("..", "_"), ("List[int]", "List_int_"), ("x,1:y", "x_1_y")]
)
def test_a_kind_leads_nowhere_else(kind, name):
    assert outputs(type(kind, (dict,), {})(), Filter(by_kind=True)) == [(0, name)]


def test_lines_go_where_their_routes_lead_in_their_order(tmp_path):
    def opened(number, kind):
        return open_output(tmp_path / f"{number}-{kind}.jsonl", overwrite=True)

    tee = Tee({(0, ""): open_output(tmp_path / "all.jsonl")}, routed=True, opened=opened)
    tee.append([b"1", b"2", b"3", b"4"], ["0,1:B", "1:A", "", "0,1:B"])
    tee.append([b"5"], ["1:A"])
    tee.flush()
    position = json.loads(json.dumps(tee.position()))
    tee.committed()
    tee.finish()
    assert tee.items == {str(tmp_path / "all.jsonl"): 2, str(tmp_path / "1-A.jsonl"): 2, str(tmp_path / "1-B.jsonl"): 2}
    assert tee.names == list(tee.items)
    tee.append([b"6"], ["0,1:A,1:C"])
    tee.close()
    assert (tmp_path / "all.jsonl").read_bytes() == b"1\n4\n6\n"
    known = committed_of(position)
    assert list(known) == [(0, ""), (1, "B"), (1, "A")]
    files = {key: tmp_path / (f"{key[0]}-{key[1]}.jsonl" if key[1] else "all.jsonl") for key in known}
    sinks = {key: resume_output(files[key], each.position) for key, each in known.items()}
    again = Tee(sinks, routed=True, opened=opened, before=known)
    again.append([b"7"], ["1:A"])
    assert (again.items[str(files[1, "A"])], again.items[str(files[1, "B"])]) == (3, 2)
    again.close()
    assert files[1, "A"].read_bytes() == b"2\n5\n7\n"
    assert files[0, ""].read_bytes() == b"1\n4\n"


def test_a_kind_whose_file_can_not_be_made_any_more_ends_the_crawl(tmp_path):
    tee = Tee({}, routed=True, opened=lambda number, kind: open_output(tmp_path / "gone" / kind))
    with pytest.raises(ExportError, match="the folder .*gone does not exist"):
        tee.append([b"1"], ["0:K"])
    tee.close()


def test_too_many_kinds_are_an_error(tmp_path):
    tee = Tee({}, routed=True, opened=lambda number, kind: open_output(tmp_path / kind))
    tee.append([b"1"] * MOST_KINDS, [f"0:K{number}" for number in range(MOST_KINDS)])
    with pytest.raises(ExportError, match=f"^output 1: K100 would be kind {MOST_KINDS + 1} of items, and each has a"):
        tee.append([b"1"], ["0:K100"])
    tee.close()
