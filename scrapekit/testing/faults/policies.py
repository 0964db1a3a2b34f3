"""Policies: robots.txt, sitemaps, cookies and Retry-After, told wrongly. Each has an origin of its own."""

from __future__ import annotations

import gzip
from functools import cache

from scrapekit.testing.faults.redirects import to
from scrapekit.testing.faults.registry import Door, Play, fault
from scrapekit.testing.faults.talk import Talk, reply

_PLAIN = "Content-Type: text/plain"
_RULES = b"User-agent: *\nDisallow: /secret\n"


def _policy(name: str, why: str, play: Play, *, shows: bytes | None = None, slow: bool = False) -> None:
    play.__doc__ = why
    session = {"session": name}  # cookies of one must not crowd out those of another
    fault(f"/policies/{name}", "ok", door=Door(), shows=shows, request=session, slow=slow)(play)


def _robots(name: str, why: str, robots: Play, *, slow: bool = False) -> None:
    """What goes wrong when robots.txt is asked for; the page itself is good."""

    def play(talk: Talk) -> None:
        if talk.path == "/robots.txt":
            robots(talk)
        else:
            talk.send(reply(talk.page))

    _policy(f"robots-{name}", why, play, slow=slow)


def _text(body: bytes, *headers: str) -> Play:
    return lambda talk: talk.send(reply(body, *(headers or (_PLAIN,))))


def _once(first: Play, then: Play) -> Play:
    return lambda talk: first(talk) if talk.visit == 1 else then(talk)


_robots(
    "503",
    "robots.txt fails, then is there: nothing is fetched before.",
    _once(lambda talk: talk.send(reply(b"", status="503 Unavailable")), _text(_RULES)),
)
_robots("silence", "robots.txt is silence, then is there.", _once(Talk.hang, _text(_RULES)), slow=True)
_robots(
    "404",
    "There is no robots.txt, though the page that says so forbids all.",
    lambda talk: talk.send(reply(b"User-agent: *\nDisallow: /\n", _PLAIN, status="404 Not Found")),
)
_robots(
    "html", "A page of HTML in place of robots.txt.", _text(b"<!doctype html><p>User-agent: * Disallow: /</p>", "A: b")
)
_robots("utf-16", "robots.txt in UTF-16.", _text("\ufeffUser-agent: *\nDisallow: /sécret".encode("utf-16-le")))
_robots("binary", "Random bytes for a robots.txt.", _text(bytes(range(256)) * 100))
_robots(
    "large",
    "It forbids all after 2 MiB, of which 500 KiB count.",
    _text(_RULES + b"# x\n" * 524_288 + b"Disallow: /\n"),
)
_robots("wildcards", "20,000 rules of many wildcards.", _text(_RULES + b"Disallow: /z*a*a*a*b\n" * 20_000))
_robots(
    "delays",
    "A Crawl-delay of 1e308, nan and -1.",
    _text(_RULES + b"Crawl-delay: nan\nCrawl-delay: -1\nCrawl-delay: 1e308\n"),
)
_robots("loop", "robots.txt redirects to itself: there is none.", lambda talk: to(talk, "/robots.txt"))
_robots("file", "robots.txt redirects to a file: there is none.", lambda talk: to(talk, "file:///etc/passwd"))


def _no_robots(talk: Talk) -> bool:
    """Whether it asked for robots.txt, and was told that there is none."""
    if talk.path == "/robots.txt":
        talk.send(reply(b"", status="404 Not Found"))
    return talk.path == "/robots.txt"


def _retry_after(name: str, value: str, why: str) -> None:
    """A 429 with that header at first, then the page."""

    def play(talk: Talk) -> None:
        if _no_robots(talk):
            return
        if talk.visit == 1:
            talk.send(reply(b"", f"Retry-After: {value}", status="429 Too Many"))
        else:
            talk.send(reply(talk.page))

    _policy(f"retry-after-{name}", why, play)


for _name, _value, _why in [
    ("year", "31536000", "Retry-After of a year: it is cut to ``retry.max_retry_after``."),
    ("date", "Fri, 31 Dec 9999 23:59:59 GMT", "A Retry-After in the year 9999, cut as well."),
    ("year-99999", "Fri, 31 Dec 99999 23:59:59 GMT", "A Retry-After in the year 99999: no date."),
    ("digits", "9" * 5000, "A Retry-After of 5,000 digits, cut as well."),
    ("negative", "-5", "A negative Retry-After: it says nothing."),
    ("past", "Thu, 01 Jan 1970 00:00:00 GMT", "A Retry-After that has passed: now."),
    ("garbage", "soon; \x01\xff", "A Retry-After that is none."),
]:
    _retry_after(_name, _value, _why)


def _cookies(name: str, why: str, *cookies: str) -> None:
    """The cookies, of which only ``good`` may come back."""

    def play(talk: Talk) -> None:
        if _no_robots(talk):
            return
        if not talk.target.endswith("?to"):
            lines = (f"Set-Cookie: {cookie}" for cookie in cookies)
            talk.send(reply(b"", *lines, "Location: ?to", status="302 Redirect"))
        elif talk.headers.get("cookie", "").count("=") == talk.headers.get("cookie", "").count("good"):
            talk.send(reply(talk.page if "good" in talk.headers.get("cookie", "") else b"no cookie"))
        else:
            talk.send(reply(b"", status="400 Bad Request"))

    _policy(f"cookies-{name}", why, play)


_cookies(
    "foreign",
    "Cookies for other domains, public suffixes and part of an address.",
    *(f"bad=1; Domain={domain}" for domain in ("example.org", "com", "co.uk", "0.0.1", ".1", "localhost")),
    "good=1",
)
_cookies(
    "broken-promises",
    "``Secure`` and ``__Host-`` by plain http.",
    *("bad=1; Secure", "__Host-bad=1; Secure; Path=/", "__Secure-bad=1", "__Host-bad=1; Path=/", "good=1"),
)
_cookies(
    "past",
    "A cookie that has ended, and one that is deleted.",
    *("bad=1; Max-Age=0", "worse=1", "good=1", "worse=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
)
_cookies("large", "A cookie of 5,000 bytes.", "bad=" + "x" * 5000, "good=1")
_cookies("10000", "Ten thousand cookies: the first 180 count.", *(f"good{n}=1" for n in range(10_000)))


@cache
def _bomb() -> bytes:
    return gzip.compress(b"<urlset><url><loc>/found</loc></url>" + b" " * 64 * 2**20)


def _sitemap(name: str, why: str, body: Play, *, shows: bytes) -> None:
    def play(talk: Talk) -> None:
        if not _no_robots(talk):
            body(talk)

    _policy(f"sitemap-{name}", why, play, shows=shows)


_sitemap(
    "bomb",
    "A gzipped sitemap of 64 MiB: ``read_sitemap`` reads 50 of them, in flat memory.",
    lambda talk: talk.send(reply(_bomb(), "Content-Type: application/gzip")),
    shows=b"\x1f\x8b",
)
_sitemap(
    "entities",
    "A sitemap with entities that explode, and one from elsewhere.",
    _text(
        b'<!DOCTYPE urlset [<!ENTITY a "0123456789"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
        b"<urlset><url><loc>/found</loc></url><url><loc>/&f;&b;</loc></url></urlset>",
        "Content-Type: application/xml",
    ),
    shows=b"/found",
)
_sitemap(
    "many",
    "A sitemap with 60,000 pages, of which 50,000 may be.",
    _text(b"".join(b"http://a/%d\n" % n for n in range(60_000)), _PLAIN),
    shows=b"http://a/0\n",
)
