"""Items to JSON: which objects are items, and how they are encoded. Pure; any thread."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from datetime import timezone
from typing import Any

import msgspec

from scrapekit.errors import ItemError


def is_item(value: Any) -> bool:
    """Whether a callback may yield ``value`` as an item: dict, dataclass, attrs, msgspec Struct or pydantic model."""
    kind = type(value)
    return (
        kind is dict
        or isinstance(value, (dict, msgspec.Struct))
        or dataclasses.is_dataclass(kind)
        or hasattr(kind, "__attrs_attrs__")
        or hasattr(kind, "model_dump")
    )


def encode_item(item: Any) -> bytes:
    """One JSON object in UTF-8, fields in the item's own order, without a line end.

    NaN and infinities, which JSON doesn't have, become null; ``bytes`` become base64; dates are ISO 8601 (RFC 3339);
    a Decimal keeps its digits as text; an enum becomes its value. A lone surrogate, which UTF-8 doesn't have, becomes
    U+FFFD. Private fields of attrs classes are left out; an attrs object inside an item has its fields by name.

    Raises:
        ItemError: The item holds what JSON can't, or itself.
    """
    try:
        fields = item if type(item) is dict else _in_order(item)
        try:
            line = _encode(fields)
        except UnicodeEncodeError:
            line = _encode(_without_surrogates(msgspec.to_builtins(fields, enc_hook=_other)))
    except Exception as error:  # a serializer of the item's own may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ItemError(f"item can't be written as JSON: {reason}", item) from error
    if line[:1] != b"{":
        raise ItemError(f"item can't be written as one JSON object: {type(item).__name__} is {line[:40]!r}", item)
    return line


def _in_order(item: Any) -> Any:
    """An attrs object as a dict, because msgspec takes the fields of one with slots by name; else ``item`` itself."""
    fields = getattr(type(item), "__attrs_attrs__", None)
    if fields is None:
        return item
    return {field.name: getattr(item, field.name) for field in fields if not field.name.startswith("_")}


def _other(value: Any) -> Any:
    """What msgspec doesn't encode by itself, inside an item."""
    if value is None or isinstance(value, (bool, dict, list, tuple, frozenset)):  # which it does encode elsewhere
        raise TypeError(f"{value!r:.40} can't be a key of a JSON object")
    if isinstance(value, str):  # a subclass, such as lxml's smart strings
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):  # such as numpy's
        return float.__float__(value)
    if hasattr(value, "getall"):
        raise TypeError(f"{type(value).__name__} is not JSON (did you mean .get() or .getall()?)")
    if callable(dump := getattr(value, "model_dump", None)):  # pydantic, which need not be installed
        return dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Collection):
        return list(value)
    if isinstance(value, timezone):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_encode = msgspec.json.Encoder(enc_hook=_other).encode


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(inner) for inner in value]
    return value
