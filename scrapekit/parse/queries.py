"""Queries: CSS translated to XPath, XPath compiled, once a thread, and run.

A compiled XPath that several threads share makes them wait for each other, so each thread compiles its own. The
translation is a pure function from text to text, and shared.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import cssselect
from cssselect.parser import FunctionalPseudoElement
from cssselect.xpath import is_safe_name
from lxml import etree
from lxml.etree import _Element

Language = Literal["html", "xml"]
"""Of a document. In HTML the names of elements and attributes have no case."""

_COMPILED_LIMIT = 512  # queries a thread keeps compiled; a crawl has some dozens, unless it writes values into them
_EXSLT_RE = "http://exslt.org/regular-expressions"
_TRANSLATORS: dict[Language, cssselect.GenericTranslator] = {
    "html": cssselect.HTMLTranslator(),
    "xml": cssselect.GenericTranslator(),
}


class Dialect:
    """How the queries of one document are read. Stays with the document in its thread.

    Args:
        language: What CSS selectors are translated for, and elements are serialised as.
    """

    __slots__ = ("language", "namespaces")

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self.namespaces: dict[str, str] = {}

    def css(self, node: Any, query: str) -> list[Any]:
        """What the CSS selector ``query`` selects below ``node``, itself included: elements and str.

        A pseudo-element belongs to its own part of a comma list: ``h1, h2::text`` selects h1 elements and texts of h2.

        Raises:
            ValueError: It is not a CSS selector, or not one that XPath can express.
        """
        return _run(("css", self.language, query), query, node, self.namespaces, {})

    def links(self, node: Any, query: str) -> list[Any]:
        """As :meth:`css`, but elements may be left out that have no URL, and others be given as their URL."""
        return _run(("links", self.language, query), query, node, self.namespaces, {})

    def xpath(
        self, node: Any, query: str, namespaces: Mapping[str, str] | None, variables: Mapping[str, Any]
    ) -> list[Any]:
        """What the XPath 1.0 expression ``query`` selects: elements and str, or one str, float or bool.

        Raises:
            ValueError: It is not XPath, or fails: an unknown variable, function or prefix.
        """
        known = {**self.namespaces, **namespaces} if namespaces else self.namespaces
        return _run(("xpath", "", query), query, node, known, variables)


class _Thread(threading.local):
    def __init__(self) -> None:
        self.compiled: dict[Any, etree.XPath] = {}


_thread = _Thread()


def _run(
    key: tuple[Any, ...], query: str, node: Any, namespaces: Mapping[str, str], variables: Mapping[str, Any]
) -> list[Any]:
    if not isinstance(node, _Element):
        return []  # nothing is below a text
    if namespaces:
        key = (*key, frozenset(namespaces.items()))
    compiled = _thread.compiled
    try:
        evaluate = compiled.get(key)
        if evaluate is None:
            evaluate = _compile(query if key[0] == "xpath" else _translate(key[0], query, key[1]), namespaces)
            if len(compiled) >= _COMPILED_LIMIT:
                compiled.clear()
            compiled[key] = evaluate
        found: Any = evaluate(node, **variables)
    except Exception as error:  # besides its own errors, lxml lets through those of a bad regular expression or value
        kind = "XPath" if key[0] == "xpath" else "CSS selector"
        raise ValueError(f"{kind} {query!r} failed: {error}") from error
    return found if type(found) is list else [found]


def _compile(xpath: str, namespaces: Mapping[str, str]) -> etree.XPath:
    extensions = {(None, "has-class"): _has_class} if "has-class" in xpath else None  # having any costs at each call
    known = {"re": _EXSLT_RE, **namespaces}
    return etree.XPath(xpath, namespaces=known, extensions=extensions, smart_strings=False)


def _has_class(context: Any, *classes: str) -> bool:
    """The XPath function ``has-class('a', 'b')``: the context element has all these classes."""
    return set(classes) <= set((context.context_node.get("class") or "").split())


@lru_cache(4096)
def _translate(purpose: Literal["css", "links"], query: str, language: Language) -> str:
    translator = _TRANSLATORS[language]
    paths = []
    for selector in cssselect.parse(query):
        path = translator.selector_to_xpath(selector)
        if selector.pseudo_element is not None:
            path = _with_pseudo_element(path, selector.pseudo_element, language)
        elif purpose == "links" and path.endswith(("::a", "/a")):
            path += "/@href"  # a third cheaper than the elements, and the usual query
        paths.append(path)
    return " | ".join(paths)


def _with_pseudo_element(path: str, pseudo: Any, language: Language) -> str:
    if path.endswith("::*/*"):
        path = path[:-2]  # "p ::text": all texts within p, also the direct ones, as Scrapy users know it
    if pseudo == "text":
        return f"{path}/text()"
    if not isinstance(pseudo, FunctionalPseudoElement) or pseudo.name != "attr":
        raise cssselect.ExpressionError("only ::text and ::attr(name) are known pseudo-elements")
    if pseudo.argument_types() not in (["IDENT"], ["STRING"]):
        raise cssselect.ExpressionError("::attr() takes one name")
    name = str(pseudo.arguments[0].value)
    if language == "html":
        name = name.lower()
    if is_safe_name(name):
        return f"{path}/@{name}"
    return f"{path}/@*[name() = {cssselect.GenericTranslator.xpath_literal(name)}]"
