"""Shapes: what values a field has in all items, for formats whose columns have types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

Scalar = Literal["bool", "int", "long", "float", "text", "json"]
"""``int`` are integers that a double holds exactly, ``long`` others of 64 bits, ``json`` whatever fits together in no
other way."""

_DEEPEST = 32
_MOST_KEYS = 1000  # of one nested object: one with more has data for its keys
_EXACT = 1 << 53
_LONGEST = 1 << 63
_KINDS: dict[type, Scalar] = {str: "text", bool: "bool", float: "float"}
_JOINED: dict[frozenset[Scalar], Scalar] = {
    frozenset(("int", "long")): "long",
    frozenset(("int", "float")): "float",
}
_encode = msgspec.json.Encoder().encode


class ListOf:
    """A list.

    Args:
        inner: The shape of what is in it.
    """

    __slots__ = ("inner",)

    def __init__(self, inner: Shape = None) -> None:
        self.inner = inner


Shape = Scalar | ListOf | dict[str, "Shape"] | None
"""None: nothing but null."""


def widened(shape: Shape, value: Any, depth: int = 0) -> Shape:
    """The shape that holds what ``shape`` held, which may be changed, and a value of JSON as well.

    Nothing is lost: where no type holds both exactly, such as a text and a number, or an integer beyond 2**53 and a
    float, it is ``json``. That goes for the innermost value only: a list of both is a list of ``json``.
    """
    if value is None or shape == "json":
        return shape
    if isinstance(value, dict):
        shape = {} if shape is None else shape
        if not isinstance(shape, dict) or depth > _DEEPEST:
            return "json"
        for key, inner in value.items():
            shape[key] = widened(shape.get(key), inner, depth + 1)
        return "json" if depth and len(shape) > _MOST_KEYS else shape
    if isinstance(value, list):
        shape = ListOf() if shape is None else shape
        if not isinstance(shape, ListOf) or depth > _DEEPEST:
            return "json"
        for inner in value:
            shape.inner = widened(shape.inner, inner, depth + 1)
        return shape
    kind = _KINDS.get(type(value)) or _of_integer(value)
    if shape is None or shape == kind:
        return kind
    return "json" if isinstance(shape, dict | ListOf) else _JOINED.get(frozenset((shape, kind)), "json")


def fitted(shape: Shape, value: Any) -> Any:
    """A value as its shape has it: ``json`` as text, an integer among floats as a float."""
    if value is None:
        return None
    if shape in ("json", {}):  # an object that never has a key is no column of columns
        return _encode(value).decode()
    if shape == "float":
        return float(value)
    if isinstance(shape, dict):
        return {key: fitted(shape[key], inner) for key, inner in value.items()}
    if isinstance(shape, ListOf):
        return [fitted(shape.inner, inner) for inner in value]
    return value


def row(shapes: Mapping[str, Shape], item: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Those fields of an item as their shapes have them; what it does not have is None."""
    return {name: fitted(shapes.get(name), item.get(name)) for name in fields}


def _of_integer(value: int) -> Scalar:
    if -_EXACT <= value <= _EXACT:
        return "int"
    return "long" if -_LONGEST <= value < _LONGEST else "json"
