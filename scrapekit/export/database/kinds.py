"""Kinds of values, and how they are stored in a column of another kind."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Kind = Literal["bool", "int", "float", "text", "any"]
"""What a column takes; ``any`` takes everything as it is. A list, an object or an integer over 64 bits is ``text``."""

_encode = msgspec.json.Encoder().encode
_LONGEST = 1 << 63


def kind_of(value: Any) -> Kind:
    """The kind of a value of JSON but null."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int) and -_LONGEST <= value < _LONGEST:
        return "int"
    return "float" if isinstance(value, float) else "text"


def joined(one: Kind | None, other: Kind) -> Kind:
    """The kind that takes both; None has nothing to take."""
    if one is None or one == other:
        return other
    if "any" in (one, other):
        return "any"
    return "float" if {one, other} == {"int", "float"} else "text"


def takes(column: Kind, kind: Kind) -> bool:
    """Whether a column takes values of a kind."""
    return joined(column, kind) == column


def stored(value: Any, kind: Kind) -> Any:
    """A value as a column of a kind that takes it gets it: JSON where it is no text itself."""
    if value is None or isinstance(value, str):
        return value
    if kind == "text" or kind_of(value) == "text":
        return _encode(value).decode()
    return float(value) if kind == "float" else value
