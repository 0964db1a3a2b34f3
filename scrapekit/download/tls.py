"""TLS: the one context that all connections share, and what went wrong with it in words."""

from __future__ import annotations

import ssl
from typing import Any

import certifi
from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context
from urllib3.util.ssl_match_hostname import CertificateError

from scrapekit.errors import SettingsError

_CERTIFICATE = {  # by OpenSSL's X509_V_ERR_ codes
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its chain ends in a self-signed certificate that is not in the CA bundle",
    20: "its CA is not in the CA bundle",
    21: "its chain is incomplete, or its CA is not in the CA bundle",
    23: "it was revoked",
}
_WRONG_HOST = (62, 64)
_HANDSHAKE = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS on this port",
    "HTTP_REQUEST": "the server does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "the server offers only versions of TLS older than 1.2",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server refuses the versions of TLS that are offered (1.2 and later)",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server demands a client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server refused: no common cipher, or it demands a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not accept the client certificate",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know the host name",
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
            return f"the certificate is not accepted: it is for another host ({error.verify_message})"
        return f"the certificate is not accepted: {_CERTIFICATE.get(code, error.verify_message)}"
    if isinstance(error, CertificateError):
        return f"the certificate is not accepted: it is for another host ({error})"
    if isinstance(error, ssl.SSLEOFError):
        return "the server closed the connection in the midst of TLS"
    reason = getattr(error, "reason", None) or str(error)
    return _HANDSHAKE.get(reason, reason)
