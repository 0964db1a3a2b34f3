"""The loopback server: what it answers, what it counts, and what it leaves behind."""

from __future__ import annotations

import http.client
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from scrapekit.testing import Reply, RequestView, serve
from scrapekit.testing import server as server_module


def hello(request: RequestView) -> Reply:
    return Reply(f"{request.method} {request.path}".encode())


def get(port, target="/", host="127.0.0.1", **headers):
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def raw(port, data):
    """Everything that comes back for ``data`` until the server closes."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def own_threads(port):
    return [
        thread for thread in threading.enumerate() if thread.name.startswith((f"accept-{port}", f"connection-{port}"))
    ]


def test_one_connection_carries_many_requests():
    with serve(hello) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for number in range(5):
            connection.request("GET", f"/{number}?a=b")
            response = connection.getresponse()
            assert (response.status, response.reason, response.version) == (200, "OK", 11)
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            assert response.read() == f"GET /{number}".encode()
        connection.close()
        assert server.connections == 1
        assert server.hits == {f"/{number}?a=b": 1 for number in range(5)}
        assert [request.target for request in server.log] == list(server.hits)
        assert repr(server) == f"<Server {server.url} 5 requests over 1 connections>"


def test_a_pool_reuses_its_connections():
    with serve(hello) as server, urllib3.PoolManager(maxsize=3, block=True) as pool, ThreadPoolExecutor(8) as threads:
        bodies = list(threads.map(lambda n: pool.request("GET", f"{server.url}/{n}").data, range(60)))
    assert bodies == [f"GET /{n}".encode() for n in range(60)]
    assert server.hits.total() == 60
    assert server.connections <= 3
    assert server.max_open_by_host["127.0.0.1"] <= 3


def test_the_application_sees_the_request_as_it_was_sent():
    seen = []
    with serve(lambda request: seen.append(request) or Reply()) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for _ in range(2):
            connection.putrequest("POST", "/form?q=1", skip_host=True)
            for name, value in (
                ("Host", "Sub.Example.ORG:81"),
                ("X-Two", "a"),
                ("X-Two", "b"),
                ("Content-Length", "70000"),
            ):
                connection.putheader(name, value)
            connection.endheaders(b"x" * 70000)
            connection.getresponse().read()
        connection.close()
    first, second = seen
    assert (first.method, first.target, first.path, first.host) == ("POST", "/form?q=1", "/form", "sub.example.org")
    assert first.headers["x-two"] == "a, b"
    assert first.body == b"x" * 70000
    assert (first.visit, second.visit) == (1, 2)
    assert first.time <= second.time


def test_status_and_headers_of_the_reply_are_sent():
    reply = Reply(b"later", 599, (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))
    with serve(lambda _: reply) as server:
        answer = raw(server.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer == b"HTTP/1.1 599 \r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n\r\nlater"


def test_head_gets_the_length_and_no_body():
    with serve(hello) as server:
        answer = raw(server.port, b"HEAD /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 10\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_pipelined_requests_and_heads_in_pieces_are_answered():
    with serve(hello) as server, socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHo")
        answer = b""
        while b"GET /1" not in answer:
            answer += connection.recv(65536)
        connection.sendall(b"st: x\r\nConnection: close\r\n\r\n")
        rest = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.endswith(b"GET /1")
    assert rest.endswith(b"GET /2")


@pytest.mark.parametrize(
    ("request_bytes", "answered"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", True),  # HTTP/1.0 closes unless it is asked to stay
        (b"GET / HTTP/1.1\r\nconnection: Close\r\n\r\n", True),
        (b"nonsense\r\n\r\n", False),
        (b"GET / HTTP/2.0\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 140_000, False),
    ],
)
def test_the_connection_is_closed_after(request_bytes, answered):
    with serve(hello) as server:
        try:
            answer = raw(server.port, request_bytes)
        except ConnectionResetError:  # the server closed with bytes of ours unread
            answer = b""
        assert answer.startswith(b"HTTP/1.1 200 OK") == answered


def test_a_reply_may_end_the_connection():
    with serve(lambda _: Reply(b"bye", close=True)) as server:
        answer = raw(server.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Connection: close\r\n" in answer


def test_clients_that_vanish_do_no_harm():
    with serve(hello) as server:
        for data in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"):
            connection = socket.create_connection(("127.0.0.1", server.port))
            connection.sendall(data)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, as after kill -9
            connection.close()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
        assert get(server.port, "/still") == (200, b"GET /still")


def test_open_requests_are_counted_by_host():
    """Each wave meets at a barrier inside the application, so exactly that many are open at once."""
    barriers = {"/a": threading.Barrier(32), "/b": threading.Barrier(5)}

    def app(request):
        barriers[request.path].wait(30)
        return Reply()

    with serve(app, hosts=("127.0.0.1", "127.0.0.2")) as server, ThreadPoolExecutor(37) as threads:
        wanted = [("/a", "127.0.0.1")] * 64 + [("/b", "127.0.0.2")] * 10
        # Two waves for each host, the second only when the first has been answered.
        for half in (wanted[::2], wanted[1::2]):
            answers = list(threads.map(lambda args: get(server.port, *args)[0], half))
            assert answers == [200] * 37
        assert server.max_open_by_host == {"127.0.0.1": 32, "127.0.0.2": 5}
        assert server.hits == {"/a": 64, "/b": 10}
        assert server.connections == 74


def test_a_client_that_keeps_its_limit_is_never_seen_above_it():
    """The count goes down before the answer is out: else the next request of a quick client would overlap the last."""
    with serve(hello) as server, ThreadPoolExecutor(4) as threads:

        def one_after_the_other(_):
            for _ in range(150):
                get(server.port)

        list(threads.map(one_after_the_other, range(4)))
        assert server.max_open_by_host["127.0.0.1"] <= 4
        assert server.hits["/"] == server.connections == len(server.log) == 600


def test_the_host_name_has_no_port_and_localhost_is_another_host():
    with serve(hello, hosts=("127.0.0.1", "127.0.0.2")) as server:
        for host in ("127.0.0.1", "127.0.0.2", "localhost"):
            assert get(server.port, host=host)[0] == 200
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert server.max_open_by_host == {"127.0.0.1": 1, "127.0.0.2": 1, "localhost": 1}


def test_latency_and_delay_add_up_while_the_request_is_open():
    """Asserted on the clock that the server waits on, not on the time that passes."""
    waits = []

    class Closing(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)
            return True

    server = server_module.Server(lambda _: Reply(delay=1.5), ["127.0.0.1"], latency=0.25)
    try:
        server._closing = Closing()
        assert get(server.port) == (200, b"")
    finally:
        server.close()
    assert waits == [1.75]


def test_closing_wakes_a_page_that_hangs_and_leaves_no_thread():
    entered = threading.Event()

    def app(request):
        entered.set()
        return Reply(delay=3600)

    with serve(app) as server, ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(get, server.port)
        with socket.create_connection(("127.0.0.1", server.port)):  # idle
            assert entered.wait(30)
            server.close()
        with pytest.raises((OSError, http.client.HTTPException)):
            hanging.result(30)
    assert own_threads(server.port) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_closing_leaves_no_thread_after_many_connections():
    with serve(hello) as server, ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda n: get(server.port, f"/{n}"), range(200)))
    assert own_threads(server.port) == []


def test_what_the_application_raises_is_answered_with_500_and_raised_at_the_end():
    def app(request):
        raise KeyError("oops")

    answers = []
    with pytest.raises(KeyError, match="oops"), serve(app) as server:
        answers += [get(server.port) for _ in range(2)]
    assert answers == [(500, b"KeyError('oops')")] * 2
    assert len(server.errors) == 2


def test_an_application_that_never_returns_is_named(monkeypatch):
    monkeypatch.setattr(server_module, "_CLOSE_SECONDS", 0.0)
    entered, release = threading.Event(), threading.Event()

    def app(request):
        entered.set()
        release.wait(30)
        return Reply()

    server = server_module.Server(app, ["127.0.0.1"])
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert entered.wait(30)
        with pytest.raises(RuntimeError, match="still blocks connection-"):
            server.close()
        release.set()
    for thread in own_threads(server.port):
        thread.join(30)


def test_a_port_that_is_taken_is_an_error_and_a_free_one_is_found_for_all_addresses(monkeypatch):
    with serve(hello) as server, pytest.raises(OSError), serve(hello, port=server.port):
        pass
    bind = socket.socket.bind
    refused = iter([True, True])

    def sometimes(self, address):
        if address[0] == "127.0.0.2" and next(refused, False):
            raise OSError(server_module.errno.EADDRINUSE, "in use")
        bind(self, address)

    monkeypatch.setattr(server_module.socket, "socket", type("Socket", (socket.socket,), {"bind": sometimes}))
    with serve(hello, hosts=("127.0.0.1", "127.0.0.2")) as server:
        assert get(server.port, host="127.0.0.2")[0] == 200
    assert next(refused, False) is False


def test_a_client_that_was_gone_before_it_was_accepted_is_no_error():
    class Listener:
        def accept(self):
            raise BlockingIOError

    with serve(hello) as server:
        server._admit(Listener())
        assert server.connections == 0
