"""A spider that is a file: :func:`load` makes its class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, ClassVar

from scrapekit.declarative.leaves import ANYWAY, Known, filled, spider_name
from scrapekit.declarative.pages import PageReader, Readers, detail_callback, page_callback
from scrapekit.declarative.reading import read
from scrapekit.declarative.schema import Description, Page
from scrapekit.errors import RequestInvalid, SpiderError
from scrapekit.messages import Response
from scrapekit.parse.builtin import builtin
from scrapekit.settings.checking import near
from scrapekit.settings.tree import Written
from scrapekit.spider import Spider
from scrapekit.spiders import ListSpider, RoutedSpider, SitemapSpider, route
from scrapekit.web.urls import address


def load(path: str | os.PathLike[str]) -> type[DeclarativeSpider]:
    """The spider that a YAML file describes, as a class like any other: to be run, or to be made a subclass of.

    Args:
        path: The file; relative to the working directory.

    Raises:
        SpiderError: It can't be read, or is no spider: one line with file, line, what is wrong and what was meant.
    """
    file = Path(path)
    description = read(file)
    name = description.name or file.stem
    try:
        spider_name(name, Known())
    except ValueError as error:
        raise SpiderError(
            f"{description.where}: the file's name is that of the spider: {error}; or say name:"
        ) from error
    kind = _kind(description)
    members: dict[str, Any] = {
        "__doc__": description.description or f"The spider of {file.name}.",
        "__module__": __name__,
        "name": name,
        "described": description,
        "declared_in": str(file.absolute()),
        "obeys": description.obeys,
        "__init__": _init(description),
        **{page_callback(name): _page_method(name, page) for name, page in description.pages.items()},
        **{detail_callback(kind): _detail_method(kind) for kind in description.kinds_with_details},
    }
    if description.allowed_domains:
        members["allowed_domains"] = description.allowed_domains
    if description.settings.value:
        members["settings"] = _settings(description, kind)
    if description.read_as is not None:
        members["parsers"] = {"*/*": builtin(f"text/{description.read_as}")}
    return type(name, (DeclarativeSpider,) if kind is RoutedSpider else (DeclarativeSpider, kind), members)


class DeclarativeSpider(RoutedSpider):
    """What the spiders have in common that are YAML files. :func:`load` makes the class of each."""

    described: ClassVar[Description]
    """What the file says."""

    declared_in: ClassVar[str]
    """The file, absolute."""

    def __init__(self, **arguments: Any) -> None:
        values, others = self._values(arguments)
        super().__init__(**{**self._start(values), **others})
        self._readers = Readers(self.described, values)
        self._routed_only = self._readers.front is None  # as SitemapSpider has it

    def parse(self, response: Response, number: int | None = None, before: str = "", **_: Any) -> Iterator[Any]:
        """The kind of page that the URL matches; else what the file says outside of ``pages``."""
        name = self.routed(response.url)
        if name is not None:
            return getattr(self, name)(response, number, before)  # type: ignore[no-any-return]
        return self.read(self._readers.front, response, number, before)

    def read(self, reader: PageReader | None, response: Response, number: int | None, before: str) -> Iterator[Any]:
        """What a reader finds on a page, and the page lets robots have."""
        if reader is None:
            return
        namespaces = self.described.namespaces
        if namespaces and not reader.streams and hasattr(response.doc, "register_namespace"):
            for prefix, uri in namespaces.items():
                response.doc.register_namespace(prefix, uri)
        yield from self.obeying(response, reader.read(response, number, before))

    def _values(self, given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
        """The arguments that the file names, each with a value, and those that every spider takes."""
        declared = self.described.arguments
        known = [*declared, *ANYWAY]
        for name in given:
            if name not in known:
                close = near(name, known)
                hint = f"did you mean {close!r}?" if close else f"it takes {', '.join(known)}"
                raise SpiderError(f"spider {self.name!r} takes no argument {name!r}: {hint}")
        values = {name: given.get(name, default) for name, default in declared.items()}
        for name, value in values.items():
            if value is None:
                raise SpiderError(f"spider {self.name!r} needs an argument: -a {name}=...")
        others = {name: value for name, value in given.items() if name not in declared}
        return {name: str(value) for name, value in values.items()}, others

    def _start(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Where the crawl begins, as the kinds of spider have it."""
        start = self.described.start
        assert start is not None  # or the file had been refused
        if start.file is not None:
            return {"file": filled(start.file, values)}
        urls = [filled(url, values) for url in (*start.urls, *start.sitemap)]
        for url in urls:
            try:
                address(url)
            except RequestInvalid as error:
                raise SpiderError(f"{start.where}: start: {error}") from error
        return {"sitemap_urls" if start.sitemap else "start_urls": urls}


def _kind(description: Description) -> type[RoutedSpider | ListSpider]:
    start = description.start
    if start is not None and start.file is not None:
        return ListSpider
    return SitemapSpider if start is not None and start.sitemap else RoutedSpider


def _init(description: Description) -> Callable[..., None]:
    """The ``__init__`` of the class, whose signature says which arguments it takes."""

    def __init__(self: DeclarativeSpider, **arguments: Any) -> None:  # noqa: N807  (it becomes that)
        DeclarativeSpider.__init__(self, **arguments)

    names = [*description.arguments, *ANYWAY]
    told = [Parameter(name, Parameter.KEYWORD_ONLY, default=description.arguments.get(name)) for name in names]
    __init__.__signature__ = Signature([Parameter("self", Parameter.POSITIONAL_ONLY), *told])  # type: ignore[attr-defined]
    return __init__


def _page_method(name: str, page: Page) -> Callable[..., Any]:
    def method(
        self: DeclarativeSpider, response: Response, number: int | None = None, before: str = ""
    ) -> Iterator[Any]:
        return self.read(self._readers.pages[name], response, number, before)

    method.__name__ = page_callback(name)
    return route(*page.match)(method) if page.match else method


def _detail_method(kind: str) -> Callable[..., Any]:
    def method(self: DeclarativeSpider, response: Response, found: dict[str, Any] | None = None) -> Iterator[Any]:
        return self.obeying(response, self._readers.details[kind](response, found or {}))

    method.__name__ = detail_callback(kind)
    return method


def _settings(description: Description, kind: type[Spider]) -> dict[str, Any]:
    """The spider's settings, and those of its kind that it does not set itself."""
    own: dict[str, Any] = Written(description.settings)
    for section, values in kind.settings.items():
        below = own.setdefault(section, {})
        if isinstance(below, dict):
            for key, value in values.items():
                below.setdefault(key, value)
    return own
