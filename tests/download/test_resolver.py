"""The resolver: cached, shared, and never waited for longer than there is time."""

import errno
import gc
import random
import socket
import threading
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rawserver import reply

from scrapekit.download import resolver as resolver_module
from scrapekit.download.resolver import Resolver, by_turns, literal
from scrapekit.errors import ConnectError, DeadlineExceeded, DNSError, DownloadError, ProxyError

GUARD = 30  # seconds after which a test that hangs fails


def v4(address, port=80):
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))


def v6(address, port=80):
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))


def to(port):
    """A look-up that leads every name to a site on loopback, and counts."""

    def lookup(host, at):
        lookup.asked.append((host, at))
        return [v4("127.0.0.1", port)]

    lookup.asked = []
    return lookup


class Stuck:
    """A look-up that answers names that begin with ``stuck`` only when it is told to."""

    def __init__(self):
        self.go_on = threading.Event()
        self.asked = []
        self.begun = threading.Semaphore(0)

    def __call__(self, host, port):
        self.asked.append(host)
        self.begun.release()
        if host.startswith("stuck"):
            assert self.go_on.wait(GUARD)
        return [v4("127.0.0.1", port)]


@pytest.fixture
def stuck():
    made = Stuck()
    yield made
    made.go_on.set()


@pytest.fixture
def make_resolver():
    made = []

    def make(*args, **kwargs):
        made.append(Resolver(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


def later(seconds=GUARD):
    return monotonic() + seconds


def resolver_threads():
    return [thread for thread in threading.enumerate() if thread.name == "scrapekit-resolver"]


def wait_for_no_thread():
    for thread in resolver_threads():
        thread.join(GUARD)
        assert not thread.is_alive()


def test_an_answer_is_good_for_its_time(make_resolver):
    lookup = to(80)
    resolver = make_resolver(lookup)
    for _ in range(3):
        assert resolver.addresses("h.test", 80, later()) == [v4("127.0.0.1")]
    assert lookup.asked == [("h.test", 80)]
    resolver.addresses("h.test", 443, later())
    resolver.addresses("i.test", 80, later())
    assert lookup.asked == [("h.test", 80), ("h.test", 443), ("i.test", 80)]
    assert repr(resolver) == "<Resolver: 3 known, 0 asked, 0 threads>"


def test_without_a_ttl_nothing_is_remembered(make_resolver):
    lookup = to(80)
    resolver = make_resolver(lookup, ttl=0)
    for _ in range(3):
        resolver.addresses("h.test", 80, later())
    assert len(lookup.asked) == 3


@pytest.mark.parametrize(("code", "lookups"), [(socket.EAI_NONAME, 1), (socket.EAI_AGAIN, 3)], ids=["unknown", "again"])
def test_that_a_name_is_unknown_is_remembered_and_a_passing_trouble_is_not(make_resolver, code, lookups):
    asked = []

    def lookup(host, port):
        asked.append(host)
        raise socket.gaierror(code, "no luck")

    resolver = make_resolver(lookup)
    for _ in range(3):
        with pytest.raises(socket.gaierror, match="no luck") as caught:
            resolver.addresses("h.test", 80, later())
        assert caught.value.errno == code
    assert len(asked) == lookups


@pytest.mark.parametrize("trouble", ["again", "silence", "a bug"])
def test_a_name_that_was_known_stays_so_while_the_resolver_is_in_trouble(make_resolver, stuck, trouble):
    troubles = {
        "again": socket.gaierror(socket.EAI_AGAIN, "no name server"),
        "silence": None,
        "a bug": ZeroDivisionError(),
    }
    answers = [[v4("127.0.0.1")]]

    def lookup(host, port):
        if answers:
            return answers.pop()
        if troubles[trouble] is None:
            return stuck("stuck", port)
        raise troubles[trouble]

    resolver = make_resolver(lookup, ttl=0, timeout=0.05)
    for _ in range(3):
        assert resolver.addresses("h.test", 80, later()) == [v4("127.0.0.1")]
    resolver.forget("h.test", 80)  # for no connection came of them
    with pytest.raises(socket.gaierror):
        resolver.addresses("h.test", 80, later())


def test_a_name_that_is_gone_is_not_known_any_more(make_resolver):
    answers = [socket.gaierror(socket.EAI_NONAME, "gone"), None]

    def lookup(host, port):
        if (answer := answers.pop()) is not None:
            raise answer
        return [v4("127.0.0.1")]

    resolver = make_resolver(lookup, ttl=0)
    resolver.addresses("h.test", 80, later())
    with pytest.raises(socket.gaierror, match="gone"):
        resolver.addresses("h.test", 80, later())


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda *_: [], "has no address"),
        (lambda *_: None, "TypeError"),
        (lambda *_: 1 / 0, "ZeroDivisionError"),
        (lambda *_: (_ for _ in ()).throw(socket.gaierror("odd")), "odd"),
    ],
    ids=["none", "not a list", "raises", "without a number"],
)
def test_whatever_the_look_up_does_is_an_error_of_its_own(make_resolver, broken, words):
    resolver = make_resolver(broken)
    for _ in range(2):
        with pytest.raises(socket.gaierror, match=words):
            resolver.addresses("h.test", 80, later())
    wait_for_no_thread()


