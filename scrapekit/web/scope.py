"""The :class:`Scope`: which hosts a crawl may go to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from scrapekit.errors import ConfigError, RequestInvalid
from scrapekit.web.urls import host_of

_MEMO = 65_536  # hosts whose answer is remembered


class Scope:
    """The domains that a crawl may go to, with all their subdomains. One thread may use it: the engine's.

    Args:
        domains: Bare domains; ``.example.org`` and ``*.example.org`` mean ``example.org`` too. IP addresses match
            exactly. ``None``, or ``"*"`` among them: anywhere. None at all: nowhere.

    Raises:
        ConfigError: One is a URL, has a port or is no host name.
    """

    __slots__ = ("_allowed", "_domains")

    def __init__(self, domains: Iterable[str] | None) -> None:
        if isinstance(domains, str):
            raise ConfigError(f"allowed_domains must be a list: write [{domains!r}]")
        entries = None if domains is None else list(domains)
        anywhere = entries is None or "*" in entries
        self._domains = None if anywhere else set(map(_domain, entries or ()))
        self._allowed: dict[str, bool] = {}

    def __repr__(self) -> str:
        return f"<Scope {'anywhere' if self._domains is None else ' '.join(sorted(self._domains))}>"

    def allows(self, host: str) -> bool:
        """Whether the crawl may go to ``host``, spelled as in ``Address.host``."""
        if self._domains is None:
            return True
        allowed = self._allowed.get(host)
        if allowed is None:
            if len(self._allowed) >= _MEMO:
                self._allowed.clear()
            allowed = self._allowed[host] = any(domain in self._domains for domain in with_parents(host))
        return allowed

    def add(self, host: str) -> bool:
        """Let the crawl go to ``host``, spelled as in ``Address.host``, too. Returns whether it might not before."""
        if self._domains is None or self.allows(host):
            return False
        self._domains.add(host)
        self._allowed.clear()
        return True


def _domain(entry: str) -> str:
    """One entry, checked, in the spelling of ``Address.host``."""
    bare = str(entry).strip().removeprefix("*").removeprefix(".")
    if set(bare) & set("/?#@\\"):
        raise ConfigError(f"allowed_domains: {entry!r} is a URL: write the domain only, such as 'example.org'")
    if bare.count(":") > 1 and "[" not in bare:
        bare = f"[{bare}]"  # an IPv6 address
    if ":" in bare.rpartition("]")[2]:
        raise ConfigError(f"allowed_domains: {entry!r} has a port: write the domain only, it holds for all ports")
    try:
        return host_of(f"http://{bare}/")
    except RequestInvalid as error:
        raise ConfigError(f"allowed_domains: {entry!r} is not a domain, such as 'example.org'") from error


@lru_cache(4096)
def with_parents(host: str) -> tuple[str, ...]:
    """The host name and the domains above it: ``a.b.c``, ``b.c``, ``c``."""
    labels = host.split(".")
    return tuple(".".join(labels[start:]) for start in range(len(labels)))
