"""The deadline: whatever hangs or drips, the fetch ends, and its slot is free again (the fixture asserts it)."""

import socket
import threading

import pytest
from rawserver import reply

from scrapekit.download.decoding import decoded
from scrapekit.download.exchange import Exchange, Terms
from scrapekit.errors import BodyTooLarge, ConnectError, DeadlineExceeded, DNSError, DownloadError, PoolExhausted

HEAD = b"HTTP/1.1 200 OK\r\n"
SLOW = {
    "no answer": lambda talk: talk.hang(),
    "dripped status line": lambda talk: talk.send(b"HTTP/1.1 200 ") or talk.drip(b"O"),
    "dripped headers": lambda talk: talk.send(HEAD) or talk.drip(b"X: y\r\n"),
    "endless 100 Continue": lambda talk: talk.drip(b"HTTP/1.1 100 Continue\r\n\r\n", every=0.1),
    "dripped body": lambda talk: talk.send(HEAD + b"Content-Length: 1000000\r\n\r\n") or talk.drip(),
    "dripped body to the close": lambda talk: talk.send(HEAD + b"\r\n") or talk.drip(),
    "dripped chunks": lambda talk: talk.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n") or talk.drip(b"1\r\nx\r\n"),
    "dripped chunk size": lambda talk: talk.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n") or talk.drip(b"0"),
    "dripped trailers": lambda talk: (
        talk.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n") or talk.drip(b"X: y\r\n")
    ),
    "a body that stops": lambda talk: talk.send(HEAD + b"Content-Length: 10\r\n\r\nhalf") or talk.hang(),
}


@pytest.mark.parametrize("slow", SLOW)
def test_the_total_ends_it(site, make, fetch, slow):
    site.routes["/slow"] = SLOW[slow]
    downloader = make(total_timeout=0.15, read_timeout=5)
    with pytest.raises(DeadlineExceeded, match=r"not finished after 0.15 s") as caught:
        fetch(f"{site.url}/slow", using=downloader)
    assert caught.value.__cause__ is not None
    assert fetch(f"{site.url}/", using=downloader, timeout=5).body == b"hello"


def test_the_request_may_have_a_total_of_its_own(plain, fetch):
    plain.routes["/slow"] = SLOW["dripped body"]
    with pytest.raises(DeadlineExceeded, match=r"not finished after 0.2 s, while reading the body"):
        fetch(f"{plain.url}/slow", timeout=0.2)


@pytest.mark.parametrize(
    ("slow", "phase"), [("no answer", "waiting for the response"), ("a body that stops", "reading the body")]
)
def test_the_read_timeout_ends_a_silence(site, make, fetch, slow, phase):
    site.routes["/"] = SLOW[slow]
    with pytest.raises(DeadlineExceeded, match=rf"no byte for 0.2 s, while {phase}"):
        fetch(f"{site.url}/", using=make(read_timeout=0.2))


def test_a_server_that_does_not_read_ends_a_large_request(plain, make, fetch):
    listener = socket.create_server(("127.0.0.1", 0), backlog=1)
    with listener, pytest.raises(DeadlineExceeded, match="while sending the request"):
        fetch(
            f"http://127.0.0.1:{listener.getsockname()[1]}/",
            using=make(total_timeout=0.15),
            method="POST",
            body=b"x" * 20_000_000,
        )


@pytest.fixture
def silent():
    """A port that accepts nothing: TLS handshakes with it hang."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_connect_timeout_covers_the_handshake(silent, make, fetch):
    with pytest.raises(ConnectError, match=r"no connection after 0.2 s"):
        fetch(f"https://127.0.0.1:{silent}/", using=make(connect_timeout=0.2))


def test_the_total_covers_the_handshake(silent, make, fetch):
    with pytest.raises(DeadlineExceeded, match="while connecting"):
        fetch(f"https://127.0.0.1:{silent}/", using=make(total_timeout=0.2))


def test_closing_breaks_a_handshake(silent, make, fetch):
    downloader = make()
    failed = []

    def run():
        with pytest.raises(DownloadError) as caught:
            fetch(f"https://127.0.0.1:{silent}/", using=downloader)
        failed.append(str(caught.value))

    thread = threading.Thread(target=run)
    thread.start()
    while not any(
        exchange._socket for pool in list(downloader._pools.pools.values()) for exchange in list(pool.exchanges)
    ):
        pass
    downloader.close()
    thread.join(5)
    assert failed == [f"127.0.0.1:{silent}: the downloader is closed"]


BLACK_HOLE = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))


def test_all_addresses_share_the_connect_timeout(plain, make, fetch, monkeypatch):
    """The first of two hangs: the second gets its share, and it works."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    fillers = [socket.socket() for _ in range(4)]  # the backlog is full: the next connection hangs
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
    asked = []

    def resolve(host, at):
        asked.append((host, at))
        full = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        return (
            [full]
            if host == "full.test"
            else [full, *socket.getaddrinfo("127.0.0.1", plain.port, type=socket.SOCK_STREAM)]
        )

    downloader = make(connect_timeout=0.4, resolve=resolve)
    assert fetch("http://two.test/", using=downloader).body == b"hello"
    assert asked == [("two.test", 80)]
    with pytest.raises(ConnectError, match=r"full.test:80: no connection after 0.4 s"):
        fetch("http://full.test/", using=downloader)
    for one in (listener, *fillers):
        one.close()


