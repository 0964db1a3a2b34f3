"""What a query selects: :class:`Selector` and :class:`SelectorList`.

A list keeps what lxml returned and makes no object of a text until it is asked for one, because most are only read
with ``getall()``. Both stay in the thread that parsed the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from lxml import etree
from lxml.etree import _Element
from w3lib.html import replace_entities

from scrapekit.parse.queries import Dialect

_Pattern = str | re.Pattern[str]


class Selector:
    """One element, text or attribute of a document, and the start of queries below it.

    Args:
        root: The lxml element, or a str (or, from XPath functions, a float or bool).
        dialect: That of its document.
    """

    __slots__ = ("_dialect", "root")

    def __init__(self, root: Any, dialect: Dialect) -> None:
        self.root = root
        self._dialect = dialect

    def __repr__(self) -> str:
        text = self.get()
        return f"<{type(self).__name__} {text if len(text) <= 60 else text[:57] + '...'!r}>"

    def __str__(self) -> str:
        return self.get()

    def __bool__(self) -> bool:
        """False only for an empty text."""
        return isinstance(self.root, _Element) or self.root != ""

    def css(self, query: str) -> SelectorList:
        """What a CSS selector selects below this element, itself included.

        Args:
            query: Selectors level 3, with ``::text`` and ``::attr(name)``.

        Raises:
            ValueError: It is not a CSS selector.
        """
        return SelectorList(self._dialect.css(self.root, query), self._dialect)

    def xpath(self, query: str, namespaces: Mapping[str, str] | None = None, **variables: Any) -> SelectorList:
        """What an XPath expression selects from this element: ``.//a`` below it, ``//a`` in the whole document.

        Args:
            query: XPath 1.0, with ``re:test()``, ``re:match()``, ``re:replace()`` and ``has-class('a', 'b')``.
            namespaces: URI by prefix, besides the registered ones.
            variables: ``$name`` in the query is ``variables["name"]``.

        Raises:
            ValueError: It is not XPath, or a variable, function or prefix in it is unknown.
        """
        return SelectorList(self._dialect.xpath(self.root, query, namespaces, variables), self._dialect)

    def get(self, default: str | None = None) -> str:  # noqa: ARG002  (so that lists and selectors can be swapped)
        """The outer HTML or XML of the element, or the text itself."""
        return _text(self.root, self._dialect)

    def getall(self) -> list[str]:
        """``[get()]``."""
        return [_text(self.root, self._dialect)]

    @property
    def attrib(self) -> dict[str, str]:
        """The attributes of the element; empty for a text."""
        return _attributes(self.root)

    def re(self, pattern: _Pattern) -> list[str]:
        """All matches in ``get()``: of the pattern's groups, where it has any. An element's entities are resolved."""
        return list(_matches(pattern, self.root, self._dialect))

    @overload
    def re_first(self, pattern: _Pattern, default: str) -> str: ...
    @overload
    def re_first(self, pattern: _Pattern, default: None = None) -> str | None: ...
    def re_first(self, pattern: _Pattern, default: str | None = None) -> str | None:
        """The first of :meth:`re`."""
        return next(_matches(pattern, self.root, self._dialect), default)


class SelectorList(Sequence[Selector]):
    """What a query selected, in document order. Empty, it is false.

    Args:
        found: The elements and texts; owned by the list from then on.
        dialect: That of their document.
    """

    __slots__ = ("_dialect", "_found")

    def __init__(self, found: list[Any], dialect: Dialect) -> None:
        self._found = found
        self._dialect = dialect

    def __repr__(self) -> str:
        shown = [repr(selector) for selector in self[:10]]
        return f"[{', '.join(shown)}{', ...' if len(self) > 10 else ''}]"

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Selector]:
        dialect = self._dialect
        for node in self._found:
            yield Selector(node, dialect)

    @overload
    def __getitem__(self, index: int) -> Selector: ...
    @overload
    def __getitem__(self, index: slice) -> SelectorList: ...
    def __getitem__(self, index: int | slice) -> Selector | SelectorList:
        if isinstance(index, slice):
            return SelectorList(self._found[index], self._dialect)
        return Selector(self._found[index], self._dialect)

    def css(self, query: str) -> SelectorList:
        """What :meth:`Selector.css` selects from each, one after the other."""
        dialect = self._dialect
        return SelectorList([found for node in self._found for found in dialect.css(node, query)], dialect)

    def xpath(self, query: str, namespaces: Mapping[str, str] | None = None, **variables: Any) -> SelectorList:
        """What :meth:`Selector.xpath` selects from each, one after the other."""
        dialect = self._dialect
        return SelectorList(
            [found for node in self._found for found in dialect.xpath(node, query, namespaces, variables)], dialect
        )

    @overload
    def get(self, default: str) -> str: ...
    @overload
    def get(self, default: None = None) -> str | None: ...
    def get(self, default: str | None = None) -> str | None:
        """``get()`` of the first; ``default`` where there is none."""
        return _text(self._found[0], self._dialect) if self._found else default

    def getall(self) -> list[str]:
        """``get()`` of each."""
        dialect = self._dialect
        return [node if type(node) is str else _text(node, dialect) for node in self._found]

    @property
    def attrib(self) -> dict[str, str]:
        """The attributes of the first; empty where there is none."""
        return _attributes(self._found[0]) if self._found else {}

    def re(self, pattern: _Pattern) -> list[str]:
        """All matches in all, as of :meth:`Selector.re`."""
        return [match for node in self._found for match in _matches(pattern, node, self._dialect)]

    @overload
    def re_first(self, pattern: _Pattern, default: str) -> str: ...
    @overload
    def re_first(self, pattern: _Pattern, default: None = None) -> str | None: ...
    def re_first(self, pattern: _Pattern, default: str | None = None) -> str | None:
        """The first of :meth:`re`."""
        return next((match for node in self._found for match in _matches(pattern, node, self._dialect)), default)


def _text(node: Any, dialect: Dialect) -> str:
    if type(node) is str:
        return node
    if isinstance(node, _Element):
        return etree.tostring(node, method=dialect.language, encoding="unicode", with_tail=False)
    return str(int(node)) if isinstance(node, bool) else str(node)


def _attributes(node: Any) -> dict[str, str]:
    if not isinstance(node, _Element):
        return {}
    attributes: Any = node.attrib  # the stubs have bytes in it, lxml has none
    return dict(attributes)


def _matches(pattern: _Pattern, node: Any, dialect: Dialect) -> Iterator[str]:
    found: Iterable[Any] = re.compile(pattern).findall(_text(node, dialect))
    for match in found:
        for text in match if isinstance(match, tuple) else (match,):
            # Markup stays markup: what is "a < b" on the page is not taken for a tag.
            yield replace_entities(text, keep=("lt", "amp")) if isinstance(node, _Element) else text
