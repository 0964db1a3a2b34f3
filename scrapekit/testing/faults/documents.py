"""Documents: trees and texts that parsers choke on, and encodings told wrongly."""

from __future__ import annotations

import codecs

from scrapekit.testing.faults.registry import Door, fault
from scrapekit.testing.faults.talk import Talk, reply

_TEXT = "grün 猫"
_XML = "Content-Type: application/xml"
_LARGE = 11_000_000


def _typed(talk: Talk, body: bytes, kind: str = "text/html") -> None:
    talk.send(reply(body, f"Content-Type: {kind}"))


@fault("/documents/nested", "ok, flag parse_truncated")
def nested(talk: Talk) -> None:
    """100,000 nested elements: libxml2 stops at 2,046."""
    _typed(talk, talk.page + b"<div>" * 100_000)


@fault("/documents/nested-xml", "ok, flag parse_truncated")
def nested_xml(talk: Talk) -> None:
    """100,000 nested elements of XML: libxml2 stops at 254."""
    _typed(talk, b"<r><p>" + _marker(talk) + b"</p>" + b"<a>" * 100_000, "text/xml")


@fault("/documents/many-attributes", "ok, flag parse_truncated")
def many_attributes(talk: Talk) -> None:
    """An element with 100,000 attributes, for which libxml2 would take minutes."""
    _typed(talk, talk.page + b"<a " + b" ".join(b"a%d" % n for n in range(100_000)) + b">")


@fault("/documents/long-text", "ok", door=Door())
def long_text(talk: Talk) -> None:
    """A text of 11 MB."""
    _typed(talk, b"<!doctype html><pre>" + b"x" * _LARGE + b"</pre>" + talk.page)


@fault("/documents/long-text-xml", "ok, flag parse_truncated", door=Door())
def long_text_xml(talk: Talk) -> None:
    """A text of 11 MB in XML: libxml2 stops at 10."""
    _typed(talk, b"<r><p>" + _marker(talk) + b"</p><t>" + b"x" * _LARGE + b"</t></r>", "text/xml")


@fault("/documents/nul", "ok")
def nul(talk: Talk) -> None:
    """NUL bytes all over the page."""
    _typed(talk, b"\0<!doc\0type html>\0<p>\0a\0b</p>\0" + talk.page)


@fault("/documents/entity-bomb", "ok, flag parse_truncated")
def entity_bomb(talk: Talk) -> None:
    """Entities that would be 10 GB when expanded."""
    levels = b"".join(b'<!ENTITY x%d "%b">' % (n, b"&x%d;" % (n - 1) * 10) for n in range(1, 10))
    page = (
        b'<!DOCTYPE r [<!ENTITY x0 "0123456789">'
        + levels
        + b"]><r><p>"
        + _marker(talk)
        + b'</p><q a="&x9;">&x9;</q></r>'
    )
    _typed(talk, page, "text/xml")


@fault("/documents/external-entity", "ok")
def external_entity(talk: Talk) -> None:
    """A DTD and entities that would have to be fetched, or read from the disk."""
    url = f"{talk.base}/good/entity".encode()
    doctype = b'<!DOCTYPE r SYSTEM "%b"[<!ENTITY u SYSTEM "%b"><!ENTITY f SYSTEM "file:///etc/passwd">]>' % (url, url)
    _typed(talk, doctype + b"<r>" + _marker(talk) + b"&u;&f;</r>", "text/xml")


@fault("/documents/no-charset", "ok", shows=_TEXT.encode())
def no_charset(talk: Talk) -> None:
    """UTF-8 that is declared nowhere."""
    _typed(talk, f"<p>{_TEXT}".encode())


@fault("/documents/wrong-charset", "ok", shows="grün".encode())
def wrong_charset(talk: Talk) -> None:
    """Latin-1 that is declared nowhere, so that it is no UTF-8."""
    _typed(talk, "<p>grün".encode("latin-1"))


@fault("/documents/unknown-charset", "ok", shows=_TEXT.encode())
def unknown_charset(talk: Talk) -> None:
    """The header names a charset that nobody knows, the meta tag a right one."""
    _typed(talk, f"<meta charset=gb18030><p>{_TEXT}".encode("gb18030"), "text/html; charset=klingon")


@fault("/documents/charset-header", "ok", shows=_TEXT.encode())
def charset_header(talk: Talk) -> None:
    """The header and the meta tag differ: the header is right."""
    _typed(talk, f"<meta charset=koi8-r><p>{_TEXT}".encode(), "text/html; charset=utf8")


@fault("/documents/charset-bom", "ok", shows=_TEXT.encode())
def charset_bom(talk: Talk) -> None:
    """The byte order mark says one thing, the header and the meta tag another: the mark is right."""
    _typed(talk, codecs.BOM_UTF8 + f"<meta charset=koi8-r><p>{_TEXT}".encode(), "text/html; charset=latin1")


@fault("/documents/utf-16", "ok", shows=_TEXT.encode())
def utf_16(talk: Talk) -> None:
    """UTF-16 by its mark, with a meta tag that says UTF-8."""
    _typed(talk, codecs.BOM_UTF16_BE + f"<meta charset=utf-8><p>{_TEXT}".encode("utf-16-be"))


@fault("/documents/bare-utf-16", "ok", shows=_TEXT.encode())
def bare_utf_16(talk: Talk) -> None:
    """UTF-16 that only the header names."""
    _typed(talk, f"<p>{_TEXT}".encode("utf-16-le"), "text/html; charset=utf-16")


@fault("/documents/meta-utf-16", "ok", shows=_TEXT.encode())
def meta_utf_16(talk: Talk) -> None:
    """A meta tag that says UTF-16, in ASCII: the page is UTF-8."""
    _typed(talk, f"<meta charset=utf-16><p>{_TEXT}".encode())


@fault("/documents/base-script", "ok")
def base_script(talk: Talk) -> None:
    """A base of ``javascript:``: links are relative to the page."""
    _typed(talk, b'<base href="javascript:alert(1)//"><base href="/no/"><a href="next">' + talk.page)


@fault("/documents/base-malformed", "ok")
def base_malformed(talk: Talk) -> None:
    """A base that is no URL: links are relative to the page."""
    _typed(talk, b'<base href="http://[bad/"><a href="next">' + talk.page)


def _marker(talk: Talk) -> bytes:
    return b"[scrapekit " + talk.path.encode() + b"]"