def test_a_host_without_addresses_is_a_dns_error(make, fetch):
    with pytest.raises(DNSError, match="the host name has no address"):
        fetch("http://none.test/", using=make(resolve=lambda *_: []))


def test_no_time_left_for_an_address(make, fetch, monkeypatch):
    """They came too late: none is tried any more."""
    downloader = make(connect_timeout=0.05)
    monkeypatch.setattr(downloader._resolver, "addresses", lambda *_: threading.Event().wait(0.1) or [BLACK_HOLE])
    with pytest.raises(ConnectError, match="no connection after 0.05 s"):
        fetch("http://slow.test/", using=downloader)


def test_waiting_for_a_slot_ends_with_advice(plain, make, fetch):
    begun, go_on = threading.Event(), threading.Event()

    def route(talk):
        begun.set()
        go_on.wait(10)
        talk.send(reply("late"))

    plain.routes["/late"] = route
    downloader = make(pool_timeout=0.1)
    late = []
    thread = threading.Thread(target=lambda: late.append(fetch(f"{plain.url}/late", using=downloader, maxsize=1)))
    thread.start()
    begun.wait(10)
    with pytest.raises(
        PoolExhausted, match=rf"127.0.0.1:{plain.port}: all 1 connections stayed in use .*raise the host's maxsize"
    ):
        fetch(f"{plain.url}/", using=downloader, maxsize=1)
    go_on.set()
    thread.join(10)
    assert late[0].body == b"late"


def test_closing_while_a_name_is_resolved(site, make, fetch):
    downloader = make(
        resolve=lambda *_: downloader.close() or socket.getaddrinfo("127.0.0.1", site.port, type=socket.SOCK_STREAM)
    )
    with pytest.raises(DownloadError, match="the downloader is closed"):
        fetch(f"{site.url.partition(':')[0]}://proxied.test/", using=downloader)


def test_decoding_looks_at_the_clock():
    with pytest.raises(TimeoutError):
        Exchange(Terms(1, 1, 1, 1), 0).check()
    ended = Exchange(Terms(1, 1, 1, 1), -1)
    assert ended.read_timeout == 0
    ended.armed = 1
    with pytest.raises(TimeoutError):
        ended.arm(None)
    with pytest.raises(TimeoutError):
        next(decoded("gzip", [b"x"], lambda _: Exchange(Terms(1, 1, 1, 1), 0).check()))


class FakeSocket:
    timeout = None

    def settimeout(self, timeout):
        self.timeout = timeout


def test_a_socket_waits_no_longer_than_the_total_allows():
    exchange = Exchange(Terms(1, 30, 1, 1), 5)
    sock = FakeSocket()
    exchange.armed = 30
    exchange.arm(sock)
    assert 0 < sock.timeout <= 5
    exchange.ends = exchange.until = exchange.ends + 60
    exchange.arm(early := FakeSocket())
    assert early.timeout is None  # the timeout that it has is short enough


def test_an_exchange_shows_its_state():
    exchange = Exchange(Terms(1, 1, 1, 1), 5)
    assert repr(exchange) == "<Exchange waiting for a connection, 5.0 s left>"
    assert exchange.clone() is exchange
    assert exchange.start_connect() == exchange.started


def test_abort_of_a_closed_socket_is_harmless():
    exchange = Exchange(Terms(1, 1, 1, 1), 5)
    exchange.abort()
    exchange = Exchange(Terms(1, 1, 1, 1), 5)
    sock = socket.socket()
    exchange.watch(sock)
    sock.close()
    exchange.abort()


def test_bytes_are_counted_whatever_the_framing_says(plain, make, fetch):
    """Whatever http.client could be made to read: tiny chunks whose sizes take more bytes than they hold."""
    downloader = make(max_body=100_000, total_timeout=10)
    plain.routes["/"] = lambda talk: (
        talk.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        or talk.drip((b"1;" + b"x" * 8000 + b"\r\na\r\n") * 8, every=0)
    )
    with pytest.raises(BodyTooLarge, match="the response goes on"):
        fetch(f"{plain.url}/", using=downloader)
