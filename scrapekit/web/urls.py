"""URLs: made safe to fetch, resolved as a browser does, and fingerprinted for the dupe filter.

All functions are pure and may be called from any thread. The caches are bounded, and what is unusually long is not
cached, so that a hostile site can't fill the memory.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection
from fnmatch import translate
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import unquote_plus, urlsplit

from w3lib.url import canonicalize_url, safe_url_string

from scrapekit.errors import RequestInvalid

MAX_LENGTH = 8192
"""A URL is at most this long, in characters, as it is sent. RFC 9110 §4.1 asks for 8,000."""

_LONGEST = 8 * MAX_LENGTH  # what is looked at: space, tabs and the fragment may go, so that the rest is short enough
_CACHED_LENGTH = 1024  # longer than this is rare, and 32,768 of them would be too much to keep


class Address(NamedTuple):
    """Where a request goes.

    Args:
        url: The URL as it is fetched: safe ASCII, no fragment, no default port, dot segments resolved.
        host: Its host name: lower case, punycode, no port, IPv6 without brackets. The key of the throttle.
        fingerprint: 16 bytes that are equal for equivalent URLs: those of a GET without a body.
    """

    url: str
    host: str
    fingerprint: bytes


def address(url: str) -> Address:
    """The address of ``url``, repaired the way a browser repairs it (WHATWG URL, RFC 3986 §6.2).

    ``address(address(url).url)`` is ``address(url)``. User information stays in the URL.

    Raises:
        RequestInvalid: No scheme or host, a scheme other than http and https, a bad port or host, or over MAX_LENGTH.
    """
    if type(url) is not str:  # a missing href is the commonest mistake of a spider
        raise RequestInvalid(f"a URL must be a str, not {type(url).__name__}")
    return _cached_address(url) if len(url) <= _CACHED_LENGTH else _address(url)


def fingerprint(method: str, url: str, body: bytes | None = None) -> bytes:
    """16 bytes of blake2b over the method, the canonical URL (query sorted, no fragment) and the body.

    Raises:
        RequestInvalid: As :func:`address`.
    """
    target = address(url)
    if method == "GET" and not body:
        return target.fingerprint
    return _digest(method.upper(), _canonical(target.url, _PLAIN(target.url)), body)


def without_parameters(url: str, names: Collection[str]) -> str:
    """``url`` without the query parameters of these names or globs, such as ``utm_*``; itself where it has none."""
    path, _, query = url.partition("?")
    ignored = _ignored(tuple(names))
    pairs = query.split("&")
    kept = [pair for pair in pairs if not ignored(unquote_plus(pair.partition("=")[0]))]
    if len(kept) == len(pairs):
        return url
    return f"{path}?{'&'.join(kept)}" if kept else path


@lru_cache(64)
def _ignored(names: tuple[str, ...]) -> Callable[[str], object]:
    return re.compile("|".join(map(translate, names))).match


def join(base: str, href: str) -> str | None:
    """What a browser fetches for ``href`` in the document ``base``: the ``url`` of an :class:`Address`, or None.

    None stands for whatever can't be fetched: ``mailto:``, ``javascript:``, ``data:``, ``http://[bad``. Never raises.
    """
    if len(href) > _CACHED_LENGTH:
        return _resolve(base, href)
    if href[:1] > "#" and href[0] != "?":  # not empty, no "?q" or "#f", no space or control before one
        base = _directory(base)  # such an href means the same in the whole folder, so its pages share the cache
    return _cached_resolve(base, href)


def origin(url: str) -> str:
    """``scheme://host[:port]`` of ``url`` (RFC 6454), without a default port: what one robots.txt holds for.

    Raises:
        RequestInvalid: As :func:`address`.
    """
    scheme, _, authority, _ = address(url).url.split("/", 3)
    return f"{scheme}//{authority.rpartition('@')[2]}"


def same_origin(a: str, b: str) -> bool:
    """Whether both URLs have one :func:`origin`. Raises RequestInvalid as that does."""
    return origin(a) == origin(b)


def host_of(url: str) -> str:
    """The ``host`` of the URL's :class:`Address`. Raises RequestInvalid as :func:`address` does."""
    return address(url).host


def is_loopback(host: str) -> bool:
    """Whether ``host``, spelled as in :class:`Address`, can only be this machine (RFC 6761, 6.3)."""
    last = host.rpartition(".")[2]
    return host == "::1" or last == "localhost" or (host.startswith("127.") and last.isdigit())


_PAIR = r"[A-Za-z0-9_.~-]+=[A-Za-z0-9_.~-]*"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
# A URL that is its own address, and but for the order of its query its own canonical form: nothing is escaped or needs
# to be, no dot segment. Most look like this, and cost a tenth. A test holds that both ways give the same.
_PLAIN = re.compile(
    rf"https?://((?:[a-z0-9_-]{{1,63}}\.)*[a-z][a-z0-9_-]{{0,62}}|(?:{_OCTET}\.){{3}}{_OCTET})"
    r"(?::(?!(?:80|443)/)(?:[1-9]\d{0,3}|[1-5]\d{4}))?"
    r"(?:/(?!\.)[A-Za-z0-9_.~!$&'()*+,=:@-]*)+"
    rf"(?:\?({_PAIR}(?:&{_PAIR})*))?",
    re.ASCII,
).fullmatch
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):").match
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}").fullmatch
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*").fullmatch  # WHATWG: a host whose last label is a number is IPv4
_C0_OR_SPACE = "".join(map(chr, range(0x21)))
_NO_TAB_OR_NEWLINE = {9: None, 10: None, 13: None}
_DEFAULT_PORT = {"http": 80, "https": 443}


