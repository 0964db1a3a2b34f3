"""Proxies that are at fault, and one that is not."""

from __future__ import annotations

import selectors
import socket
from contextlib import ExitStack, suppress

from scrapekit.testing.faults.registry import Door, fault
from scrapekit.testing.faults.requests import receive_head
from scrapekit.testing.faults.talk import Talk, reply

TUNNEL = Door(kind="raw", proxy="https")
PLAIN = Door(kind="raw", proxy="http")


@fault("/proxies/refused", "ProxyError", door=Door(kind="closed", proxy="http"))
def refused(_: Talk) -> None:
    """Nobody listens on the proxy's port."""


@fault("/proxies/tunnel-refused", "ProxyError", door=Door(kind="closed", proxy="https"))
def tunnel_refused(_: Talk) -> None:
    """Nobody listens on the port of the proxy for a tunnel."""


@fault("/proxies/black-hole", "ProxyError", door=Door(kind="full", proxy="https"), slow=True)
def black_hole(_: Talk) -> None:
    """The proxy accepts no connection, and refuses none."""


@fault("/proxies/silence", "DeadlineExceeded", door=PLAIN, slow=True)
def silence(talk: Talk) -> None:
    """The proxy reads the request, and says nothing."""
    talk.hang()


@fault("/proxies/tunnel-silence", "ProxyError", door=TUNNEL, slow=True)
def tunnel_silence(talk: Talk) -> None:
    """The proxy reads the CONNECT, and says nothing."""
    talk.hang()


@fault("/proxies/tunnel-dripped", "ProxyError", door=TUNNEL, slow=True)
def tunnel_dripped(talk: Talk) -> None:
    """A header of the answer to CONNECT now and then."""
    talk.send(b"HTTP/1.1 200 Connection established\r\n")
    talk.drip(b"X: y\r\n")


@fault("/proxies/tunnel-endless", "ProxyError", door=TUNNEL)
def tunnel_endless(talk: Talk) -> None:
    """Headers without end in the answer to CONNECT."""
    talk.send(b"HTTP/1.1 200 Connection established\r\n")
    talk.flood(b"X: y\r\n")


@fault("/proxies/tunnel-to-nobody", "ConnectError", door=TUNNEL, slow=True)
def tunnel_to_nobody(talk: Talk) -> None:
    """The tunnel stands, and nobody answers the TLS handshake within."""
    talk.sock.recv(65_536)
    talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    talk.hang()


@fault("/proxies/tunnel-denied", "ProxyError", door=TUNNEL)
def tunnel_denied(talk: Talk) -> None:
    """The proxy answers CONNECT with 403."""
    talk.sock.recv(65_536)
    talk.send(reply(b"no", status="403 Forbidden"))
    talk.hang()


@fault("/proxies/tunnel-bad-gateway", "ConnectError", door=TUNNEL)
def tunnel_bad_gateway(talk: Talk) -> None:
    """The proxy answers CONNECT with 502: it does not reach the target."""
    talk.sock.recv(65_536)
    talk.send(reply(b"no", status="502 Bad Gateway"))
    talk.hang()


@fault("/proxies/tunnel-wants-credentials", "ProxyError", door=TUNNEL)
def tunnel_wants_credentials(talk: Talk) -> None:
    """The proxy answers CONNECT with 407."""
    talk.sock.recv(65_536)
    talk.send(reply(b"who?", "Proxy-Authenticate: Basic", status="407 Proxy Authentication Required"))
    talk.hang()


@fault("/proxies/tunnel-garbage", "ProxyError", door=TUNNEL)
def tunnel_garbage(talk: Talk) -> None:
    """The proxy answers CONNECT with noise."""
    talk.sock.recv(65_536)
    talk.send(b"\x05\xff and noise\r\n\r\n")
    talk.hang()


@fault("/proxies/tunnel-closed", "ProxyError", door=TUNNEL)
def tunnel_closed(talk: Talk) -> None:
    """The proxy closes the connection instead of an answer to CONNECT."""
    talk.sock.recv(65_536)
    talk.close()


@fault("/proxies/tunnel-reset", "ProxyError", door=TUNNEL)
def tunnel_reset(talk: Talk) -> None:
    """The proxy resets the connection instead of an answer to CONNECT."""
    talk.sock.recv(65_536)
    talk.reset()


def relay(talk: Talk) -> None:
    """A proxy as it should be: plain HTTP by absolute URLs, everything else by CONNECT; it passes on what comes.

    Also resets. It never says a word of its own.
    """
    buffer = bytearray()
    found = receive_head(talk.sock, buffer)
    if found is None:
        return
    with ExitStack() as opened, suppress(OSError):
        selector = opened.enter_context(selectors.DefaultSelector())
        selector.register(talk.sock, selectors.EVENT_READ)
        upstreams: dict[str, socket.socket] = {}

        def upstream(place: str) -> socket.socket:
            if place not in upstreams:
                host, _, port = place.rpartition(":")
                upstreams[place] = opened.enter_context(socket.create_connection((host.strip("[]"), int(port)), 10))
                selector.register(upstreams[place], selectors.EVENT_READ)
            return upstreams[place]

        tunnel = found[0] == "CONNECT"
        to = upstream(_place(found[1]))
        if tunnel:
            talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            to.sendall(_head(found))
        to.sendall(buffer)
        due = _length(found) - len(buffer)  # bytes of the request's body that are still to come
        while not talk.closing.is_set():
            for key, _ in selector.select(0.5):
                assert isinstance(key.fileobj, socket.socket)
                try:
                    data = key.fileobj.recv(65_536)
                except ConnectionResetError:
                    talk.reset()
                    return
                if not data:
                    return
                if key.fileobj is not talk.sock:
                    talk.sock.sendall(data)
                elif tunnel or due > 0:
                    to.sendall(data)
                    due -= len(data)
                else:
                    # One connection to us serves requests to any target, each of which comes with its head.
                    buffer = bytearray(data)
                    another = receive_head(talk.sock, buffer)
                    if another is None:
                        return
                    to = upstream(_place(another[1]))
                    to.sendall(_head(another) + buffer)
                    due = _length(another) - len(buffer)


def _place(target: str) -> str:
    """``host:port`` of a CONNECT's target, or of an absolute URL."""
    return target.partition("://")[2].partition("/")[0] if "://" in target else target


def _length(found: tuple[str, str, dict[str, str]]) -> int:
    """Bytes of the body of a request."""
    return int(found[2].get("content-length", "0"))


def _head(found: tuple[str, str, dict[str, str]]) -> bytes:
    """A request's head, as the target wants it."""
    method, target, headers = found
    path = "/" + target.partition("://")[2].partition("/")[2]
    lines = [f"{name}: {value}" for name, value in headers.items() if not name.startswith("proxy-")]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")
