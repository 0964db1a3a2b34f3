"""Proxies: a real little proxy on loopback, for forwarding and for tunnels, over TCP and TLS."""

import socket
import ssl

import pytest
from proxyserver import tunnel
from rawserver import reply

from scrapekit.download.proxies import proxy_of
from scrapekit.errors import ConnectError, DeadlineExceeded, DownloadError, ProtocolError, ProxyError, TLSError
from scrapekit.messages import Request


@pytest.fixture(params=["http", "https"])
def proxy(request, make_site):
    made = make_site(request.getfixturevalue("tls") if request.param == "https" else None)
    made.routes = {
        "*": lambda talk: tunnel(talk) if talk.head.startswith(b"CONNECT") else talk.send(reply("forwarded"))
    }
    return made


@pytest.fixture
def secure(make_site, tls):
    return make_site(tls)


def credentials(url):
    return url.replace("://", "://us%65r:s%C3%A9cret@")


BASIC = b"Proxy-Authorization: Basic dXNlcjpzw6ljcmV0"


def test_plain_requests_are_forwarded_with_the_whole_url(proxy, fetch):
    got = fetch("http://target.test:81/a?q=1", proxy=credentials(proxy.url))
    assert got.body == b"forwarded"
    assert proxy.heads[0].startswith(b"GET http://target.test:81/a?q=1 HTTP/1.1\r\n")
    assert b"Host: target.test:81" in proxy.heads[0]
    assert BASIC in proxy.heads[0]


def test_plain_hosts_share_the_connections_to_the_proxy(proxy, fetch, downloader):
    for host in ("a", "b", "c"):
        fetch(f"http://{host}.test/", host=host, proxy=proxy.url, maxsize=1)
    assert proxy.accepted == 1
    assert list(downloader.stats().hosts) == [f"proxy 127.0.0.1:{proxy.port}"]
    assert downloader.stats().maxsize == 4  # all workers


def test_tls_goes_through_a_tunnel(proxy, secure, fetch):
    for _ in range(2):
        got = fetch(f"https://proxied.test:{secure.port}/", host="proxied.test", proxy=credentials(proxy.url))
        assert (got.body, got.flags) == (b"hello", ())
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(f"CONNECT proxied.test:{secure.port} HTTP/1.".encode())
    assert BASIC in proxy.heads[0]
    assert all(b"roxy" not in head.replace(b"proxied.test", b"") for head in secure.heads)


def test_the_engines_choice_goes_before_the_requests_own(proxy, plain, make, fetch):
    url = f"{plain.url}/"
    assert fetch(url, proxy="").body == b"hello"
    assert fetch(url, proxy=proxy.url).body == b"forwarded"
    assert make().fetch(Request(url), host="127.0.0.1", proxy=proxy.url).body == b"forwarded"
    assert make().fetch(Request(url, proxy="http://127.0.0.1:1"), host="127.0.0.1", proxy=proxy.url).status == 200


def test_the_target_is_verified_through_the_tunnel(proxy, secure, fetch):
    with pytest.raises(
        TLSError, match=rf"other.test:{secure.port}: the certificate is not accepted: it is for another host"
    ):
        fetch(f"https://other.test:{secure.port}/", proxy=proxy.url)


