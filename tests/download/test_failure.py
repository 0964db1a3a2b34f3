"""Whatever goes wrong is one DownloadError with one line that says what, where."""

import errno
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rawserver import reply
from urllib3 import exceptions as u3

from scrapekit.download.exchange import Exchange, Terms
from scrapekit.download.failure import failure
from scrapekit.errors import ConnectError, DNSError, DownloadError, ProtocolError, TruncatedBody
from scrapekit.messages import Request


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection(fetch, free_port, scheme):
    with pytest.raises(ConnectError) as caught:
        fetch(f"{scheme}://127.0.0.1:{free_port}/")
    assert str(caught.value) == f"127.0.0.1:{free_port}: no connection: ConnectionRefusedError: Connection refused"
    assert isinstance(caught.value.__cause__, u3.NewConnectionError)


def test_the_request_is_told(fetch, free_port, downloader):
    request = Request(f"http://127.0.0.1:{free_port}/")
    with pytest.raises(DownloadError) as caught:
        downloader.fetch(request, host="h")
    assert caught.value.request is request


def unknown_host(host, port):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_an_unknown_host(make, fetch):
    with pytest.raises(
        DNSError, match=r"^nowhere.test:443: the host name can't be resolved: gaierror: Name or service not known$"
    ):
        fetch("https://nowhere.test/", using=make(resolve=unknown_host))


def test_a_host_name_that_cannot_be_one(make, fetch):
    with pytest.raises(DNSError, match="can't be resolved: gaierror: UnicodeError: label too long"):
        fetch("http://h.test/", using=make(resolve=lambda *_: (_ for _ in ()).throw(UnicodeError("label too long"))))


def test_too_many_open_files(make, fetch, plain, monkeypatch):
    downloader = make()

    def full(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("scrapekit.download.connection.socket.socket", full)
    with pytest.raises(ConnectError, match="Too many open files"):
        fetch(f"{plain.url}/", using=downloader)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda talk: talk.hang_up(), "the server closed the connection before the end of its response's headers"),
        (
            lambda talk: talk.send(b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Le") or True,
            "before the end of its response's headers",
        ),
        (lambda talk: talk.reset(), "the connection broke while waiting for the response|closed the connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP as it should be: BadStatusLine"),
        (b"HTTP/1.1 99 Low\r\n\r\n", "BadStatusLine"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "UnknownProtocol: HTTP/2.0"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000 + b"\r\n\r\n", "LineTooLong"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60_000 + b"\r\n", "LineTooLong"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "over 64 interim answers"),
        (b"\x1b[31m\x00\xff\r\n\r\n", "BadStatusLine"),
    ],
    ids=range(10),
)
def test_what_is_not_http(site, fetch, answer, words):
    site.routes["/"] = (lambda talk: talk.send(answer) or True) if isinstance(answer, bytes) else answer
    with pytest.raises(ProtocolError, match=words) as caught:
        fetch(f"{site.url}/")
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(f"127.0.0.1:{site.port}: ")


def test_a_reset_in_the_body(plain, fetch):
    plain.routes["/"] = lambda talk: (
        talk.send(reply("", "Content-Length: 9", length=False)) or talk.sock.recv(1) or True
    )

    def cut(talk):
        talk.send(reply("half", "Content-Length: 1000000", length=False))
        return talk.reset()

    plain.routes["/"] = cut
    with pytest.raises((ProtocolError, TruncatedBody)):
        fetch(f"{plain.url}/")


def exchange(phase="reading the body"):
    made = Exchange(Terms(1, 1, 1, 1), 60)
    made.phase = phase
    return made


@pytest.mark.parametrize(
    ("error", "phase", "kind", "words"),
    [
        (
            u3.ProtocolError("Connection broken", ConnectionResetError(104, "reset by peer")),
            "connecting",
            ConnectError,
            "no connection",
        ),
        (
            u3.ProtocolError("x", ConnectionResetError(104, "reset by peer")),
            "reading the body",
            TruncatedBody,
            "broke while reading",
        ),
        (ValueError("read length must be non-negative or -1"), "reading the body", ProtocolError, "not HTTP"),
        (ValueError("Invalid header value b'x'"), "sending the request", DownloadError, "can't be sent"),
        (u3.InvalidHeader("two lengths"), "waiting for the response", ProtocolError, "two lengths"),
        (MemoryError(), "reading the body", DownloadError, "MemoryError"),
    ],
)
def test_libraries_errors_are_sorted(error, phase, kind, words):
    sorted_ = failure(error, exchange(phase), "h:80", 1, None)
    assert type(sorted_) is kind
    assert words in str(sorted_)


def test_a_cycle_of_causes_ends():
    error = u3.ProtocolError("odd")
    error.__cause__ = error
    assert type(failure(error, exchange(), "h:80", 1, None)) is ProtocolError


@given(st.text(max_size=400), st.sampled_from([ValueError, u3.ProtocolError, OSError, RuntimeError, UnicodeError]))
def test_any_message_becomes_one_printable_line(text, kind):
    message = str(failure(kind(text), exchange(), "h:80", 1, None))
    assert message.isprintable()
    assert len(message) < 300
