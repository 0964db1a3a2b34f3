"""XML of any size, an element at a time, and the :class:`XMLSpider` that does so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar

from lxml import etree

from scrapekit.errors import SpiderError
from scrapekit.messages import Response
from scrapekit.parse import Selector
from scrapekit.parse.queries import Dialect
from scrapekit.parse.trees import RECOVERED
from scrapekit.spider import Spider
from scrapekit.spiders.markup import well_referenced
from scrapekit.spiders.pieces import pieces
from scrapekit.spiders.routes import each
from scrapekit.web.encodings import codec
from scrapekit.web.headers import content_type


class XMLSpider(Spider):
    """A spider of XML files: each element called ``itertag`` goes to :meth:`parse_node`, one in memory at a time."""

    itertag: str = "item"
    """The local name of the elements; whatever their namespace."""

    namespaces: ClassVar[Mapping[str, str]] = {}
    """URIs by prefix for queries, besides the prefixes that the file has itself."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        if not self.itertag or set(self.itertag) & set(":{}* <>"):
            raise SpiderError(
                f"{type(self).__name__}.itertag must be a local name such as 'item', not {self.itertag!r}"
            )

    def parse(self, response: Response) -> Iterator[Any]:
        """Every element of the file."""
        for node in iter_nodes(response, self.itertag, namespaces=self.namespaces):
            yield from each(self.parse_node(response, node))

    def parse_node(self, response: Response, node: Selector) -> Any:
        """One element: what it yields are items and requests. To be overridden."""
        raise NotImplementedError(f"spider {self.name!r} has no parse_node() method")


def iter_nodes(response: Response, *tags: str, namespaces: Mapping[str, str] | None = None) -> Iterator[Selector]:
    """The elements with one of these local names, as they come, in memory that goes with the largest of them.

    Elements of the namespace that the wanted element has itself lose it, so that plain queries find them; those of
    other namespaces keep theirs, and are found by the prefixes that the file uses: ``g:price``, in CSS ``g|price``.
    What lies within a wanted element is a part of it, and not given again. No entity is expanded and nothing is loaded.
    A bare ``&`` and HTML's names such as ``&nbsp;`` are read as in HTML. What else is not well-formed is read as far as
    it goes, with the flag ``parse_recovered``.

    Args:
        response: Whose body is read, from memory or from its file.
        *tags: Local names.
        namespaces: URIs by prefix for queries, besides those of the file.
    """
    charset = content_type(response.headers.get("content-type")).charset
    parser = etree.XMLPullParser(
        events=("start", "end"),
        encoding=codec(charset) if charset else None,
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    wanted, given = frozenset(tags), dict(namespaces or {})
    inside = 0  # open elements within the wanted one, itself included
    for piece in chain(well_referenced(pieces(response)), [None]):
        whole = _feed(parser, piece)
        if piece is None and parser.feed_error_log.filter_from_fatals():
            break  # libxml2 closes what is open at the end, and half an element is none
        events: Iterable[tuple[str, Any]] = parser.read_events()
        for event, element in events:
            if event == "start":
                inside += 1 if inside or _local(element) in wanted else 0
            elif inside > 1:
                inside -= 1
            else:
                if inside:
                    inside = 0
                    yield _selector(element, given)
                else:
                    element.clear(keep_tail=True)
                # What came before is complete now, with the text behind it. Whoever has kept a node, still has it.
                parent = element.getparent()
                while parent is not None and element.getprevious() is not None:
                    del parent[0]
    if not whole or parser.feed_error_log.filter_from_fatals():
        response.flags.append(RECOVERED)


def _feed(parser: Any, piece: bytes | None) -> bool:
    """Parse some more, or what is left at the end; returns whether there was an element."""
    try:
        if piece is None:
            parser.close()
        else:
            parser.feed(piece)
    except etree.XMLSyntaxError:
        return False
    return True


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _selector(element: Any, given: Mapping[str, str]) -> Selector:
    """The element, with the prefixes that it knows, and without its own namespace."""
    dialect = Dialect("xml")
    dialect.namespaces.update({**{prefix: uri for prefix, uri in element.nsmap.items() if prefix}, **given})
    namespace, bracket, _ = element.tag.rpartition("}")
    if bracket:
        for each_of_it in element.iter(f"{namespace}}}*"):
            each_of_it.tag = _local(each_of_it)
    return Selector(element, dialect)
