"""Whether items are what their types say, and what an ItemError tells."""

import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import attrs
import msgspec
import pydantic
import pytest

from scrapekit.errors import ItemError
from scrapekit.items import ItemWriter, checked

write = ItemWriter()


@dataclasses.dataclass
class Data:
    title: str
    price: float
    tags: list[str] = dataclasses.field(default_factory=list)


@attrs.define
class Attrs:
    title: str
    price: float = attrs.field(validator=attrs.validators.instance_of(float))


class Struct(msgspec.Struct):
    title: str
    price: float
    tags: list[str] = []


class Model(pydantic.BaseModel):
    title: str
    price: float = pydantic.Field(gt=0)


def loosened(kind):
    """An item whose class was not asked, as it is after a pipeline has changed it."""
    item = kind("A", 1.0)
    (setattr if kind is Struct else object.__setattr__)(item, "price", "cheap")
    return item


@pytest.mark.parametrize("kind", [Data, Attrs, Struct])
def test_an_item_is_held_to_its_type(kind):
    assert b'"price":1.0' in write(kind("A", 1.0))[0]
    with pytest.raises(ItemError) as caught:
        write(loosened(kind))
    error = caught.value
    assert (error.field, error.value) == ("price", "cheap")
    assert str(error).startswith("price: ")
    assert error.item.title == "A"


def test_what_is_wrong_deep_inside_is_found():
    with pytest.raises(ItemError) as caught:
        write(Struct("A", 1.0, ["x", 5]))
    assert (caught.value.field, caught.value.value) == ("tags[1]", 5)


def test_constraints_of_a_struct_are_held():
    class Held(msgspec.Struct):
        stars: Annotated[int, msgspec.Meta(ge=1, le=5)]

    assert write(Held(5))[0] == b'{"stars":5}'
    with pytest.raises(ItemError, match="stars: Expected `int` <= 5") as caught:
        write(Held(6))
    assert caught.value.value == 6


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Wide:
    when: dt.datetime
    cost: Decimal
    seen: set[int]
    by_number: dict[int, str]
    raw: bytes
    colour: Colour
    pair: tuple[int, str]
    anything: Any
    shared: ClassVar[list[str]] = []


def test_what_json_writes_in_another_way_is_still_of_its_type():
    now = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    write(Wide(now, Decimal("1.50"), {1}, {1: "a"}, b"x", Colour.RED, (1, "a"), [None]))


class Money:
    def __init__(self, digits):
        self.digits = digits

    def model_dump(self, mode):
        return self.digits


class Priced(msgspec.Struct):
    money: Money


@dataclasses.dataclass
class Named:
    what: "NotThere"  # noqa: F821  (that is the point)


@dataclasses.dataclass
class Converts:
    price: float

    def __post_init__(self):
        self.price = float(self.price[1:])


@pydantic.dataclasses.dataclass
class Pydantic:
    price: float


@pytest.mark.parametrize(
    "item", [Priced(Money("5")), Named(1), Converts("£5"), Pydantic(1.0)], ids=lambda i: type(i).__name__
)
def test_what_can_not_be_judged_passes(item):
    write(item)


def test_a_model_that_refuses_costs_the_item_if_it_is_checked():
    assert checked(Model, title="A", price=1) == Model(title="A", price=1)
    error = checked(Model, title="A", price="cheap")
    assert isinstance(error, ItemError)
    assert (error.field, error.value, error.item) == ("price", "cheap", {"title": "A", "price": "cheap"})
    assert str(error) == "price: Input should be a valid number, unable to parse string as a number"


def test_all_fields_that_a_model_refuses_are_named():
    error = checked(Model, price=-1)
    assert (error.field, error.value) == ("title", {"price": -1})
    assert str(error) == "title: Field required; and price"


@pytest.mark.parametrize(
    ("make", "field", "value", "message"),
    [
        (lambda: Attrs("A", "x"), "price", "x", "price: 'price' must be <class 'float'>"),
        (lambda: attrs.make_class("C", {"n": attrs.field(validator=attrs.validators.ge(0))})(-1), None, None, "ValueError: 'n' must be >= 0: -1"),
        (lambda: Data(), None, None, "TypeError: Data.__init__() missing"),  # noqa: PLW0108
        (lambda: {}["x"], None, None, "KeyError: 'x'"),
    ],
    ids=["attrs", "message", "arguments", "any"],
)  # fmt: skip
def test_whatever_a_class_raises_becomes_an_item_error(make, field, value, message):
    error = checked(make)
    assert str(error).startswith(message)
    assert error.field == field
    if field:
        assert error.value in (value, None)


def test_a_field_that_a_message_names_is_looked_up():
    kind = attrs.make_class("C", {"n": attrs.field(validator=attrs.validators.ge(0))})
    error = checked(kind, n=-1)
    assert (error.field, error.value) == ("n", -1)


def test_an_item_error_is_handed_on():
    given = ItemError("no price", field="price")

    def make():
        raise given

    assert checked(make) is given


def test_a_dict_is_what_it_is():
    assert write({"price": "cheap"}) == (b'{"price":"cheap"}', None)
