"""Which objects are items, and what becomes of them as JSON."""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import math
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from scrapekit.errors import ItemError
from scrapekit.messages import encode_item, is_item


@dataclasses.dataclass
class Data:
    b: int = 1
    a: str = "é"


@dataclasses.dataclass(slots=True)
class Slots:
    b: int = 1
    a: str = "é"


@attrs.define
class Attrs:
    b: int = 1
    a: str = "é"


class Struct(msgspec.Struct):
    b: int = 1
    a: str = "é"


class Model(pydantic.BaseModel):
    b: int = 1
    a: str = "é"


KINDS = [{"b": 1, "a": "é"}, collections.OrderedDict(b=1, a="é"), Data(), Slots(), Attrs(), Struct(), Model()]


@pytest.mark.parametrize("item", KINDS, ids=lambda item: type(item).__name__)
def test_every_kind_of_item_is_one_object_in_its_own_order(item):
    assert is_item(item)
    assert encode_item(item) == '{"b":1,"a":"é"}'.encode()


@pytest.mark.parametrize("item", KINDS, ids=lambda item: type(item).__name__)
def test_items_nest(item):
    assert json.loads(encode_item({"x": [item, (item,)]})) == {"x": [{"b": 1, "a": "é"}, [{"b": 1, "a": "é"}]]}


@pytest.mark.parametrize("other", [None, "text", b"x", 1, [], [{}], ({},), object(), Data, Model, dict])
def test_other_things_are_no_items(other):
    assert not is_item(other)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()

    def __str__(self):
        raise AssertionError


class Pair(NamedTuple):
    x: int
    y: int


class Whole(int):
    pass


class Real(float):
    pass


SMART = etree.fromstring("<a>té</a>").xpath("text()")[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), "1.50"),
        (datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC), "2024-02-03T04:05:06Z"),
        (datetime(2024, 2, 3), "2024-02-03T00:00:00"),  # noqa: DTZ001  (a naive one is the point)
        (date(2024, 2, 3), "2024-02-03"),
        (timedelta(hours=1), "PT3600S"),
        (UTC, "UTC"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        ({1}, [1]),
        (frozenset({1}), [1]),
        (b"\xff\xfe", "//4="),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (10**30, 10**30),
        (-(2**70), -(2**70)),
        (SMART, "té"),
        (Text("t"), "t"),
        (Whole(3), 3),
        (Real(0.5), 0.5),
        (Real("nan"), None),
        (range(3), [0, 1, 2]),
        (collections.deque([1]), [1]),
        ({"a": 1}.keys(), ["a"]),
        (collections.UserDict(a=1), {"a": 1}),
        (collections.Counter("aa"), {"a": 2}),
        (Pair(1, 2), [1, 2]),
        ({1: "a", 2.5: "b"}, {"1": "a", "2.5": "b"}),
        ({SMART: 1, Text("k"): 2}, {"té": 1, "k": 2}),
        ({Colour.RED: 1, date(2024, 2, 3): 2}, {"red": 1, "2024-02-03": 2}),
        ("\u2028\n\0", "\u2028\n\0"),
        ("\ud800", "\ufffd"),
        ("a\udfffb", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        (
            ["\ud800", {"\ud801": ("\ud802", Text("\ud803"), b"x", math.nan)}],
            ["\ufffd", {"\ufffd": ["\ufffd", "\ufffd", "eA==", None]}],
        ),
        (Data(a="\ud800"), {"b": 1, "a": "\ufffd"}),
        (Model(a="x" * 10_000), {"b": 1, "a": "x" * 10_000}),
    ],
    ids=repr,
)
def test_values_become_json(value, expected):
    line = encode_item({"v": value})
    assert b"\n" not in line
    assert json.loads(line) == {"v": expected}


