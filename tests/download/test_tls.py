"""TLS: verified by default, and a refusal says what is wrong."""

import datetime as dt
import ssl
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
import trustme
from rawserver import server_context

from scrapekit.download import Downloader
from scrapekit.download.tls import shareable, tls_context, trouble
from scrapekit.errors import SettingsError, TLSError

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def test_a_valid_certificate_is_accepted_by_name_and_by_address(make_site, tls, fetch):
    assert fetch(f"{make_site(tls, host='localhost').url}/").body == b"hello"
    assert fetch(f"{make_site(tls).url}/").body == b"hello"


def test_an_expired_certificate(make_site, ca, fetch):
    site = make_site(
        server_context(ca.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO + dt.timedelta(1)))
    )
    with pytest.raises(TLSError, match=rf"^127.0.0.1:{site.port}: the certificate is not accepted: it has expired$"):
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
