"""The server: what others can make it do, and what they can't."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import ExitStack, suppress

import pytest
from chromium import PATIENCE
from watching import Page

from scrapekit.dashboard import server as server_module
from scrapekit.dashboard.message import Answer, Stream, event, text
from scrapekit.dashboard.server import Server
from scrapekit.errors import ConfigError
from scrapekit.settings.listen import Listen, listen_at

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
)


class Sample:
    """A site with a page, a stream that lasts, and a fault."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.closed = threading.Semaphore(0)
        self.asked = []

    def __call__(self, question):
        self.asked.append(question)
        match question.path:
            case "/events":
                return Stream(self.stream())
            case "/fault":
                raise RuntimeError("a bug")
        return Answer(200, "text/html; charset=utf-8", b"<p>x") if question.path == "/" else text(404, "nothing")

    def stream(self):
        try:
            yield event("first", 1)
            while not self.over.wait(0.05):
                yield b": more\n\n"
        finally:
            self.closed.release()


@pytest.fixture
def sample():
    return Sample()


@pytest.fixture
def serving(sample):
    with ExitStack() as opened:

        def serve(where="0", token=None, hosts=()):
            server = Server(listen_at(where), token, hosts)
            opened.callback(server.close)
            server.start(sample)
            page = Page(server.url())
            page.server = server
            return page

        yield serve
        sample.over.set()


def test_every_answer_says_what_a_browser_may_do_with_it(serving):
    page = serving()
    for answer in (page.ask("/"), page.ask("/nothing"), page.ask("/", Host="evil.example")):
        assert answer.headers["Content-Security-Policy"].startswith(POLICY)
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Python" not in answer.headers["Server"]


def test_the_cookie_is_for_nobody_but_this_server_and_comes_with_the_page_alone(serving):
    page = serving()
    cookie = page.ask("/").headers["Set-Cookie"]
    assert cookie == f"scrapekit-{page.server.listen.port}={page.server.gate.token}; Path=/; HttpOnly; SameSite=Strict"
    assert page.ask("/nothing").headers["Set-Cookie"] is None
    assert page.ask("/", Host="evil.example").headers["Set-Cookie"] is None
    assert page.ask("/", "POST").headers["Set-Cookie"] is None


def test_the_token_opens_the_page_and_the_cookie_the_rest(serving, sample):
    page = serving(token="0123456789abcdef")
    assert page.server.url(key=True) == page.server.url() + "?token=0123456789abcdef"
    refused = page.ask("/")
    assert (refused.status, refused.headers["WWW-Authenticate"], refused.headers["Set-Cookie"]) == (401, "Bearer", None)
    assert sample.asked == []
    cookie = page.ask("/?token=0123456789abcdef").headers["Set-Cookie"]
    assert page.ask("/", Cookie=cookie.partition(";")[0]).status == 200


def test_on_all_addresses_the_url_has_the_name_of_this_machine_and_the_token():
    server = Server(Listen("0.0.0.0", 0))
    try:
        assert server.url("metrics", key=True) == (
            f"http://{socket.gethostname()}:{server.listen.port}/metrics?token={server.gate.token}"
        )
    finally:
        server.close()


def test_it_listens_on_ipv6_where_there_is_one(serving):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    page = serving("[::1]:0")
    assert page.ask("/").status == 200


def test_head_gets_the_head_alone(serving):
    answer = serving().ask("/", "HEAD")
    assert (answer.status, answer.headers["Content-Length"], answer.text) == (200, "4", "")
    assert serving().ask("/events", "HEAD").headers["Content-Type"] == "text/event-stream"


def test_other_methods_and_large_bodies_are_refused(serving, sample):
    page = serving()
    assert page.ask("/", "DELETE").status == 501
    connection = http.client.HTTPConnection(page.place, timeout=PATIENCE)
    for length in ("5000", "99999999999", "-1", "x"):
        connection.request("POST", "/", headers={"Content-Length": length})
        assert connection.getresponse().status == 413
        connection.close()
    assert sample.asked == []


