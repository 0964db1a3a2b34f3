"""The fields of declarative items: what to select, and what to make of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, get_origin, overload

import msgspec

from scrapekit.errors import ItemError
from scrapekit.items.checking import item_error
from scrapekit.items.processors import NothingFound
from scrapekit.messages import Response
from scrapekit.messages.reason import reason

if TYPE_CHECKING:
    from scrapekit.items.item import Item

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
I = TypeVar("I", bound="Item")  # noqa: E741  (beside A, B and C)

_NOTHING: Any = object()


class Field(Generic[T]):
    """A field of an :class:`Item`: on the class itself, on an item its value. Immutable but for its name.

    Args:
        found: Gives the values for a page and the element in it that the item stands in: none, one or many.
        what: Says what is looked for, for messages.
        steps: What each value goes through.
        many: Whether all of them make the field, as a list, or the first one alone.
    """

    def __init__(
        self,
        found: Callable[[Response, Any], Iterable[Any]],
        what: str,
        steps: Iterable[Callable[[Any], Any]] = (),
        *,
        many: bool = False,
    ) -> None:
        self.name = ""
        self._found = found
        self._what = what
        self._steps = tuple(steps)
        self._many = many
        self._after: tuple[Callable[[Any], Any], ...] = ()
        self._default: Any = _NOTHING
        for step in self._steps:
            if not callable(step):
                raise TypeError(f"{what}: a step must be a function of one value, not {step!r:.80}")

    def then(self, step: Callable[[T], A]) -> Field[A]:
        """The same field, with its whole value put through ``step``: ``each("p::text").then(join(" "))``."""
        changed: Any = copy.copy(self)
        changed._after = (*self._after, step)
        return changed  # type: ignore[no-any-return]

    def default(self, value: A) -> Field[T | A]:
        """The same field, with this value where the page has nothing for it. Without, the item is rejected then."""
        changed: Any = copy.copy(self)
        changed._default = value
        return changed  # type: ignore[no-any-return]

    def read(self, page: Response, at: Any) -> T:
        """The value of the field, of the element ``at`` of a page.

        Raises:
            ItemError: The page has nothing for it, or a step can't read what it has; ``field`` is the part of it.
        """
        try:
            value: Any = []
            for number, raw in enumerate(self._found(page, at)):
                try:
                    one = _through(self._steps, raw, page)
                except ItemError as error:
                    raise _within(error, f"[{number}]" if self._many else "") from error
                if not self._many:
                    return _through(self._after, one, page)  # type: ignore[no-any-return]
                value.append(one)
            if self._many:
                return _through(self._after, value, page)  # type: ignore[no-any-return]
            raise NothingFound(f"nothing matches {self._what}")
        except NothingFound as error:
            if self._default is _NOTHING:
                raise ItemError(reason(error)) from error
            return self.initial()

    @property
    def is_optional(self) -> bool:
        """Whether it has a default."""
        return self._default is not _NOTHING

    def initial(self) -> T:
        """The default, a copy for each item."""
        return copy.copy(self._default)  # type: ignore[no-any-return]

    def check(self, value: Any) -> None:
        """Refuse a value that somebody sets, with an ItemError. Any is right here."""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        if self.name not in ("", name):
            raise TypeError(f"{owner.__qualname__}.{name} is the same field as {self.name}: make each its own")
        self.name = name

    @overload
    def __get__(self, item: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, item: Item, owner: type[Any]) -> T: ...
    def __get__(self, item: Item | None, owner: type[Any]) -> Self | T:
        return self if item is None else item._value(self.name)

    def __set__(self, item: Item, value: T) -> None:
        item._put(self.name, value)


class PageStep:
    """A step that is given the page too, such as one that makes a link absolute.

    Args:
        name: For messages.
        function: Of the page and one value.
    """

    def __init__(self, name: str, function: Callable[[Response, Any], Any]) -> None:
        self.__name__ = name
        self._function = function

    def __call__(self, page: Response, value: Any) -> Any:
        """What becomes of the value."""
        return self._function(page, value)


class _Given(Field[T]):
    def __init__(self, kind: type[T]) -> None:
        super().__init__(lambda page, at: (), "a page: the callback gives it")  # noqa: ARG005
        self._kind = kind

    def check(self, value: Any) -> None:
        try:
            msgspec.convert(value, self._kind)
        except Exception as error:
            if get_origin(self._kind) is not None or not isinstance(value, self._kind):
                raise item_error(error, value) from error


class _Select(Protocol):
    """How :data:`css`, :data:`xpath` and :data:`link` are called: a query, and functions that its text goes through."""

    @overload
    def __call__(self, query: str, /) -> Field[str]: ...
    @overload
    def __call__(self, query: str, item: type[I], /) -> Field[I]: ...
    @overload
    def __call__(self, query: str, a: Callable[[str], A], /) -> Field[A]: ...
    @overload
    def __call__(self, query: str, a: Callable[[str], A], b: Callable[[A], B], /) -> Field[B]: ...
    @overload
    def __call__(self, query: str, a: Callable[[str], A], b: Callable[[A], B], c: Callable[[B], C], /) -> Field[C]: ...
    def __call__(self, query: str, /, *steps: Any) -> Any: ...


def _selecting(language: str, read: Callable[[Response, Any], str | None] | None) -> _Select:
    def select(query: str, /, *steps: Any) -> Any:
        if not isinstance(query, str):
            raise TypeError(f"a query must be text, not {query!r:.80}")

        def found(page: Response, at: Any) -> Iterable[Any]:
            for selector in getattr(at, language)(query):
                if read is None:
                    yield selector
                elif (value := read(page, selector)) is not None:
                    yield value

        return Field(found, repr(query), steps)

    return select


def _href(page: Response, selector: Any) -> str | None:
    """The link in an element or a text, made absolute."""
    root = selector.root
    href = root if isinstance(root, str) else selector.attrib.get("href") or selector.attrib.get("src")
    return page.urljoin(href.strip()) if href else None


css: _Select = _selecting("css", None)
"""``css(query, *functions)``: a field of what a CSS selector finds first.

