"""What the values of a field go through: processors by name, and types. Functions of one value; any thread."""

from __future__ import annotations

import datetime as dt
import json as stdlib_json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import wraps
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from scrapekit.declarative.searching import searching
from scrapekit.errors import RequestInvalid
from scrapekit.items import clean, join, regex, strip, take_first, to_date, to_datetime, to_int, to_number, to_price
from scrapekit.items.fields import PageStep
from scrapekit.items.processors import NothingFound
from scrapekit.messages import Response
from scrapekit.settings.checking import near
from scrapekit.web.urls import address

Step = Callable[..., Any]
"""Of one value; a :class:`PageStep` of the page besides."""

HTML = "html"
"""The processor that keeps the markup of an element: the first one, if any."""

URL = "url"
"""The processor that, where it is the first one, takes the link of an element."""


class Kind(NamedTuple):
    """A processor.

    Args:
        make: Makes the function, of the argument.
        argument: What type that must have.
        needed: Whether there must be one.
        takes: Whether the function takes a list, or one value.
        gives: Whether it makes a list; None for whatever it finds.
    """

    make: Callable[[Any], Step]
    argument: Any = None
    needed: bool = False
    takes: bool = False
    gives: bool | None = False


def step(name: str, argument: Any = None) -> Step:
    """The function of a processor. Raises ValueError if the argument is none for it."""
    return PROCESSORS[name].make(argument)


def typed(name: str) -> Step:
    """The function that sees to it that a value is of a type: text is read, ``"12"`` as 12; all else must be of it."""
    if name == URL:
        return PageStep(URL, _absolute)
    if name == "list[url]":
        return PageStep(name, lambda page, values: [_absolute(page, value) for value in _list(values)])
    kind = type_of(name)

    def check(value: Any) -> Any:
        if kind is float and isinstance(value, Decimal):
            return float(value)
        return msgspec.convert(value, kind, strict=False)

    check.__name__ = name
    return check


def type_of(name: str) -> Any:
    """The type that ``name`` stands for: one of :data:`TYPES`, or ``list[...]`` of one.

    Raises:
        ValueError: There is no such type.
    """
    inner = re.fullmatch(r"list(?:\[(.*)\])?", name)
    if inner is not None:
        return list if inner[1] is None else list[type_of(inner[1])]  # type: ignore[misc]  # made at run time
    if name not in TYPES:
        close = near(name, TYPES)
        hint = f"did you mean {close!r}?" if close else f"there are {', '.join(TYPES)}, and list[...] of them"
        raise ValueError(f"there is no type {name!r}: {hint}")
    return TYPES[name]


TYPES: Mapping[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "decimal": Decimal,
    "date": dt.date,
    "datetime": dt.datetime,
    "url": str,
    "object": dict[str, Any],
    "any": Any,
}


def divided(names: Sequence[str], *, many: bool) -> int:
    """How many of these processors each value goes through by itself; the others take the list of all."""
    return next((at for at, name in enumerate(names) if many and PROCESSORS[name].takes), len(names))


def gives_list(names: Sequence[str], *, many: bool, listed: bool | None) -> bool | None:
    """Whether a list comes out of these processors; None if only the page can tell.

    Args:
        names: Theirs, in order.
        many: Whether all that is found goes in, or the first.
        listed: Whether one value that is found is a list.

    Raises:
        ValueError: One takes a list and gets one value, or the other way round.
    """
    for name in names:
        kind = PROCESSORS[name]
        if kind.takes:
            listed, many = many or listed, False
            if listed is False:
                raise ValueError(f"{name} takes a list: add all: true")
        elif listed and name != "jmespath":
            raise ValueError(f"{name} takes one value, and gets a list: put it elsewhere")
        listed = kind.gives
    return many or listed


