"""The :class:`Resolver`: host names to addresses, cached, within a time limit, and shared by all threads."""

from __future__ import annotations

import math
import socket
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from itertools import chain, zip_longest
from threading import Event, Lock, Thread, current_thread
from time import monotonic
from typing import Any, NamedTuple

Addresses = Sequence[tuple[int, int, int, str, Any]]
"""What :func:`socket.getaddrinfo` returns."""

_THREADS = 16  # look-ups that somebody waits for
_STUCK = 256  # threads in all: beside those, the ones whose look-up takes longer than anybody waits
_NAMES = 4096  # that are remembered
_REFUSED_TTL = 5.0  # seconds for which a name has no address; a passing trouble is not remembered


def system_resolve(host: str, port: int) -> Addresses:
    """The stream addresses of ``host``, as the system's resolver has them. Any thread; may block."""
    return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)


def literal(host: str, port: int) -> Addresses:
    """The address that ``host`` itself is, in any of its spellings (``127.1``, ``0x7f.1``, ``::1``); or none."""
    try:
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        return ()


def by_turns(addresses: Addresses) -> Addresses:
    """The addresses with their families taking turns, so that a dead one costs one attempt (RFC 8305 §4)."""
    families: dict[int, list[Any]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    return [address for address in chain.from_iterable(zip_longest(*families.values())) if address is not None]


class _Answer(NamedTuple):
    """What is known of a name until a time (0: a passing trouble): its addresses, or the error that it has none."""

    addresses: Addresses
    error: tuple[int, str] | None
    until: float


class _LookUp:
    """One look-up, under way in a thread of its own or waiting for its turn; guarded by the resolver's lock."""

    def __init__(self) -> None:
        self.answer: _Answer | None = None
        self.done = Event()
        self.waiting = 0  # threads that wait for it
        self.started = False
        self.counted = False  # among those that somebody waits for


class Resolver:
    """Finds the addresses of host names. Any thread.

    The system's resolver can't be interrupted, so it is asked in daemon threads, one for a name at a time. Whoever
    waits too long leaves: the thread no longer counts, so that names without an answer don't stop the others, and what
    it finds after all is kept for the next who asks. A thread ends when nothing is left to look up.

    Args:
        lookup: Finds the addresses of a host name at a port, like :func:`socket.getaddrinfo`; from any thread.
        ttl: Seconds for which an answer is good.
        timeout: Seconds to wait for one.
    """

    def __init__(
        self, lookup: Callable[[str, int], Addresses] = system_resolve, *, ttl: float = 60.0, timeout: float = 5.0
    ) -> None:
        self._lookup = lookup
        self._ttl = ttl
        self._timeout = timeout
        self._lock = Lock()  # guards all of the following
        self._answers: OrderedDict[tuple[str, int], _Answer] = OrderedDict()
        self._lookups: dict[tuple[str, int], _LookUp] = {}  # started or not, in the order in which they were asked for
        self._failed: OrderedDict[Any, float] = OrderedDict()  # socket addresses, and when no connection came of them
        # The one to begin with, where the network is known to lead nowhere by the other.
        self._family: int | None = None
        self._awaited = 0  # threads whose look-up somebody waits for
        self._threads = 0  # all
        self._ended: list[Thread] = []  # those that may still have a last step to do
        self._closed = False

    def __repr__(self) -> str:
        with self._lock:
            return f"<Resolver: {len(self._answers)} known, {len(self._lookups)} asked, {self._threads} threads>"

    def addresses(self, host: str, port: int, until: float) -> Addresses:
        """The addresses of ``host``, those that :meth:`failed` at the end. Blocks, at most until ``until``.

        Raises:
            TimeoutError: There was no answer by ``until`` (monotonic seconds).
            socket.gaierror: There is none, or none within the timeout.
        """
        found = literal(host, port)
        if found:
            return found
        key = host, port
        now = monotonic()
        with self._lock:
            answer = known = self._answers.get(key)
            if known is None or known.until <= now:
                asked = self._lookups.get(key) or self._ask(key)
                asked.waiting += 1
                answer = None
        if answer is None:
            answer = self._wait(key, asked, min(now + self._timeout, until))
            if known is not None and known.addresses and (answer is None or not answer.until):
                answer = known  # older than its time is better than none (RFC 8767)
        if answer is None:
            if now + self._timeout >= until:
                raise TimeoutError(f"no address of {host} in time")
            raise socket.gaierror(socket.EAI_AGAIN, f"no answer from the resolver within {self._timeout:.3g} s")
        if answer.error is not None:
            raise socket.gaierror(*answer.error)  # a new one: shared by threads, its traceback would grow
        with self._lock:
            failed, first = self._failed, self._family
            return sorted(answer.addresses, key=lambda one: (failed.get(one[4], 0.0), first not in (None, one[0])))

    def failed(self, address: Any) -> None:
        """No connection came of this socket address: from now on it is the last one to try."""
        with self._lock:
            self._failed.pop(address, None)
            self._failed[address] = monotonic()
            if len(self._failed) > _NAMES:
                self._failed.popitem(last=False)

    def worked(self, address: Any, family: int, dead: Collection[int]) -> None:
        """A connection came of this socket address, where the network led nowhere by the families in ``dead``.

        So a machine with only half an IPv6 loses that time with one host, and not with each.
        """
        if self._failed:  # mostly empty, and then no lock is needed
            with self._lock:
                self._failed.pop(address, None)
                if dead and family not in dead:
                    self._family = family

    def forget(self, host: str, port: int) -> None:
        """None of its addresses could be connected to: the host may have moved, so look it up again next time."""
        with self._lock:
            self._answers.pop((host, port), None)

    def close(self) -> None:
        """Wake all that wait; what is asked from now on fails. Threads that are stuck end when the system answers."""
        with self._lock:
            self._closed = True
            for lookup in self._lookups.values():
                lookup.answer = _CLOSED
                lookup.done.set()
            ended = self._ended
        for thread in ended:
            thread.join()

    def _ask(self, key: tuple[str, int]) -> _LookUp:
        """A new look-up for ``key``; with the lock held."""
        lookup = _LookUp()
        if self._closed:
            lookup.answer = _CLOSED
            lookup.done.set()
        else:
            self._lookups[key] = lookup
            self._start_next()
        return lookup

    def _wait(self, key: tuple[str, int], lookup: _LookUp, until: float) -> _Answer | None:
        """The answer, or None if it did not come in time."""
        done = False
        while not done and (left := until - monotonic()) > 0:
            done = lookup.done.wait(left)
        with self._lock:
            lookup.waiting -= 1
            if lookup.answer is None:
                if not lookup.started and not lookup.waiting:
                    del self._lookups[key]
                if lookup.counted:
                    lookup.counted = False
                    self._awaited -= 1
                    self._start_next()
            return lookup.answer

    def _start_next(self) -> None:
        """A thread for the look-up that waits longest, if there is room for one; with the lock held."""
        if self._awaited >= _THREADS or self._threads >= _STUCK:
            return
        for key, lookup in self._lookups.items():
            if not lookup.started:
                thread = Thread(target=self._work, args=(key, lookup), name="scrapekit-resolver", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no more threads for this process: those that there are will come to it
                    return
                self._threads += 1
                self._awaited += 1
                lookup.started = lookup.counted = True
                return

    def _work(self, key: tuple[str, int], lookup: _LookUp) -> None:
        """A thread's life: one look-up, and then those that wait for a thread."""
        going = True
        while going:
            answer = self._answer(*key)
            with self._lock:
                self._keep(key, answer)
                if lookup.answer is None:  # not closed meanwhile
                    lookup.answer = answer
                del self._lookups[key]
                self._awaited -= lookup.counted
                waiting = None
                if self._awaited < _THREADS and not self._closed:
                    waiting = next((item for item in self._lookups.items() if not item[1].started), None)
                done = lookup.done
                if waiting is None:
                    going = False
                    self._threads -= 1
                    self._ended = [thread for thread in self._ended if thread.is_alive()] + [current_thread()]
                else:
                    key, lookup = waiting
                    lookup.started = lookup.counted = True
                    self._awaited += 1
            done.set()

    def _answer(self, host: str, port: int) -> _Answer:
        """What the look-up finds; it is foreign code, so that anything may be raised."""
        try:
            addresses = by_turns(self._lookup(host, port))
        except socket.gaierror as error:
            passing = error.errno == socket.EAI_AGAIN
            text = error.strerror or str(error)
            return _Answer((), (error.errno or socket.EAI_FAIL, text), 0.0 if passing else self._good(_REFUSED_TTL))
        except Exception as error:  # noqa: BLE001  (UnicodeError is a name that can't be one)
            return _Answer((), (socket.EAI_FAIL, f"{type(error).__name__}: {error}"), 0.0)
        if not addresses:
            return _Answer((), (socket.EAI_NONAME, "the host name has no address"), self._good(_REFUSED_TTL))
        return _Answer(addresses, None, self._good(self._ttl))

    def _good(self, seconds: float) -> float:
        return monotonic() + min(seconds, self._ttl)

    def _keep(self, key: tuple[str, int], answer: _Answer) -> None:
        """Remember an answer, and an older one where there is none now; with the lock held."""
        if answer.until:
            self._answers.pop(key, None)
            self._answers[key] = answer
            if len(self._answers) > _NAMES:
                self._answers.popitem(last=False)


_CLOSED = _Answer((), (socket.EAI_FAIL, "the downloader is closed"), math.inf)