def test_a_remembered_error_keeps_nothing_alive(make_resolver):
    """One error that is raised again and again would collect the frames of all who got it."""

    class Big:
        pass

    resolver = make_resolver(lambda *_: [])

    def run():
        big = Big()
        with pytest.raises(socket.gaierror):
            resolver.addresses("h.test", 80, later())
        return weakref.ref(big)

    gone = run()
    gc.collect()
    assert gone() is None


def test_memory_is_bounded(make_resolver, monkeypatch):
    monkeypatch.setattr(resolver_module, "_NAMES", 10)
    resolver = make_resolver(to(80))
    for n in range(30):
        resolver.addresses(f"h{n}.test", 80, later())
        resolver.failed(("127.0.0.1", n))
    assert len(resolver._answers) == len(resolver._failed) == 10


def test_addresses_are_looked_up_by_nobody(make_resolver):
    lookup = to(80)
    resolver = make_resolver(lookup)
    for host in ("127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433"):
        [(family, *_, address)] = resolver.addresses(host, 80, later())
        assert (family, address) == (socket.AF_INET, ("127.0.0.1", 80))
    assert resolver.addresses("::1", 80, later())[0][4][0] == "::1"
    assert literal("label." + "x" * 70, 80) == ()
    assert lookup.asked == []


def test_one_look_up_serves_all_that_ask_meanwhile(make_resolver, stuck):
    resolver = make_resolver(stuck, timeout=GUARD)
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(resolver.addresses, "stuck.test", 80, later()) for _ in range(8)]
        assert stuck.begun.acquire(timeout=GUARD)
        assert not any(one.done() for one in waiting)
        stuck.go_on.set()
        assert [one.result(GUARD) for one in waiting] == [[v4("127.0.0.1")]] * 8
    assert stuck.asked == ["stuck.test"]
    wait_for_no_thread()


def test_a_late_answer_is_kept_for_the_next(make_resolver, stuck):
    resolver = make_resolver(stuck, timeout=0.05)
    for _ in range(3):
        with pytest.raises(socket.gaierror, match=r"no answer from the resolver within 0\.05 s"):
            resolver.addresses("stuck.test", 80, later())
    assert stuck.asked == ["stuck.test"]
    assert len(resolver_threads()) == 1
    stuck.go_on.set()
    wait_for_no_thread()
    assert resolver.addresses("stuck.test", 80, later()) == [v4("127.0.0.1")]
    assert stuck.asked == ["stuck.test"]


