"""The media type of a response that names none."""

from __future__ import annotations

import re

_HEAD = 1445  # bytes that are looked at, as the standard has it
_SPACE = b"\t\n\x0c\r "
_TAGS = rb"!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p"
_HTML = re.compile(rb"<(?:!--|(?:" + _TAGS + rb")[\s>])", re.IGNORECASE).match
_XHTML = re.compile(rb"<!doctype html|<html[\s>]", re.IGNORECASE).search
_JSON = re.compile(rb'\{\s*["}]|\[\s*["{\[\]]').match
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]").search


def sniff(body: bytes) -> str:
    """The media type by the first bytes, as a browser guesses it (WHATWG MIME Sniffing §7.1), and JSON besides.

    One of ``text/html``, ``application/xml``, ``application/json``, ``text/plain``, ``application/octet-stream``.
    """
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text/plain"  # UTF-16
    head = body[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE)
    if _HTML(head):
        return "text/html"
    if head.startswith(b"<?xml"):
        return "text/html" if _XHTML(head) else "application/xml"
    if _JSON(head):
        return "application/json"
    return "application/octet-stream" if _BINARY(head) else "text/plain"
