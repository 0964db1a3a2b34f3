"""The pools: one blocking, thread-safe urllib3 PoolManager whose pools in use are never evicted."""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from itertools import islice
from operator import itemgetter
from ssl import SSLContext
from threading import RLock
from typing import Any, cast

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.exceptions import ClosedPoolError
from urllib3.util import parse_url

from scrapekit.download.connection import PlainConnection, TLSConnection
from scrapekit.download.exchange import Exchange
from scrapekit.download.proxies import Proxy
from scrapekit.download.socks import Socks
from scrapekit.download.stats import HostStats, PoolStats


class _Pool(HTTPConnectionPool):
    """The connections of one origin, or of one proxy for all plain HTTP origins."""

    ConnectionCls = PlainConnection

    def __init__(self, *args: Any, key: tuple[str, str], label: str, socks: Socks | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key = key
        self.label = label
        self.socks = socks
        self.maxsize: int = kwargs["maxsize"]
        self.exchanges: set[Exchange] = set()  # guarded by the manager's lock, like the next
        self.counts: Counter[str] = Counter()

    def _get_conn(self, timeout: Any = None) -> Any:
        """A connection for the exchange, which urlopen() passes on as its ``pool_timeout``."""
        exchange: Exchange = timeout
        conn: Any = super()._get_conn(min(exchange.terms.slot, exchange.remaining()))
        conn.exchange, conn.socks = exchange, self.socks
        if exchange.fresh:
            conn.close()
        exchange.reused = conn.sock is not None
        exchange.watch(conn.sock)
        if self.pool is None:  # closed while we waited for a slot
            conn.close()
            raise ClosedPoolError(self, "the downloader is closed")
        exchange.phase = "sending the request"
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None and conn.exchange.extra:
            conn.close()
        super()._put_conn(conn)
        if conn is not None and self.pool is None:  # the pool was closed while this went into it: nobody else will
            conn.close()

    def stats(self) -> HostStats:
        """Its numbers; with the manager's lock held."""
        slots = self.pool
        in_use = self.maxsize - slots.qsize() if slots is not None else 0
        waiting = max(len(self.exchanges) - in_use, 0)
        return HostStats(**self.counts, maxsize=self.maxsize, in_use=in_use, waiting=waiting)


class _TLSPool(_Pool, HTTPSConnectionPool):
    """The TLS connections of one origin."""

    ConnectionCls = TLSConnection

    def _validate_conn(self, conn: Any) -> None:
        """Connect, without urllib3's warning per connection: an unverified downloader has warned once."""
        if conn.is_closed:
            conn.connect()


class _Shelf(OrderedDict[Any, _Pool]):
    """The open pools, the one used last at the end; a mapping with a lock, as PoolManager wants it.

    The lock guards the mapping, and each pool's ``exchanges`` and ``counts``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lock = RLock()


class Pools(PoolManager):
    """A PoolManager that blocks, never evicts a pool in use, and counts. Any thread.

    Args:
        num_pools: Pools that stay open. Over that, the idle one that was used longest ago is closed; pools in use never
            are, so that there may be more for a while.
        fingerprints: Certificate fingerprints by host name.
        server_hostnames: By host name, the name to ask for by SNI and to verify instead.
        context: The SSLContext of all TLS connections; called with the lock held.
        options: For urllib3's pools and connections.
    """

    def __init__(
        self,
        num_pools: int,
        fingerprints: Mapping[str, str],
        server_hostnames: Mapping[str, str],
        context: Callable[[], SSLContext],
        **options: Any,
    ) -> None:
        super().__init__(num_pools=sys.maxsize, block=True, **options)
        self.num_pools = num_pools
        self.fingerprints = fingerprints
        self.server_hostnames = server_hostnames
        self.context = context
        self.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        self.key_fn_by_scheme = dict.fromkeys(("http", "https"), itemgetter("key"))  # type: ignore[arg-type]  # any key will do
        self.pools: _Shelf = _Shelf()  # type: ignore[assignment]  # urllib3's evicts pools that are in use
        self.closed = False
        self._past: Counter[str] = Counter()  # of pools that are closed

    def acquire(self, exchange: Exchange, origin: str, host: str, maxsize: int, proxy: Proxy | None) -> _Pool:
        """The pool that reaches ``origin``, which stays open until :meth:`release`.

        Args:
            exchange: What it is for.
            origin: ``scheme://host[:port]``, lower case.
            host: What it is counted under.
            maxsize: Connections that the pool may hold; fixed when the pool is opened.
            proxy: The way there, if not direct.

        Raises:
            ClosedPoolError: After :meth:`close`.
        """
        # A proxy that forwards plain HTTP has connections that all its origins share; others have their own tunnels.
        key = ("" if proxy is not None and proxy.forwards(origin) else origin, "" if proxy is None else proxy.url)
        idle: list[_Pool] = []
        with self.pools.lock:
            if self.closed:
                raise ClosedPoolError(None, "the downloader is closed")  # type: ignore[arg-type]  # only printed
            pool = self.pools.get(key)
            if pool is None:
                pool = self._open(key, host, maxsize, proxy)
                pool.exchanges.add(exchange)
                idle = self._evict()
            else:
                pool.exchanges.add(exchange)
                self.pools.move_to_end(key)
        for one in idle:
            one.close()
        return pool

    def release(self, pool: _Pool, exchange: Exchange) -> None:
        """Say that ``exchange`` is over; ``pool`` may be closed once it has no other."""
        with self.pools.lock:
            pool.exchanges.remove(exchange)
            counts = self._past if self.closed else pool.counts
            counts["requests"] += 1
            counts["opened"] += exchange.opened
            counts["reused"] += exchange.reused
            counts["retried"] += exchange.fresh

    def stats(self) -> PoolStats:
        """The numbers of this moment."""
        with self.pools.lock:
            shelf = [(pool.label, pool.stats()) for pool in self.pools.values()]
            total = PoolStats(pools=len(shelf))
            total.add(HostStats(**self._past))
        for label, numbers in shelf:
            total.add(numbers)
            total.hosts.setdefault(label, HostStats()).add(numbers)
        return total

    def close(self) -> None:
        """Close all pools, and break what is in flight: its threads come back soon."""
        with self.pools.lock:
            self.closed = True
            pools = [(pool, pool.pool, list(pool.exchanges)) for pool in self.pools.values()]
            for pool, _, _ in pools:
                self._past.update(pool.counts)
            self.pools.clear()
        for pool, slots, exchanges in pools:
            pool.close()
            for exchange in exchanges:
                exchange.abort()
            slots.maxsize = 0  # type: ignore[union-attr]  # no bound, so that each thread that waits can be woken
            for _ in exchanges:
                slots.put(None)  # type: ignore[union-attr]  # only a closed pool has none

    def _open(self, key: tuple[str, str], host: str, maxsize: int, proxy: Proxy | None) -> _Pool:
        """Open the pool for ``key``; with the lock held."""
        options: dict[str, Any] = {"key": key, "label": host, "maxsize": maxsize}
        if proxy is not None:
            options |= proxy.options
            options["socks"] = proxy.socks
        if host in self.fingerprints:
            options["assert_fingerprint"] = self.fingerprints[host]
        if host in self.server_hostnames:
            options["server_hostname"] = options["assert_hostname"] = self.server_hostnames[host]
        if proxy is not None and not key[0]:
            options["label"] = f"proxy {proxy.place}"
            target = parse_url(proxy.url)
        else:
            target = parse_url(key[0])
        if target.scheme == "https":
            options["ssl_context"] = self.context()  # and never ca_certs: not thread-safe (urllib3 issue 3036)
        pool = self.connection_from_host(target.host, target.port, target.scheme, pool_kwargs=options)
        return cast("_Pool", pool)

    def _evict(self) -> list[_Pool]:
        """Take out the idle pools over the limit that were used longest ago; with the lock held."""
        excess = max(len(self.pools) - self.num_pools, 0)
        idle = list(islice((pool for pool in self.pools.values() if not pool.exchanges), excess))
        for pool in idle:
            del self.pools[pool.key]
            self._past.update(pool.counts)
        return idle
