"""SOCKS5 (RFC 1928) with user and password (RFC 1929): the handshake that makes a proxy's connection the target's.

Our own forty lines, for each read must keep to the deadline of the exchange, and the connection to the proxy be made
like any other: by our resolver, and so that it can be broken off.
"""

from __future__ import annotations

import ipaddress
import socket
from time import monotonic
from typing import NamedTuple

from scrapekit.download.exchange import Exchange
from scrapekit.errors import ConnectError, ProxyError

_CONNECT = b"\5\1\0"
_NAME, _ADDRESS = b"\3", {4: b"\1", 6: b"\4"}
_ANSWER = {1: 4 + 2, 4: 16 + 2}  # bytes of address and port by the kind of the address; a name says its own length
_REFUSED = {1: "general failure", 2: "its rules forbid it", 7: "it knows no CONNECT", 8: "it knows no such address"}
_UNREACHABLE = {3: "network unreachable", 4: "host unreachable", 5: "connection refused", 6: "TTL expired"}


class Socks(NamedTuple):
    """A SOCKS5 proxy. Immutable; any thread.

    Args:
        host: Where it is.
        port: Its port.
        user: In bytes, up to 255; empty for none.
        password: As the user; never shown.
        remote: Whether it finds the target's address (socks5h); otherwise it is told one that was looked up here.
    """

    host: str
    port: int
    user: bytes
    password: bytes
    remote: bool

    def __repr__(self) -> str:
        return f"<Socks {self.host}:{self.port}>"

    def tunnel(self, sock: socket.socket, host: str, port: int, exchange: Exchange) -> None:
        """Have ``sock``, which is connected to the proxy, connected to the target, until ``exchange.until``.

        Raises:
            OSError: The connection broke, or the time is over (TimeoutError).
            ProxyError: The proxy refused, or does not speak SOCKS5.
            ConnectError: It says that the target can't be reached.
        """

        def ask(question: bytes, size: int) -> bytes:
            sock.sendall(question)
            answer = b""
            while len(answer) < size:  # under one timeout per read, a byte now and then would go on for ever
                sock.settimeout(max(exchange.until - monotonic(), 0.001))
                piece = sock.recv(size - len(answer))
                if not piece:
                    raise ProxyError(f"the proxy {self.host}:{self.port} hung up in the SOCKS5 handshake")
                answer += piece
            return answer

        version, method = ask(b"\5\2\0\2" if self.user else b"\5\1\0", 2)
        if version != 5:
            raise ProxyError(f"the proxy {self.host}:{self.port} does not speak SOCKS5")
        if method == 2 and self.user:
            login = b"\1" + _counted(self.user) + _counted(self.password)
            if ask(login, 2)[1]:
                raise ProxyError(f"the proxy {self.host}:{self.port} refused user and password")
        elif method:
            raise ProxyError(f"the proxy {self.host}:{self.port} wants other credentials")
        _, code, _, kind = ask(_CONNECT + _address(host) + port.to_bytes(2), 4)
        if code in _UNREACHABLE:
            raise ConnectError(f"no connection through the proxy {self.host}:{self.port}: {_UNREACHABLE[code]}")
        if code:
            raise ProxyError(f"the proxy {self.host}:{self.port} refused: {_REFUSED.get(code, f'code {code}')}")
        ask(b"", _ANSWER.get(kind) or ask(b"", 1)[0] + 2)  # where the proxy connects from: of no use
        sock.settimeout(max(exchange.until - monotonic(), 0.001))


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _NAME + _counted(host.encode("ascii"))
    return _ADDRESS[address.version] + address.packed


def _counted(text: bytes) -> bytes:
    return len(text).to_bytes(1) + text
