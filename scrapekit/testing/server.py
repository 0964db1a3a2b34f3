"""A loopback HTTP/1.1 server for tests: one thread per connection, keep-alive, and a record of what it saw.

It is a fake, not a web server: it reads well-formed requests with an optional Content-Length body (RFC 9112), answers
each with what the application returns, and writes down who asked for what, over how many connections, and how many
requests of one host were open at once. It stands on bare sockets, because a crawl in the same process pays for every
microsecond that its server holds the GIL.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from scrapekit.testing.application import Application, Reply, RequestView, host_name

_MAX_HEAD = 65536
_CLOSE_SECONDS = 10.0


@contextmanager
def serve(
    app: Application,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    hosts: Sequence[str] = (),
    latency: float = 0.0,
) -> Iterator[Server]:
    """Serve ``app`` on loopback until the ``with`` block ends, and leave no thread and no socket behind.

    Args:
        app: Called once a request, from the thread of its connection; it may block.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        hosts: Several addresses to listen on, all on one port, instead of ``host``.
        latency: Seconds by which each answer is held back.

    Raises:
        OSError: An address or the port can't be bound.
        Exception: The first exception that ``app`` raised, once the server is closed. Its client was answered 500.
    """
    server = Server(app, hosts or (host,), port, latency)
    try:
        yield server
    finally:
        server.close()
    if server.errors:
        raise server.errors[0]


class Server:
    """A running server and what it has seen. Made by :func:`serve`; any thread may read it, at any time.

    Attributes:
        port: The port that all its addresses listen on.
        hits: Requests by target (path with query).
        log: The last 100,000 requests, in the order in which they came.
        connections: How many connections were accepted.
        max_open_by_host: The highest number of requests that were open at once, by the Host header's name. A request
            is open from its last header to just before its answer is sent, which is within the time that its client
            has it open: the number may be lower than what the client did, never higher.
        errors: What the application raised.
    """

    def __init__(self, app: Application, hosts: Sequence[str], port: int = 0, latency: float = 0.0) -> None:
        self.hits: Counter[str] = Counter()
        self.log: deque[RequestView] = deque(maxlen=100_000)
        self.connections = 0
        self.max_open_by_host: dict[str, int] = {}
        self.errors: list[Exception] = []
        self._app = app
        self._latency = latency
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()  # guards the six records above
        self._closing = threading.Event()
        self._live: dict[threading.Thread, socket.socket] = {}  # the acceptor's; close() reads it once that has ended
        self._listeners = _listen(hosts, port)
        self.port: int = self._listeners[0].getsockname()[1]
        self.url = f"http://{hosts[0]}:{self.port}"
        self._wake, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name=f"accept-{self.port}", daemon=True)
        self._acceptor.start()

    def __repr__(self) -> str:
        return f"<Server {self.url} {self.hits.total()} requests over {self.connections} connections>"

    def close(self) -> None:
        """Break off every connection and wait for every thread.

        Raises:
            RuntimeError: The application still blocks after 10 seconds, although ``closing`` is set.
        """
        self._closing.set()
        self._wake.close()
        self._acceptor.join()
        for connection in self._live.values():
            with suppress(OSError):  # its thread, or its client, has closed it already
                connection.shutdown(socket.SHUT_RDWR)
        until = time.monotonic() + _CLOSE_SECONDS
        for thread in self._live:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                raise RuntimeError(f"{self._app!r} still blocks {thread.name}; it should wait for request.closing too")

    def _accept(self) -> None:
        with ExitStack() as closed, selectors.DefaultSelector() as selector:
            for watched in (*self._listeners, self._woken):
                selector.register(closed.enter_context(watched), selectors.EVENT_READ)
            while not self._closing.is_set():
                for key, _ in selector.select():
                    if key.fileobj is not self._woken:
                        assert isinstance(key.fileobj, socket.socket)
                        self._admit(key.fileobj)

    def _admit(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionError):  # the client was gone before it was its turn
            return
        connection.setblocking(True)  # not every system resets what the listener has set
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._live = {thread: live for thread, live in self._live.items() if thread.is_alive()}
        with self._lock:
            self.connections += 1
            name = f"connection-{self.port}-{self.connections}"
        thread = threading.Thread(target=self._converse, args=(connection,), name=name, daemon=True)
        self._live[thread] = connection
        thread.start()

    def _converse(self, connection: socket.socket) -> None:
        buffer = bytearray()
        # OSError: clients that reset or vanish are what tests do, and the connection is over either way.
        with connection, suppress(OSError):
            while (received := _receive(connection, buffer)) is not None:
                reply = self._answer(*received)
                if self._closing.is_set():  # whoever was made to wait gets no answer, rather than an early one
                    return
                connection.sendall(reply.head if received[0] == "HEAD" else reply.wire)
                if reply.close or received[2].get("connection", "").lower() == "close":
                    return

    def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        host = host_name(headers)
        with self._lock:
            self.hits[target] = visit = self.hits[target] + 1
            self._open[host] = now_open = self._open[host] + 1
            if now_open > self.max_open_by_host.get(host, 0):
                self.max_open_by_host[host] = now_open
            request = RequestView(time.monotonic(), method, target, headers, body, visit, self._closing)
            self.log.append(request)
        try:
            reply = self._app(request)
            if (delay := self._latency + reply.delay) > 0:
                self._closing.wait(delay)
        except Exception as error:  # noqa: BLE001  (kept, and raised again where the server closes)
            self.errors.append(error)
            reply = Reply(repr(error).encode(), 500, (("Content-Type", "text/plain; charset=utf-8"),))
        finally:
            with self._lock:  # before the answer is sent: after it, the client's next request may overtake us
                self._open[host] -= 1
        return reply


def _receive(connection: socket.socket, buffer: bytearray) -> tuple[str, str, dict[str, str], bytes] | None:
    """The next request on the connection; None when the client is done, or sends what is not HTTP/1.x."""
    while (end := buffer.find(b"\r\n\r\n")) < 0:
        if len(buffer) > _MAX_HEAD or not (chunk := connection.recv(_MAX_HEAD)):
            return None
        buffer += chunk
    request_line, *lines = buffer[:end].decode("latin-1").split("\r\n")
    method, _, rest = request_line.partition(" ")
    target, _, version = rest.partition(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    if not version.startswith("HTTP/1.") or "transfer-encoding" in headers:
        return None
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        return None
    size = end + 4 + int(length)
    while len(buffer) < size:
        if not (chunk := connection.recv(size - len(buffer))):
            return None
        buffer += chunk
    body = bytes(buffer[end + 4 : size])
    del buffer[:size]
    return method, target, headers, body


def _listen(hosts: Sequence[str], port: int, tries: int = 10) -> list[socket.socket]:
    """Listening sockets on one port of every host; with port 0, one that is free on all of them."""
    listeners: list[socket.socket] = []
    with ExitStack() as unless_all:
        try:
            for host in hosts:
                listener = unless_all.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((host, listeners[0].getsockname()[1] if listeners else port))
                listener.listen(1024)
                listener.setblocking(False)
                listeners.append(listener)
        except OSError as error:
            if port == 0 and tries > 1 and error.errno == errno.EADDRINUSE:
                return _listen(hosts, port, tries - 1)  # free on one address, taken on the next
            raise
        unless_all.pop_all()
    return listeners
