"""XML of any size, an element at a time, and the :class:`XMLSpider` that does so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, ClassVar
from urllib.parse import urljoin

from lxml import etree

from scrapekit.errors import SpiderError
from scrapekit.messages import Response
from scrapekit.parse import Selector
from scrapekit.parse.queries import Dialect
from scrapekit.parse.trees import RECOVERED
from scrapekit.spider import Spider
from scrapekit.spiders.routes import each
from scrapekit.web.encodings import codec
from scrapekit.web.headers import content_type


class XMLSpider(Spider):
    """A spider of XML files: each element called ``itertag`` goes to :meth:`parse_node`, one in memory at a time."""

    itertag: str = "item"
    """The local name of the elements; whatever their namespace."""

    namespaces: ClassVar[Mapping[str, str]] = {}
    """URIs by prefix for queries, besides the prefixes that the file has itself."""

    def parse(self, response: Response) -> Iterator[Any]:
        """Every element of the file."""
        if not self.itertag or set(self.itertag) & set(":{}* <>"):
            raise SpiderError(
                f"{type(self).__name__}.itertag must be a local name such as 'item', not {self.itertag!r}"
            )
        for node in iter_nodes(response, self.itertag, namespaces=self.namespaces):
            yield from each(self.parse_node(response, node))

    def parse_node(self, response: Response, node: Selector) -> Any:
        """One element: what it yields are items and requests. To be overridden."""
        raise NotImplementedError(f"spider {self.name!r} has no parse_node() method")


def iter_nodes(response: Response, *tags: str, namespaces: Mapping[str, str] | None = None) -> Iterator[Selector]:
    """The elements with one of these local names, as they come, in memory that goes with the largest of them.

    Elements of the namespace that the wanted element has itself lose it, so that plain queries find them; those of
    other namespaces keep theirs, and are found by the prefixes that the file uses: ``g:price``, in CSS ``g|price``.
    What lies within a wanted element is a part of it, and not given again. Nothing is loaded from elsewhere; entities
    that the file defines itself are expanded as far as libxml2 allows, which stops at what multiplies. A body that is
    not well-formed is read as far as it goes, with the flag ``parse_recovered``.

    Args:
        response: Whose body is read, from memory or from its file.
        *tags: Local names.
        namespaces: URIs by prefix for queries, besides those of the file.
    """
    target = _Nodes(frozenset(tags), dict(namespaces or {}))
    events: Any = target  # the stubs ask for more than lxml does
    charset = content_type(response.headers.get("content-type")).charset
    parser = etree.XMLParser(
        target=events,
        encoding=codec(charset) if charset else None,
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    whole = True
    for piece in response.iter_bytes():
        parser.feed(piece)
        yield from target.taken()
    try:
        parser.close()
    except (etree.XMLSyntaxError, AssertionError):  # lxml asserts that there was an element
        whole = False
    yield from target.taken()
    if not whole or parser.feed_error_log.filter_from_fatals():
        response.flags.append(RECOVERED)


_BASE = "{http://www.w3.org/XML/1998/namespace}base"


class _Nodes:
    """Takes lxml's events, and builds trees of the wanted elements alone."""

    def __init__(self, tags: frozenset[str], namespaces: dict[str, str]) -> None:
        self._tags = tags
        self._given = namespaces
        self._depth = 0  # of open elements within the wanted one, itself included
        self._builder: Any = None
        self._namespace = ""
        self._open: list[tuple[Mapping[Any, str], str]] = []  # of each open element: its prefixes and xml:base
        self._found: list[Selector] = []

    def taken(self) -> list[Selector]:
        """What is complete since the last call."""
        found, self._found = self._found, []
        return found

    def start(self, tag: Any, attributes: Any, nsmap: Any) -> None:
        self._open.append((nsmap, attributes.get(_BASE, "")))
        attributes = dict(attributes)
        if self._depth == 0:
            namespace, _, name = tag.rpartition("}")
            if name not in self._tags:
                return
            self._namespace = f"{namespace}}}" if namespace else ""
            self._builder = etree.TreeBuilder()
            nsmap = self._known()
            if base := reduce(urljoin, (base for _, base in self._open)):
                attributes[_BASE] = base  # what is above it is not kept
        self._depth += 1
        self._builder.start(self._local(tag), attributes, {prefix: uri for prefix, uri in nsmap.items() if prefix})

    def data(self, text: Any) -> None:
        if self._depth:
            self._builder.data(text)

    def end(self, tag: Any) -> None:
        if self._depth:
            self._builder.end(self._local(tag))
            self._depth -= 1
            if self._depth == 0:
                dialect = Dialect("xml")
                dialect.namespaces.update({**self._known(), **self._given})
                self._found.append(Selector(self._builder.close(), dialect))
        self._open.pop()

    def close(self) -> None:
        """Nothing: what was found is taken as it comes."""

    def _known(self) -> dict[str, str]:
        return {prefix: uri for declared, _ in self._open for prefix, uri in declared.items() if prefix}

    def _local(self, tag: str) -> str:
        return tag.removeprefix(self._namespace) if self._namespace else tag
