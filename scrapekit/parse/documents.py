"""Documents: the selector of a whole page, with its links."""

from __future__ import annotations

from typing import Any

from lxml import etree
from lxml.etree import _Element

from scrapekit.parse.queries import Dialect, Language
from scrapekit.parse.selectors import Selector
from scrapekit.parse.trees import grow
from scrapekit.web.urls import join


class _Document(Selector):
    __slots__ = ("flags", "url")

    _language: Language

    def __init__(self, source: str | bytes, url: str = "") -> None:
        root, self.flags = grow(source, self._language)
        super().__init__(root, Dialect(self._language))
        self.url = url

    @property
    def base_url(self) -> str:
        """What relative links are relative to."""
        return self.url

    def hrefs(self, query: str) -> list[str]:
        """The links that a CSS selector selects, as they are written, in document order.

        Args:
            query: Of elements, whose ``href``, else ``src``, is taken; or with ``::attr(name)`` or ``::text``.

        Raises:
            ValueError: It is not a CSS selector.
        """
        found = self._dialect.links(self.root, query)
        urls = (node if type(node) is str else node.get("href") or node.get("src") for node in found)
        return [url for url in urls if url]


class HtmlDocument(_Document):
    """A page of HTML. Never fails: a page without any element is one on which each query finds nothing.

    Args:
        source: Text, or bytes in UTF-8.
        url: Its own URL.
    """

    __slots__ = ()

    _language = "html"

    @property
    def base_url(self) -> str:
        """The first ``<base href>`` (HTML Standard §4.2.3), resolved, if it can be fetched; else the page's own URL."""
        if isinstance(self.root, _Element):
            for base in self.root.iter("base"):
                href = base.get("href")
                if href is not None:
                    return join(self.url, href) or self.url
        return self.url


class XmlDocument(_Document):
    """A document of XML. Never fails: what is not well-formed is read as far as it goes, and flagged.

    No entity is expanded, nothing is loaded from the network, no DTD is read.

    Args:
        source: Text, or bytes in UTF-8.
        url: Its own URL.
    """

    __slots__ = ()

    _language = "xml"

    def register_namespace(self, prefix: str, uri: str) -> None:
        """Let all queries on this document, and on its selectors, know ``prefix``: ``a:entry``, in CSS ``a|entry``."""
        self._dialect.namespaces[prefix] = uri

    def remove_namespaces(self) -> None:
        """Take all namespaces off the document, so that queries need no prefixes."""
        if not isinstance(self.root, _Element):
            return
        for element in self.root.iter("*"):
            if element.tag.startswith("{"):  # one with an undeclared prefix has no namespace, and no valid name
                element.tag = _local(element.tag)
            attributes: Any = element.attrib  # the stubs have bytes in it, lxml has none
            for name, value in attributes.items():
                if name.startswith("{"):
                    del attributes[name]
                    element.set(_local(name), attributes.get(_local(name), value))
        etree.cleanup_namespaces(self.root)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
