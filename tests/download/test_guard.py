"""The guard: only public addresses, whatever they are written like, whoever names them, and at whatever hop."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rawserver import reply

from scrapekit.download import guard
from scrapekit.download.guard import check_name, is_public
from scrapekit.errors import AddressDenied, ConnectError, DownloadError, RequestInvalid

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
    "192.0.1.0", "198.17.255.255", "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
]  # fmt: skip
PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "100::1", "2001:db8::1",
    "3fff::1", "5f00::1", "4000::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "2002:7f00:1::1", "2002:a9fe:a9fe::",
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "", "localhost", "1.2.3", "nonsense", "/run/docker.sock",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_not_public(address):
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_as_public_in_ipv6_clothes(address):
    number = int(address)
    for clothes in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert is_public(str(IPv6Address(clothes))) == is_public(str(address))


@given(st.ip_addresses())
def test_what_python_knows_as_special_is_never_public(address):
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    if (special or address.is_reserved or address.is_unspecified) and not carries_ipv4(address):
        assert not is_public(str(address))


def carries_ipv4(address):
    return isinstance(address, IPv6Address) and (address.ipv4_mapped or address in guard._NAT64)


@given(st.text(max_size=40))
def test_no_text_raises(text):
    assert is_public(text) in (True, False)
    if is_public(text):
        assert isinstance(ip_address(text.partition("%")[0]), IPv4Address | IPv6Address)


SPELLINGS = [
    "127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "0x7f000001", "127.0.0.1.", "[::1]",
    "[::ffff:127.0.0.1]", "[::]", "\uff11\uff12\uff17.\uff10.\uff10.\uff11", "\u2460\u2461\u2466.1",
]  # fmt: skip


@pytest.fixture
def guarded(make):
    def run(**options):
        return make(allow_private=False, **options)

    return run


@pytest.mark.parametrize("spelling", SPELLINGS, ids=range(len(SPELLINGS)))
def test_no_spelling_of_loopback_gets_through(make_site, guarded, fetch, spelling):
    site = make_site()
    with pytest.raises((AddressDenied, RequestInvalid)):
        fetch(f"http://{spelling}:{site.port}/", using=guarded())
    with pytest.raises((AddressDenied, RequestInvalid)):  # nor to a proxy
        fetch(f"http://{spelling}:{site.port}/", using=guarded(), proxy=site.url)
    assert site.accepted == 0


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1"])
def test_the_guard_itself_needs_no_canonical_spelling(spelling):
    with pytest.raises(AddressDenied, match=r"127\.0\.0\.1 is not a public address"):
        check_name(spelling)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(make_site, tls, guarded, fetch, scheme):
    site = make_site(tls if scheme == "https" else None)
    inside = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", site.port))
    downloader = guarded(resolve=lambda *_: [inside])
    with pytest.raises(AddressDenied) as caught:
        fetch(f"{scheme}://proxied.test/", using=downloader)
    port = 443 if scheme == "https" else 80
    assert str(caught.value) == (
        f"proxied.test:{port}: 127.0.0.1 is not a public address, and http.allow_private is false"
    )
    assert caught.value.request.url == f"{scheme}://proxied.test/"
    assert site.accepted == 0
    assert fetch(f"{scheme}://proxied.test/", using=unguarded(downloader)).body == b"hello"


def unguarded(guarded):
    """The same downloader with the guard off: it is the guard that refused, and nothing else."""
    guarded._terms = guarded._terms._replace(public_only=False)
    return guarded


def test_one_private_address_among_public_ones_is_enough(guarded, fetch):
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("1.1.1.1", "8.8.8.8", "10.0.0.1")
    ]
    with pytest.raises(AddressDenied, match=r"10\.0\.0\.1"):
        fetch("http://mixed.test/", using=guarded(resolve=lambda *_: addresses))


def test_a_resolver_that_changes_its_answer_gains_nothing(make_site, guarded, fetch, monkeypatch):
    """The first answer is public, each later one is inside: what is connected to is what was checked."""
    site = make_site()
    answers = iter(["8.8.8.8"])
    asked = []
    connected = []

    def rebind(host, port):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers, "127.0.0.1"), site.port))]

    class Watched(socket.socket):
        def connect(self, address):
            connected.append(address)
            raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("scrapekit.download.connection.socket.socket", Watched)
    downloader = guarded(resolve=rebind, dns_ttl=0)
    with pytest.raises(ConnectError):
        fetch("http://rebind.test/", using=downloader)
    assert asked == ["rebind.test"]
    assert connected == [("8.8.8.8", site.port)]
    with pytest.raises(AddressDenied):
        fetch("http://rebind.test/", using=downloader)
    assert connected == [("8.8.8.8", site.port)]
    assert site.accepted == 0


def test_a_proxy_may_be_inside_and_is_trusted_with_names(make_site, guarded, fetch):
    proxy = make_site()
    proxy.routes = {"*": reply("forwarded")}
    assert fetch("http://public.test/", using=guarded(), proxy=proxy.url).body == b"forwarded"
    assert fetch("http://8.8.8.8/", using=guarded(), proxy=proxy.url).body == b"forwarded"
    for host in ("127.0.0.1", "[::1]", "10.1.2.3", "169.254.169.254", "localhost", "a.localhost", "printer.local",
                 "metadata.google.internal", "nas.home.arpa"):  # fmt: skip
        for scheme in ("http", "https"):
            with pytest.raises(AddressDenied, match=r"http\.allow_private is false"):
                fetch(f"{scheme}://{host}/", using=guarded(), proxy=proxy.url)
    assert len(proxy.heads) == 2


def test_by_default_everything_is_allowed(make_site, make, fetch):
    assert fetch(f"{make_site().url}/", using=make()).body == b"hello"


def test_it_is_a_download_error_of_its_own():
    assert AddressDenied.__bases__ == (DownloadError,)
