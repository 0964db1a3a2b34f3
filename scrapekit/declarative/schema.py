"""Every key of a spider that is written as YAML, with its type. docs/declarative.md says what each one means.

The structs are immutable, so any thread may read them. Calling one checks what its keys must be together, by a
ValueError; what each must be by itself, :func:`~scrapekit.declarative.reading.read` checks, once, where it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from scrapekit.declarative import leaves
from scrapekit.declarative.steps import gives_list
from scrapekit.items import Item
from scrapekit.settings.tree import Node


def _text(noun: str, check: Any) -> Any:
    return Meta(extra={"noun": noun, "check": check})


Css = Annotated[str, _text("a CSS selector", leaves.css)]
XPath = Annotated[str, _text("an XPath expression", leaves.xpath)]
JMESPath = Annotated[str, _text("a JMESPath expression", leaves.jmespath)]
Regex = Annotated[str, _text("a regular expression", leaves.regex)]
Tag = Annotated[str, _text("the name of an element, such as item", leaves.tag)]
Url = Annotated[str, _text("a URL", leaves.url)]
Template = Annotated[str, _text("text", leaves.template)]
NextTemplate = Annotated[str, _text("a URL with {page} or {value} in it", leaves.next_template)]
Domain = Annotated[str, _text("a domain", leaves.domain)]
PageName = Annotated[str, _text("the name of a page", leaves.page)]
Kind = Annotated[str, _text("a name such as Book", leaves.kind)]
TypeName = Annotated[str, _text("a type such as int or list[str]", leaves.type_name)]
SpiderName = Annotated[str, _text("a name", leaves.spider_name)]
Number = Annotated[int, Meta(ge=0, le=2**53)]
Stride = Annotated[int, Meta(ge=1, le=2**53)]


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


_LANGUAGES = ("css", "xpath", "jmespath")


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
        sources = (*_LANGUAGES, *others)
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
        self.one_of(*_LANGUAGES, "tag")


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
        _check_names(self.fields)
        _agree(self.fields, json=self.reads_json)
        listed = gives_list(
            [step.name for step in self.to], many=self.all, listed=None if self.reads_json or self.value else False
        )
        if self.type not in (None, "any", "object") and listed is not None and listed != self.type.startswith("list"):
            raise ValueError(f"type {self.type}: {'it is a list' if listed else 'it is one value, without all: true'}")


Fields = dict[str, Field]


def _check_names(fields: Fields) -> None:
    """Raise ValueError where a field is called as something that an item needs itself."""
    for name in fields:
        if hasattr(Item, name):
            raise ValueError(f"{name!r} can't be the name of a field: choose another")


def _agree(queries: Mapping[str, Selection], *, json: bool) -> None:
    """Raise ValueError where elements are looked for in JSON, or JSON in elements."""
    for name, one in queries.items():
        if one.reads_markup if json else one.reads_json:
            there, wanted = ("JSON", "jmespath") if json else ("elements", "css or xpath")
            raise ValueError(f"{name}: {one} is looked for in {there}: that takes {wanted}")


class Detail(Part, frozen=True, kw_only=True):
    """The page of an item: where it is, and what is read there."""

    link: Query | None = None
    fields: Fields = {}

    def __post_init__(self) -> None:
        if self.link is None or not self.fields:
            raise ValueError("must have link, which leads to the page, and fields, which are read there")
        _check_names(self.fields)
        _agree(self.fields, json=self.reads_json)

    @property
    def reads_json(self) -> bool:
        """Whether the page is JSON."""
        return any(one.reads_json for one in self.fields.values())


class Items(Part, frozen=True, kw_only=True):
    """One kind of item of a page."""

    kind: Kind = "Item"
    each: Each | None = None
    fields: Fields = {}
    detail: Detail | None = None
    unique: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        on_detail = {} if self.detail is None else self.detail.fields
        if not self.fields and not on_detail:
            raise ValueError("must have fields")
        twice = sorted(self.fields.keys() & on_detail.keys())
        if twice:
            raise ValueError(f"{twice[0]!r} is a field of the list and of the detail page: keep one of them")
        for name in self.unique:
            if name not in self.fields and name not in on_detail:
                raise ValueError(f"unique: there is no field {name!r}, only {', '.join((*self.fields, *on_detail))}")
        _check_names(self.fields)
        _agree(self._read_there, json=self.reads_json)

    @property
    def reads_json(self) -> bool:
        """Whether it stands in JSON."""
        if self.each is not None:
            return self.each.jmespath is not None
        return any(one.reads_json for one in self._read_there.values())

    @property
    def _read_there(self) -> dict[str, Selection]:
        link = None if self.detail is None else self.detail.link
        return {**self.fields, **({} if link is None else {"detail.link": link})}


class Next(Selection, frozen=True, kw_only=True):
    """The next page of a list."""

    rel: Literal["next"] | None = None
    parameter: str | None = None
    template: NextTemplate | None = None
    first: Number = field(default=1, name="from")
    step: Stride = 1
    until: Number | Literal["empty"] = "empty"

    def __post_init__(self) -> None:
        if self.counts:
            self.one_of("css", "xpath", "jmespath", "regex", "rel", "parameter", "template")
        else:
            self.one_source("rel")
            if self.parameter is not None and self.template is not None:
                raise ValueError("what the query finds belongs into parameter or into template: leave one of them out")
        wanted, other = ("{page}", "{value}") if self.counts else ("{value}", "{page}")
        if self.template is not None and (wanted not in self.template or other in self.template):
            raise ValueError(f"template: must have {wanted} in it: {'a number' if self.counts else 'what is found'}")

    @property
    def counts(self) -> bool:
        """Whether pages are counted, and not found on the page before."""
        return self.rel is None and not self.given((*_LANGUAGES, "regex"))


class Links(Selection, frozen=True, kw_only=True):
    """Links of a page that are followed."""

    allow: tuple[Regex, ...] = ()
    deny: tuple[Regex, ...] = ()
    to: PageName | None = None

    def __post_init__(self) -> None:
        queries = (*_LANGUAGES, "regex")
        if self.given(queries):
            self.one_source()
        elif not self.given(("allow", "deny")):
            self.one_of(*queries, "allow", "deny")


class Page(Part, frozen=True, kw_only=True):
    """What is taken from one kind of page, and where it leads."""

    match: tuple[Regex, ...] = ()
    items: tuple[Items, ...] = ()
    links: tuple[Links, ...] = ()
    next: Next | None = None

    def __post_init__(self) -> None:
        if not self.given(("items", "links", "next")):
            raise ValueError("must have items, links or next")


class Start(Part, frozen=True, kw_only=True):
    """Where a crawl starts."""

    urls: tuple[Url, ...] = ()
    file: Template | None = None
    sitemap: tuple[Url, ...] = ()

    short = "urls"

    def __post_init__(self) -> None:
        self.one_of("urls", "file", "sitemap")


class Description(Part, frozen=True, kw_only=True):
    """A spider."""

    name: SpiderName = ""
    description: str = ""
    start: Start | None = None
    arguments: dict[str, str | None] = {}
    allowed_domains: tuple[Domain, ...] = ()
    settings: Node = Node({}, "")
    namespaces: dict[str, str] = {}
    read_as: Literal["html", "xml"] | None = None
    obeys: tuple[Literal["nofollow", "noindex", "canonical"], ...] = ()
    items: tuple[Items, ...] = ()
    links: tuple[Links, ...] = ()
    next: Next | None = None
    pages: dict[str, Page] = {}

    def __post_init__(self) -> None:
        if self.start is None:
            raise ValueError("start is missing: where the crawl begins, a URL or a list of URLs")
        if not self.given(("items", "links", "next")) and not self.pages:
            raise ValueError("items is missing: what is taken from a page")
        kinds = self.kinds_with_details
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise ValueError(f"two items of the kind {kind} have a detail page: give each a kind of its own")
        led_to = {each.to for page in self.all_pages for each in page.links}
        for name, page in self.pages.items():
            if not page.match and name not in led_to:
                raise ValueError(f"pages.{name}: nothing leads there: give it match, or links that lead to: {name}")

    @property
    def kinds_with_details(self) -> list[str]:
        """The kinds of item that have a page of their own."""
        return [each.kind for page in self.all_pages for each in page.items if each.detail is not None]

    @property
    def all_pages(self) -> list[Page]:
        """What is taken from each kind of page."""
        return [*([] if self.front is None else [self.front]), *self.pages.values()]

    @property
    def front(self) -> Page | None:
        """What is taken from the pages that no other kind matches; None for nothing."""
        if not self.given(("items", "links", "next")):
            return None
        return Page(where=self.where, items=self.items, links=self.links, next=self.next)