def test_private_fields_are_left_out_of_attrs_classes_only():
    @attrs.define
    class WithAttrs:
        b: int = 1
        a: int = 2
        _cache: int = 3

    @dataclasses.dataclass
    class WithDataclass:
        a: int = 1
        _cache: int = 2

    assert encode_item(WithAttrs()) == b'{"b":1,"a":2}'
    assert encode_item({"in": WithAttrs()}) == b'{"in":{"a":2,"b":1}}'
    assert encode_item(WithDataclass()) == b'{"a":1,"_cache":2}'
    assert encode_item({"_cache": 2}) == b'{"_cache":2}'


def cycle():
    item: dict = {}
    item["self"] = [item]
    return item


def deep():
    item: dict = {}
    for _ in range(50_000):
        item = {"x": item}
    return item


class Raises(pydantic.BaseModel):
    a: int = 1

    @pydantic.field_serializer("a")
    def serialized(self, value):
        raise LookupError("no\nsuch thing")


class Selectors:
    def getall(self):
        return []


class ArrayLike(msgspec.Struct, array_like=True):
    a: int = 1


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"v": object()}, "object is not JSON"),
        ({"v": 1j}, "complex is not JSON"),
        ({"v": (x for x in "ab")}, "generator is not JSON"),
        ({"v": Model}, "missing 1 required positional argument|is not JSON"),
        ({"v": Selectors()}, r"Selectors is not JSON \(did you mean .get\(\) or .getall\(\)\?\)"),
        ({(1, 2): 3}, r"\(1, 2\) can't be a key of a JSON object"),
        ({None: 3}, "None can't be a key"),
        ({True: 3}, "True can't be a key|not JSON|keys are supported"),
        ({"v": 10**5000}, "4300 digits"),
        ({"v": [10**5000, "\ud800"]}, "4300 digits"),
        ({"v": [object(), "\ud800"]}, "object is not JSON"),
        ({"v": ["\ud800", object()]}, "object is not JSON"),
        (Raises(), "LookupError"),
        ({"v": Raises()}, "LookupError"),
        (cycle(), "recursion"),
        (ArrayLike(), "can't be written as one JSON object: ArrayLike is"),
        ([{}], "one JSON object: list is"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_what_json_can_not_hold_is_an_item_error_of_one_line(item, message):
    with pytest.raises(ItemError, match=message) as caught:
        encode_item(item)
    assert caught.value.item is item
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_item_nested_without_end_is_an_item_error():
    item = deep()
    with pytest.raises(ItemError, match="recursion"):
        encode_item(item)
    while item:  # else its destructor recurses
        item = item["x"]


def test_an_error_without_a_message_is_told_by_its_name():
    class Model:
        def model_dump(self, mode):
            raise LookupError

    with pytest.raises(ItemError, match="as JSON: LookupError"):
        encode_item({"v": Model()})


SCALAR = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.decimals(allow_nan=False) | st.dates() | st.datetimes() | st.uuids()
    | st.text(st.characters(codec=None)) | st.text(st.characters(categories=["Cs", "Lu"]))
)  # fmt: skip


def has_odd_key(tree):
    if isinstance(tree, dict):
        return any(key is None or isinstance(key, bool) or has_odd_key(value) for key, value in tree.items())
    return isinstance(tree, (list, tuple)) and any(map(has_odd_key, tree))


TREE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(SCALAR, inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(SCALAR, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(SCALAR, TREE, max_size=4))
def test_any_dict_is_one_line_of_json_or_an_item_error(item):
    try:
        line = encode_item(item)
    except ItemError:
        assert has_odd_key(item)  # nothing else in these trees is refused
        return
    assert b"\n" not in line
    decoded = json.loads(line.decode())
    assert isinstance(decoded, dict)
    assert msgspec.json.decode(line) == decoded


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(exclude_categories=["Cs"])),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
            ),
            max_leaves=12,
        ),
    )
)
def test_json_comes_back_as_it_was_and_in_the_same_order(item):
    decoded = json.loads(encode_item(item))
    assert decoded == item
    assert list(decoded) == list(item)