def _absolute(page: Response, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("it is no text")
    try:
        return address(page.urljoin(value.strip())).url
    except RequestInvalid as error:
        raise ValueError(str(error)) from error


def _list(values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise TypeError("it is no list")
    return values


def _of_text(function: Callable[[str], Any], name: str = "") -> Callable[[Any], Any]:
    """The same for numbers too, which JSON has where pages have text."""

    @wraps(function)
    def of_text(value: Any) -> Any:
        return function(str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value)

    of_text.__name__ = name or function.__name__
    return of_text


def _text(function: Callable[[str], Any], name: str) -> Kind:
    return Kind(lambda _: _of_text(function, name))


def _replace(pairs: Mapping[str, str]) -> Step:
    patterns = []
    for pattern, by in pairs.items():
        try:
            # What matches anywhere: a reference to a group that is not there is found here, and not on a page.
            re.compile(f"{pattern}|").sub(by, "")
            patterns.append((re.compile(pattern), by))
        except (re.error, OverflowError, RecursionError, Warning, IndexError) as error:
            raise ValueError(f"{pattern!r:.100} can't be replaced by {by!r:.100}: {error}") from error

    def replace(text: str) -> str:
        for pattern, by in patterns:
            text = pattern.sub(by, text)
        return text

    return _of_text(replace)


def _map(values: Mapping[str, Any]) -> Step:
    def map(text: str) -> Any:  # noqa: A001  (the name of the processor, for messages)
        if text not in values:
            raise ValueError(f"it is none of {', '.join(values)}")
        return values[text]

    return _of_text(map)


def _regex(pattern: str) -> Step:
    try:
        return _of_text(regex(pattern))
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"{pattern!r:.100} is no regular expression: {error}") from error


def _of_form(make: Callable[[str | None], Step], form: str | None) -> Step:
    try:
        if form is not None:
            dt.datetime.strptime("", form)  # noqa: DTZ007  (whether it is a form is asked)
    except (ValueError, re.error) as error:
        if "does not match" not in str(error):
            raise ValueError(f"{form!r:.100} is no form of strptime(): {error}") from error
    return make(form)


def _split(separator: str) -> Step:
    if not separator:
        raise ValueError("must have a separator")

    def split(text: str) -> list[str]:
        return [part.strip() for part in text.split(separator) if part.strip()]

    return _of_text(split)


def _jmespath(expression: str) -> Step:
    search = searching(expression)

    def jmespath(value: Any) -> Any:
        found = search(msgspec.json.decode(value) if isinstance(value, str) else value)
        if found is None:
            raise NothingFound(f"nothing matches {expression!r}")
        return found

    return jmespath


def _join(separator: str | None) -> Step:
    joined = join(" " if separator is None else separator)

    def join_(values: Any) -> str:
        return joined(map(str, _list(values)))

    join_.__name__ = "join"
    return join_


def _unique(values: Any) -> list[Any]:
    first: dict[str, Any] = {}
    for value in _list(values):  # some are lists or objects
        first.setdefault(stdlib_json.dumps(value, sort_keys=True, default=repr), value)
    return list(first.values())


_FORM = Annotated[str, Meta(extra={"noun": "a form of strptime(), such as '%d.%m.%Y'"})] | None
_PATTERN = Annotated[str, Meta(extra={"noun": "a regular expression"})]
_PAIRS = dict[str, str]

PROCESSORS: Mapping[str, Kind] = {
    "strip": _text(strip, "strip"),
    "clean": _text(clean, "clean"),
    "lower": _text(str.lower, "lower"),
    "upper": _text(str.upper, "upper"),
    "int": _text(to_int, "int"),
    "number": _text(to_number, "number"),
    "price": _text(to_price, "price"),
    "date": Kind(lambda form: _of_form(to_date, form), _FORM),
    "datetime": Kind(lambda form: _of_form(to_datetime, form), _FORM),
    URL: Kind(lambda _: PageStep(URL, _absolute)),
    HTML: Kind(lambda _: strip),
    "regex": Kind(_regex, _PATTERN, needed=True),
    "replace": Kind(_replace, _PAIRS, needed=True),
    "map": Kind(_map, dict, needed=True),
    "split": Kind(_split, str, needed=True, gives=True),
    "jmespath": Kind(_jmespath, Annotated[str, Meta(extra={"noun": "a JMESPath expression"})], needed=True, gives=None),
    "join": Kind(_join, str | None, takes=True),
    "first": Kind(lambda _: take_first, takes=True),
    "count": Kind(lambda _: lambda values: len(_list(values)), takes=True),
    "unique": Kind(lambda _: _unique, takes=True, gives=True),
}
