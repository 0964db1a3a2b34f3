"""Every key of a spider that is written as YAML, with its type. docs/declarative.md says what each one means."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from scrapekit.declarative import leaves
from scrapekit.declarative.parts import (
    LANGUAGES,
    Each,
    Fields,
    Part,
    Query,
    Regex,
    Selection,
    Wrong,
    agree,
    check_names,
    leaf,
)
from scrapekit.settings.tree import Node

Url = Annotated[str, leaf("a URL", leaves.url)]
Template = Annotated[str, leaf("text", leaves.template)]
NextTemplate = Annotated[str, leaf("a URL with {page} or {value} in it", leaves.next_template)]
Domain = Annotated[str, leaf("a domain", leaves.domain)]
PageName = Annotated[str, leaf("the name of a page", leaves.page)]
Kind = Annotated[str, leaf("a name such as Book", leaves.kind)]
SpiderName = Annotated[str, leaf("a name", leaves.spider_name)]
Number = Annotated[int, Meta(ge=0, le=2**53)]
Stride = Annotated[int, Meta(ge=1, le=2**53)]


class Detail(Part, frozen=True, kw_only=True):
    """The page of an item: where it is, and what is read there."""

    link: Query | None = None
    fields: Fields = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.link is None or not self.fields:
            raise ValueError("must have link, which leads to the page, and fields, which are read there")
        check_names(self.fields)
        agree(self.fields, json=self.reads_json)

    @property
    def reads_json(self) -> bool:
        """Whether the page is JSON."""
        return any(one.reads_json for one in self.fields.values())


class Items(Part, frozen=True, kw_only=True):
    """One kind of item of a page."""

    kind: Kind = "Item"
    each: Each | None = None
    fields: Fields = field(default_factory=dict)
    detail: Detail | None = None
    unique: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        on_detail = {} if self.detail is None else self.detail.fields
        if not self.fields and not on_detail:
            raise ValueError("must have fields")
        twice = sorted(self.fields.keys() & on_detail.keys())
        if twice:
            said = f"{twice[0]!r} is a field of the list and of the detail page: keep one of them"
            raise Wrong(said, on_detail[twice[0]].where)
        for name in self.unique:
            if name not in self.fields and name not in on_detail:
                raise ValueError(f"unique: there is no field {name!r}, only {', '.join((*self.fields, *on_detail))}")
        check_names(self.fields)
        agree(self._read_there, json=self.reads_json)

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
        return self.rel is None and not self.given((*LANGUAGES, "regex"))


class Links(Selection, frozen=True, kw_only=True):
    """Links of a page that are followed."""

    allow: tuple[Regex, ...] = ()
    deny: tuple[Regex, ...] = ()
    to: PageName | None = None

    def __post_init__(self) -> None:
        queries = (*LANGUAGES, "regex")
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
    arguments: dict[str, str | None] = field(default_factory=dict)
    allowed_domains: tuple[Domain, ...] = ()
    settings: Node = Node({}, "")
    namespaces: dict[str, str] = field(default_factory=dict)
    read_as: Literal["html", "xml"] | None = None
    obeys: tuple[Literal["nofollow", "noindex", "canonical"], ...] = ()
    items: tuple[Items, ...] = ()
    links: tuple[Links, ...] = ()
    next: Next | None = None
    pages: dict[str, Page] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.start is None:
            raise ValueError("start is missing: where the crawl begins, a URL or a list of URLs")
        if not self.given(("items", "links", "next")) and not self.pages:
            raise ValueError("items is missing: what is taken from a page")
        kinds = set()
        for one in self._items_with_details:
            if one.kind in kinds:
                raise Wrong(
                    f"two items of the kind {one.kind} have a detail page: give each a kind of its own", one.where
                )
            kinds.add(one.kind)
        led_to = {each.to for page in self.all_pages for each in page.links}
        for name, page in self.pages.items():
            if not page.match and name not in led_to:
                said = f"pages.{name}: nothing leads there: give it match, or links that lead to: {name}"
                raise Wrong(said, page.where)

    @property
    def kinds_with_details(self) -> list[str]:
        """The kinds of item that have a page of their own."""
        return [each.kind for each in self._items_with_details]

    @property
    def _items_with_details(self) -> list[Items]:
        return [each for page in self.all_pages for each in page.items if each.detail is not None]

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
