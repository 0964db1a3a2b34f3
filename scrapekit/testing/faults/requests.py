"""Requests as they come in: well-formed ones, as our own client sends them, within limits."""

from __future__ import annotations

import socket

_MAX_HEAD = 65_536
_MAX_BODY = 2**24

Received = tuple[str, str, dict[str, str], bytes]
"""Method, target (path and query), headers with their names in lower case, body."""


def receive(sock: socket.socket, buffer: bytearray) -> Received | None:
    """The next request of the connection; None when there is none, or what comes is not HTTP/1.x.

    Args:
        sock: The connection.
        buffer: Bytes that were read and not used; kept between calls.
    """
    found = receive_head(sock, buffer)
    if found is None:
        return None
    method, target, headers = found
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _MAX_BODY or "transfer-encoding" in headers:
        return None
    size = int(length)
    while len(buffer) < size:
        if not (piece := sock.recv(_MAX_HEAD)):
            return None
        buffer += piece
    body = bytes(buffer[:size])
    del buffer[:size]
    if target.startswith("http://"):  # as proxies are asked; whoever relays it may leave it so (RFC 9112, 3.2.2)
        target = "/" + target.partition("://")[2].partition("/")[2]
    return method, target, headers, body


def receive_head(sock: socket.socket, buffer: bytearray) -> tuple[str, str, dict[str, str]] | None:
    """As :func:`receive`, without the body, and with the target as it was sent."""
    while (end := buffer.find(b"\r\n\r\n")) < 0:
        if len(buffer) > _MAX_HEAD or not (piece := sock.recv(_MAX_HEAD)):
            return None
        buffer += piece
    request_line, *lines = buffer[:end].decode("latin-1").split("\r\n")
    del buffer[: end + 4]
    method, _, rest = request_line.partition(" ")
    target, _, version = rest.partition(" ")
    if not version.startswith("HTTP/1."):
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return method, target, headers
