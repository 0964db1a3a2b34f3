"""What the keys of a spider that is written as YAML are made of: queries, and the fields of items.

The structs are immutable, so any thread may read them. Calling one checks what its keys must be together, by a
ValueError; what each must be by itself, :func:`~scrapekit.declarative.reading.read` checks, once, where it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from scrapekit.declarative import leaves
from scrapekit.declarative.steps import gives_list
from scrapekit.items import Item


def leaf(noun: str, check: Any) -> Any:
    """A single value: what it is called in messages, and a function of :mod:`leaves` that checks it."""
    return Meta(extra={"noun": noun, "check": check})


Css = Annotated[str, leaf("a CSS selector", leaves.css)]
XPath = Annotated[str, leaf("an XPath expression", leaves.xpath)]
JMESPath = Annotated[str, leaf("a JMESPath expression", leaves.jmespath)]
Regex = Annotated[str, leaf("a regular expression", leaves.regex)]
Tag = Annotated[str, leaf("the name of an element, such as item", leaves.tag)]
TypeName = Annotated[str, leaf("a type such as int or list[str]", leaves.type_name)]


class Wrong(ValueError):  # noqa: N818  (it says what is so)
    """Something in a mapping is not as it must be.

    Args:
        message: What.
        where: File and line of it.
    """

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.where = where


class Part(Struct, frozen=True, kw_only=True):
    """A mapping of the file."""

    where: str = ""
    """File and line."""

    short: ClassVar[str] = ""
    """The key that is meant where something else than a mapping is written."""

    def given(self, names: Iterable[str]) -> list[str]:
        """Which of these keys it has."""
        return [name for name in names if getattr(self, name) not in (None, UNSET, ())]

    def one_of(self, *names: str) -> None:
        """Raise ValueError unless it has exactly one of these keys."""
        given = self.given(names)
        if len(given) != 1:
            have = f", not {' and '.join(given)}" if given else ""
            raise ValueError(f"must have one of {', '.join(names)}{have}")


LANGUAGES = ("css", "xpath", "jmespath")
"""In which queries are written."""


class Selection(Part, frozen=True, kw_only=True):
    """What may be looked for."""

    css: Css | None = None
    xpath: XPath | None = None
    jmespath: JMESPath | None = None
    regex: Regex | None = None

    short = "css"

    @property
    def reads_json(self) -> bool:
        """Whether it is a query of JSON, and not of elements."""
        return self.jmespath is not None

    @property
    def reads_markup(self) -> bool:
        """Whether it is a query of elements."""
        return self.css is not None or self.xpath is not None

    def one_source(self, *others: str) -> None:
        """Raise ValueError unless it has one of these keys and the languages, or ``regex`` alone."""
        sources = (*LANGUAGES, *others)
        self.one_of(*(sources if self.given(sources) else (*sources, "regex")))

    def __str__(self) -> str:
        return repr(next(text for text in (self.css, self.xpath, self.jmespath, self.regex) if text is not None))


class Query(Selection, frozen=True, kw_only=True):
    """What is looked for; with ``regex`` besides: in the text of what the other one finds."""

    def __post_init__(self) -> None:
        self.one_source()


class Each(Part, frozen=True, kw_only=True):
    """In what an item stands."""

    css: Css | None = None
    xpath: XPath | None = None
    jmespath: JMESPath | None = None
    tag: Tag | None = None

    short = "css"

    def __post_init__(self) -> None:
        self.one_of(*LANGUAGES, "tag")


class Processor(Part, frozen=True, kw_only=True):
    """One function that a value goes through."""

    name: str
    argument: Any = None


class Field(Selection, frozen=True, kw_only=True):
    """One field of an item."""

    page: Literal["url", "status", "source"] | None = None
    value: Any = UNSET
    all: bool = False
    to: tuple[Processor, ...] = ()
    type: TypeName | None = None
    default: Any = UNSET
    required: bool | UnsetType = UNSET
    fields: dict[str, Field] = {}

    def __post_init__(self) -> None:
        self.one_source("page", "value")
        if self.required is True and self.default is not UNSET:
            raise ValueError("what is required needs no default: leave one of them out")
        if self.fields and (self.to or self.type or self.regex):
            raise ValueError("fields make an item of what is found: leave to, type and regex out")
        if self.fields and not (self.reads_json or self.reads_markup):
            raise ValueError("fields need css, xpath or jmespath beside them, which say in what they stand")
        check_names(self.fields)
        agree(self.fields, json=self.reads_json)
        listed = gives_list(
            [step.name for step in self.to], many=self.all, listed=None if self.reads_json or self.value else False
        )
        if self.type not in (None, "any", "object") and listed is not None and listed != self.type.startswith("list"):
            raise ValueError(f"type {self.type}: {'it is a list' if listed else 'it is one value, without all: true'}")


Fields = dict[str, Field]


def check_names(fields: Fields) -> None:
    """Raise ValueError where a field is called as something that an item needs itself."""
    for name, one in fields.items():
        if hasattr(Item, name):
            raise Wrong(f"{name!r} can't be the name of a field: choose another", one.where)


def agree(queries: Mapping[str, Selection], *, json: bool) -> None:
    """Raise ValueError where elements are looked for in JSON, or JSON in elements."""
    for name, one in queries.items():
        if one.reads_markup if json else one.reads_json:
            there, wanted = ("JSON", "jmespath") if json else ("elements", "css or xpath")
            raise Wrong(f"{name}: {one} is looked for in {there}: that takes {wanted}", one.where)
