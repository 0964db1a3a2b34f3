"""A raw-socket server that can break every rule, over TCP and TLS."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable


def reply(body=b"", *headers, status="200 OK", length=True):
    """The bytes of a response."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*chunks, end=b"0\r\n\r\n"):
    """The bytes of a chunked response."""
    return (
        reply(b"", "Transfer-Encoding: chunked", length=False)
        + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks)
        + end
    )


class Talk:
    """One request, as a route sees it."""

    def __init__(self, site, sock, head, body):
        self.site, self.sock, self.head, self.body = site, sock, head, body

    def send(self, data):
        self.sock.sendall(data)

    def drip(self, data=b"x", every=0.02):
        """Send it again and again until the client gives up."""
        with contextlib.suppress(OSError):
            while not self.site.closing.wait(every):
                self.send(data)
        return True

    def hang(self):
        """Wait until the client gives up."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass
        return True

    def hang_up(self):
        """Close now."""
        return True

    def reset(self):
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return True


class Site:
    """A server on loopback. ``routes`` map a path to bytes, or to a function of a Talk: a true result ends the connection."""

    def __init__(self, context=None, host="127.0.0.1"):
        self.context = context
        self.routes: dict[str, bytes | Callable] = {"/": reply("hello")}
        self.heads: list[bytes] = []
        self.accepted = 0
        self.greeting = b""
        self.unclean = False  # end TLS without close_notify
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((host, 0))
        self.port = self._listener.getsockname()[1]
        self.host = host
        self._start(self._accept)

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://{self.host}:{self.port}"

    def close(self):
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def drop_idle(self):
        """Close the connections that are open, as a server does whose keep-alive time is over."""
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def push(self, data):
        """Send it over the connections that are open, unasked."""
        with self._lock:
            for sock in self._open:
                sock.sendall(data)

    def wait_closed(self):
        """Wait until no connection is open."""
        for thread in self._threads[1:]:
            thread.join(10)

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._start(self._serve, sock)

    def _serve(self, sock):
        self.accepted += 1
        with self._lock:
            self._open.add(sock)
        try:
            with contextlib.suppress(OSError):
                if self.context:
                    raw, sock = sock, self.context.wrap_socket(sock, server_side=True)
                    with self._lock:
                        self._open.discard(raw)
                        self._open.add(sock)
                sock.sendall(self.greeting)
                buffered = b""
                while True:
                    while b"\r\n\r\n" not in buffered:
                        data = sock.recv(65536)
                        if not data:
                            return
                        buffered += data
                    head, _, buffered = buffered.partition(b"\r\n\r\n")
                    length = next(
                        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")),
                        0,
                    )
                    while len(buffered) < length:
                        buffered += sock.recv(65536)
                    body, buffered = buffered[:length], buffered[length:]
                    self.heads.append(head)
                    target = head.split(b" ")[1].decode()
                    route = (
                        self.routes.get(target)
                        or self.routes.get(target.partition("?")[0])
                        or self.routes.get("*", reply("none", status="404 Not Found"))
                    )
                    if callable(route):
                        if route(Talk(self, sock, head, body)):
                            return
                    else:
                        sock.sendall(route)
        finally:
            with self._lock:
                self._open.discard(sock)
            if self.context and not self.unclean:
                with contextlib.suppress(OSError, ValueError):
                    sock.settimeout(0)  # send close_notify, wait for none
                    sock.unwrap()
            sock.close()


def server_context(cert):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    return context


def assert_slots_are_free(downloader):
    for pool in downloader._pools.pools.values():
        assert pool.pool.qsize() == pool.maxsize
        assert not pool.exchanges
