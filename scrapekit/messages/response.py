"""The :class:`Response`: what a callback gets."""

from __future__ import annotations

import json as stdlib_json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from time import time
from typing import Any

import msgspec
from urllib3 import HTTPHeaderDict

from scrapekit.errors import ParseError, RequestInvalid
from scrapekit.messages.request import Request
from scrapekit.messages.spool import Spool
from scrapekit.selection import SelectorList
from scrapekit.web.cookies import parse_set_cookie
from scrapekit.web.encodings import decode, detect
from scrapekit.web.urls import join

_COPIED = 2**20  # bytes at once


class Response:
    """One fully read HTTP response. It, its document and its selectors stay in the thread that made them.

    Args:
        url: The URL that was fetched.
        status: The HTTP status.
        headers: Case-insensitive; ``headers["Set-Cookie"]`` joins several, ``headers.getlist()`` keeps them apart.
        body: The decoded body; a large one may lie in a file.
        request: The :class:`Request` that this answers.
        elapsed: Seconds from the start of the exchange to its last byte.
        flags: What was odd about it, such as ``parse_truncated``.
        parse: Turns the response into its document; given by whoever makes the response.
        sent_cookies: The value of the Cookie header that was made of the jar.
    """

    __slots__ = ("_base", "_body", "_doc", "_encoding", "_parse", "_sent", "_spool", "_text", "elapsed", "flags",
                 "headers", "request", "status", "url")  # fmt: skip

    def __init__(
        self,
        url: str,
        status: int = 200,
        headers: HTTPHeaderDict | None = None,
        body: bytes | Spool = b"",
        *,
        request: Request,
        elapsed: float = 0.0,
        flags: Iterable[str] = (),
        parse: Callable[[Response], Any],
        sent_cookies: str | None = None,
    ) -> None:
        self.url = url
        self.status = status
        self.headers = HTTPHeaderDict() if headers is None else headers
        self._body: bytes | None = None if isinstance(body, Spool) else body
        self._spool: Spool | None = body if isinstance(body, Spool) else None
        self.request = request
        self.elapsed = elapsed
        self.flags = list(flags)
        self._parse: Callable[[Response], Any] | None = parse
        self._sent = sent_cookies
        self._doc: Any = None
        self._encoding: str | None = None
        self._text: str | None = None
        self._base: str | None = None

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.url} {self.size} bytes>"

    @property
    def meta(self) -> dict[str, Any]:
        """The request's ``meta``."""
        return self.request.meta

    @property
    def cookies(self) -> dict[str, str]:
        """The session's cookies for this URL: those that were sent from the jar, and what this response sets."""
        pairs = (pair.partition("=") for pair in self._sent.split("; ")) if self._sent else ()
        cookies = {name: value for name, _, value in pairs}
        now = time()
        for header in self.headers.getlist("set-cookie"):
            cookie = parse_set_cookie(header, self.url, now)
            if cookie is not None:
                cookies.pop(cookie.name, None)
                if cookie.expires is None or cookie.expires > now:
                    cookies[cookie.name] = cookie.value
        return cookies

    @property
    def body(self) -> bytes:
        """The decoded body. One in a file is read into memory, however large it is; text, doc and css() do so too."""
        if self._body is None:
            assert self._spool is not None
            self._body = self._spool.head(len(self._spool))
        return self._body

    @property
    def size(self) -> int:
        """Bytes of the decoded body."""
        return len(self.body if self._spool is None else self._spool)

    def iter_bytes(self, chunk: int = 65_536) -> Iterator[bytes]:
        """The decoded body in pieces, of which a body that lies in a file has one in memory at a time.

        Args:
            chunk: Bytes of each piece but the last.
        """
        if chunk < 1:
            raise ValueError(f"chunk must be a positive number of bytes, not {chunk}")
        if self._spool is not None:
            return self._spool.pieces(chunk)
        body = self.body
        return (body[start : start + chunk] for start in range(0, len(body), chunk))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the decoded body to a file: all of it, or none. Folders are made, a file that is there is replaced.

        Args:
            path: Of the file; its last part must not be an existing folder.

        Returns:
            The path.

        Raises:
            OSError: It can't be written there; nothing is left behind.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".scrapekit-{token_hex(8)}.part")
        try:
            with part.open("xb") as file:
                for piece in self.iter_bytes(_COPIED):
                    file.write(piece)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return target

    @property
    def encoding(self) -> str:
        """The codec of the body: by BOM, header, meta tag, then detection, in the order of the WHATWG."""
        if self._encoding is None:
            self._encoding = detect(self.body, self.headers.get("content-type"))
        return self._encoding

    @property
    def text(self) -> str:
        """The body as text. What can't be decoded is U+FFFD."""
        if self._text is None:
            self._text = decode(self.body, self.encoding)
        return self._text

    @property
    def doc(self) -> Any:
        """What the parser for the media type made of the body. Parsed at first use.

        Raises:
            ParseError: The parser raised.
        """
        if self._parse is not None:
            parse, self._parse = self._parse, None
            try:
                self._doc = parse(self)
            except ParseError:
                self._parse = parse
                raise
            except Exception as error:
                self._parse = parse
                raise ParseError(f"{type(error).__name__}: {error}", self.request) from error
        return self._doc

    def json(self) -> Any:
        """The body as JSON, whatever its media type.

        Raises:
            ParseError: It is not JSON.
        """
        if self.encoding == "utf-8":
            with suppress(msgspec.DecodeError, RecursionError):  # the standard library judges, and says what is wrong
                return msgspec.json.decode(self.body)
        try:
            return stdlib_json.loads(self.text)  # also takes NaN and lone surrogates, which sites do send
        except (ValueError, RecursionError) as error:
            raise ParseError(f"not JSON: {error}", self.request) from error

    def css(self, query: str) -> SelectorList:
        """The elements, texts (``::text``) or attributes (``::attr(x)``) that ``query`` selects."""
        return self._selecting("css")(query)  # type: ignore[no-any-return]

    def xpath(self, query: str, **variables: Any) -> SelectorList:
        """What the XPath 1.0 expression ``query`` selects; ``$name`` in it is ``variables["name"]``."""
        return self._selecting("xpath")(query, **variables)  # type: ignore[no-any-return]

    def re(self, pattern: str) -> list[str]:
        """All matches of the regular expression in the text: of its groups, where it has any."""
        return self._selecting("re")(pattern)  # type: ignore[no-any-return]

    def urljoin(self, href: str) -> str:
        """``href`` as an absolute URL, against the page's ``<base href>`` or its own; ``href`` itself if malformed."""
        return join(self._base_url(), href) or href

    def follow(self, link: Any, callback: Any = None, **arguments: Any) -> Request:
        """A request to ``link``: a URL, relative or not, or a selector of an element with an ``href`` or ``src``.

        Args:
            link: The URL or selector.
            callback: As for :class:`Request`.
            **arguments: As for :class:`Request`; the session is this page's if none is given.

        Raises:
            RequestInvalid: It can't be fetched, or there is no link in it.
        """
        href = _href(link)
        if href is None:
            raise RequestInvalid(f"follow() found no link in {link!r} (page {self.url})")
        arguments.setdefault("session", self.request.session)
        return Request(self.urljoin(href), callback, **arguments)

    def follow_all(self, links: Any, callback: Any = None, **arguments: Any) -> Iterator[Request]:
        """Requests to all ``links`` that can be fetched; ``mailto:``, ``javascript:`` and malformed ones are skipped.

        Args:
            links: A CSS selector of elements with an ``href`` or ``src``, or an iterable of URLs or of selectors.
            callback: As for :class:`Request`.
            **arguments: As for :meth:`follow`.
        """
        arguments.setdefault("session", self.request.session)
        base = self._base_url()
        hrefs = self._selecting("hrefs")(links) if isinstance(links, str) else map(_href, links)
        for href in hrefs:
            url = href and join(base, href)
            if url:
                yield Request(url, callback, **arguments)

    def _base_url(self) -> str:
        if self._base is None:
            # Only markup has a base of its own: nothing else need be parsed to join a URL.
            kind = self.headers.get("content-type", "html").lower()
            base = getattr(self.doc, "base_url", None) if "html" in kind or "xml" in kind else None
            self._base = base or self.url
        return self._base

    def _selecting(self, method: str) -> Callable[..., Any]:
        """The document's method of that name, or an error that says why there is none."""
        doc = self.doc
        if not hasattr(doc, method):
            media_type = self.headers.get("content-type", "none")
            raise ParseError(
                f"response.{method}() needs an HTML or XML document; the media type of {self.url} is {media_type}, "
                f"and its document is {type(doc).__name__}: see response.doc",
                self.request,
            )
        return getattr(doc, method)  # type: ignore[no-any-return]


def _href(link: Any) -> str | None:
    """The URL in a link: a str, or a selector of an element with an ``href`` or ``src``, or of the attribute itself."""
    if isinstance(link, str):
        return link
    if isinstance(link, Sequence):  # a list of selectors: the first, as in get()
        return _href(link[0]) if link else None
    text = getattr(link, "root", None)
    if isinstance(text, str):
        return text
    attributes = getattr(link, "attrib", None)
    return (attributes.get("href") or attributes.get("src")) if attributes else None
