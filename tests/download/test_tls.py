"""TLS: verified by default, and a refusal says what is wrong."""

import contextlib
import datetime as dt
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
import trustme
from rawserver import Site, server_context
from test_proxies import tunnel

from scrapekit.download import Downloader
from scrapekit.download.tls import shareable, tls_context, trouble
from scrapekit.errors import ConnectError, DownloadError, SettingsError, TLSError

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def test_a_valid_certificate_is_accepted_by_name_and_by_address(make_site, tls, fetch):
    assert fetch(f"{make_site(tls, host='localhost').url}/").body == b"hello"
    assert fetch(f"{make_site(tls).url}/").body == b"hello"


def test_an_expired_certificate(make_site, ca, fetch):
    site = make_site(
        server_context(ca.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO + dt.timedelta(1)))
    )
    words = "the certificate is not accepted: it has expired: its owner has to renew it"
    with pytest.raises(TLSError, match=rf"^127.0.0.1:{site.port}: {words}$"):
        fetch(f"{site.url}/")


def test_a_certificate_for_another_host(make_site, ca, fetch):
    site = make_site(server_context(ca.issue_cert("other.test")))
    with pytest.raises(TLSError, match="it is for another host"):
        fetch(f"{site.url}/")


def test_an_unknown_ca(make_site, fetch):
    site = make_site(server_context(trustme.CA().issue_cert("127.0.0.1")))
    with pytest.raises(TLSError, match="not in the CA bundle"):
        fetch(f"{site.url}/")


def test_certifi_is_the_default(make_site, tls, fetch, make):
    site = make_site(tls)
    with pytest.raises(TLSError, match="not in the CA bundle"):
        fetch(f"{site.url}/", using=make(ca_bundle=None))


def test_a_server_that_speaks_no_tls(plain, fetch):
    plain.greeting = b"220 mail.example.org ESMTP\r\n"
    with pytest.raises(TLSError, match="the server does not speak TLS on this port"):
        fetch(f"https://127.0.0.1:{plain.port}/")


