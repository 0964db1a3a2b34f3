"""The fault server: bare sockets, a thread for each connection, so that it can break every rule.

It listens on loopback. Paths are served on one port by HTTP and, when asked for, on one by TLS; faults that need a port
of their own get one when their URL is first asked for. When it closes, no thread and no socket is left.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from scrapekit.messages import Request
from scrapekit.testing.faults.authority import Authority
from scrapekit.testing.faults.proxies import relay
from scrapekit.testing.faults.registry import FAULTS, Door, Fault, marker
from scrapekit.testing.faults.requests import receive
from scrapekit.testing.faults.talk import Talk, reply

_PROXY = Fault("/proxy", "ok", "", relay)
_MOST = 512  # connections that are open at once; one more is closed at once
_JOIN = 10.0
Serve = Callable[[socket.socket], None]


@contextmanager
def serve_faults(
    host: str = "127.0.0.1", port: int = 0, *, tls: bool = False, patience: float = 60.0
) -> Iterator[FaultServer]:
    """Serve all faults on loopback until the ``with`` block ends, and leave no thread and no socket behind.

    Args:
        host: The address to listen on.
        port: Of the common port; 0 takes a free one.
        tls: Whether the common port speaks TLS. Without it, one more for TLS is opened when it is first asked for.
        patience: Seconds after which a connection whose client does not give up is closed.

    Raises:
        OSError: The address or the port can't be bound.
        RuntimeError: TLS is asked for, and trustme is not installed.
    """
    server = FaultServer(host, port, tls=tls, patience=patience)
    try:
        yield server
    finally:
        server.close()


class FaultServer:
    """A running fault server. Made by :func:`serve_faults`; any thread.

    Attributes:
        hits: Requests by target, at whatever port.
        connections: How many connections were accepted.
    """

    def __init__(self, host: str, port: int, *, tls: bool, patience: float) -> None:
        self.host = host
        self.hits: Counter[str] = Counter()
        self._visits: Counter[tuple[str, str]] = Counter()  # each by its origin
        self.connections = 0
        self._patience = patience
        self._authority = Authority()
        self._closing = threading.Event()
        self._lock = threading.RLock()  # guards the counters and all that follows
        self._doors: dict[str, str] = {}  # origins by the path of the fault, or by scheme for the common ones
        self._listeners: list[socket.socket] = []
        self._fillers: list[socket.socket] = []
        self._acceptors: list[threading.Thread] = []
        self._open: dict[socket.socket, threading.Thread] = {}
        try:
            self.url = self._open_door("https" if tls else "http", Door("https" if tls else "http"), None, port)
            """``scheme://host:port`` of the common port."""
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<FaultServer {self.url}, {self.open_connections} of {self.connections} connections open>"

    @property
    def open_connections(self) -> int:
        """Connections that are open now."""
        with self._lock:
            return len(self._open)

    @property
    def ca_bundle(self) -> str:
        """Path of its CA's certificate, for the setting ``http.ca_bundle``; there until the server closes."""
        with self._lock:
            return self._authority.bundle

    def origin(self, fault: Fault | None = None, *, tls: bool = False) -> str:
        """``scheme://host:port`` where ``fault`` is served, or good pages are."""
        with self._lock:
            if fault is None or fault.door is None:
                scheme: Literal["http", "https"] = "https" if tls or self.url.startswith("https") else "http"
                return self._doors.get(scheme) or self._open_door(scheme, Door(scheme), None, 0)
            return self._doors.get(fault.path) or self._open_door(fault.path, fault.door, fault, 0)

    def places(self) -> dict[str, dict[str, str | None]]:
        """Where each fault is met: the ``url``, the ``tls`` one if there is one, and the ``proxy`` to take."""
        found: dict[str, dict[str, str | None]] = {}
        for path, fault in FAULTS.items():
            request = self.request(path)
            tls = self.request(path, tls=True).url if fault.tls and fault.door is None else None
            found[path] = {"url": request.url, "tls": tls, "proxy": request.proxy}
        return found

    @property
    def proxy(self) -> str:
        """The URL of a proxy that does nothing wrong: plain HTTP by absolute URLs, TLS by CONNECT."""
        with self._lock:
            return self._doors.get("proxy") or self._open_door("proxy", Door(kind="raw"), _PROXY, 0)

    def request(self, path: str, *, tls: bool = False, **arguments: Any) -> Request:
        """The request that meets the fault at ``path``; ``arguments`` are those of :class:`scrapekit.Request`."""
        fault = FAULTS[path]
        origin = self.origin(fault, tls=tls)
        if fault.door is not None and fault.door.proxy is not None:
            arguments["proxy"], origin = origin, self.origin(tls=fault.door.proxy == "https")
        return Request(origin + path, **{**fault.request, **arguments})

    def good(self, name: str, *, like: str | None = None, tls: bool = False) -> str:
        """The URL of a good page with a body of its own, on the same origin as the fault at path ``like``.

        Where that fault spoils its whole port, it is on the common one.
        """
        fault = FAULTS[like] if like else None
        own = fault is not None and fault.door is not None and fault.door.kind == "requests" and not fault.door.context
        return f"{self.origin(fault if own else None, tls=tls)}/good/{name}"

    def close(self) -> None:
        """Break off every connection and wait for every thread; idempotent."""
        self._closing.set()
        with self._lock:
            self._doors.clear()
            listeners, acceptors, fillers = self._listeners, self._acceptors, self._fillers
            self._listeners, self._acceptors, self._fillers = [], [], []
        for listener in listeners:
            with suppress(OSError):  # one that was never listened on
                listener.shutdown(socket.SHUT_RDWR)
        for thread in acceptors:
            thread.join(_JOIN)
        for sock in (*listeners, *fillers):
            sock.close()
        with self._lock:
            live = list(self._open.items())
        for sock, _ in live:
            with suppress(OSError):  # it ended by itself meanwhile
                sock.shutdown(socket.SHUT_RDWR)
        for _, thread in live:
            thread.join(_JOIN)
        self._authority.close()

    def _plain(self) -> str:
        """The origin that speaks plain HTTP, also where the common port does not."""
        with self._lock:
            return self._doors.get("http") or self._open_door("http", Door("http"), None, 0)

    def _open_door(self, key: str, door: Door, fault: Fault | None, port: int) -> str:
        """Open a port, and say where it is."""
        if door.kind == "nowhere":  # TCP has no broadcast: there is no route, and no packet leaves
            return f"{door.scheme}://255.255.255.255:9"
        context = None
        if door.scheme == "https" and door.kind == "requests":
            context = self._authority.context if door.context is None else door.context(self._authority)
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        self._listeners.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if door.kind == "raw":  # so that not all of a large request fits in there when nobody reads
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind((self.host, port))
        port = listener.getsockname()[1]
        place = f"[{self.host}]" if ":" in self.host else self.host
        origin = self._doors[key] = f"{door.scheme}://{place}:{port}"
        if door.kind == "full":
            listener.listen(0)
            self._fill(listener)
        elif door.kind != "closed":
            listener.listen(1024)

            def serve(sock: socket.socket) -> None:
                if door.kind == "raw" and fault is not None:
                    fault.play(Talk(sock, self._closing, self._patience, base=origin))
                else:
                    self._converse(sock, context, origin, fault)

            thread = threading.Thread(target=self._accept, args=(listener, serve), name=f"faults-{port}", daemon=True)
            self._acceptors.append(thread)
            thread.start()
        return origin

    def _fill(self, listener: socket.socket) -> None:
        """Fill the queue of a listener that accepts nobody: whoever connects after that gets no answer."""
        for _ in range(4):
            filler = socket.socket(listener.family)
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            self._fillers.append(filler)

    def _accept(self, listener: socket.socket, serve: Serve) -> None:
        while not self._closing.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:  # the client was gone before it was its turn, or the server closes
                continue
            thread = threading.Thread(target=self._attend, args=(sock, serve), name="faults-connection", daemon=True)
            with self._lock:
                self.connections += 1
                admitted = len(self._open) < _MOST and not self._closing.is_set()
                if admitted:
                    self._open[sock] = thread
            if admitted:
                thread.start()
            else:
                sock.close()

    def _attend(self, sock: socket.socket, serve: Serve) -> None:
        """The thread of one connection."""
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(self._patience)
            with suppress(OSError):  # clients that reset or vanish are what faults do to them
                serve(sock)
        finally:
            with self._lock:
                del self._open[sock]
            sock.close()

    def _converse(self, sock: socket.socket, context: ssl.SSLContext | None, origin: str, own: Fault | None) -> None:
        """Answer requests until one side has enough."""
        if context is not None:
            # A second descriptor of the connection: close() breaks the first one, which this one must not own.
            sock = context.wrap_socket(sock.dup(), server_side=True, suppress_ragged_eofs=True)
        try:
            buffer, turn = bytearray(), 0
            while (received := receive(sock, buffer)) is not None:
                method, target, headers, body = received
                with self._lock:
                    self.hits[target] += 1
                    self._visits[origin, target] = visit = self._visits[origin, target] + 1
                turn += 1
                talk = Talk(
                    sock,
                    self._closing,
                    self._patience,
                    method=method,
                    target=target,
                    headers=headers,
                    body=body,
                    turn=turn,
                    visit=visit,
                    base=origin,
                    plain=self._plain,
                )
                self._answer(talk, own)
                if talk.over or self._closing.is_set():
                    if isinstance(sock, ssl.SSLSocket) and not talk.abrupt:
                        _say_goodbye(sock)
                    return
        finally:
            sock.close()

    def _answer(self, talk: Talk, own: Fault | None) -> None:
        path = talk.path
        if path.startswith("/good/"):
            talk.send(reply(talk.page))
        elif own is not None:
            own.play(talk)
        elif path in FAULTS and FAULTS[path].door is None:
            FAULTS[path].play(talk)
        elif path == "/":
            talk.send(reply(self._index(talk.base).encode()))
        else:
            talk.send(reply(marker(path), status="404 Not Found"))

    def _index(self, origin: str) -> str:
        """Links to all faults that are served by path."""
        rows = (f'<li><a href="{path}">{path}</a> {fault.answer}' for path, fault in FAULTS.items() if not fault.door)
        return f"<!doctype html><title>faults of {origin}</title><ul>{''.join(rows)}</ul>"


def _say_goodbye(sock: ssl.SSLSocket) -> None:
    """End TLS in good order, without waiting for the client to do the same."""
    sock.setblocking(False)
    with suppress(ssl.SSLWantReadError):
        sock.unwrap()
