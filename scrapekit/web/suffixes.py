"""Public suffixes: where the domains of one owner end (publicsuffix.org). Pure; any thread."""

from __future__ import annotations

from functools import cache
from typing import Any


def is_public_suffix(domain: str) -> bool:
    """Whether ``domain`` belongs to nobody in particular, such as ``co.uk``, or is an address and no domain at all."""
    return bool(_suffixes().is_public(domain)) or _is_address(domain)


def same_site(one: str, other: str) -> bool:
    """Whether two hosts are of one registrable domain, as ``www.example.org`` and ``example.org`` are."""
    if one == other:
        return True
    if _is_address(one) or _is_address(other):
        return False
    site = _suffixes().privatesuffix(one)
    return site is not None and site == _suffixes().privatesuffix(other)


def _is_address(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()


@cache
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  (it takes 30 ms to load, most crawls never ask)

    return PublicSuffixList()