def test_a_server_with_old_tls_only(make_site, ca, fetch, make):
    context = server_context(ca.issue_cert("127.0.0.1"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    newer = tls_context(verify=False, ca_bundle=None, client_cert=None)
    newer.minimum_version = ssl.TLSVersion.TLSv1_3
    with pytest.raises(TLSError, match="the server refuses the versions of TLS"):
        fetch(f"{make_site(context).url}/", using=make(ssl_context=newer))


@pytest.fixture
def self_signed(tmp_path):
    """The context of a server whose certificate is nobody's but its own."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "self.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + cert.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, path


def test_a_self_signed_certificate_is_refused_until_it_is_named(make_site, self_signed, fetch, make):
    context, path = self_signed
    site = make_site(context, host="localhost")
    with pytest.raises(TLSError, match=r"it is self-signed: if you trust it, name a file with it in http\.ca_bundle"):
        fetch(f"{site.url}/")
    assert fetch(f"{site.url}/", using=make(ca_bundle=str(path))).body == b"hello"


def test_a_certificate_that_is_not_valid_yet(make_site, ca, fetch):
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(2)
    site = make_site(server_context(ca.issue_cert("127.0.0.1", not_before=soon, not_after=soon + dt.timedelta(1))))
    with pytest.raises(TLSError, match="not valid yet: is the clock of this machine right"):
        fetch(f"{site.url}/")


GARBAGE = {
    "text": b"220 mail.example.org ESMTP\r\n",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": b"\0" * 100,
    "a record of no kind": b"\x63\x03\x03\x00\x05hello",
    "a handshake that is none": b"\x16\x03\x03\x00\x05\xff\xff\xff\xff\xff",
    "an endless record": b"\x16\x03\x03\xff\xff" + b"x" * 70_000,
    "a fatal alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "application data": b"\x17\x03\x03\x00\x01x",
    "nothing": b"",
}


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "in tls"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_for_a_handshake(make_site, tls, make, fetch, garbage, proxied):
    class Garbler(Site):
        def _serve(self, sock):
            with contextlib.suppress(OSError), sock:
                sock.recv(65536)
                sock.sendall(GARBAGE[garbage])

    site = Garbler()
    arguments = {}
    if proxied:
        proxy = make_site(tls)
        proxy.routes = {"*": tunnel}
        arguments = {"proxy": proxy.url}
    with contextlib.closing(site), pytest.raises(DownloadError) as caught:
        fetch(f"https://proxied.test:{site.port}/", using=make(resolve=loopback(site.port)), **arguments)
    # A reset, where bytes of ours were not read, is no matter of TLS.
    assert type(caught.value) in (TLSError, ConnectError)
    assert str(caught.value).isprintable()


def loopback(port):
    return lambda *_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def test_a_server_that_only_speaks_a_version_of_long_ago(make_site, fetch):
    """Such as TLS 1.0, which OpenSSL may not be able to serve any more: its ServerHello, in bytes."""

    class Old(Site):
        def _serve(self, sock):
            with contextlib.suppress(OSError), sock:
                sock.recv(65536)
                sock.sendall(bytes.fromhex("16 0301 002a 02 000026 0301") + b"\1" * 32 + bytes.fromhex("00 002f 00"))
                sock.recv(65536)

    site = Old()
    with contextlib.closing(site), pytest.raises(TLSError, match=r"versions of TLS older than 1.2: .* ssl_context\(\)"):
        fetch(f"https://127.0.0.1:{site.port}/")


def test_the_name_to_ask_for_and_to_verify_can_be_set_for_one_host(make_site, ca, fetch, make):
    """By address, with the name in SNI and in the certificate; the Host header stays the URL's."""
    asked = []
    context = server_context(ca.issue_cert("intranet.test"))
    context.sni_callback = lambda sock, name, _: asked.append(name)
    site = make_site(context)
    downloader = make(server_hostnames={"127.0.0.1": "intranet.test"})
    assert fetch(f"{site.url}/", using=downloader, host="127.0.0.1").body == b"hello"
    assert asked == ["intranet.test"]
    assert f"Host: 127.0.0.1:{site.port}".encode() in site.heads[0]
    with pytest.raises(TLSError, match=r"for another host .*: if that is right, say which name in http\.server_hostn"):
        fetch(f"{site.url}/")
    with pytest.raises(TLSError, match="for another host"):
        fetch(f"{site.url}/", using=make(server_hostnames={"127.0.0.1": "third.test"}), host="127.0.0.1")
    # Other hosts of the same downloader go by their own names.
    other = make_site(server_context(ca.issue_cert("localhost")), host="localhost")
    assert fetch(f"{other.url}/", using=downloader, host="localhost").body == b"hello"
    plain = make_site()
    assert fetch(f"{plain.url}/", using=downloader, host="127.0.0.1").body == b"hello"


def test_such_a_name_holds_in_a_tunnel(make_site, ca, tls, fetch, make):
    site, proxy = make_site(server_context(ca.issue_cert("intranet.test"))), make_site(tls)
    proxy.routes = {"*": tunnel}
    downloader = make(server_hostnames={"10.9.8.7": "intranet.test"})
    assert fetch(f"https://10.9.8.7:{site.port}/", using=downloader, host="10.9.8.7", proxy=proxy.url).body == b"hello"


def test_sni_is_the_name_where_the_connection_goes_to_an_address(make_site, ca, fetch, make):
    asked = []
    context = server_context(ca.issue_cert("named.test"))
    context.sni_callback = lambda sock, name, _: asked.append(name)
    site = make_site(context)
    assert fetch("https://named.test/", using=make(resolve=loopback(site.port))).body == b"hello"
    assert asked == ["named.test"]
    assert b"Host: named.test\r\n" in site.heads[0] + b"\r\n"


@pytest.mark.parametrize("own", [False, True])
def test_urllib3_never_gets_both_a_context_and_cas(make, make_site, tls, ca, fetch, own):
    """Then it loads them into the context at each connection, which no other thread must use meanwhile."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    downloader = make(**({"ssl_context": context} if own else {}))
    fetch(f"{make_site(tls).url}/", using=downloader)
    (pool,) = downloader._pools.pools.values()
    given = pool.conn_kw
    assert given["ssl_context"]
    assert pool.ca_certs is pool.ca_cert_dir is pool.cert_file is None
    assert not {"ca_certs", "ca_cert_dir", "ca_cert_data", "cert_file", "key_file", "cert_reqs"} & set(given)


def test_verification_can_be_switched_off(make_site, fetch, make):
    site = make_site(server_context(trustme.CA().issue_cert("other.test")))
    assert fetch(f"{site.url}/", using=make(verify=False)).body == b"hello"


def test_another_name_can_be_asserted(make_site, ca, fetch, make):
    site = make_site(server_context(ca.issue_cert("other.test")))
    assert fetch(f"{site.url}/", using=make(assert_hostname="other.test")).body == b"hello"
    assert fetch(f"{site.url}/", using=make(assert_hostname=False)).body == b"hello"
    with pytest.raises(TLSError, match="it is for another host"):
        fetch(f"{site.url}/", using=make(assert_hostname="third.test"))


def test_a_fingerprint_pins_one_host(make_site, ca, fetch, make):
    cert = ca.issue_cert("127.0.0.1", "localhost")
    pin = sha256(ssl.PEM_cert_to_DER_cert(cert.cert_chain_pems[0].bytes().decode())).hexdigest()
    one, other = (
        make_site(server_context(cert)),
        make_site(server_context(ca.issue_cert("localhost")), host="localhost"),
    )
    downloader = make(fingerprints={"127.0.0.1": pin, "localhost": pin})
    assert fetch(f"{one.url}/", using=downloader, host="127.0.0.1").body == b"hello"
    with pytest.raises(TLSError, match="Fingerprints did not match"):
        fetch(f"{other.url}/", using=downloader, host="localhost")
    unpinned = make(fingerprints={"127.0.0.1": pin})
    assert fetch(f"{other.url}/", using=unpinned, host="localhost").body == b"hello"
    wrong = make_site(server_context(ca.issue_cert("other.test")), host="localhost")
    with pytest.raises(TLSError, match="it is for another host"):  # a pin for one does not make us careless with others
        fetch(f"{wrong.url}/", using=unpinned, host="localhost")


@pytest.fixture
def demanding(make_site, ca):
    context = server_context(ca.issue_cert("127.0.0.1"))
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # a later one refuses only when the request is under way
    return make_site(context)


@pytest.fixture
def client_cert(ca, tmp_path):
    cert = ca.issue_cert("client@example.test")
    cert.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    return str(tmp_path / "client.pem")


def test_a_client_certificate_is_shown(demanding, client_cert, fetch, make):
    assert fetch(f"{demanding.url}/", using=make(client_cert=(client_cert, None, None))).body == b"hello"


def test_a_missing_client_certificate_is_told(demanding, fetch):
    with pytest.raises(TLSError, match="it demands a client certificate"):
        fetch(f"{demanding.url}/")


def test_an_own_context_is_used_as_it_is(demanding, client_cert, ca_file, fetch, make):
    context = ssl.create_default_context(cafile=ca_file)
    context.load_cert_chain(client_cert)
    assert fetch(f"{demanding.url}/", using=make(ssl_context=context)).body == b"hello"


def test_many_handshakes_share_one_context(make_site, tls, make, fetch):
    site = make_site(tls)
    site.routes["/"] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    downloader = make()
    with ThreadPoolExecutor(8) as threads:
        assert [got.body for got in threads.map(lambda _: fetch(f"{site.url}/", using=downloader), range(40))] == [
            b"ok"
        ] * 40


def test_plain_http_reads_no_ca_bundle(plain, make, fetch, monkeypatch):
    monkeypatch.setattr("certifi.where", lambda: pytest.fail("it was read for nothing"))
    assert fetch(f"{plain.url}/", using=make(ca_bundle=None)).body == b"hello"


@pytest.mark.parametrize(
    "options", [{"ca_bundle": "/nowhere.pem"}, {"ca_bundle": __file__}, {"client_cert": ("/nowhere.pem", None, None)}]
)
def test_files_that_are_not_what_they_should_be(options):
    with pytest.raises(SettingsError, match=r"http\.(ca_bundle|client_cert): can't read .* from "):
        Downloader(workers=1, **options)


def test_an_encrypted_key_without_its_password_asks_nobody(ca, tmp_path):
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    cert = ca.issue_cert("client@example.test")
    key = load_pem_private_key(cert.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))
    path = tmp_path / "client.pem"
    path.write_bytes(pem + cert.cert_chain_pems[0].bytes())
    with pytest.raises(SettingsError, match=r"http\.client_cert"):
        tls_context(verify=True, ca_bundle=None, client_cert=(str(path), None, None))
    assert tls_context(verify=True, ca_bundle=None, client_cert=(str(path), None, "pass"))


def test_a_shared_context_is_not_changed_any_more():
    context = shareable(ssl.create_default_context())
    context.set_alpn_protocols(["never"])
    assert "set_alpn_protocols" in vars(context)


def test_trouble_without_a_reason_is_told_as_it_is():
    assert trouble(ssl.SSLError("odd")) == "('odd',)"
    assert trouble(ssl.SSLEOFError(8, "EOF")) == "the server closed the connection in the midst of TLS"
