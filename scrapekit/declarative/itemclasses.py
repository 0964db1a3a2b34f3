"""Items that are declared in a file: a class of :class:`~scrapekit.items.Item` for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from scrapekit.declarative import parts
from scrapekit.declarative.leaves import filled
from scrapekit.declarative.places import Json, finding, href, source, text
from scrapekit.declarative.steps import HTML, URL, divided, step, typed
from scrapekit.errors import ItemError
from scrapekit.items import Field, Item
from scrapekit.items.processors import NothingFound
from scrapekit.messages import Response
from scrapekit.messages.reason import reason


def item_class(
    kind: str,
    fields: Mapping[str, parts.Field],
    values: Mapping[str, str],
    *,
    given: Sequence[str] = (),
    unique: Sequence[str] = (),
) -> type[Item]:
    """A class of items, whose instances may stand in a page, an element or JSON.

    Args:
        kind: Its name.
        fields: What is read.
        values: Those of the spider's arguments.
        given: Fields that were read on another page, and come before the others.
        unique: As ``Item.unique``.
    """
    made: dict[str, Any] = {name: _carried() for name in given}
    made |= {name: _field(one, values) for name, one in fields.items()}
    return type(kind, (Item,), {**made, "unique": tuple(unique), "__module__": __name__})


def _carried() -> Field[Any]:
    return Field(lambda page, at: (), "the list page, where it had no such field when the request was made")  # noqa: ARG005


def _field(one: parts.Field, values: Mapping[str, str]) -> Field[Any]:
    names = [each.name for each in one.to]
    steps = [step(each.name, each.argument) for each in one.to]
    alone = divided(names, many=one.all)
    inner: list[Any] = [item_class("Part", one.fields, values)] if one.fields else steps[:alone]
    field: Field[Any] = Field(_found(one, values, names), _what(one), inner, many=one.all)
    must = one.all and (one.required is True or one.default is not UNSET)
    for after in ([_not_empty] if must else []) + steps[alone:] + ([typed(one.type)] if one.type else []):
        field = field.then(after)
    if one.default is not UNSET or one.required is False:
        field = field.default(None if one.default is UNSET else one.default)
    return field


def _what(one: parts.Field) -> str:
    return str(one) if one.reads_json or one.reads_markup or one.regex else "the page"


def _found(
    one: parts.Field, values: Mapping[str, str], names: Sequence[str]
) -> Callable[[Response, Any], Iterator[Any]]:
    """What gives the values of a field that go into its first step."""
    if one.value is not UNSET:
        constant = filled(one.value, values) if isinstance(one.value, str) else one.value
        return lambda page, at: iter([constant])  # noqa: ARG005
    if one.page is not None:
        read: Callable[[Response], Any] = {"url": _url, "status": _status, "source": source}[one.page]
        return lambda page, at: iter([read(page)])  # noqa: ARG005
    find = finding(one)
    wanted = _wanted(one, names)

    def found(page: Response, at: Any) -> Iterator[Any]:  # noqa: ARG001
        try:
            for value in find(at):
                if one.reads_json and one.all and isinstance(value, list):
                    yield from (wanted(element) for element in value if element is not None)
                else:
                    yield wanted(value)
        except ValueError as error:  # a function of XPath or JMESPath that does not fit what is there
            raise ItemError(reason(error)) from error

    return found


def _wanted(one: parts.Field, names: Sequence[str]) -> Callable[[Any], Any]:
    """What is meant of what was found: of an element its text, its markup, its link, or itself for an item in it."""
    if one.reads_json and one.regex is None:
        return Json if one.fields else _same
    if one.fields:
        return _same
    first = names[0] if names else one.type
    return {HTML: source, URL: href, "list[url]": href}.get(first or "", text)


def _same(value: Any) -> Any:
    return value


def _url(page: Response) -> str:
    return page.url


def _status(page: Response) -> int:
    return page.status


def _not_empty(values: list[Any]) -> list[Any]:
    if not values:
        raise NothingFound("nothing matches")
    return values
