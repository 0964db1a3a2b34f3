"""Where values stand: in a page, an element of it, or a value of its JSON. In the worker that has the page."""

from __future__ import annotations

import json as stdlib_json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from scrapekit.declarative.parts import Each, Selection
from scrapekit.declarative.searching import searching
from scrapekit.messages import Response
from scrapekit.spiders import iter_nodes
from scrapekit.web.headers import content_type


class Json(NamedTuple):
    """A value of a JSON document, which is a place as an element is one."""

    value: Any


Found = Callable[[Any], Iterator[Any]]
"""What is found below a page, an element or a :class:`Json`: elements, texts, or values of JSON."""


def document(response: Response) -> Json:
    """The data of a page: its JSON, whatever its media type, or the rows of a CSV."""
    media_type = content_type(response.headers.get("content-type")).media_type
    rows = media_type in ("text/csv", "text/tab-separated-values")
    return Json(response.doc if rows else response.json())


def finding(query: Selection) -> Found:
    """What a query finds; of ``regex``, the texts: the first group of each match, or all of it. Compiled here."""
    raw = _raw(query)
    if query.regex is None:
        return raw
    matches = re.compile(query.regex)

    def found(at: Any) -> Iterator[str]:
        for value in raw(at):
            for match in matches.finditer(source(value) if raw is _itself else text(value)):
                yield match[min(1, matches.groups)] or ""

    return found


def standing(each: Each, namespaces: Mapping[str, str]) -> Callable[[Response], Iterator[Any]]:
    """In what each item of a page stands, as ``fields`` are looked for there."""
    if each.tag is not None:
        tag = each.tag
        return lambda page: iter_nodes(page, tag, namespaces=namespaces)
    if each.jmespath is not None:
        search = searching(each.jmespath)
        return lambda page: map(Json, _several(search(document(page).value)))
    if each.xpath is not None:
        xpath = each.xpath
        return lambda page: iter(page.xpath(xpath))
    css = each.css or ""
    return lambda page: iter(page.css(css))


def text(value: Any) -> str:
    """What a reader sees of an element; a text itself; other values of JSON as JSON."""
    if isinstance(value, str):
        return value
    if hasattr(value, "getall"):
        return str(value.xpath("string()").get("") if hasattr(value.root, "itertext") else value.get())
    return stdlib_json.dumps(value, ensure_ascii=False)


def source(value: Any) -> str:
    """A page or an element with its markup, all else as :func:`text`."""
    if isinstance(value, Response):
        return value.text
    if isinstance(value, Json):
        value = value.value
    return value.get() if hasattr(value, "getall") else text(value)


def href(value: Any) -> str:
    """The link in an element: its ``href``, else its ``src``; a text itself."""
    attributes = getattr(value, "attrib", None)
    return (attributes.get("href") or attributes.get("src") or "") if attributes else text(value)


def _raw(query: Selection) -> Found:
    if query.css is not None:
        css = query.css
        return lambda at: iter(at.css(css))
    if query.xpath is not None:
        xpath = query.xpath
        return lambda at: iter(at.xpath(xpath))
    if query.jmespath is not None:
        search = searching(query.jmespath)
        return lambda at: _values(search((at if isinstance(at, Json) else document(at)).value))
    return _itself


def _itself(at: Any) -> Iterator[Any]:
    yield at


def _values(value: Any) -> Iterator[Any]:
    """What JMESPath has found; null is nothing."""
    if value is not None:
        yield value


def _several(value: Any) -> Iterator[Any]:
    """The elements of a list, or a value that is none."""
    values = value if isinstance(value, list) else [value]
    return (one for one in values if one is not None)
