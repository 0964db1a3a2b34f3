"""Items as they leave a worker: checked, as JSON, with the key by which they are unique; or rejected."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from typing import Any

from scrapekit.errors import ItemError
from scrapekit.items.checking import check, check_depth, is_validation, item_error
from scrapekit.items.item import Item
from scrapekit.messages import Rejected, encode_item
from scrapekit.messages.reason import reason, storable
from scrapekit.safe import masked

_SHOWN = 1000  # characters of a value that is not JSON


class ItemWriter:
    """Makes lines of items. Any thread.

    Args:
        unique: Fields by which items that are dicts are unique; a dict that lacks one of them is not held to it.
    """

    def __init__(self, unique: Sequence[str] = ()) -> None:
        self._unique: Sequence[str] = tuple(unique)

    def __call__(self, item: Any) -> tuple[bytes, bytes | None]:
        """The line of an item, and its key, if it is unique by some of its fields.

        Raises:
            ItemError: It is not as its type says, can't be written as JSON, or lacks a field by which it is unique.
        """
        if isinstance(item, Item) and (problem := item.problem) is not None:
            raise problem
        try:
            line = encode_item(item)
        except ItemError as error:
            raise _of_field(error, item) from error
        check_depth(item, line)
        check(item, line)
        return line, self._key(item)

    def _key(self, item: Any) -> bytes | None:
        """16 bytes of BLAKE2b over the kind of the item and the values of its unique fields.

        As in SQL, ``None`` is not the same as ``None``: an item with such a value is like no other.
        """
        if isinstance(item, dict):
            kind, names = "dict", self._unique
            if not names or any(name not in item for name in names):
                return None
            values = [item[name] for name in names]
        else:
            cls: Any = type(item)
            kind, names = _declared(cls)
            if not names:
                return None
            missing = object()
            values = [getattr(item, name, missing) for name in names]
            if missing in values:
                raise ItemError(
                    f"{kind} is unique by {', '.join(names)}, but has no {names[values.index(missing)]}", item
                )
        if None in values:
            return None
        return blake2b(encode_item({kind: values}), digest_size=16).digest()


def rejection(error: Exception, item: Any, url: str) -> Rejected:
    """What is told of an item that is not written. Never raises.

    Args:
        error: Why.
        item: As far as it came.
        url: The page's.
    """
    if not is_validation(error):
        error = ItemError(f"pipeline raised {type(error).__name__}: {reason(error)}", item)
    fault = item_error(error, item)
    fault.url = fault.url or url
    message = reason(fault)
    about = fault.item if isinstance(item, ItemError) else item
    record = {
        "error": message,
        "field": fault.field,
        "value": fault.value,
        "url": masked(fault.url),
        "item": about if isinstance(about, Mapping) else _fields(about),
    }
    try:
        text = encode_item(record)
    except ItemError:
        record["value"], record["item"] = _shown(fault.value), {
            str(name): _shown(value) for name, value in dict(record["item"] or {}).items()
        }  # fmt: skip
        text = encode_item(record)
    return Rejected(message, text.decode())


@cache
def _declared(kind: Any) -> tuple[str, Sequence[str]]:
    """The class that says so, and the fields by which its items, and those of its subclasses, are unique."""
    for cls in kind.__mro__:
        names = cls.__dict__.get("unique")
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
            return cls.__qualname__, names
    return "", ()


def _of_field(error: ItemError, item: Any) -> ItemError:
    """The same error with the first field that can't be written, if it is one."""
    with suppress(Exception):  # what reads an item may be user code, and the item is wrong in any case
        for name, value in (_fields(item) or {}).items() if not isinstance(item, Mapping) else item.items():
            try:
                encode_item({name: value} if isinstance(name, str) else {})
            except ItemError as found:
                said = str(found).removeprefix("item ")
                return ItemError(f"{name}: {said}", item, field=name, value=value)
    return error


def _fields(item: Any) -> dict[str, Any] | None:
    """An item as a dict, as far as it can be read."""
    if item is None:
        return None
    if isinstance(item, Item):
        return item._known
    names = [field.name for field in dataclasses.fields(item)] if dataclasses.is_dataclass(item) else ()
    names = names or [field.name for field in getattr(type(item), "__attrs_attrs__", ())]
    names = names or getattr(type(item), "__struct_fields__", ()) or [*getattr(item, "__dict__", ())]
    return {name: getattr(item, name, None) for name in names}


def _shown(value: Any) -> Any:
    """``value`` itself if it is JSON, or what ``repr()`` says of it."""
    try:
        encode_item({"": value})
    except ItemError:
        pass
    else:
        return value
    try:
        return storable(repr(value)[:_SHOWN])
    except BaseException as error:  # noqa: BLE001  (the __repr__ of a value is user code, and must not cost the page)
        return f"({type(error).__name__} in its __repr__)"
