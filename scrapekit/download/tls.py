"""TLS: the one context that all connections share, and what went wrong with it in words."""

from __future__ import annotations

import ssl
from typing import Any

import certifi
from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context
from urllib3.util.ssl_match_hostname import CertificateError

from scrapekit.errors import SettingsError

_TRUST = "if you trust it, name a file with it in http.ca_bundle"
_CERTIFICATE = {  # by OpenSSL's X509_V_ERR_ codes
    9: "it is not valid yet: is the clock of this machine right?",
    10: "it has expired: its owner has to renew it",
    18: f"it is self-signed: {_TRUST}",
    19: f"its chain ends in a self-signed certificate that is not in the CA bundle: {_TRUST}",
    20: f"its CA is not in the CA bundle: {_TRUST}",
    21: f"its chain is incomplete, or its CA is not in the CA bundle: {_TRUST}",
    23: "it was revoked: its owner has to replace it",
}
_WRONG_HOST = (62, 64)
_OTHER_NAME = "if that is right, say which name in http.server_hostnames"
_PLAIN = "the server does not speak TLS on this port: try http:// or another port"
_OLD = "to speak it, let the spider's ssl_context() allow it"
_OWN = "set http.client_cert"
_HANDSHAKE = {
    "WRONG_VERSION_NUMBER": _PLAIN,
    "RECORD_LAYER_FAILURE": _PLAIN,
    "PACKET_LENGTH_TOO_LONG": _PLAIN,
    "HTTP_REQUEST": _PLAIN,
    "UNSUPPORTED_PROTOCOL": f"the server offers only versions of TLS older than 1.2: {_OLD}",
    "TLSV1_ALERT_PROTOCOL_VERSION": f"the server refuses the versions of TLS that are offered, 1.2 and later: {_OLD}",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": f"the server demands a client certificate: {_OWN}",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        f"the server refused: it demands a client certificate ({_OWN}), or has no cipher in common with us"
    ),
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not accept the client certificate: see http.client_cert",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know the host name: http.server_hostnames may give another one",
}


def tls_context(
    *, verify: bool, ca_bundle: str | None, client_cert: tuple[str, str | None, str | None] | None
) -> ssl.SSLContext:
    """The context that connections are made with: TLS 1.2 and later.

    Args:
        verify: Whether certificates must be valid for the host.
        ca_bundle: Path of a PEM file of CA certificates; None for certifi's.
        client_cert: Paths of the PEM files of certificate and key (None: in the same file), and the key's password.

    Raises:
        SettingsError: A file can't be read or does not hold what it should.
    """
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE)
    if verify:
        try:
            context.load_verify_locations(ca_bundle or certifi.where())
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"http.ca_bundle: can't read CA certificates from {ca_bundle}: {error}") from error
    if client_cert is not None:
        certificate, key, password = client_cert
        try:
            # A callable, because OpenSSL would ask on the terminal for the password that it misses.
            context.load_cert_chain(certificate, key, lambda: password or "")
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"http.client_cert: can't read a certificate and its key from {certificate}: {error}"
            ) from error
    return shareable(context)


def shareable(context: ssl.SSLContext) -> ssl.SSLContext:
    """``context`` itself, made safe to be shared by threads.

    urllib3 sets the ALPN protocols before each handshake. That frees memory which another thread's handshake may be
    copying at that moment, because CPython lets go of the GIL there. So they are set once, and then no more.
    """
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    context.set_alpn_protocols = lambda alpn_protocols: None  # type: ignore[method-assign]  # noqa: ARG005
    return context


def trouble(error: Any) -> str:
    """What is wrong, in words, for an error of ssl, or of urllib3 about a certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        if code in _WRONG_HOST:
            return f"the certificate is not accepted: it is for another host ({error.verify_message}): {_OTHER_NAME}"
        return f"the certificate is not accepted: {_CERTIFICATE.get(code, error.verify_message)}"
    if isinstance(error, CertificateError):
        return f"the certificate is not accepted: it is for another host ({error}): {_OTHER_NAME}"
    if isinstance(error, ssl.SSLEOFError):
        return "the server closed the connection in the midst of TLS"
    reason = getattr(error, "reason", None)
    if reason is None:
        words = str(error)
        return f"{words}: see http.fingerprints" if words.startswith("Fingerprints did not match") else words
    return _HANDSHAKE.get(reason, f"what the server says is not TLS as it should be: {reason}")
