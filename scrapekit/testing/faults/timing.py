"""Time: servers that answer never, or a byte at a time, or without end."""

from __future__ import annotations

from scrapekit.testing.faults.registry import Door, fault
from scrapekit.testing.faults.talk import CHUNKED, HTML, Talk, chunk, head, reply


@fault("/timing/black-hole", "ConnectError", door=Door(kind="full"), slow=True)
def black_hole(_: Talk) -> None:
    """Nobody accepts the connection, and nobody refuses it."""


@fault("/timing/silent-handshake", "ConnectError", door=Door("https", "raw"), slow=True)
def silent_handshake(talk: Talk) -> None:
    """The connection is accepted, and the TLS handshake gets no answer."""
    talk.hang()


@fault("/timing/dripped-handshake", "ConnectError", door=Door("https", "raw"), slow=True)
def dripped_handshake(talk: Talk) -> None:
    """A byte of the TLS handshake now and then."""
    talk.send(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03")
    talk.drip()


@fault("/timing/silence", "DeadlineExceeded", slow=True)
def silence(talk: Talk) -> None:
    """The request is read, and nothing is ever said."""
    talk.hang()


@fault("/timing/silent-port", "DeadlineExceeded", door=Door(kind="raw"), slow=True)
def silent_port(talk: Talk) -> None:
    """The connection is accepted, and nothing is ever said."""
    talk.hang()


@fault(
    "/timing/reads-nothing",
    "DeadlineExceeded",
    door=Door(kind="raw"),
    request={"method": "POST", "body": b"x" * 5 * 2**20},
    slow=True,
)
def reads_nothing(talk: Talk) -> None:
    """The connection is accepted, and a large request body is not read."""
    talk.wait()


@fault("/timing/dripped-status-line", "DeadlineExceeded", slow=True)
def dripped_status_line(talk: Talk) -> None:
    """A byte of the status line now and then."""
    talk.send(b"HTTP/1.1 200 ")
    talk.drip(b"O")


@fault("/timing/dripped-headers", "DeadlineExceeded", slow=True)
def dripped_headers(talk: Talk) -> None:
    """A header line now and then."""
    talk.send(b"HTTP/1.1 200 OK\r\n")
    talk.drip(b"X: y\r\n")


@fault("/timing/endless-continue", "DeadlineExceeded", slow=True)
def endless_continue(talk: Talk) -> None:
    """A `100 Continue` now and then."""
    talk.drip(b"HTTP/1.1 100 Continue\r\n\r\n", every=0.1)


@fault("/timing/dripped-body", "DeadlineExceeded", slow=True)
def dripped_body(talk: Talk) -> None:
    """A byte of the body now and then."""
    talk.send(head(HTML, "Content-Length: 1000000"))
    talk.drip()


@fault("/timing/dripped-body-to-close", "DeadlineExceeded", slow=True)
def dripped_body_to_close(talk: Talk) -> None:
    """A byte of a body without a length now and then."""
    talk.send(head(HTML))
    talk.drip()


@fault("/timing/dripped-chunks", "DeadlineExceeded", slow=True)
def dripped_chunks(talk: Talk) -> None:
    """A chunk of one byte now and then."""
    talk.send(head(HTML, CHUNKED))
    talk.drip(chunk(b"x"))


@fault("/timing/dripped-chunk-size", "DeadlineExceeded", slow=True)
def dripped_chunk_size(talk: Talk) -> None:
    """A digit of a chunk's size now and then."""
    talk.send(head(HTML, CHUNKED))
    talk.drip(b"0")


@fault("/timing/dripped-trailers", "DeadlineExceeded", slow=True)
def dripped_trailers(talk: Talk) -> None:
    """The body is complete, and then comes a trailer line now and then."""
    talk.send(head(HTML, CHUNKED), chunk(talk.page), b"0\r\n")
    talk.drip(b"X: y\r\n")


@fault("/timing/stalled-body", "DeadlineExceeded", slow=True)
def stalled_body(talk: Talk) -> None:
    """Half of the body, then silence."""
    talk.send(head(HTML, f"Content-Length: {2 * len(talk.page)}"), talk.page)
    talk.hang()


@fault("/timing/never-closed", "DeadlineExceeded", slow=True)
def never_closed(talk: Talk) -> None:
    """The body ends with the connection, which is never closed."""
    talk.send(head(HTML, "Connection: close"), talk.page)
    talk.hang()


@fault("/timing/endless-headers", "ProtocolError")
def endless_headers(talk: Talk) -> None:
    """Header lines without end, as fast as they are read."""
    talk.send(b"HTTP/1.1 200 OK\r\n")
    talk.flood(b"X-Endless: y\r\n")


@fault("/timing/endless-header-line", "ProtocolError")
def endless_header_line(talk: Talk) -> None:
    """One header line without end, as fast as it is read."""
    talk.send(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    talk.flood(b"y")


@fault("/timing/endless-status-line", "ProtocolError")
def endless_status_line(talk: Talk) -> None:
    """A status line without end, as fast as it is read."""
    talk.flood(b"HTTP/1.1 200 OK ")


@fault("/timing/continue-flood", "ProtocolError")
def continue_flood(talk: Talk) -> None:
    """`100 Continue` without end, as fast as it is read."""
    talk.flood(b"HTTP/1.1 100 Continue\r\n\r\n")


@fault("/timing/endless-chunks", "BodyTooLarge")
def endless_chunks(talk: Talk) -> None:
    """Chunks without end, as fast as they are read."""
    talk.send(head(HTML, CHUNKED))
    talk.flood(chunk(b"x" * 1000))


@fault("/timing/endless-tiny-chunks", "BodyTooLarge")
def endless_tiny_chunks(talk: Talk) -> None:
    """Chunks of 32 bytes without end, as fast as they are read."""
    talk.send(head(HTML, CHUNKED))
    talk.flood(chunk(b"tiny" * 8))


@fault("/timing/endless-body", "BodyTooLarge")
def endless_body(talk: Talk) -> None:
    """A body without a length and without end, as fast as it is read."""
    talk.send(head(HTML))
    talk.flood(b"x")


@fault("/timing/endless-trailers", "ProtocolError")
def endless_trailers(talk: Talk) -> None:
    """The body is complete, and then come trailer lines without end."""
    talk.send(head(HTML, CHUNKED), chunk(talk.page), b"0\r\n")
    talk.flood(b"X: y\r\n")


@fault("/timing/late-close", "ok")
def late_close(talk: Talk) -> None:
    """`Connection: close` with a Content-Length, and the connection is never closed."""
    talk.send(reply(talk.page, "Connection: close"))
    talk.hang()
