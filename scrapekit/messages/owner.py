"""Whose request it is, where several spiders share a crawl: its callback is stored as ``spider:method``.

A crawl of one spider has no owners: its callbacks are stored as they are.
"""

from __future__ import annotations

from hashlib import blake2b

from msgspec.structs import replace

from scrapekit.messages.link import Link


def owned(link: Link, spider: str) -> Link:
    """The link of a request that is ``spider``'s: what one spider has seen, another one has not. Pure."""
    identity = None if link.fingerprint is None else owned_key(link.fingerprint, spider)
    return replace(link, callback=f"{spider}:{link.callback or 'parse'}", fingerprint=identity)


def owned_key(key: bytes, spider: str) -> bytes:
    """A fingerprint, or the key of an item, as it is ``spider``'s own. Pure."""
    return blake2b(key + spider.encode(), digest_size=16).digest()


def owner_of(callback: str | None) -> str:
    """The spider that a stored callback names; empty in a crawl of one. Pure."""
    return (callback or "").rpartition(":")[0]
