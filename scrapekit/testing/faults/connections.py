"""Connections: refused, reset and closed at the wrong moment, and used for more than was asked."""

from __future__ import annotations

import socket

from scrapekit.testing.faults.registry import Door, fault
from scrapekit.testing.faults.talk import CHUNKED, HTML, Talk, chunk, head, reply

OWN = Door()
RAW = Door(kind="raw")


@fault("/connections/refused", "ConnectError", door=Door(kind="closed"))
def refused(_: Talk) -> None:
    """Nobody listens on the port."""


@fault("/connections/unreachable", "ConnectError", door=Door(kind="nowhere"))
def unreachable(_: Talk) -> None:
    """There is no way to the address."""


@fault("/connections/reset-at-once", "ProtocolError", door=RAW)
def reset_at_once(talk: Talk) -> None:
    """The connection is reset as soon as a byte comes over it."""
    talk.sock.recv(1)
    talk.reset()


@fault("/connections/closed-at-once", "ProtocolError", door=RAW)
def closed_at_once(talk: Talk) -> None:
    """The connection is closed as soon as it stands."""
    talk.close()


@fault("/connections/reset-in-handshake", "ConnectError", door=Door("https", "raw"))
def reset_in_handshake(talk: Talk) -> None:
    """The connection is reset in the TLS handshake."""
    talk.sock.recv(1)
    talk.reset()


@fault("/connections/reset-before-headers", "ProtocolError")
def reset_before_headers(talk: Talk) -> None:
    """The connection is reset instead of an answer."""
    talk.reset()


@fault("/connections/reset-in-headers", "ProtocolError")
def reset_in_headers(talk: Talk) -> None:
    """The connection is reset within the headers."""
    talk.send(b"HTTP/1.1 200 OK\r\nContent-")
    talk.reset()


@fault("/connections/reset-after-headers", "TruncatedBody")
def reset_after_headers(talk: Talk) -> None:
    """The connection is reset between headers and body."""
    talk.send(head(HTML, "Content-Length: 1000"))
    talk.reset()


@fault("/connections/reset-in-body", "TruncatedBody")
def reset_in_body(talk: Talk) -> None:
    """The connection is reset within the body."""
    talk.send(head(HTML, "Content-Length: 1000"), talk.page)
    talk.reset()


@fault("/connections/reset-after-body", "ok")
def reset_after_body(talk: Talk) -> None:
    """The connection is reset after the answer, without a word of it in the headers."""
    talk.send(reply(talk.page))
    talk.reset()


@fault("/connections/close-before-headers", "ProtocolError")
def close_before_headers(talk: Talk) -> None:
    """The connection is closed instead of an answer."""
    talk.close()


@fault("/connections/close-in-status-line", "ProtocolError")
def close_in_status_line(talk: Talk) -> None:
    """The connection is closed within the status line."""
    talk.send(b"HTTP/1.1 2")
    talk.close()


@fault("/connections/close-in-headers", "ProtocolError")
def close_in_headers(talk: Talk) -> None:
    """The connection is closed within the headers."""
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
    talk.close()


@fault("/connections/close-in-body", "TruncatedBody")
def close_in_body(talk: Talk) -> None:
    """The connection is closed within a body with a length."""
    talk.send(head(HTML, "Content-Length: 1000"), talk.page)
    talk.close()


@fault("/connections/close-in-chunk", "TruncatedBody")
def close_in_chunk(talk: Talk) -> None:
    """The connection is closed within a chunk."""
    talk.send(head(HTML, CHUNKED), b"3e8\r\n", talk.page)
    talk.close()


@fault("/connections/close-between-chunks", "TruncatedBody")
def close_between_chunks(talk: Talk) -> None:
    """The connection is closed after a chunk that is not the last one."""
    talk.send(head(HTML, CHUNKED), chunk(talk.page))
    talk.close()


@fault("/connections/close-after-body", "ok")
def close_after_body(talk: Talk) -> None:
    """The connection is closed after the answer, without a word of it in the headers."""
    talk.send(reply(talk.page))
    talk.close()


@fault("/connections/connection-close", "ok")
def connection_close(talk: Talk) -> None:
    """`Connection: close`, and so it is."""
    talk.send(reply(talk.page, "Connection: close"))
    talk.close()


@fault("/connections/half-closed", "ok")
def half_closed(talk: Talk) -> None:
    """After the answer the server will send no more, but reads on."""
    talk.send(reply(talk.page))
    socket.socket.shutdown(talk.sock, socket.SHUT_WR)  # SSLSocket's own would forget that it speaks TLS
    talk.hang()


@fault("/connections/stale", "ok, flag stale_connection", door=OWN, second=True)
def stale(talk: Talk) -> None:
    """The idle connection is closed in the moment in which it is used again: one retry at once, on a new one."""
    if talk.turn > 1:
        talk.close()
    else:
        talk.send(reply(talk.page))


@fault("/connections/stale-reset", "ok, flag stale_connection", door=OWN, second=True)
def stale_reset(talk: Talk) -> None:
    """The idle connection is reset in the moment in which it is used again."""
    if talk.turn > 1:
        talk.reset()
    else:
        talk.send(reply(talk.page))


@fault("/connections/stale-post", "ProtocolError", door=OWN, second=True, request={"method": "POST", "body": b"x"})
def stale_post(talk: Talk) -> None:
    """As stale, but for a POST, which may not be sent twice."""
    stale(talk)


@fault("/connections/stale-with-a-byte", "ProtocolError", door=OWN, second=True)
def stale_with_a_byte(talk: Talk) -> None:
    """As stale, but a byte of an answer came: the server has seen the request."""
    if talk.turn > 1:
        talk.send(b"H")
        talk.close()
    else:
        talk.send(reply(talk.page))


@fault("/connections/always-stale", "ProtocolError", door=OWN, second=True)
def always_stale(talk: Talk) -> None:
    """As stale, and the new connection is closed as well: there is one retry, not two."""
    talk.close()


@fault("/connections/extra-bytes", "ok, flag extra_bytes")
def extra_bytes(talk: Talk) -> None:
    """More bytes than Content-Length says."""
    talk.send(reply(talk.page), b"and more")


@fault("/connections/pushed-response", "ok, flag extra_bytes")
def pushed_response(talk: Talk) -> None:
    """A second response that nobody asked for, which must not answer the next request."""
    talk.send(reply(talk.page), reply(b"[scrapekit pushed]"))


@fault("/connections/pushed-later", "ok", door=OWN)
def pushed_later(talk: Talk) -> None:
    """A second response that nobody asked for, in bytes that are not read with the first."""
    # One send, and the first response fills a read of the client. A push of its own might come when the next request
    # is out already, and no client could tell it from the answer.
    size = 32_768 - len(reply(talk.page.ljust(32_000))) + 32_000
    talk.send(reply(talk.page.ljust(size)), reply(b"[scrapekit pushed]"))


@fault("/connections/greeting", "ProtocolError", door=RAW)
def greeting(talk: Talk) -> None:
    """The server speaks first, as mail servers do."""
    talk.send(b"220 mail.example.org ESMTP\r\n")
    talk.hang()