def _address(url: str) -> Address:
    """The address of ``url``, uncached."""
    plain = _PLAIN(url) if len(url) <= MAX_LENGTH else None
    if plain and len(plain[1]) <= 253:
        return Address(url, plain[1], _digest("GET", _canonical(url, plain), None))
    try:
        url, host = _normal(_clean(url[:_LONGEST]))
    except ValueError as error:
        raise RequestInvalid(f"not a URL that can be fetched: {url[:200]!r}: {error}") from error
    return Address(url, host, _digest("GET", _canonical(url, _PLAIN(url)), None))


_cached_address = lru_cache(16_384)(_address)


def _clean(url: str) -> str:
    r"""``url`` without fragment, outer space, tabs and newlines; a ``\`` before the query is a ``/`` (WHATWG URL)."""
    url = url.partition("#")[0].strip(_C0_OR_SPACE)
    if not url.isprintable():
        url = url.translate(_NO_TAB_OR_NEWLINE)
    if "\\" in url:
        path, mark, query = url.partition("?")
        url = path.replace("\\", "/") + mark + query
    return url


def _normal(url: str) -> tuple[str, str]:
    """The safe, normal form of a clean URL, and its host. Raises ValueError with the reason."""
    named = _SCHEME(url)
    if not named:
        raise ValueError("it has no scheme such as https://")
    scheme = named[1].lower()
    if scheme not in _DEFAULT_PORT:
        raise ValueError(f"the scheme must be http or https, not {scheme[:40]}")
    if len(url) > MAX_LENGTH:
        raise ValueError(f"it is longer than {MAX_LENGTH:,} characters")
    url = f"{scheme}://{url[named.end() :].lstrip('/')}"  # browsers don't count the slashes
    parts = urlsplit(safe_url_string(url))
    host = _host(parts.hostname or "", in_brackets="[" in re.split("[/?]", url, maxsplit=3)[2])
    netloc = f"[{host}]" if ":" in host else host
    if parts.port not in (None, _DEFAULT_PORT[scheme]):
        netloc = f"{netloc}:{parts.port}"
    if userinfo := parts.netloc.rpartition("@")[0]:
        netloc = f"{userinfo}@{netloc}"
    url = f"{scheme}://{netloc}{_without_dots(parts.path or '/')}{'?' if parts.query else ''}{parts.query}"
    if len(url) > MAX_LENGTH:
        raise ValueError(f"it is longer than {MAX_LENGTH:,} characters when escaped")
    return url, host


def _host(host: str, in_brackets: bool) -> str:
    """The one spelling of a host name or IP address that is ASCII already. Raises ValueError with the reason."""
    if not host:
        raise ValueError("it has no host")
    if in_brackets:
        if "%" in host:
            raise ValueError("an IPv6 address with a zone is not a place on the web")
        return str(ipaddress.IPv6Address(host))
    host = host.removesuffix(".")  # the root: the same host, and a trap that doubles every page
    if not _NAME(host) or len(host) > 253:
        raise ValueError(f"{host[:80]!r} is not a host name")
    if _NUMERIC(host.rpartition(".")[2]):
        try:
            return socket.inet_ntoa(socket.inet_aton(host))  # 127.1, 0x7f.1 and 2130706433 are one host
        except OSError as error:
            raise ValueError(f"{host[:80]!r} is not an IPv4 address") from error
    return host


def _without_dots(path: str) -> str:
    """``path`` with its dot segments resolved (RFC 3986 §5.2.4), the escaped ones too (WHATWG URL)."""
    if "/." not in path and "/%2" not in path:
        return path
    kept: list[str] = []
    plain = ""
    for segment in path[1:].split("/"):
        plain = segment.replace("%2e", ".").replace("%2E", ".")
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(segment)
    return "/" + "/".join([*kept, ""] if plain in {".", ".."} else kept)


def _canonical(url: str, plain: re.Match[str] | None) -> str:
    """The form in which equivalent addresses are equal; ``plain`` is what ``_PLAIN`` says to the address."""
    if plain is None:
        return canonicalize_url(url)
    query = plain[2]
    if not query or "&" not in query:
        return url
    return url[: -len(query)] + "&".join(map("=".join, sorted(pair.split("=") for pair in query.split("&"))))


def _digest(method: str, canonical: str, body: bytes | None) -> bytes:
    # A canonical URL holds no newline, so that the three parts can't be confused.
    return blake2b(f"{method} {canonical}\n".encode() + (body or b""), digest_size=16).digest()


@lru_cache(1024)
def _directory(base: str) -> str:
    """The folder of the document ``base``, up to its last slash; ``base`` itself where that is no URL."""
    try:
        path = address(base).url.partition("?")[0]
    except RequestInvalid:
        return base
    return path[: path.rindex("/") + 1]


def _resolve(base: str, href: str) -> str | None:
    """What ``join`` says, uncached."""
    named = _SCHEME(href := _clean(href[:_LONGEST]))
    try:
        if named:
            scheme, rest = named[1].lower(), href[named.end() :]
            if scheme not in _DEFAULT_PORT:
                return None
            if rest.startswith("//") or not base.startswith(f"{scheme}:"):
                return address(href).url
            href = rest  # "http:page" is relative in a document of the same scheme (WHATWG URL)
        base = address(base).url
        if href.startswith("//"):
            return address(base[: base.index("/")] + href).url
        if href.startswith("/"):
            return address(base[: base.index("/", 8)] + href).url
        path = base.partition("?")[0]
        if href.startswith("?"):
            return address(path + href).url
        return address(path[: path.rindex("/") + 1] + href).url if href else base
    except RequestInvalid:
        return None


_cached_resolve = lru_cache(32_768)(_resolve)