Its text goes through the functions, one after the other; the type of the field is what the last one returns. In place
of functions stands an :class:`Item`, which is then read below the element.
"""

xpath: _Select = _selecting("xpath", None)
"""``xpath(query, *functions)``: as :data:`css`, for XPath. ``.//`` begins below the element, ``//`` in the page."""

link: _Select = _selecting("css", _href)
"""``link(query, *functions)``: as :data:`css`, for the link in what is found: its ``href``, else its ``src``, or the
text, made absolute."""


@overload
def each(of: Field[A], /) -> Field[list[A]]: ...
@overload
def each(of: str, /) -> Field[list[str]]: ...
@overload
def each(of: str, item: type[I], /) -> Field[list[I]]: ...
@overload
def each(of: str, a: Callable[[str], A], /) -> Field[list[A]]: ...
@overload
def each(of: str, a: Callable[[str], A], b: Callable[[A], B], /) -> Field[list[B]]: ...
@overload
def each(of: str, a: Callable[[str], A], b: Callable[[A], B], c: Callable[[B], C], /) -> Field[list[C]]: ...
def each(of: Any, /, *steps: Any) -> Any:
    """A field of all that a query finds, as a list; an empty one is a value too.

    Args:
        of: A CSS selector; or a field whose query is meant: ``each(xpath("//td/text()"))``, ``each(link("li a"))``.
        steps: What each text goes through; or the Item that stands in each element.
    """
    field = copy.copy(of) if isinstance(of, Field) else css(of, *steps)
    field._many = True
    return field


def page_url() -> Field[str]:
    """A field of the URL of the page."""
    return Field(lambda page, at: (page.url,), "the page")  # noqa: ARG005


def given(kind: type[T]) -> Field[T]:
    """A field that the callback gives: ``Quote.from_response(response, tag=tag)``.

    Args:
        kind: The type that it must have.
    """
    return _Given(kind)


def _through(steps: Iterable[Any], value: Any, page: Response) -> Any:
    """``value`` put through functions; a selector is its text for them, and itself for an Item."""
    for step in steps:
        if hasattr(step, "from_response"):
            value = step.from_response(page, value)
            if (problem := value.problem) is not None:
                said = str(problem).removeprefix(f"{problem.field}: ")
                raise ItemError(said, field=problem.field, value=problem.value)
            continue
        if hasattr(value, "getall"):
            value = value.get()
        try:
            value = step(page, value) if isinstance(step, PageStep) else step(value)
        except NothingFound:
            raise
        except Exception as error:
            name = getattr(step, "__name__", type(step).__name__)
            raise ItemError(
                f"{name}() can't read {value!r:.100}: {type(error).__name__}: {reason(error)}", value=value
            ) from error
    return value.get() if hasattr(value, "getall") else value


def _within(error: ItemError, where: str) -> ItemError:
    """The same error, of a field within a larger one."""
    field = f"{where}.{error.field}" if where and error.field else where or error.field
    return ItemError(str(error), error.item, field=field, value=error.value)
