"""The certificates of the fault server: a CA of its own, made by trustme when it is first needed."""

from __future__ import annotations

import ssl
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import trustme


class Authority:
    """A CA that nobody knows, and what it and others sign. Of one thread at a time.

    Raises:
        RuntimeError: trustme is not installed.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="scrapekit-faults-")

    @cached_property
    def ca(self) -> trustme.CA:
        """The CA."""
        made: trustme.CA = _trustme().CA()
        return made

    @cached_property
    def bundle(self) -> str:
        """Path of a PEM file with its certificate: for the setting ``http.ca_bundle``."""
        path = Path(self._folder.name, "ca.pem")
        self.ca.cert_pem.write_to_path(str(path))
        return str(path)

    @cached_property
    def context(self) -> ssl.SSLContext:
        """As it should be: TLS 1.2 and later, a certificate for loopback."""
        return self.issue("127.0.0.1", "::1", "localhost")

    def issue(self, *names: str, ca: Any = None, **options: Any) -> ssl.SSLContext:
        """A server's TLS with a certificate for ``names``; ``options`` are those of trustme."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (ca or self.ca).issue_cert(*names, **options).configure_cert(context)
        return context

    def stranger(self) -> trustme.CA:
        """Another CA, that is in no bundle."""
        made: trustme.CA = _trustme().CA(organization_name="a stranger")
        return made

    def load(self, context: ssl.SSLContext, ca: trustme.CA) -> None:
        """Let ``context`` show the certificate of ``ca`` itself."""
        path = Path(self._folder.name, "itself.pem")
        ca.private_key_pem.write_to_path(str(path))
        ca.cert_pem.write_to_path(str(path), append=True)
        context.load_cert_chain(path)

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()


def _trustme() -> Any:
    try:
        import trustme  # noqa: PLC0415  (only who wants TLS needs it)
    except ImportError as error:
        raise RuntimeError("the fault server needs trustme for TLS: pip install trustme") from error
    return trustme
