"""Whether an item is what its type says, and what is wrong with it. Pure; any thread."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ParamSpec, TypeVar

import msgspec

from scrapekit.errors import ItemError
from scrapekit.messages.reason import reason

P = ParamSpec("P")
T = TypeVar("T")

_DEEPEST = 500  # levels: what reads JSON gives up at some depth, Python at a thousand less what it is in already
_BRACES = bytes.maketrans(b"[]", b"{}")
_NO_MARKS = bytes({*range(256)} - {*b'[]{}"'})
_AT = re.compile(r"^(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?$", re.DOTALL)  # as msgspec ends its messages
_QUOTED = re.compile(r"'(\w+)'")  # as attrs begins its own
_STEP = re.compile(r"[^.\[\]]+")


def checked(make: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | ItemError:
    """``make(...)``, or the ItemError that says why it can't be: yield either, and an invalid item costs itself only.

    For classes that refuse wrong values when they are made, such as pydantic models and attrs classes: raised in a
    callback, that would cost the page.

    Args:
        make: The class of the item.
        args: For it.
        kwargs: So are these.
    """
    try:
        return make(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  (validators are user code; the error is reported with the item)
        return item_error(error, dict(kwargs))


def check(item: Any, line: bytes) -> None:
    """See to it that an item is what its type says.

    A msgspec Struct and a dataclass are held to their annotations, an attrs class to its validators. A pydantic model
    was, when it was made. What msgspec can't judge passes: a type that it doesn't know, and a dataclass with a
    ``__post_init__``, which may have made other values than those that it would be given here.

    Args:
        item: Of any type.
        line: The item as JSON.

    Raises:
        ItemError: It is not.
    """
    kind: Any = type(item)
    if kind is dict:
        return
    try:
        if hasattr(kind, "__attrs_attrs__"):
            sys.modules["attr"].validate(item)
        elif (decode := _decoder(kind)) is not None:
            decode(line)
    except _Unknown:
        pass
    except Exception as error:
        raise item_error(error, item) from error


def check_depth(item: Any, line: bytes) -> None:
    """Refuse an item that is nested so deeply that its line can be written, but not be read again everywhere.

    Args:
        item: Of any type.
        line: The item as JSON.

    Raises:
        ItemError: It has more than 500 levels.
    """
    if line.count(b"{") + line.count(b"[") <= _DEEPEST:
        return
    marks = line.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_BRACES, _NO_MARKS)
    level, depth = b"".join(marks.replace(b'""', b"").split(b'"')[::2]), 0  # what is outside of strings
    while level and depth <= _DEEPEST:
        level, depth = level.replace(b"{}", b""), depth + 1  # the innermost go, each time
    if depth > _DEEPEST:
        raise ItemError(f"nested more than {_DEEPEST} levels deep", item)


def item_error(error: Exception, item: Any) -> ItemError:
    """What a validation says, as an ItemError with field and value.

    Args:
        error: Of msgspec, pydantic, attrs, or anything else that user code raises.
        item: Where the value is: an item, or a mapping.
    """
    if isinstance(error, ItemError):
        return error
    field, value, more = None, None, ""
    message = reason(error)
    if isinstance(error, msgspec.ValidationError):
        found = _AT.fullmatch(message)
        if found is not None and found[2]:
            message, field = found[1], found[2]
    elif callable(details := getattr(error, "errors", None)) and (faults := details()):  # pydantic's
        first = faults[0]
        field = ".".join(map(str, first["loc"])) or None
        message, value = reason(first["msg"]), first["input"]
        others = [".".join(map(str, fault["loc"])) for fault in faults[1:]]
        more = f"; and {', '.join(others)}" if others else ""
    elif isinstance(error, TypeError | ValueError) and error.args:
        name = getattr(error.args[1], "name", None) if len(error.args) > 1 else None
        quoted = _QUOTED.match(str(error.args[0]))
        field = name or (quoted[1] if quoted and _get(item, quoted[1]) is not None else None)
        message = reason(error.args[0]) if name else f"{type(error).__name__}: {message}"
    else:
        message = f"{type(error).__name__}: {message}"
    if value is None and field is not None:
        value = item
        for step in _STEP.findall(field):
            value = _get(value, step)
    return ItemError(f"{field}: {message}{more}" if field else f"{message}{more}", item, field=field, value=value)


def is_validation(error: BaseException) -> bool:
    """Whether it says that an item is not as it must be: an ItemError, or what msgspec or pydantic raise."""
    return isinstance(error, ItemError | msgspec.ValidationError) or callable(getattr(error, "errors", None))


class _Unknown(Exception):  # noqa: N818  (not an error: nothing can be said)
    """A type that msgspec doesn't know."""


def _unknown(*_: Any) -> Any:
    raise _Unknown


@cache
def _decoder(kind: Any) -> Callable[[bytes], Any] | None:
    """What raises where the JSON of an item is not of its type; None where nothing can be said."""
    plain = dataclasses.is_dataclass(kind) and not hasattr(kind, "__post_init__")
    if not (plain or issubclass(kind, msgspec.Struct)) or hasattr(kind, "__pydantic_validator__"):
        return None
    try:
        return msgspec.json.Decoder(kind, dec_hook=_unknown).decode
    except (TypeError, NameError, ValueError):  # annotations that msgspec doesn't know, or that name nothing
        return None


def _get(where: Any, step: str) -> Any:
    """A field, an entry or an element; None where there is none."""
    if isinstance(where, Mapping):
        return where.get(step)
    if step.isdecimal() and isinstance(where, list | tuple):
        return where[int(step)] if int(step) < len(where) else None
    return getattr(where, step, None)
