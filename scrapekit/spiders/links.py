"""The :class:`LinkExtractor`: which links of a page are wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import cssselect
from lxml import etree

from scrapekit.errors import ConfigError, RequestInvalid, SpiderError
from scrapekit.messages import Response
from scrapekit.web import Scope
from scrapekit.web.urls import address, host_of

Patterns = str | re.Pattern[str] | Iterable[str | re.Pattern[str]]
"""One regular expression, or several, of which one must be found in the URL (``re.search``)."""

NO_PAGES = (
    "7z", "7zip", "aac", "aiff", "apk", "asf", "avi", "bin", "bmp", "bz2", "cdr", "css", "dmg", "doc", "docm", "docx",
    "eot", "eps", "epub", "exe", "flac", "flv", "gif", "gz", "ico", "ics", "iso", "jar", "jpeg", "jpg", "js", "jxl",
    "m4a", "m4v", "mid", "mkv", "mng", "mobi", "mov", "mp3", "mp4", "mpeg", "mpg", "msi", "odp", "ods", "odt", "ogg",
    "ogv", "otf", "pdf", "png", "pps", "ppt", "pptx", "ps", "psd", "rar", "rpm", "rtf", "svg", "swf", "tar", "tgz",
    "tif", "tiff", "ttf", "wav", "webm", "webp", "wma", "wmv", "woff", "woff2", "xls", "xlsm", "xlsx", "xz", "zip",
    "zst",
)  # fmt: skip
"""What files are called that have no links in them: their URLs are not extracted, unless one asks for them."""


class FoundLink(NamedTuple):
    """One link of a page.

    Args:
        url: Absolute, as it is fetched, without fragment.
        text: What the element says, with its space collapsed; at most some 1,000 characters.
        nofollow: Whether it has ``rel="nofollow"`` (or ``ugc`` or ``sponsored``, which search engines read likewise).
        fragment: What was behind its ``#``.
    """

    url: str
    text: str = ""
    nofollow: bool = False
    fragment: str = ""


class LinkExtractor:
    """Finds the links of a response that are wanted. Immutable: made once, used for all pages, by any thread.

    Args:
        allow: Regular expressions, one of which must be found in the URL; none: any URL.
        deny: Regular expressions, none of which may be found in it. They win over ``allow``.
        allow_domains: Domains, with their subdomains, that links may lead to; none: any.
        deny_domains: Domains that they may not lead to.
        restrict_css: Selectors of the parts of the page that are looked at; none: the whole page.
        restrict_xpath: The same as XPath.
        restrict_text: Regular expressions, one of which must be found in the link's text.
        tags: Elements that have links.
        attrs: Their attributes that are links.
        unique: Whether a URL is given once a page, however often it stands there.
        nofollow: Whether links with ``rel="nofollow"`` are given too.
        deny_extensions: What the paths of URLs may not end with, such as ``pdf`` or ``tar.gz``; default:
            :data:`NO_PAGES`.
        process_value: Makes the URL of an attribute's value, or None where it is none:
            ``lambda value: value.partition("'")[2]`` and the like. Runs in workers.

    Raises:
        SpiderError: A pattern is no regular expression, a selector no selector, a domain no domain, a name no name.
    """

    def __init__(
        self,
        allow: Patterns = (),
        deny: Patterns = (),
        *,
        allow_domains: str | Iterable[str] = (),
        deny_domains: str | Iterable[str] = (),
        restrict_css: str | Iterable[str] = (),
        restrict_xpath: str | Iterable[str] = (),
        restrict_text: Patterns = (),
        tags: str | Iterable[str] = ("a", "area"),
        attrs: str | Iterable[str] = ("href",),
        unique: bool = True,
        nofollow: bool = True,
        deny_extensions: str | Iterable[str] | None = None,
        process_value: Callable[[str], str | None] | None = None,
    ) -> None:
        self._allow = patterns(allow, "allow")
        self._deny = patterns(deny, "deny")
        self._text = patterns(restrict_text, "restrict_text")
        self._allow_domains = _domains(allow_domains)
        self._deny_domains = _domains(deny_domains)
        self._css = _selectors(restrict_css, "restrict_css", cssselect.parse)
        self._xpath = _selectors(restrict_xpath, "restrict_xpath", etree.XPath)
        self._tags = _names(tags, "tags")
        self._attrs = _names(attrs, "attrs")
        self._unique = unique
        self._nofollow = nofollow
        denied = NO_PAGES if deny_extensions is None else _many(deny_extensions, "deny_extensions")
        self._endings = tuple(f".{each.lower().removeprefix('.')}" for each in denied)
        self._process_value = process_value
        tests = " or ".join(f"self::{tag}" for tag in self._tags) if "*" not in self._tags else "true()"
        has = " or ".join(f"@{attr}" for attr in self._attrs)
        self._query = f"descendant-or-self::*[{tests}][{has}]"

    def __repr__(self) -> str:
        shown = ", ".join(pattern.pattern for pattern in self._allow)
        return f"<LinkExtractor {shown or 'of all links'}>"

    def links(self, response: Response) -> list[FoundLink]:
        """The links that are wanted, in document order; none where the response is neither HTML nor XML.

        Raises:
            ParseError: The response can't be parsed.
            ValueError: A selector of ``restrict_css`` or ``restrict_xpath`` fails on it: an unknown prefix or function.
        """
        kind = response.headers.get("content-type", "html").lower()
        if not ("html" in kind or "xml" in kind) or not hasattr(response.doc, "css"):
            return []
        found = list(self._found(response))
        if not self._unique:
            return found
        first: dict[str, FoundLink] = {}
        for link in found:
            known = first.setdefault(link.url, link)
            if known.nofollow and not link.nofollow:  # one link that is endorsed is enough
                first[link.url] = known._replace(nofollow=False)
        return list(first.values())

    def wants(self, url: str, text: str = "") -> bool:
        """Whether a link to ``url``, an absolute one, is wanted, as far as patterns, domains and its end tell. Pure."""
        if self._allow and not any(pattern.search(url) for pattern in self._allow):
            return False
        if any(pattern.search(url) for pattern in self._deny):
            return False
        if self._text and not any(pattern.search(text) for pattern in self._text):
            return False
        name = url.partition("?")[0].rpartition("/")[2]
        if name.lower().endswith(self._endings):
            return False
        if self._allow_domains is None and self._deny_domains is None:
            return True
        host = host_of(url)
        if self._allow_domains is not None and not _within(host, self._allow_domains):
            return False
        return self._deny_domains is None or not _within(host, self._deny_domains)

    def _found(self, response: Response) -> Iterator[FoundLink]:
        for element in self._elements(response):
            nofollow = not _NOT_ENDORSED.isdisjoint((element.get("rel") or "").lower().split())
            if nofollow and not self._nofollow:
                continue
            text = None
            for attr in self._attrs:
                value = element.get(attr)
                if value is not None and self._process_value is not None:
                    value = self._process_value(value)
                if value is None:
                    continue
                try:
                    url = address(response.urljoin(value)).url
                except RequestInvalid:  # mailto:, javascript:, http://[bad
                    continue
                text = _text_of(element) if text is None else text
                if self.wants(url, text):
                    yield FoundLink(url, text, nofollow, value.partition("#")[2])

    def _elements(self, response: Response) -> Iterator[Any]:
        """The elements that may be links, each once, in document order of each part that is looked at."""
        if not self._css and not self._xpath:
            parts: Iterable[Any] = [response.doc]
        else:
            found = [part for query in self._css for part in response.css(query)]
            found += [part for query in self._xpath for part in response.xpath(query)]
            parts = _outermost(found)
        seen = set()
        for part in parts:
            for selector in part.xpath(self._query):
                if selector.root not in seen:
                    seen.add(selector.root)
                    yield selector.root


def patterns(given: Patterns, name: str) -> tuple[re.Pattern[str], ...]:
    """Regular expressions, compiled.

    Raises:
        SpiderError: One is none.
    """
    try:
        return tuple(re.compile(each) for each in _many(given, name))
    except (re.error, TypeError) as error:
        raise SpiderError(f"{name}: {given!r:.200} is not a regular expression, nor a list of them: {error}") from error


_NOT_ENDORSED = frozenset({"nofollow", "ugc", "sponsored"})
_NAME = re.compile(r"[A-Za-z_][\w.-]*").fullmatch
_TEXT = 1000  # characters: a page of links that are never closed has all its text in each of them
_NODES = 2000


def _many(given: Any, name: str) -> tuple[Any, ...]:
    try:
        return (given,) if isinstance(given, str | re.Pattern) else tuple(given)
    except TypeError as error:
        raise SpiderError(f"{name} must be one or a list of them, not {given!r:.200}") from error


def _selectors(given: Any, name: str, compile_: Callable[[str], object]) -> tuple[str, ...]:
    """Selectors, of which it is known that they can be read: those that can't would cost each page of the crawl."""
    for each in (many := _many(given, name)):
        try:
            compile_(each)
        except (cssselect.SelectorError, etree.XPathError, TypeError, ValueError) as error:
            raise SpiderError(f"{name}: {each!r:.200} is not a selector: {error}") from error
    return many


