"""Pools: reused, bounded, never evicted in use."""

import gc
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from rawserver import assert_slots_are_free, reply

from scrapekit.download import HostStats, PoolStats
from scrapekit.download.exchange import Exchange


@pytest.fixture
def many(plain, make):
    """A downloader for which every host name is the plain site."""

    def resolve(host, port):
        return socket.getaddrinfo("127.0.0.1", plain.port, type=socket.SOCK_STREAM)

    return lambda **options: make(resolve=resolve, **options)


def test_idle_pools_over_the_limit_are_closed(plain, many, fetch):
    downloader = many(num_pools=3)
    for n in range(10):
        assert fetch(f"http://h{n}.test/", using=downloader, host=f"h{n}.test").body == b"hello"
    stats = downloader.stats()
    assert (stats.pools, stats.requests, stats.opened, stats.reused) == (3, 10, 10, 0)
    assert list(stats.hosts) == ["h7.test", "h8.test", "h9.test"]


def test_the_pool_used_longest_ago_goes_first(many, fetch):
    downloader = many(num_pools=2)
    for host in ("a", "b", "a", "c"):
        fetch(f"http://{host}.test/", using=downloader, host=host)
    assert list(downloader.stats().hosts) == ["a", "c"]


def test_a_pool_in_use_is_never_evicted(plain, many, fetch):
    """Else a second pool for its host could be opened, and maxsize would not hold."""
    begun, go_on = threading.Event(), threading.Event()

    def held(talk):
        begun.set()
        go_on.wait(10)
        talk.send(reply("held"))

    plain.routes["/held"] = held
    downloader = many(num_pools=1)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(fetch, "http://busy.test/held", using=downloader, host="busy", maxsize=1)
        begun.wait(10)
        for n in range(3):
            fetch(f"http://h{n}.test/", using=downloader, host=f"h{n}")
        second = threads.submit(fetch, "http://busy.test/", using=downloader, host="busy", maxsize=1)
        while downloader.stats().hosts["busy"].waiting == 0:
            assert not second.done()
        assert downloader.stats().hosts["busy"] == HostStats(opened=0, maxsize=1, in_use=1, waiting=1)
        go_on.set()
        assert first.result().body == b"held"
        assert second.result().body == b"hello"
    stats = downloader.stats()
    assert stats.hosts["busy"] == HostStats(requests=2, opened=1, reused=1, maxsize=1)
    fetch("http://next.test/", using=downloader, host="next")
    assert list(downloader.stats().hosts) == ["next"]


def test_memory_is_flat_over_ten_thousand_hosts(make, monkeypatch):
    """No network: what is kept for each host is what counts."""
    downloader = make(num_pools=50)
    pools = downloader._pools
    sizes = []
    for n in range(10_000):
        exchange = Exchange(downloader._terms, 60)
        exchange.opened = 1
        pool = pools.acquire(exchange, f"http://h{n}.test", f"h{n}.test", 8, None)
        pools.release(pool, exchange)
        if n in (999, 9_999):
            del pool
            gc.collect()
            sizes.append(
                sum(
                    isinstance(one, socket.socket | type(pools)) or "Pool" in type(one).__name__
                    for one in gc.get_objects()
                )
            )
    assert sizes[0] == sizes[1]
    stats = downloader.stats()
    assert (stats.pools, len(stats.hosts), stats.requests, stats.opened) == (50, 50, 10_000, 10_000)


def test_maxsize_holds_per_origin(plain, make_site, fetch, downloader):
    open_now, most, lock = {}, {}, threading.Lock()

    def counted(talk):
        with lock:
            open_now[talk.site.port] = open_now.get(talk.site.port, 0) + 1
            most[talk.site.port] = max(most.get(talk.site.port, 0), open_now[talk.site.port])
        talk.site.closing.wait(0.005)
        with lock:
            open_now[talk.site.port] -= 1
        talk.send(reply("ok"))

    sites = [plain, make_site(host="127.0.0.2"), make_site(host="localhost")]
    limits = [1, 2, 3]
    for site in sites:
        site.routes["/"] = counted
    with ThreadPoolExecutor(16) as threads:
        jobs = [
            threads.submit(fetch, f"{site.url}/", host=site.host, maxsize=limit)
            for _ in range(20)
            for site, limit in zip(sites, limits, strict=True)
        ]
        assert all(job.result().body == b"ok" for job in jobs)
    assert [most[site.port] for site in sites] == limits
    assert [site.accepted for site in sites] == limits
    assert {host: numbers.opened for host, numbers in downloader.stats().hosts.items()} == {
        "127.0.0.1": 1,
        "127.0.0.2": 2,
        "localhost": 3,
    }


def test_stats_add_up_over_the_origins_of_a_host(plain, make_site, tls, fetch, downloader):
    other = make_site(tls)
    fetch(f"{plain.url}/", host="127.0.0.1", maxsize=2)
    fetch(f"{other.url}/", host="127.0.0.1", maxsize=3)
    fetch(f"{other.url}/", host="127.0.0.1", maxsize=3)
    both = HostStats(requests=3, opened=2, reused=1, maxsize=5)
    assert downloader.stats() == PoolStats(
        requests=3, opened=2, reused=1, maxsize=5, pools=2, hosts={"127.0.0.1": both}
    )


def test_stats_of_processes_add_up():
    parts = [
        PoolStats(requests=2, opened=1, pools=1, hosts={"a": HostStats(requests=2, opened=1)}),
        PoolStats(
            requests=3, opened=2, pools=2, hosts={"a": HostStats(requests=1), "b": HostStats(requests=2, opened=2)}
        ),
    ]
    hosts = {"a": HostStats(requests=3, opened=1), "b": HostStats(requests=2, opened=2)}
    assert PoolStats.sum(parts) == PoolStats(requests=5, opened=3, pools=3, hosts=hosts)


def test_a_failed_connection_is_not_counted_as_opened(fetch, downloader):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Exception, match="no connection"):
        fetch(f"http://127.0.0.1:{port}/")
    assert (downloader.stats().requests, downloader.stats().opened) == (1, 0)
    assert_slots_are_free(downloader)


def test_a_connection_that_comes_back_while_its_pool_closes_is_closed(plain, make, fetch):
    """Between the look whether the pool is open and the put, close() may have emptied it."""
    downloader = make()
    fetch(f"{plain.url}/", using=downloader)
    [pool] = downloader._pools.pools.values()
    slots = pool.pool
    conn = slots.get()

    class Closing:
        def put(self, conn, block):
            slots.put(conn)
            pool.pool = None

    pool.pool = Closing()
    pool._put_conn(conn)
    assert conn.sock is None
    pool.pool = slots
