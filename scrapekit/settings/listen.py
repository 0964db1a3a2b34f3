"""Addresses to listen on, as ``[HOST:]PORT``."""

from __future__ import annotations

import re
from typing import NamedTuple

from scrapekit.web.urls import is_loopback

_HOST = re.compile(r"\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)")


class Listen(NamedTuple):
    """Where a server listens.

    Args:
        host: A name or an address, without brackets.
        port: 0 for one that is free.
    """

    host: str
    port: int

    @property
    def is_private(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host.lower())

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen_at(text: str) -> Listen:
    """``8080``, ``0.0.0.0:8080`` or ``[::1]:8080``; without a host, loopback. Pure.

    Raises:
        ValueError: It is none of these; the words complete ``KEY ...``.
    """
    host, colon, port = text.strip().rpartition(":")
    found = _HOST.fullmatch(host) if colon else None
    if (colon and found is None) or not (port.isascii() and port.isdigit() and int(port[:6]) <= 65_535):
        raise ValueError(f"must be PORT or HOST:PORT, such as 8080, 0.0.0.0:8080 or [::1]:8080, not {text!r}")
    return Listen("127.0.0.1" if found is None else found[1] or found[2], int(port))
