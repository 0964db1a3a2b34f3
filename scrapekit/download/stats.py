"""Statistics of the pools: how many connections were opened, and how often one was used again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class HostStats:
    """The connections of one host, or of all. Counts since the start, but for the last three, which are of now.

    Args:
        requests: Exchanges that ended, well or not.
        opened: Connections opened.
        reused: Responses that came over a connection that had served before.
        retried: Requests sent again at once because the server had closed an idle connection.
        maxsize: Connections that may be open at a time.
        in_use: Connections that serve a request.
        waiting: Threads that wait for a connection.
    """

    requests: int = 0
    opened: int = 0
    reused: int = 0
    retried: int = 0
    maxsize: int = 0
    in_use: int = 0
    waiting: int = 0

    def add(self, other: HostStats) -> None:
        """Count ``other`` in."""
        for name in HostStats.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class PoolStats(HostStats):
    """The sum over all hosts, also of those whose pools were closed meanwhile.

    Args:
        pools: Pools that are open.
        hosts: The hosts whose pools are open: memory stays flat over any number of hosts.
    """

    pools: int = 0
    hosts: dict[str, HostStats] = field(default_factory=dict)

    def counts(self) -> PoolStats:
        """What it counts since the start, without what is of now: all that is left of pools that are gone."""
        return PoolStats(self.requests, self.opened, self.reused, self.retried)

    @classmethod
    def sum(cls, parts: Iterable[PoolStats]) -> PoolStats:
        """The statistics of several processes as one."""
        total = cls()
        for part in parts:
            total.add(part)
            total.pools += part.pools
            for host, stats in part.hosts.items():
                total.hosts.setdefault(host, HostStats()).add(stats)
        return total
