"""From bytes to an lxml tree, by parsers that each thread has for itself.

libxml2 parses without the GIL, but a parser object that threads share makes them wait for each other.
"""

from __future__ import annotations

import re
import threading
from typing import NamedTuple

from lxml import etree
from lxml.etree import ErrorTypes, _Element

from scrapekit.parse.queries import Language
from scrapekit.parse.references import mended

TRUNCATED = "parse_truncated"
"""A limit cut the rest of the page off: in HTML 2,046 nested elements, or 1,000 attributes of one; in XML 254 nested
elements, or a text of 10 MB."""

RECOVERED = "parse_recovered"
"""The XML is not well-formed, and something of it may be missing."""


class Tree(NamedTuple):
    """A parsed body.

    Args:
        root: The root element; an empty text if the body holds none.
        flags: What was odd: TRUNCATED, RECOVERED.
    """

    root: _Element | str
    flags: tuple[str, ...]


def grow(source: str | bytes, language: Language) -> Tree:
    """The tree of ``source``, whatever it is: nothing in it raises. Any thread; the tree stays there.

    Args:
        source: Text, or bytes in UTF-8. What is not UTF-8 becomes U+FFFD; what it declares as its encoding is ignored.
        language: By the media type; XHTML served as HTML is HTML.
    """
    data = source.encode("utf-8", "replace") if isinstance(source, str) else source
    if _KEEPS_INVALID_BYTES and not data.isascii():
        data = data.decode("utf-8", "replace").encode()
    # libxml2 takes a BOM without a text for one, and space before an XML declaration for an error.
    data = data.replace(b"\0", b"").removeprefix(b"\xef\xbb\xbf").lstrip()
    cut = False
    if language == "html":
        parser: etree.HTMLParser | etree.XMLParser = _thread.html
        data, cut = _without_endless_tag(data) if len(data) > _SMALL else (data, False)
    else:
        parser = _thread.xml
    root, flags = _parsed(data, parser)
    if RECOVERED in flags and b"&" in data:
        root, flags = _parsed(mended(data), parser)
    return Tree("" if root is None else root, (TRUNCATED, *flags) if cut and TRUNCATED not in flags else flags)


_KEEPS_INVALID_BYTES = etree.LIBXML_VERSION < (2, 14)  # and reading such a text then raises UnicodeDecodeError


def _parsed(data: bytes, parser: etree.HTMLParser | etree.XMLParser) -> tuple[_Element | None, tuple[str, ...]]:
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:  # an empty document
        root = None
    return root, _flags(parser) if parser.error_log else ()


def _without_endless_tag(data: bytes) -> tuple[bytes, bool]:
    """The HTML up to the first tag with over a thousand attributes, and whether there is one.

    libxml2 takes a time that is quadratic in their number: minutes for a hundred thousand, which are less than a MB.
    """
    end = _TAGS(data).end()  # type: ignore[union-attr]  # it matches whatever there is
    return (data, False) if end == len(data) else (data[:end], True)


_SMALL = 65_536  # bytes of a page in which such a tag takes half a second; the look costs 40 % of parsing
_ATTRIBUTE = rb"""[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+))?+"""
_FEW = rb"(?:" + _ATTRIBUTE + rb"){0,1000}+"
_RAW = [  # elements that hold text, whatever it looks like
    rb"<" + name + rb"(?=[\s/>])" + _FEW + rb"[\s/]*+>(?:[^<]++|<(?!/" + name + rb"))*+"
    for name in (b"script", b"style", b"textarea", b"title")
]
_TAG = rb"(?:" + _ATTRIBUTE + rb"){0,1000}+(?!" + _ATTRIBUTE + rb")"
_TAGS = re.compile(
    rb"(?:"
    + rb"|".join(
        [
            rb"[^<]++(?:</[a-z0-9]++>)?+",
            rb"<(?!s(?:cript|tyle)|t(?:extarea|itle))[a-z][^\s/>]*+(?:>|" + _TAG + rb")",
            rb"<!--(?:[^-]++|-(?!->))*+",
            *_RAW,
            rb"</?[a-z][^\s/>]*+" + _TAG,
            rb"<(?!/?[a-z])",
        ]
    )
    + rb")*+",
    re.IGNORECASE,
).match


class _Thread(threading.local):
    def __init__(self) -> None:
        # HTML has no entities that could explode, so the only limit it needs is that on the body.
        self.html = etree.HTMLParser(encoding="utf-8", recover=True, huge_tree=True)
        self.xml = etree.XMLParser(
            encoding="utf-8", recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )


_thread = _Thread()

_LIMITS = frozenset(
    {
        getattr(ErrorTypes, "ERR_RESOURCE_LIMIT", 114),  # named since lxml 6
        ErrorTypes.ERR_ENTITY_LOOP,
        ErrorTypes.ERR_NAME_TOO_LONG,
        ErrorTypes.ERR_INTERNAL_ERROR,  # the depth, before libxml2 2.14
        ErrorTypes.ERR_NO_MEMORY,  # a long text, before libxml2 2.14
    }
)


def _flags(parser: etree.HTMLParser | etree.XMLParser) -> tuple[str, ...]:
    errors = parser.error_log.filter_from_errors()  # the log keeps a hundred, and the last
    truncated = any(error.type in _LIMITS for error in errors)
    recovered = isinstance(parser, etree.XMLParser) and any(
        error.type not in _LIMITS for error in errors.filter_from_fatals()
    )
    return (TRUNCATED,) * truncated + (RECOVERED,) * recovered
