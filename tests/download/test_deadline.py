"""One deadline for everything: whatever drips or hangs, and whichever way it comes, the fetch ends."""

import contextlib
import socket
import threading
from time import monotonic

import pytest
from rawserver import Site, reply
from test_exchange import SLOW
from test_proxies import tunnel

from scrapekit.errors import ConnectError, DeadlineExceeded

TOTAL = 0.3
SLACK = 5  # seconds that a busy machine may take longer; what is not bounded drips for ever


class Dripper(Site):
    """Passes on to another site what comes, and drips what that answers, so that no single read takes long."""

    def __init__(self, target):
        super().__init__()
        self.target = target
        self.dripping = threading.Event()
        self.dripping.set()

    def _serve(self, sock):
        with self._lock:
            self._open.add(sock)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.target.port)) as far:
            thread = threading.Thread(target=self._drip, args=(far, sock))
            thread.start()
            with contextlib.suppress(OSError):
                while data := sock.recv(65536):
                    far.sendall(data)
            with contextlib.suppress(OSError):
                far.shutdown(socket.SHUT_RDWR)
            thread.join(10)
        with self._lock:
            self._open.discard(sock)
        sock.close()

    def _drip(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while data and not self.closing.is_set():
                    size = 1 if self.dripping.is_set() else len(data)
                    sink.sendall(data[:size])
                    data = data[size:]
                    if self.dripping.is_set():
                        self.closing.wait(0.02)


WAYS = [
    "http by http proxy",
    "http by https proxy",
    "tunnel",
    "tunnel by https proxy",
]  # test_exchange has the direct ones
FAULTS = ["no answer", "dripped headers", "dripped body", "endless 100 Continue", "dripped chunk size"]


@pytest.fixture(params=WAYS)
def way(request, make_site, tls):
    """A site, and a function that makes the arguments of a fetch which reaches it in this way."""
    site = make_site(tls if "tunnel" in request.param else None)
    proxy = make_site(tls if request.param.endswith("https proxy") else None)
    if "tunnel" in request.param:
        proxy.routes = {"*": tunnel}
        return site, lambda path: (f"https://proxied.test:{site.port}{path}", {"proxy": proxy.url})

    def forward(talk):
        path = "/" + talk.head.split(b" ")[1].decode().split("/", 3)[3]
        route = site.routes[path]
        return route(talk) if callable(route) else talk.send(route)

    proxy.routes = {"*": forward}
    return site, lambda path: (f"http://proxied.test:{site.port}{path}", {"proxy": proxy.url})


@pytest.mark.parametrize("slow", FAULTS)
def test_it_ends_whichever_way_it_comes(way, make, fetch, slow):
    site, to = way
    site.routes["/slow"] = SLOW[slow]
    downloader = make(total_timeout=TOTAL, read_timeout=60, connect_timeout=60)
    url, arguments = to("/slow")
    started = monotonic()
    with pytest.raises(DeadlineExceeded, match=r"not finished after 0\.3 s"):
        fetch(url, using=downloader, **arguments)
    assert monotonic() - started < TOTAL + SLACK
    url, arguments = to("/")
    assert fetch(url, using=downloader, timeout=30, **arguments).body == b"hello"


@pytest.fixture
def dripper(make_site, tls):
    made = Dripper(make_site(tls))
    yield made
    made.close()


@pytest.mark.parametrize("way", ["direct", "to the proxy", "tunnel", "tunnel by https proxy"])
def test_a_dripped_handshake_ends(make_site, tls, make, fetch, dripper, way):
    arguments = {}
    url = f"https://127.0.0.1:{dripper.port}/"
    if way == "to the proxy":
        arguments = {"proxy": url}
        url = "http://target.test/"
    elif way != "direct":
        proxy = make_site(tls if "https" in way else None)
        proxy.routes = {"*": tunnel}
        arguments = {"proxy": proxy.url}
    downloader = make(total_timeout=TOTAL, read_timeout=60, connect_timeout=60)
    started = monotonic()
    with pytest.raises(DeadlineExceeded, match=r"not finished after 0\.3 s, while connecting"):
        fetch(url, using=downloader, **arguments)
    assert monotonic() - started < TOTAL + SLACK


def test_the_connect_timeout_ends_a_dripped_handshake_in_a_tunnel(make_site, tls, make, fetch, dripper):
    proxy = make_site(tls)
    proxy.routes = {"*": tunnel}
    with pytest.raises(ConnectError, match=r"no connection through the proxy .* after 0\.3 s"):
        fetch(f"https://proxied.test:{dripper.port}/", using=make(connect_timeout=0.3), proxy=proxy.url)


@pytest.mark.parametrize("https_proxy", [False, True])
def test_a_response_whose_records_drip_ends(make_site, tls, make, fetch, dripper, https_proxy):
    """Each piece of a record is a read of the connection, and no byte of the response until it is whole."""
    dripper.dripping.clear()
    dripper.target.routes["/slow"] = lambda talk: dripper.dripping.set() or talk.send(reply("x" * 100_000))
    proxy = make_site(tls if https_proxy else None)
    proxy.routes = {"*": tunnel}
    downloader = make(read_timeout=60, total_timeout=60)
    url = f"https://proxied.test:{dripper.port}"
    assert fetch(f"{url}/", using=downloader, proxy=proxy.url).body == b"hello"
    started = monotonic()
    with pytest.raises(DeadlineExceeded, match="while waiting for the response"):
        fetch(f"{url}/slow", using=downloader, proxy=proxy.url, timeout=TOTAL)
    assert monotonic() - started < TOTAL + SLACK


@pytest.mark.parametrize("close", [False, True])
def test_tls_in_tls_carries_large_bodies_and_heeds_the_close(make_site, tls, fetch, close):
    site, proxy = make_site(tls), make_site(tls)
    proxy.routes = {"*": tunnel}
    body = "x" * 1_000_000
    site.routes["/"] = reply(body, *["Connection: close"] * close)
    for _ in range(2):
        assert fetch(f"https://proxied.test:{site.port}/", proxy=proxy.url).body == body.encode()
    assert site.accepted == 1 + close


def test_closing_breaks_tls_in_tls(make_site, tls, make, fetch):
    site, proxy = make_site(tls), make_site(tls)
    begun = threading.Event()
    site.routes["/hang"] = lambda talk: begun.set() or talk.hang()
    proxy.routes = {"*": tunnel}
    downloader = make(total_timeout=60)
    failed = []

    def run():
        try:
            fetch(f"https://proxied.test:{site.port}/hang", using=downloader, proxy=proxy.url)
        except Exception as error:
            failed.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(30)
    downloader.close()
    thread.join(30)
    assert failed == [f"proxied.test:{site.port}: the downloader is closed"]
