"""The :class:`Server`: HTTP for a few people, in threads of its own, bounded in all that they can make it do."""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore, Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from scrapekit.dashboard.gate import Gate
from scrapekit.dashboard.message import EVENTS, Answer, Question, Stream, text
from scrapekit.errors import ConfigError
from scrapekit.settings.listen import Listen

logger = logging.getLogger("scrapekit")

_CONNECTIONS = 32
_STREAMS = 12  # of these, that stay open
_SECONDS = 10.0  # to say what is wanted, and for each piece of an answer to be taken
_LONGEST_BODY = 4096
_POLL = 0.2  # seconds; the end of a crawl waits no longer for the server to notice
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)

Site = Callable[[Question], Answer | Stream]
"""Answers whoever was let in. Called in the threads of the server, several at once."""


class Server:
    """Listens from here on, answers from :meth:`start` to :meth:`close`. Its threads are daemons.

    At most 32 connections are open, 12 of them streams; others are turned away. Who is slow to ask or to read is cut
    off. Nothing in it ever waits for the crawl, nor the crawl for it.

    Args:
        listen: Where to.
        gate: Who is let in.

    Raises:
        ConfigError: It can't listen there.
    """

    def __init__(self, listen: Listen, token: str | None = None, hosts: tuple[str, ...] = ()) -> None:
        try:
            self._http = _Http(listen)
        except OSError as error:
            advice = ": take another port, or 0 for any that is free" if error.errno == errno.EADDRINUSE else ""
            raise ConfigError(f"can't listen on {listen}: {error.strerror or error}{advice}") from error
        self.listen = listen._replace(port=self._http.server_address[1])
        """Where it listens, with the port that was free."""
        self.gate = self._http.gate = Gate(self.listen, token, hosts)
        """Who is let in."""
        self._thread = Thread(target=self._http.serve_forever, args=(_POLL,), name="scrapekit-http", daemon=True)

    def url(self, path: str = "", *, key: bool = False) -> str:
        """What to open; with the ``key``, the token stands in it where it takes one to look."""
        listen = self.listen
        if listen.host in {"0.0.0.0", "::"}:  # noqa: S104  (that is what the user asked for)
            listen = listen._replace(host=socket.gethostname())
        return f"http://{listen}/{path}" + (f"?token={self.gate.token}" if key and self.gate.guarded else "")

    def start(self, site: Site) -> None:
        """Answer from ``site``; who asked before has waited."""
        self._http.site = site
        self._thread.start()

    def close(self) -> None:
        """Take no more questions, and let go of all who are still there. Idempotent."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # close() breaks the connections off instead
    request_queue_size = 32
    allow_reuse_address = os.name == "posix"  # elsewhere it lets a second one listen on the same port
    allow_reuse_port = False
    gate: Gate
    site: Site

    def __init__(self, listen: Listen) -> None:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        self._lock = Lock()  # guards the next
        self._silent: dict[socket.socket, float] = {}  # connections that have not said what they want, since when
        self._open: set[socket.socket] = set()
        self.streams = BoundedSemaphore(_STREAMS)
        super().__init__((listen.host, listen.port), _Connection)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's asks the resolver for its own name, which may take long

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:
            time.sleep(0.1)  # no descriptor is left: it would be asked again at once, and without an end
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            room = len(self._open) < _CONNECTIONS
            if room:
                self._open.add(request)
                self._silent[request] = time.monotonic()
        if room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
            self._silent.pop(request, None)
        super().shutdown_request(request)

    def heard(self, request: Any) -> None:
        """It has said what it wants."""
        with self._lock:
            self._silent.pop(request, None)

    def service_actions(self) -> None:
        """Now and then: break off who says a byte now and then."""
        late = time.monotonic() - _SECONDS
        with self._lock:
            for request in [request for request, since in self._silent.items() if since < late]:
                _break(request)

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            for request in self._open:
                _break(request)

    def handle_error(self, _request: Any, client_address: Any) -> None:
        logger.exception("the dashboard could not answer %s", client_address)  # noqa: LOG004  (called in a handler)


class _Connection(BaseHTTPRequestHandler):
    server: _Http
    timeout = _SECONDS
    server_version = "scrapekit"
    sys_version = ""

    def handle(self) -> None:
        with suppress(OSError):  # whoever asked has gone, or is too slow
            super().handle()

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the library can't make sense of; as any other answer, and not as a page that says what was asked."""
        self.close_connection = True
        self._send(text(code, message or HTTPStatus(code).phrase))

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        body = int(length) if length.isascii() and length.isdigit() and len(length) < 9 else _LONGEST_BODY + 1
        if body <= _LONGEST_BODY:
            self.rfile.read(body)  # it says nothing, but to close before it has come would reset the connection
        self.server.heard(self.request)
        method = "GET" if self.command == "HEAD" else self.command
        try:
            url = urlsplit(self.path)
        except ValueError:  # http://[
            self.send_error(400)
            return
        query = dict(parse_qsl(url.query))
        refused = self.server.gate.refuses(method, url.path, query, self.headers)  # type: ignore[arg-type]  # a Message is one
        if body > _LONGEST_BODY:
            self._send(text(413, "the request has a body"))
        elif refused is not None:
            self._send(text(refused.status, refused.why))
        else:
            self._admit(self.server.site(Question(method, url.path, query, self.headers.get("Accept", ""))))

    def _admit(self, answer: Answer | Stream) -> None:
        if isinstance(answer, Answer):
            self._send(answer, admitted=answer.media_type.startswith("text/html"))
            return
        with closing(answer.events) as events:
            if not self.server.streams.acquire(blocking=False):
                self._send(text(503, "too many are watching already"))
                return
            try:
                self._head(200, EVENTS, admitted=True)
                for event in events if self.command == "GET" else ():
                    self.wfile.write(event)
            finally:
                self.server.streams.release()

    def _send(self, answer: Answer, *, admitted: bool = False) -> None:
        self._head(answer.status, answer.media_type, len(answer.body), admitted=admitted)
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _head(self, status: int, media_type: str, length: int | None = None, *, admitted: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in _HEADERS:
            self.send_header(name, value)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        if admitted:
            self.send_header("Set-Cookie", self.server.gate.set_cookie)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the library's)
        """Nothing: what is asked for may have the token in it."""


def _break(request: socket.socket) -> None:
    with suppress(OSError):  # it has gone already
        request.shutdown(socket.SHUT_RDWR)
