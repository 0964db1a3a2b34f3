"""TLS: certificates that must not be accepted, protocols that nobody should speak, and ends without an end."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

from scrapekit.testing.faults.authority import Authority
from scrapekit.testing.faults.registry import Door, fault
from scrapekit.testing.faults.talk import HTML, Talk, head, reply

_PAST, _FUTURE = datetime(2001, 1, 1, tzinfo=UTC), datetime(2201, 1, 1, tzinfo=UTC)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _expired(authority: Authority) -> ssl.SSLContext:
    return authority.issue(*_LOOPBACK, not_before=_PAST, not_after=_PAST.replace(year=2002))


def _early(authority: Authority) -> ssl.SSLContext:
    return authority.issue(*_LOOPBACK, not_before=_FUTURE, not_after=_FUTURE.replace(year=2202))


def _other_host(authority: Authority) -> ssl.SSLContext:
    return authority.issue("other.example")


def _unknown_ca(authority: Authority) -> ssl.SSLContext:
    return authority.issue(*_LOOPBACK, ca=authority.stranger())


def _self_signed(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.load(context, authority.stranger())
    return context


def _old_cipher(authority: Authority) -> ssl.SSLContext:
    context = authority.issue(*_LOOPBACK)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("NULL:@SECLEVEL=0")
    return context


def _wants_certificate(authority: Authority) -> ssl.SSLContext:
    context = authority.issue(*_LOOPBACK)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.bundle)
    return context


def _page(talk: Talk) -> None:
    talk.send(reply(talk.page))


@fault("/tls/expired", "TLSError", door=Door("https", context=_expired))
def expired(talk: Talk) -> None:
    """The certificate has expired."""
    _page(talk)


@fault("/tls/not-yet-valid", "TLSError", door=Door("https", context=_early))
def not_yet_valid(talk: Talk) -> None:
    """The certificate is not valid yet."""
    _page(talk)


@fault("/tls/wrong-host", "TLSError", door=Door("https", context=_other_host))
def wrong_host(talk: Talk) -> None:
    """The certificate is for another host."""
    _page(talk)


@fault("/tls/self-signed", "TLSError", door=Door("https", context=_self_signed))
def self_signed(talk: Talk) -> None:
    """The certificate is signed by itself."""
    _page(talk)


@fault("/tls/unknown-ca", "TLSError", door=Door("https", context=_unknown_ca))
def unknown_ca(talk: Talk) -> None:
    """The certificate is of a CA that is not in the bundle."""
    _page(talk)


@fault("/tls/old-protocol", "TLSError", door=Door("https", "raw"))
def old_protocol(talk: Talk) -> None:
    """The server speaks TLS 1.0 and nothing newer."""
    talk.sock.recv(65_536)
    # A ServerHello by hand, because not every OpenSSL can be talked into a protocol that old.
    talk.send(b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01", bytes(32), b"\x00\x00\x2f\x00")
    talk.hang()


@fault("/tls/null-cipher", "TLSError", door=Door("https", context=_old_cipher))
def null_cipher(talk: Talk) -> None:
    """The server offers ciphers that encrypt nothing, and no other."""
    _page(talk)


@fault("/tls/wants-certificate", "TLSError", door=Door("https", context=_wants_certificate))
def wants_certificate(talk: Talk) -> None:
    """The server demands a client certificate, and there is none."""
    _page(talk)


@fault("/tls/plain-text", "TLSError", door=Door("https", "raw"))
def plain_text(talk: Talk) -> None:
    """The server speaks plain HTTP on a port that was asked for TLS."""
    talk.sock.recv(65_536)
    talk.send(reply(b"", status="400 Bad Request"))
    talk.hang()


@fault("/tls/garbage", "TLSError", door=Door("https", "raw"))
def garbage(talk: Talk) -> None:
    """The server answers the handshake with noise."""
    talk.sock.recv(65_536)
    talk.send(bytes(range(256)) * 4)
    talk.hang()


@fault("/tls/alert", "TLSError", door=Door("https", "raw"))
def alert(talk: Talk) -> None:
    """The server answers the handshake with a fatal alert, internal_error."""
    talk.sock.recv(65_536)
    talk.send(b"\x15\x03\x03\x00\x02\x02\x50")
    talk.hang()


@fault("/tls/closed-in-handshake", "TLSError", door=Door("https", "raw"))
def closed_in_handshake(talk: Talk) -> None:
    """The connection is closed in the handshake."""
    talk.sock.recv(65_536)
    talk.close()


@fault("/tls/cut-body", "ok, flag unclean_close", door=Door("https"))
def cut_body(talk: Talk) -> None:
    """A body that ends with the connection, which ends without TLS's own end: whoever cut it may have cut the body."""
    talk.send(head(HTML), talk.page)
    talk.cut()


@fault("/tls/cut-after-body", "ok", door=Door("https"))
def cut_after_body(talk: Talk) -> None:
    """A body with a length, and the connection ends without TLS's own end."""
    talk.send(reply(talk.page, "Connection: close"))
    talk.cut()
