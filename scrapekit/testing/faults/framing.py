"""Framing: where a message begins and ends, told wrongly."""

from __future__ import annotations

from scrapekit.testing.faults.registry import fault
from scrapekit.testing.faults.talk import HTML, Talk, chunk, head

CHUNKED = "Transfer-Encoding: chunked"


@fault("/framing/negative-chunk", "ProtocolError")
def negative_chunk(talk: Talk) -> None:
    """A chunk of size -5."""
    talk.send(head(HTML, CHUNKED), chunk(talk.page), b"-5\r\nhello\r\n0\r\n\r\n")


@fault("/framing/length-twice", "ProtocolError")
def length_twice(talk: Talk) -> None:
    """Two Content-Length headers that differ."""
    size = len(talk.page)
    talk.send(head(HTML, f"Content-Length: {size}", f"Content-Length: {size + 5}"), talk.page)


@fault("/framing/header-without-colon", "ok, flag bad_headers")
def header_without_colon(talk: Talk) -> None:
    """A header line without a colon: it hides no other."""
    talk.send(head(HTML, "this is no header", f"Content-Length: {len(talk.page)}"), talk.page)