def test_the_end_of_the_time_is_told_apart_from_a_silent_resolver(make_resolver, stuck):
    resolver = make_resolver(stuck)
    with pytest.raises(TimeoutError):
        resolver.addresses("stuck.test", 80, later(0.05))
    with pytest.raises(TimeoutError):
        resolver.addresses("stuck2.test", 80, later(-1))


def test_names_without_an_answer_do_not_stop_the_others(make_resolver, stuck):
    """More of them than threads: each is left behind, and its place is free again."""
    resolver = make_resolver(stuck, timeout=0.05)
    for n in range(3 * resolver_module._THREADS):
        with pytest.raises(socket.gaierror):
            resolver.addresses(f"stuck{n}.test", 80, later())
    resolver._timeout = GUARD
    assert resolver.addresses("good.test", 80, later()) == [v4("127.0.0.1")]
    assert len(resolver_threads()) == 3 * resolver_module._THREADS
    stuck.go_on.set()
    wait_for_no_thread()


def test_threads_are_bounded_and_names_wait_for_their_turn(make_resolver, stuck, monkeypatch):
    monkeypatch.setattr(resolver_module, "_THREADS", 2)
    resolver = make_resolver(stuck, timeout=GUARD)
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(resolver.addresses, f"stuck{n}.test", 80, later()) for n in range(8)]
        for _ in range(2):
            assert stuck.begun.acquire(timeout=GUARD)
        with pytest.raises(TimeoutError):  # it never had a turn, and waits for none any more
            resolver.addresses("h.test", 80, later(0.05))
        assert len(resolver_threads()) == 2
        stuck.go_on.set()
        for one in waiting:
            assert one.result(GUARD) == [v4("127.0.0.1")]
    assert "h.test" not in stuck.asked
    assert len(stuck.asked) == 8
    wait_for_no_thread()


def test_there_is_a_last_thread(make_resolver, stuck, monkeypatch):
    monkeypatch.setattr(resolver_module, "_STUCK", 3)
    resolver = make_resolver(stuck, timeout=0.05)
    for n in range(5):
        with pytest.raises(socket.gaierror):
            resolver.addresses(f"stuck{n}.test", 80, later())
    assert len(resolver_threads()) == 3
    stuck.go_on.set()
    wait_for_no_thread()
    resolver._timeout = GUARD
    assert resolver.addresses("good.test", 80, later()) == [v4("127.0.0.1")]


def test_a_process_that_may_have_no_more_threads(make_resolver, monkeypatch):
    resolver = make_resolver(to(80), timeout=0.05)

    def full(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch, pytest.raises(socket.gaierror, match="no answer"):
        patch.setattr(resolver_module.Thread, "start", full)
        resolver.addresses("h.test", 80, later())
    resolver._timeout = GUARD
    assert resolver.addresses("h.test", 80, later()) == [v4("127.0.0.1")]


def test_closing_wakes_all_that_wait(make_resolver, stuck, monkeypatch):
    monkeypatch.setattr(resolver_module, "_THREADS", 1)
    resolver = make_resolver(stuck, timeout=GUARD)
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(resolver.addresses, f"stuck{n}.test", 80, later()) for n in range(2)]
        assert stuck.begun.acquire(timeout=GUARD)
        while len(resolver._lookups) < 2:
            pass
        resolver.close()
        for one in waiting:
            assert "closed" in str(one.exception(GUARD))
    with pytest.raises(socket.gaierror, match="closed"):
        resolver.addresses("h.test", 80, later())
    stuck.go_on.set()
    wait_for_no_thread()
    assert len(stuck.asked) == 1


def test_families_take_turns():
    given_addresses = [v6("2001:db8::1"), v6("2001:db8::2"), v6("2001:db8::3"), v4("192.0.2.1")]
    assert by_turns(given_addresses) == [given_addresses[n] for n in (0, 3, 1, 2)]