def _names(given: Any, name: str) -> tuple[str, ...]:
    many = _many(given, name)
    if not many or not all(isinstance(each, str) and (each == "*" or _NAME(each)) for each in many):
        raise SpiderError(f"{name} must be a name or a list of names, not {given!r:.200}")
    return many


def _text_of(element: Any) -> str:
    """What an element says, of which a link needs the beginning."""
    texts, room = [], _TEXT
    for event, node in islice(etree.iterwalk(element, events=("start", "end", "comment", "pi")), _NODES):
        text = node.text if event == "start" else node.tail if node is not element else None
        if text:
            texts.append(text[:room])
            room -= len(text)
            if room <= 0:
                break
    return " ".join("".join(texts).split())


def _outermost(parts: Iterable[Any]) -> Iterator[Any]:
    """The parts that lie in no other: what is in a nested one too is not looked for again. Linear, however deep."""
    elements = {part.root: part for part in parts if not isinstance(part.root, str)}
    inside: dict[Any, bool] = dict.fromkeys(elements, True)  # whether what is below an element lies in a part
    for element, part in elements.items():
        way, nested = [], False
        for above in element.iterancestors():
            if above in inside:
                nested = inside[above]
                break
            way.append(above)
        inside.update(dict.fromkeys(way, nested))
        if not nested:
            yield part


def _domains(given: str | Iterable[str]) -> frozenset[str] | None:
    """Domains as hosts are spelled; None for none. A set, and no Scope: that has a memo, which one thread may use."""
    names = _many(given, "domains")
    if not names:
        return None
    try:
        Scope(names)
        return frozenset(host_of(f"http://{name.strip().removeprefix('*').removeprefix('.')}/") for name in names)
    except (ConfigError, RequestInvalid) as error:
        raise SpiderError(str(error)) from error


def _within(host: str, domains: frozenset[str]) -> bool:
    return host in domains or any(host.endswith(f".{domain}") for domain in domains)