def test_a_small_body_is_ignored(serving, sample):
    page = serving()
    connection = http.client.HTTPConnection(page.place, timeout=PATIENCE)
    connection.request("POST", "/", b"x" * 4096, {"Authorization": f"Bearer {page.server.gate.token}"})
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET http://[::1 HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"PUT /<script> HTTP/1.1\r\n\r\n", 501),
        (b"GET /" + b"x" * 70_000, 414),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
    ],
    ids=["target", "tls", "version", "method", "line", "headers"],
)
def test_what_makes_no_sense_gets_a_line_and_is_not_logged(serving, sample, caplog, said, status):
    place = serving().server.listen
    with socket.create_connection((place.host, place.port), timeout=PATIENCE) as connection:
        connection.sendall(said)
        answer = b""
        with suppress(ConnectionResetError):  # it has not read all of it
            while more := connection.recv(65_536):
                answer += more
    head, _, body = answer.decode().partition("\r\n\r\n")
    if "\r\n" in head:  # HTTP/0.9 has none
        assert head.startswith(f"HTTP/1.0 {status} ")
        assert "Content-Type: text/plain" in head
        assert "Content-Security-Policy: default-src 'none'" in head
    assert (body or head).count("\n") == 1
    assert sample.asked == []
    assert caplog.text == ""


def test_a_bug_in_an_answer_is_logged_and_the_server_goes_on(serving, caplog):
    page = serving()
    with pytest.raises(http.client.RemoteDisconnected):
        page.ask("/fault")
    assert page.ask("/").status == 200
    assert "the dashboard could not answer" in caplog.text
    assert "RuntimeError: a bug" in caplog.text


def test_nothing_that_is_asked_for_is_logged(serving, caplog, capfd):
    page = serving(token="0123456789abcdef")
    page.ask("/?token=0123456789abcdef")
    page.ask("/%1b[31m")
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")


def test_streams_are_bounded_and_a_place_is_free_again_when_one_leaves(serving, sample):
    page = serving()
    with ExitStack() as watching:
        for _ in range(12):
            events = watching.enter_context(page.events())
            assert next(events) == ("first", 1)
        busy = page.ask("/events")
        assert (busy.status, busy.text) == (503, "too many are watching already\n")
        assert page.ask("/").status == 200
    for _ in range(12):
        assert sample.closed.acquire(timeout=PATIENCE)
    with page.events() as events:
        assert next(events) == ("first", 1)


def test_connections_are_bounded(serving):
    page = serving()
    with ExitStack() as opened:
        host, port = page.place.split(":")
        for _ in range(32):
            opened.enter_context(socket.create_connection((host, int(port)), PATIENCE))
        extra = opened.enter_context(socket.create_connection((host, int(port)), PATIENCE))
        extra.settimeout(PATIENCE)
        assert extra.recv(1) == b""  # closed at once, and no thread for it


def test_who_says_a_byte_now_and_then_is_cut_off(serving, monkeypatch):
    monkeypatch.setattr(server_module, "_SECONDS", 0.3)
    page = serving()
    host, port = page.place.split(":")
    with socket.create_connection((host, int(port)), PATIENCE) as slow:
        slow.settimeout(0.05)
        for _ in range(int(PATIENCE / 0.05)):
            try:
                slow.sendall(b"G")
                if slow.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("it was not cut off")
    assert page.ask("/").status == 200


def test_closing_lets_go_of_everybody(serving):
    page = serving()
    with page.events() as events:
        assert next(events) == ("first", 1)
        page.server.close()
        page.server.close()
        assert list(events) == []
    with pytest.raises(ConnectionRefusedError):
        page.ask("/")


def test_two_never_listen_on_one_port():
    first = Server(Listen("127.0.0.1", 0))
    try:
        with pytest.raises(ConfigError, match="Address already in use: take another port, or 0 for any that is free"):
            Server(first.listen)
    finally:
        first.close()
    Server(first.listen).close()  # at once, though connections may linger


def test_without_descriptors_it_waits_and_goes_on(serving, monkeypatch):
    page = serving()
    accept, tries = socket.socket.accept, []

    def fail_twice(self):
        tries.append(self)
        if len(tries) < 3:
            raise OSError(24, "Too many open files")
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", fail_twice)
    assert page.ask("/").status == 200
    assert len(tries) == 3


def test_a_server_that_never_started_can_be_closed():
    Server(Listen("127.0.0.1", 0)).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_where_it_cant_listen_it_says_so(host):
    with pytest.raises(ConfigError, match=rf"can't listen on {host}:8080: \S"):
        Server(Listen(host, 8080))