@given(st.lists(st.tuples(st.sampled_from([2, 10]), st.integers())))
def test_turns_lose_nothing_and_keep_each_familys_order(addresses):
    turned = by_turns(addresses)
    for family in (2, 10):
        assert [one for one in turned if one[0] == family] == [one for one in addresses if one[0] == family]
    assert len(turned) == len(addresses)


def test_what_fails_is_tried_last_until_it_works(make_resolver):
    a, b, c = v4("192.0.2.1"), v4("192.0.2.2"), v4("192.0.2.3")
    resolver = make_resolver(lambda *_: [a, b, c])

    def order():
        return resolver.addresses("h.test", 80, later())

    resolver.failed(a[4])
    assert order() == [b, c, a]
    resolver.failed(b[4])
    assert order() == [c, a, b]
    resolver.worked(a[4], socket.AF_INET, ())
    assert order() == [a, c, b]


# Through a downloader.


def test_an_address_that_refuses_is_tried_last_next_time(make_site, make, fetch, monkeypatch):
    """IPv6 first, where nobody listens: it costs the first connection an attempt, and no later one."""
    site = make_site()
    site.routes["/"] = reply("ok", "Connection: close")
    tried = []
    connect = socket.socket.connect

    class Watched(socket.socket):
        def connect(self, address):
            tried.append(address[0])
            return connect(self, address)

    monkeypatch.setattr("scrapekit.download.connection.socket.socket", Watched)
    downloader = make(resolve=lambda *_: [v6("::1", site.port), v4("127.0.0.1", site.port)])
    for _ in range(3):
        assert fetch("http://both.test/", using=downloader).body == b"ok"
    assert tried == ["::1", "127.0.0.1", "127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("trouble", "second"),
    [(OSError(errno.ENETUNREACH, "Network is unreachable"), ["127.0.0.1"]), (TimeoutError(), ["127.0.0.1"]),
     (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), ["2001:db8::2", "127.0.0.1"])],
    ids=["unreachable", "black hole", "refused"],
)  # fmt: skip
def test_a_network_without_ipv6_costs_one_host_and_not_each(make_site, make, fetch, monkeypatch, trouble, second):
    """But that one host refuses says nothing of others."""
    site = make_site()
    tried = []
    connect = socket.socket.connect

    class NoIPv6(socket.socket):
        def connect(self, address):
            tried.append(address[0])
            if self.family == socket.AF_INET6:
                raise trouble
            return connect(self, address)

    monkeypatch.setattr("scrapekit.download.connection.socket.socket", NoIPv6)
    addresses = {"one.test": "2001:db8::1", "two.test": "2001:db8::2"}
    downloader = make(resolve=lambda host, _: [v6(addresses[host], site.port), v4("127.0.0.1", site.port)])
    assert fetch("http://one.test/", host="one.test", using=downloader).body == b"hello"
    assert tried == ["2001:db8::1", "127.0.0.1"]
    tried.clear()
    assert fetch("http://two.test/", host="two.test", using=downloader).body == b"hello"
    assert tried == second


