"""What single values of the file must be, beyond their types.

Each check takes the value and what the rest of the file names, and returns the value to use, or raises ValueError with
words that complete ``KEY: ...``. All queries and patterns are compiled here, so that none fails in mid-crawl.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from keyword import iskeyword
from typing import Any, NamedTuple

from lxml import etree

from scrapekit.declarative.searching import searching
from scrapekit.declarative.steps import type_of
from scrapekit.errors import ConfigError, RequestInvalid
from scrapekit.parse.queries import Dialect
from scrapekit.settings.checking import near
from scrapekit.web import Scope
from scrapekit.web.urls import address


class Known(NamedTuple):
    """What other parts of the file name.

    Args:
        arguments: Of the spider, with their defaults.
        namespaces: URIs by prefix.
        pages: The kinds of page.
    """

    arguments: Mapping[str, str | None] = {}
    namespaces: Mapping[str, str] = {}
    pages: Iterable[str] = ()


ANYWAY = ("start_urls", "allowed_domains")
"""Arguments that every spider takes."""

_PLACE = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_NOTHING = etree.Element("html")
_NAME = re.compile(r"\w[\w.-]*").fullmatch
_KIND = re.compile(r"[^\W\d]\w*").fullmatch


def css(value: str, known: Known) -> str:
    """A CSS selector, with ``::text`` and ``::attr(name)``."""
    _dialect(known).css(_NOTHING, value)
    return value


def xpath(value: str, known: Known) -> str:
    """An XPath 1.0 expression."""
    _dialect(known).xpath(_NOTHING, value, None, {})
    return value


def _dialect(known: Known) -> Dialect:
    dialect = Dialect("html")
    dialect.namespaces.update(known.namespaces)
    return dialect


def jmespath(value: str, known: Known) -> str:  # noqa: ARG001  (all checks are called alike)
    """A JMESPath expression."""
    searching(value)
    return value


def regex(value: str, known: Known) -> str:  # noqa: ARG001
    """A regular expression of Python."""
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"{value!r:.100} is no regular expression: {error}") from error
    return value


def tag(value: str, known: Known) -> str:  # noqa: ARG001
    """The local name of an element."""
    if not re.fullmatch(r"[^\W\d][\w.-]*", value):
        raise ValueError(f"must be the name of an element, without prefix, not {value!r}")
    return value


def template(value: str, known: Known) -> str:
    """Text in which ``{name}`` stands for an argument."""
    return _with_places(value, known.arguments)


def next_template(value: str, known: Known) -> str:
    """A URL in which ``{page}`` or ``{value}`` stands besides."""
    _with_places(value, {**known.arguments, "page": None, "value": None})
    if "{page}" not in value and "{value}" not in value:
        raise ValueError(f"must have {{page}} in it, or {{value}} for what a query finds, not {value!r}")
    return value


def _with_places(value: str, arguments: Mapping[str, Any]) -> str:
    for found in _PLACE.finditer(value):
        name = found[1]
        if name is not None and name not in arguments:
            close = near(name, arguments)
            hint = f"did you mean {{{close}}}?" if close else "name it under arguments, or write {{ for a plain {"
            raise ValueError(f"has {{{name}}} in it, which is no argument: {hint}")
    alone = re.search(r"[{}]", _PLACE.sub("", value))
    if alone is not None:
        brace = alone[0]
        raise ValueError(f"has a {brace} by itself: write {brace * 2} for a plain one, or {{NAME}} for an argument")
    return value


def filled(text: str, values: Mapping[str, str]) -> str:
    """``text`` with values in the place of ``{name}``, and with single braces for double ones. Pure."""
    return _PLACE.sub(lambda found: found[0][0] if found[1] is None else values[found[1]], text)


def is_argument(name: str) -> bool:
    """Whether an argument can be called so: what Python takes, but for what every spider takes anyway."""
    return name.isidentifier() and not iskeyword(name) and name not in ("self", *ANYWAY)


def url(value: str, known: Known) -> str:
    """A URL, perhaps with arguments in it."""
    _with_places(value, known.arguments)
    if "{" not in value:
        try:
            address(value)
        except RequestInvalid as error:
            raise ValueError(f"can't be fetched: {error}") from error
    return value


def domain(value: str, known: Known) -> str:  # noqa: ARG001
    """A domain, or ``*`` for anywhere."""
    try:
        Scope([value])
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("allowed_domains: ")) from error
    return value


def page(value: str, known: Known) -> str:
    """A kind of page that the file has."""
    pages = list(known.pages)
    if value not in pages:
        close = near(value, pages)
        hint = f"did you mean {close!r}?" if close else f"there are {', '.join(pages)}" if pages else "there are none"
        raise ValueError(f"must be one of pages, not {value!r}: {hint}")
    return value


def kind(value: str, known: Known) -> str:  # noqa: ARG001
    """What a class can be called."""
    if not _KIND(value):
        raise ValueError(f"must be letters, digits and '_', and begin with a letter, not {value!r}")
    return value


def spider_name(value: str, known: Known) -> str:  # noqa: ARG001
    """What jobs and outputs can be called after."""
    if not _NAME(value):
        raise ValueError(f"must be letters, digits, '_', '.' and '-', not {value!r}")
    return value


def type_name(value: str, known: Known) -> str:  # noqa: ARG001
    """A type that steps know."""
    type_of(value)
    return value
