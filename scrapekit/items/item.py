"""The :class:`Item`: an item that says itself where it is found on a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scrapekit.errors import ItemError
from scrapekit.items.fields import Field
from scrapekit.messages import Response
from scrapekit.selection import Selector


class Item:
    """An item with declared fields, read from a page. Stays in the worker that made it, as the page does.

    What is wrong with an item that was read is no exception where it is made, so that the next one on the page is still
    made: a field that is not as it must be raises an ItemError when it is looked at, and the item is rejected when the
    last pipeline has not put anything better there.

    Args:
        values: The fields, for an item that no page gives. Those without a value have their default.

    Raises:
        TypeError: There is no such field.
    """

    unique: ClassVar[Sequence[str]] = ()
    """Fields by which such an item is the only one of the crawl: of two with the same values the first is written."""

    _fields: ClassVar[dict[str, Field[Any]]] = {}

    def __init__(self, **values: Any) -> None:
        self._begin(values)
        for name, field in self._fields.items():
            if field.is_optional and name not in values:
                self._values[name] = field.initial()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = {name: field for name, field in cls.__dict__.items() if isinstance(field, Field)}
        hidden = [name for name in own if hasattr(Item, name) or name.startswith("_")]
        if hidden:
            raise TypeError(f"{cls.__qualname__}.{hidden[0]} can't be the name of a field: an Item needs it itself")
        cls._fields = {**cls._fields, **own}
        unknown = [name for name in cls.unique if name not in cls._fields]
        if isinstance(cls.unique, str) or unknown:
            raise TypeError(f"{cls.__qualname__}.unique must be a list of its fields, not {cls.unique!r}")

    @classmethod
    def from_response(cls, response: Response, at: Selector | None = None, /, **values: Any) -> Self:
        """The item of a page.

        Args:
            response: The page.
            at: The element that the item stands in; None for the whole page.
            values: Fields that are not to be looked for.

        Raises:
            TypeError: There is no such field.
            ParseError: The page is no HTML or XML.
        """
        item = cls.__new__(cls)
        item._begin(values)
        for name, field in cls._fields.items():
            if name not in values:
                try:
                    item._values[name] = field.read(response, response if at is None else at)
                except ItemError as error:
                    item._fail(name, error, response.url)
        return item

    @classmethod
    def all(cls, response: Response, query: str, /, **values: Any) -> Iterator[Self]:
        """An item for each element that a CSS selector finds: ``yield from Quote.all(response, "div.quote")``.

        Args:
            response: The page.
            query: The selector.
            values: As for :meth:`from_response`, the same for all.
        """
        for selector in response.css(query):
            yield cls.from_response(response, selector, **values)

    @property
    def problem(self) -> ItemError | None:
        """What is wrong with it, if anything is: with the first field that is not as it must be, and which others."""
        wrong = [name for name in self._fields if name not in self._values]
        if not wrong:
            return None
        error = self._problem(wrong[0])
        also = f"; and {', '.join(wrong[1:])}" if wrong[1:] else ""
        return ItemError(f"{error}{also}", self, field=error.field, value=error.value, url=error.url)

    @property
    def _known(self) -> dict[str, Any]:
        """The fields that have a value."""
        return {name: self._values[name] for name in self._fields if name in self._values}

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """The fields: the name by which pydantic models, too, give theirs to be written.

        Raises:
            ItemError: One is not as it must be.
        """
        if (problem := self.problem) is not None:
            raise problem
        return self._known

    def _value(self, name: str) -> Any:
        """The value of a field; raises an ItemError if there is none."""
        try:
            return self._values[name]
        except KeyError:
            raise self._problem(name) from None

    def _put(self, name: str, value: Any) -> None:
        """Set a field."""
        self._values.pop(name, None)
        try:
            self._fields[name].check(value)
        except ItemError as error:
            self._fail(name, ItemError(str(error), value=value), None)
        else:
            self._values[name] = value

    if not TYPE_CHECKING:  # a type checker knows the fields; this is for whoever has none

        def __setattr__(self, name: str, value: Any) -> None:
            if name not in self._fields and name not in ("_values", "_problems"):
                raise AttributeError(f"{type(self).__name__} has no field {name!r}")
            super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Item) and type(other) is type(self) and other._known == self._known

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._known.items())
        return f"{type(self).__name__}({shown})"

    def _begin(self, values: dict[str, Any]) -> None:
        unknown = values.keys() - self._fields.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no field {min(unknown)!r}")
        self._values: dict[str, Any] = {}
        self._problems: dict[str, ItemError] = {}
        for name, value in values.items():
            self._put(name, value)

    def _fail(self, name: str, error: ItemError, url: str | None) -> None:
        """A field is not as it must be; ``error.field`` is the part of it that is not."""
        part = error.field or ""
        field = f"{name}{part}" if part.startswith("[") or not part else f"{name}.{part}"
        self._problems[name] = ItemError(f"{field}: {error}", field=field, value=error.value, url=url)

    def _problem(self, name: str) -> ItemError:
        return self._problems.get(name) or ItemError(f"{name}: has no value", self, field=name)