def test_a_host_that_has_moved_is_looked_up_anew(make_site, make, fetch):
    site = make_site()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        old = listener.getsockname()[1]
    ports = iter([old, site.port])
    downloader = make(resolve=lambda *_: [v4("127.0.0.1", next(ports))])
    with pytest.raises(ConnectError):
        fetch("http://moved.test/", using=downloader)
    assert fetch("http://moved.test/", using=downloader).body == b"hello"


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_nothing_is_left(make_resolver, monkeypatch, seed):
    """Threads that wait too short, names that are slow, unknown or both: in the end every count is zero."""
    monkeypatch.setattr(resolver_module, "_THREADS", 3)
    monkeypatch.setattr(resolver_module, "_STUCK", 6)
    dice = random.Random(seed)
    pause = threading.Event()

    def lookup(host, port):
        pause.wait(dice.choice([0, 0, 0.001, 0.005]))
        if host.startswith("unknown"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [v4("127.0.0.1", port)]

    resolver = make_resolver(lookup, ttl=0.002, timeout=GUARD)
    results = Counter()

    def ask(n):
        host = f"{dice.choice(['good', 'unknown'])}{dice.randrange(12)}.test"
        try:
            resolver.addresses(host, 80, later(dice.choice([0, 0.001, 0.003, GUARD, GUARD])))
            results["found"] += 1
        except TimeoutError:
            results["in no time"] += 1
        except socket.gaierror as error:
            results[error.strerror] += 1

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(ask, range(600)))
    wait_for_no_thread()
    resolver.addresses("good.test", 80, later())
    wait_for_no_thread()
    assert (resolver._awaited, resolver._threads, resolver._lookups) == (0, 0, {})
    assert set(results) == {"found", "unknown", "in no time"}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_resolver_that_never_answers_ends_at_the_total(make, fetch, stuck, scheme):
    with pytest.raises(DeadlineExceeded, match="not finished after 0.2 s, while looking up the host name"):
        fetch(f"{scheme}://stuck.test/", using=make(resolve=stuck), timeout=0.2)


def test_a_resolver_that_never_answers_ends_at_its_own_timeout(make, fetch, stuck):
    with pytest.raises(DNSError, match=r"stuck.test:80: the host name can't be resolved: .* no answer .* within 0.1 s"):
        fetch("http://stuck.test/", using=make(resolve=stuck, dns_timeout=0.1))


def test_a_resolver_that_never_answers_ends_at_the_connect_timeout(make, fetch, stuck):
    with pytest.raises(DNSError, match=r"stuck.test:80: no answer from the resolver after 0.1 s"):
        fetch("http://stuck.test/", using=make(resolve=stuck, connect_timeout=0.1))


@pytest.mark.parametrize("target", ["http", "https"])
def test_the_name_of_a_proxy_that_nobody_knows(make, fetch, stuck, target):
    for options, kind, words in (
        ({"timeout": 0.2}, DeadlineExceeded, "while looking up the host name"),
        ({"using": make(resolve=stuck, dns_timeout=0.1)}, ProxyError, "its host name can't be resolved: .*no answer"),
        ({"using": make(resolve=stuck, connect_timeout=0.1)}, ProxyError, "no answer from the resolver after 0.1 s"),
    ):
        with pytest.raises(kind, match=words):
            fetch(f"{target}://target.test/", **{"using": make(resolve=stuck)} | options, proxy="http://stuck.test")


def test_the_time_that_the_look_up_takes_is_the_connections(make, fetch, silent_port):
    """Half of the connect timeout is gone when the address is known; the handshake gets the other half."""

    def slow(host, port):
        threading.Event().wait(0.2)
        return [v4("127.0.0.1", silent_port)]

    started = monotonic()
    with pytest.raises(ConnectError, match="no connection after 0.4 s"):
        fetch("https://slow.test/", using=make(resolve=slow, connect_timeout=0.4))
    assert 0.39 < monotonic() - started < GUARD


@pytest.fixture
def silent_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_closing_the_downloader_ends_a_look_up(make, fetch, stuck):
    downloader = make(resolve=stuck)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(fetch, "http://stuck.test/", using=downloader)
        assert stuck.begun.acquire(timeout=GUARD)
        downloader.close()
        assert str(waiting.exception(GUARD)) == "stuck.test:80: the downloader is closed"
        assert type(waiting.exception()) is DownloadError


def test_many_threads_and_names(make_site, make, fetch):
    site = make_site()
    lookup = to(site.port)
    downloader = make(resolve=lookup)
    with ThreadPoolExecutor(16) as threads:
        replies = list(
            threads.map(lambda n: fetch(f"http://h{n % 20}.test/", host=f"h{n % 20}", using=downloader), range(200))
        )
    assert [got.body for got in replies] == [b"hello"] * 200
    assert sorted(lookup.asked) == sorted((f"h{n}.test", 80) for n in range(20))
