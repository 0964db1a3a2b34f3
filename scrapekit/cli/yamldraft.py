"""The YAML file that ``scrapekit new --yaml`` writes, guessed from a page like the Python one. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrapekit.messages import Response

_PLAIN = re.compile(r"[^\W\d_][\w-]*").fullmatch  # what a field can be called
_FILE = """\
# Spider {name}: {url}
# docs/declarative.md says what each key means, 'scrapekit select URL SELECTOR' what a selector finds.
description: What it takes from {host}.
start: {start}

items:
{items}"""
_PAGE = "  fields:\n    url: {page: url}\n    title: {css: title, required: false}\n"


def described(name: str, url: str, host: str, response: Response | None) -> str:
    """The file of a spider.

    Args:
        name: The spider's.
        url: Where it starts, as Request spells it.
        host: Its host.
        response: A page to guess from; None for a plain spider, to be filled in.

    Raises:
        ParseError: The body is not what its media type says.
    """
    start = _quoted(url.replace("{", "{{").replace("}", "}}"))
    items = _PAGE if response is None else _items(response)
    return _FILE.format(name=name, url=url, host=host, start=start, items=items)


def _items(response: Response) -> str:
    from scrapekit.cli.guess import next_page, records
    from scrapekit.cli.new import lists
    from scrapekit.parse import HtmlDocument

    doc = response.doc
    if isinstance(doc, HtmlDocument):
        following = next_page(response)
        return _html(response, records(response)) + (f"\nnext: {_quoted(following)}\n" if following else "")
    if isinstance(doc, dict | list):
        where = next(lists(doc, ()), None)
        found: Any = doc
        for key in where or ():
            found = found[key]
        if where is not None:
            path = ".".join(map(_identifier, where)) or "@"
            return f"  each: {{jmespath: {_quoted(path)}}}\n  fields:\n{''.join(_values(found[0]))}"
        return "  fields:\n    url: {page: url}\n    data: {jmespath: '@'}\n"
    return "  fields:\n    url: {page: url}\n    status: {page: status}\n"


def _html(response: Response, found: Any) -> str:
    from scrapekit.items import Item

    if found is None:
        return _PAGE + "    heading: {css: h1, required: false}\n"
    members = response.css(found.records)
    lines = [f"  each: {_quoted(found.records)}\n  fields:\n"]
    for field in found.fields:
        name = f"{field.name}_" if hasattr(Item, field.name) else field.name
        query, more = _quoted(field.query), ""
        if field.query.endswith(("::attr(href)", "::attr(src)")):
            more += ", to: url"
        if field.many:
            more += ", all: true"
        elif not all(member.css(field.query) for member in members):
            more += ", required: false"
        lines.append(f"    {name}: {{css: {query}{more}}}\n" if more else f"    {name}: {query}\n")
    return "".join(lines)


def _values(record: Mapping[str, Any]) -> Iterator[str]:
    """The fields of a record of JSON that can be fields of an item."""
    from scrapekit.items import Item

    names = [key for key in record if _PLAIN(key) and not hasattr(Item, key)]
    for key in names:
        yield f"    {key}: {{jmespath: {_quoted(_identifier(key))}, required: false}}\n"
    if not names:
        yield "    data: {jmespath: '@'}\n"


def _identifier(key: str) -> str:
    """A key as JMESPath has it, in quotes where it must be."""
    return key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else json.dumps(key)


def _quoted(text: str) -> str:
    """``text`` as YAML, in double quotes."""
    return json.dumps(text.replace("${", "$${"))
