"""SOCKS5 through a real server on loopback that records what it is told."""

import socket

import pytest
from socksserver import Asked, SocksServer

from scrapekit.download.proxies import proxy_of
from scrapekit.errors import AddressDenied, ConnectError, DeadlineExceeded, DNSError, ProxyError, TLSError


@pytest.fixture
def socks():
    made = SocksServer()
    yield made
    made.close()


@pytest.fixture
def target(site):
    """A site that names of the test lead to, by the proxy."""
    return site


def named(site, host="proxied.test"):
    return site.url.replace("127.0.0.1", host) + "/"


def test_the_proxy_finds_the_name_of_the_target(socks, target, fetch, downloader):
    for _ in range(2):
        assert fetch(named(target), host="proxied.test", proxy=socks.url).body == b"hello"
    assert socks.asked == [Asked(b"", b"", "proxied.test", target.port)]
    assert target.accepted == 1  # the tunnel is kept
    assert list(downloader.stats().hosts) == ["proxied.test"]


def test_user_and_password_go_to_the_proxy_alone(socks, target, fetch):
    socks.user, socks.password = "usér".encode(), b"pa:ss@word"
    url = socks.url.replace("://", "://us%C3%A9r:pa%3Ass%40word@")
    assert fetch(named(target), proxy=url).body == b"hello"
    assert socks.asked[0][:2] == (socks.user, socks.password)
    assert all(b"uthorization" not in head and b"ss@word" not in head for head in target.heads)
    with pytest.raises(ProxyError, match=rf"the proxy 127.0.0.1:{socks.port} refused user and password") as caught:
        fetch(named(target, "other.test"), proxy=url.replace("word", "wrong"))
    assert "wrong" not in str(caught.value)
    with pytest.raises(ProxyError, match="wants other credentials"):
        fetch(named(target, "other.test"), proxy=socks.url)


def test_credentials_that_the_proxy_does_not_ask_for_are_kept(socks, target, fetch):
    assert fetch(named(target), proxy=socks.url.replace("://", "://me:secret@")).body == b"hello"
    assert socks.asked[0][:2] == (b"", b"")


def test_socks5_without_h_looks_the_name_up_here(socks, plain, make, fetch):
    def resolve(host, port):
        if host == "nowhere.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if host == "127.0.0.1" else "127.0.0.9", port))
        ]

    url, using = socks.url.replace("socks5h", "socks5"), make(resolve=resolve)
    assert fetch(named(plain), proxy=url, using=using).body == b"hello"
    assert socks.asked == [Asked(b"", b"", "127.0.0.9", plain.port)]
    with pytest.raises(DNSError, match="the host name can't be resolved"):
        fetch(named(plain, "nowhere.test"), proxy=url, using=using)


def test_ipv6_goes_as_an_address(socks, plain, fetch):
    assert fetch(f"http://[::1]:{plain.port}/", proxy=socks.url).body == b"hello"
    assert socks.asked[0].host == "::1"


@pytest.mark.parametrize("kind", [b"\4" + bytes(16), b"\3\4name"])
def test_the_proxy_may_answer_from_any_kind_of_address(socks, plain, fetch, kind):
    socks.kind = kind
    assert fetch(named(plain), proxy=socks.url).body == b"hello"


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (1, ProxyError, "the proxy 127.0.0.1:{port} refused: general failure"),
        (2, ProxyError, "refused: its rules forbid it"),
        (99, ProxyError, "refused: code 99"),
        (3, ConnectError, "target.test:80: no connection through the proxy 127.0.0.1:{port}: network unreachable"),
        (5, ConnectError, "connection refused"),
    ],
)
def test_a_refusal_says_whose_it_is(socks, fetch, code, error, said):
    socks.code = code
    with pytest.raises(error, match=said.format(port=socks.port)):
        fetch("http://target.test/", proxy=socks.url)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\4\0"])
def test_what_does_not_speak_socks_is_not_a_proxy(socks, fetch, answer):
    socks.answers = answer
    with pytest.raises(ProxyError, match="does not speak SOCKS5"):
        fetch("http://target.test/", proxy=socks.url)


def test_a_proxy_that_hangs_up(socks, fetch):
    for answer in (b"", b"\5", b"\5\0\5"):
        socks.answers = answer
        with pytest.raises(ProxyError, match=rf"the proxy 127.0.0.1:{socks.port}"):
            fetch("http://target.test/", proxy=socks.url)


def test_a_proxy_that_is_not_there(fetch, make):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for target in ("http://target.test/", "https://target.test/"):
        with pytest.raises(ProxyError, match=rf"the proxy 127.0.0.1:{port}: ConnectionRefusedError"):
            fetch(target, proxy=f"socks5h://user:secret@127.0.0.1:{port}")

    def unknown(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(ProxyError, match=r"the proxy p.test:1080: its host name can't be resolved"):
        fetch("http://target.test/", using=make(resolve=unknown), proxy="socks5h://p.test")


def drip(sock):
    sock.recv(1024)
    sock.sendall(b"\5\0")
    sock.recv(1024)
    sock.sendall(b"\5\0\0\3\xff")
    while True:
        sock.sendall(b"x")
        sock.settimeout(0.05)
        try:
            if not sock.recv(1):
                return
        except TimeoutError:
            pass


@pytest.mark.parametrize("silent", [lambda sock: sock.recv(1024) and sock.recv(1024), drip], ids=["silent", "dripping"])
def test_the_deadlines_hold_in_the_handshake(socks, fetch, make, silent):
    socks.answers = silent
    with pytest.raises(DeadlineExceeded, match=r"not finished after 0.3 s"):
        fetch("http://target.test/", proxy=socks.url, timeout=0.3)
    with pytest.raises(ProxyError, match=rf"the proxy 127.0.0.1:{socks.port}: no connection through it after 0.3 s"):
        fetch("https://target.test/", proxy=socks.url, using=make(connect_timeout=0.3))


def test_the_total_holds_behind_the_proxy(socks, target, fetch):
    target.routes["/"] = lambda talk: talk.send(b"HTTP/1.1 200 OK\r\n") or talk.drip(b"X: y\r\n")
    with pytest.raises(DeadlineExceeded, match=r"not finished after 0.4 s"):
        fetch(named(target), proxy=socks.url, timeout=0.4)


def test_the_target_is_verified_behind_the_proxy(socks, make_site, tls, fetch):
    secure = make_site(tls)
    with pytest.raises(TLSError, match="it is for another host"):
        fetch(named(secure, "other.test"), proxy=socks.url)


def test_a_proxy_shows_no_password():
    made = proxy_of("socks5://user:secret@p.test", lambda: None)
    assert "secret" not in repr(made) + repr(made.socks)
    assert repr(made.socks) == "<Socks p.test:1080>"


def test_a_service_reaches_no_private_address_behind_the_proxy(socks, plain, make, fetch):
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", plain.port))]
    using = make(resolve=lambda *_: inside, allow_private=False)
    with pytest.raises(AddressDenied):
        fetch(named(plain), proxy=socks.url.replace("socks5h", "socks5"), using=using)
    with pytest.raises(AddressDenied):
        fetch(f"{plain.url}/", proxy=socks.url, using=using)
    assert socks.asked == []
    assert fetch(named(plain), proxy=socks.url, using=using).body == b"hello"  # what the proxy resolves, it decides
