"""What leaves a worker: lines with their keys, and records of what was rejected."""

import dataclasses
import json
from typing import ClassVar

import attrs
import msgspec
import pytest

from scrapekit.errors import ItemError
from scrapekit.items import Item, ItemWriter, css, rejection
from scrapekit.testing import response

URL = "http://user:secret@a.test/1"


def keys(writer, *items):
    return [writer(item)[1] for item in items]


@dataclasses.dataclass
class Book:
    unique: ClassVar[list[str]] = ["isbn"]
    isbn: str | None
    title: str = ""


@dataclasses.dataclass
class Audiobook(Book):
    reader: str = ""


class Author(msgspec.Struct):
    unique: ClassVar[tuple[str, ...]] = ("name", "born")
    name: str
    born: int


class Declared(Item):
    unique = ["isbn"]
    isbn = css("b::text")
    title = css("i::text").default("")


def test_the_key_is_of_the_unique_fields_alone():
    one, same, other = keys(ItemWriter(), Book("1", "a"), Book("1", "b"), Book("2", "a"))
    assert one == same != other
    assert len(one) == 16
    one, same, other = keys(ItemWriter(), Author("A", 1), Author("A", 1), Author("A", 2))
    assert one == same != other


def test_a_subclass_is_of_the_same_kind_and_another_class_is_not():
    book, audio, declared = keys(ItemWriter(), Book("1"), Audiobook("1"), Declared(isbn="1"))
    assert book == audio != declared


def test_dicts_are_unique_by_what_the_spider_says():
    one, same, other, lacks = keys(
        ItemWriter(["url"]), {"url": "1", "n": 1}, {"n": 2, "url": "1"}, {"url": 1}, {"n": 1}
    )
    assert one == same
    assert other not in (one, None)
    assert lacks is None
    assert keys(ItemWriter(), {"url": "1"}) == [None]


def test_none_is_like_no_other():
    assert keys(ItemWriter(["url"]), {"url": None}, Book(None)) == [None, None]


def test_what_is_called_unique_but_names_no_fields_is_no_declaration():
    @dataclasses.dataclass
    class Seat:
        unique: bool = True

    assert keys(ItemWriter(), Seat()) == [None]


def test_an_item_that_lacks_its_unique_field_is_refused():
    class Bare(msgspec.Struct):
        unique: ClassVar[list[str]] = ["url"]
        n: int

    with pytest.raises(ItemError, match="Bare is unique by url, but has no url"):
        ItemWriter()(Bare(1))


def record(error, item):
    rejected = rejection(error, item, URL)
    return rejected.message, json.loads(rejected.record)


def test_a_record_says_what_is_wrong_with_which_field_of_which_item():
    message, said = record(ItemError("price: too low", field="price", value=-1), {"title": "A", "price": -1})
    assert message == "price: too low"
    assert said == {
        "error": "price: too low",
        "field": "price",
        "value": -1,
        "url": "http://***@a.test/1",
        "item": {"title": "A", "price": -1},
    }


def test_an_error_knows_its_url_from_then_on():
    error = ItemError("x")
    rejection(error, {}, URL)
    assert error.url == URL


class Odd:
    def __repr__(self):
        raise RuntimeError("odd")


@pytest.mark.parametrize(
    ("item", "fields"),
    [
        ({"a": object, "b": 1}, {"a": "<class 'object'>", "b": 1}),
        ({"a": Odd(), 1: "\ud800"}, {"a": "(RuntimeError in its __repr__)", "1": "\ufffd"}),
        (Book("1"), {"isbn": "1", "title": ""}),
        (attrs.make_class("C", ["x"])(5), {"x": 5}),
        (Author("A", 1), {"name": "A", "born": 1}),
        (type("Model", (), {"model_dump": None, "__init__": lambda self: setattr(self, "y", 1)})(), {"y": 1}),
        (ItemError("x", {"a": 1}), {"a": 1}),
        (ItemError("x"), None),
    ],
    ids=["object", "odd", "dataclass", "attrs", "struct", "model", "error", "nothing"],
)
def test_a_record_holds_the_item_as_far_as_it_can_be_written(item, fields):
    error = item if isinstance(item, ItemError) else ItemError("x")
    assert record(error, item)[1]["item"] == fields


def test_a_declared_item_is_told_as_far_as_it_was_found():
    item = Declared.from_response(response("http://a.test/", "<i>A</i>"))
    with pytest.raises(ItemError) as caught:
        ItemWriter()(item)
    message, said = record(caught.value, item)
    assert message == "isbn: nothing matches 'b::text'"
    assert (said["field"], said["url"], said["item"]) == ("isbn", "http://a.test/", {"title": "A"})


def test_what_a_pipeline_raises_is_called_so_but_a_validation_is_not():
    assert record(ZeroDivisionError("x"), {})[0] == "pipeline raised ZeroDivisionError: x"
    try:
        msgspec.convert({"name": "A", "born": "x"}, Author)
    except msgspec.ValidationError as error:
        message, said = record(error, {"born": "x"})
    assert message == "born: Expected `int`, got `str`"
    assert (said["field"], said["value"]) == ("born", "x")


@pytest.mark.parametrize(
    ("item", "field", "said"),
    [
        ({"a": 1, "b": {1, 2}, "c": object()}, "c", "c: can't be written as JSON: object is not JSON"),
        (
            attrs.make_class("A", ["a", "_b"])([object()], object()),
            "a",
            "a: can't be written as JSON: object is not JSON",
        ),
        ({None: 1}, None, "item can't be written as JSON: None can't be a key of a JSON object"),
    ],
    ids=["dict", "attrs", "no field"],
)
def test_the_field_that_is_not_json_is_named(item, field, said):
    with pytest.raises(ItemError) as caught:
        ItemWriter()(item)
    assert (str(caught.value), caught.value.field) == (said, field)
    assert field is None or caught.value.value is not None


def nested(levels, around):
    item = {}
    for _ in range(levels - 1):
        item = around(item)
    return item if isinstance(item, dict) else {"a": item}


@pytest.mark.parametrize("around", [lambda inner: {"a": inner}, lambda inner: [inner]], ids=["objects", "lists"])
def test_what_could_not_be_read_again_is_no_item(around):
    write = ItemWriter()
    assert json.loads(write(nested(499, around))[0])
    for levels in range(502, 1000):  # some of which can be written only just
        with pytest.raises(ItemError, match=r"nested more than 500 levels deep|maximum recursion depth"):
            write(nested(levels, around))
    assert write({"many": [{"a": [number]} for number in range(1000)]})[0]
    assert write({"[": ['\\"[{\\'] * 1000, "{": '[" [' * 1000})[0]  # none of which is a level