def test_a_proxy_that_refuses(proxy, fetch):
    proxy.routes = {"*": b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"}
    with pytest.raises(
        ProxyError, match=rf"target.test:443: the proxy 127.0.0.1:{proxy.port}: .*407 Who are you"
    ) as caught:
        fetch("https://target.test/", proxy=credentials(proxy.url))
    assert "cret" not in str(caught.value)
    with pytest.raises(ProxyError, match=rf"the proxy 127.0.0.1:{proxy.port} wants other credentials: status 407"):
        fetch("http://target.test/", proxy=credentials(proxy.url))


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_that_does_not_reach_the_target(proxy, fetch, status):
    proxy.routes = {"*": reply("\x1b[31m", status=f"{status} \x1b[31mNo")}
    with pytest.raises(
        ConnectError, match=rf"^target.test:443: no connection through the proxy 127.0.0.1:\d+: it answers {status}$"
    ):
        fetch("https://target.test/", proxy=proxy.url)


def test_a_proxy_that_is_not_there(fetch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for target in ("http://target.test/", "https://target.test/"):
        for scheme in ("http", "https"):
            with pytest.raises(ProxyError, match=rf"the proxy 127.0.0.1:{port}: ConnectionRefusedError"):
                fetch(target, proxy=f"{scheme}://user:secret@127.0.0.1:{port}")


def test_a_proxy_without_address(make, fetch):
    def unknown(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(ProxyError, match=r"the proxy p.test:80: its host name can't be resolved"):
        fetch("http://target.test/", using=make(resolve=unknown), proxy="http://p.test")


def test_a_proxy_with_a_bad_certificate(make_site, tls, fetch, make):
    proxy = make_site(tls)
    for target in ("http://target.test/", "https://target.test/"):
        with pytest.raises(ProxyError, match="not in the CA bundle"):
            fetch(target, using=make(ca_bundle=None), proxy=proxy.url)


@pytest.mark.parametrize(
    "url",
    ["socks4://127.0.0.1:1080", "http://us:secret@[bad", "127.0.0.1:8080", f"socks5://secret{256 * 'x'}@127.0.0.1"],
)
def test_a_proxy_url_that_cannot_be_used(fetch, url):
    with pytest.raises(ProxyError, match=r"Request\.proxy") as caught:
        fetch("http://target.test/", proxy=url)
    assert "secret" not in str(caught.value)
    assert caught.value.request.proxy == url


def test_an_own_context_serves_the_proxy_too(make_site, tls, secure, fetch, make):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    proxy = make_site(tls)
    proxy.routes = {"*": tunnel}
    assert (
        fetch(f"https://proxied.test:{secure.port}/", using=make(ssl_context=context), proxy=proxy.url).body == b"hello"
    )


SILENT = {
    "no answer": lambda talk: talk.hang(),
    "dripped answer": lambda talk: talk.send(b"HTTP/1.1 200 OK\r\n") or talk.drip(b"X: y\r\n"),
}


@pytest.mark.parametrize("silent", SILENT)
@pytest.mark.parametrize("target", ["http", "https"])
def test_the_total_holds_through_a_proxy(proxy, fetch, silent, target):
    proxy.routes = {"*": SILENT[silent]}
    with pytest.raises(DeadlineExceeded, match=r"not finished after 0.2 s"):
        fetch(f"{target}://target.test/", proxy=proxy.url, timeout=0.2)


def test_the_connect_timeout_covers_the_tunnel(proxy, make, fetch):
    proxy.routes = {"*": lambda talk: talk.hang()}
    with pytest.raises(
        ProxyError, match=rf"target.test:443: the proxy 127.0.0.1:{proxy.port}: no connection through it after 0.2 s"
    ):
        fetch("https://target.test/", using=make(connect_timeout=0.2), proxy=proxy.url)


def test_the_connect_timeout_covers_tls_within_the_tunnel(make_site, make, fetch):
    """The answer to CONNECT does not start the clock again."""
    proxy = make_site()
    proxy.routes = {"*": lambda talk: talk.send(b"HTTP/1.1 200 OK\r\n\r\n") or talk.hang()}
    with pytest.raises(ConnectError, match="no connection through the proxy"):
        fetch("https://target.test/", using=make(connect_timeout=0.2), proxy=proxy.url)


def test_the_total_holds_within_a_tunnel(proxy, secure, fetch):
    secure.routes["/"] = lambda talk: talk.send(b"HTTP/1.1 200 OK\r\n") or talk.drip(b"X: y\r\n")
    with pytest.raises(DeadlineExceeded, match=r"not finished after 0.4 s"):
        fetch(f"https://proxied.test:{secure.port}/", proxy=proxy.url, timeout=0.4)


def test_a_proxy_that_hangs_up(proxy, fetch):
    proxy.routes = {"*": lambda talk: talk.hang_up()}
    with pytest.raises((ProxyError, ProtocolError)):
        fetch("https://target.test/", proxy=proxy.url)
    with pytest.raises(DownloadError):
        fetch("http://target.test/", proxy=proxy.url)


def test_a_proxy_that_closes_an_idle_connection_is_asked_once_more(make_site, fetch):
    proxy = make_site()
    answers = iter([reply("first"), None, reply("second")])
    proxy.routes = {"*": lambda talk: talk.hang_up() if (answer := next(answers)) is None else talk.send(answer)}
    assert fetch("http://target.test/1", proxy=proxy.url).body == b"first"
    again = fetch("http://target.test/2", proxy=proxy.url)
    assert (again.body, again.flags) == (b"second", ("stale_connection",))
    assert proxy.accepted == 2


def test_a_proxy_shows_no_password():
    made = proxy_of("http://user:secret@p.test:3128", lambda: None)
    assert repr(made) == "<Proxy p.test:3128>"
