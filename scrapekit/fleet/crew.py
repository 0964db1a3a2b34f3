"""The crew: workers that live elsewhere and may die, who of them gets which lease, and who comes after the dead."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread, current_thread
from time import monotonic
from typing import Any

from scrapekit.download import PoolStats
from scrapekit.errors import FleetError, SpiderError
from scrapekit.fleet.wire import decode_batch, together
from scrapekit.messages import Lease, Lost, Outcome

logger = logging.getLogger("scrapekit")

_BARREN = 3  # members that die one after the other without one outcome: then something is wrong with all of them
_LOOK_SECONDS = 0.5  # how often whoever waits for a member looks whether it is still wanted


class Member(ABC):
    """One process or actor with threads of its own, as the engine's process sees it.

    ``held`` and ``solo`` are guarded by the crew's lock. What is abstract here may block; of each member, one thread
    writes, one reads, and any may call :meth:`kill`.
    """

    def __init__(self) -> None:
        self.leases: SimpleQueue[Lease | int | None] = SimpleQueue()
        """What it is to get, the id of what it is to give up, None at the end."""
        self.held: dict[int, Lease] = {}
        """What it has been given and has not answered."""
        self.hangs = False
        """It was asked to give up a lease, and did not answer."""
        self.solo = False
        """It has a lease that is to be alone, and gets nothing else."""
        self.stats: PoolStats | None = None
        """Its pools', as of a second ago; complete once it has ended in peace."""
        self.threads: list[Thread] = []

    @abstractmethod
    def ready(self, timeout: float) -> bool:
        """Whether it can work; waits up to ``timeout`` seconds. Until it was true once.

        Raises:
            SpiderError: It never will, and says why in one line.
            ConnectionError: It is dead.
        """

    @abstractmethod
    def send(self, leases: list[Lease | int]) -> None:
        """Give it leases, and ids of those to give up; returns when it can take more. Raises OSError if it is dead."""

    @abstractmethod
    def finish(self) -> None:
        """Tell it that nothing more comes. Raises OSError when it is dead."""

    @abstractmethod
    def receive(self) -> bytes:
        """What its :class:`~scrapekit.fleet.wire.Outbox` gives, waiting for it; empty when it has ended or is dead."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once, unless it has ended. Idempotent."""

    @abstractmethod
    def epitaph(self) -> str:
        """How it ended."""


class Crew:
    """A fleet of N members under one engine. One that dies gives its leases back and is replaced.

    The engine's thread submits; each member has a thread here that writes to it and one that reads from it. A lease
    that is to be alone gets a member to itself: it can take nobody with it, and another death proves it guilty.

    Args:
        spawn: Starts a member. Called by any thread.
        size: Members.
        workers: Threads in each.
        post: Puts a batch of outcomes, or a :class:`Lost`, into the engine's inbox.
        noun: What messages call one member, and several.
        patience: Seconds that it may take until members are ready, as long as there are no others.

    Raises:
        SpiderError: A member can't start, for instance because it can't import the spider; one line.
        FleetError: None was ready in time, or the system doesn't give so many.
    """

    def __init__(
        self,
        spawn: Callable[[], Member],
        *,
        size: int,
        workers: int,
        post: Callable[[list[Outcome] | Lost | FleetError], Any],
        noun: tuple[str, str],
        patience: float = math.inf,
    ) -> None:
        self.capacity = size * workers
        """Leases that can be worked on at once."""
        self.isolates = True
        """A lease that is to be alone gets a member to itself."""
        self._spawn = spawn
        self._workers = workers
        self._post = post
        self._one, self._several = noun
        self._patience = patience
        self._barren_limit = _BARREN * size
        self._lock = Lock()  # guards what follows, which the engine's thread and the members' threads change
        self._members: list[Member] = []
        self._backlog: deque[Lease] = deque()  # those that wait to be alone, what they displace, what nobody can take
        self._undertakers: list[Thread] = []  # each has an heir to bring up
        self._closing = False
        self._barren = 0
        self._past: list[PoolStats] = []
        self._muster(size)

    def submit(self, lease: Lease) -> None:
        """Give a lease to the least busy member. Never blocks; engine thread only."""
        with self._lock:
            self._backlog.append(lease)
            self._distribute()

    def abandon(self, lease_id: int, *, by_force: bool) -> bool:
        """Have a member give up a lease, or end the member by force. False where none has it. Engine thread only."""
        with self._lock:
            member = next((member for member in self._members if lease_id in member.held), None)
            if member is None:
                return False
            if not by_force:
                member.leases.put(lease_id)
                return True
            member.hangs = True
        member.kill()
        return True

    def close(self, deadline: float) -> None:
        """End the members, waiting at most ``deadline`` seconds for what they have in hand. Idempotent."""
        with self._lock:
            self._closing = True
            members = [*self._members]  # each leaves the list when it has ended
            self._backlog.clear()
        for member in members:
            member.leases.put(None)
        until = monotonic() + deadline
        for member in members:
            for thread in member.threads:
                thread.join(max(0.0, until - monotonic()))
            member.kill()
            for thread in member.threads:
                thread.join()
        for thread in self._undertakers:
            thread.join()

    def stats(self) -> PoolStats:
        """The sum of the pools of all members, as they have told: complete after :meth:`close`. Any thread."""
        with self._lock:
            return PoolStats.sum([*self._past, *(member.stats for member in self._members if member.stats)])

    # Beginning

    def _muster(self, size: int) -> None:
        """Start all members, and wait for them. Those that come too late take part when they come, or their heirs."""
        recruits: list[Member] = []
        late: list[Member] = []
        died: ConnectionError | None = None
        until = monotonic() + self._patience
        try:
            for _ in range(size):
                recruits.append(self._spawn())  # noqa: PERF401  (those that were spawned must be killed if one can't be)
            for member in recruits:
                ready = False
                try:
                    while not (ready := member.ready(_LOOK_SECONDS)) and monotonic() < until:
                        pass
                except ConnectionError as error:
                    died = error
                if not ready:
                    late.append(member)
            if len(late) == size:
                if died is not None:
                    raise SpiderError(f"{self._one} ended before it could start ({died})") from died
                raise FleetError(f"none of {size} {self._several} could be started in {self._patience:g} s")
        except BaseException as error:
            for member in recruits:
                member.kill()
            if isinstance(error, OSError):
                raise FleetError(f"only {len(recruits)} of {size} {self._several} could be started: {error}") from error
            raise
        if late:
            logger.warning("%d of %d %s are not there yet: beginning without them", len(late), size, self._several)
        with self._lock:
            self._members = [member for member in recruits if member not in late]
            for member in self._members:
                self._go(member)
            for member in late:
                self._undertakers.append(Thread(target=self._replace, args=(member,), name="scrapekit-late"))
                self._undertakers[-1].start()

    def _go(self, member: Member) -> None:
        """Begin to exchange leases and outcomes."""
        member.threads = [
            Thread(target=target, args=(member,), name=f"scrapekit-{name}", daemon=True)
            for target, name in ((self._write, "fleet-writer"), (self._read, "fleet-reader"))
        ]
        for thread in member.threads:
            thread.start()

    # The two threads of a member

    def _write(self, member: Member) -> None:
        going = True
        try:
            while going:
                batch = together(member.leases)
                going = None not in batch
                if leases := [lease for lease in batch if lease is not None]:
                    member.send(leases)
            member.finish()
        except OSError:
            return  # the reader finds out too, and tells
        except Exception as error:  # noqa: BLE001  (this thread must not end silently: the engine would wait for ever)
            self._post(FleetError(f"leases can't be sent to {self._one}: {type(error).__name__}: {error}"))

    def _read(self, member: Member) -> None:
        try:
            self._receive(member)
            member.leases.put(None)
            self._ended(member)
        except Exception as error:  # noqa: BLE001  (as above)
            self._post(FleetError(f"{self._one} can't be read from any more: {type(error).__name__}: {error}"))

    def _receive(self, member: Member) -> None:
        """Pass on all that it has done, until it has ended."""
        while data := member.receive():
            outcomes, stats = decode_batch(data)
            member.stats = stats or member.stats
            if not outcomes:
                continue
            with self._lock:
                self._barren = 0
                for outcome in outcomes:
                    member.held.pop(outcome.id, None)
                if not member.held:
                    member.solo = False
                self._distribute()
            self._post(outcomes)

    # Ends, and new beginnings

    def _ended(self, member: Member) -> None:
        """The member is gone: in peace, or it died."""
        with self._lock:
            self._members.remove(member)  # at once, so that it gets no more leases
            if member.stats is not None:
                self._past.append(member.stats.counts())
            if self._closing:
                return
            self._undertakers.append(current_thread())
        member.kill()  # it may only be out of reach, and must not go on fetching
        how = "killed because it hung" if member.hangs else member.epitaph()
        died = {"event": "process_died"}
        logger.warning("%s died (%s) with %d requests in hand", self._one, how, len(member.held), extra=died)
        self._post(Lost(list(member.held), how))
        self._replace(None, how)

    def _replace(self, heir: Member | None, how: str = "") -> None:
        """Let an heir take part as soon as it is ready, and if it dies young, another one. What fails is posted."""
        try:
            while heir is None or (how := self._admit(heir)):
                with self._lock:
                    self._barren += 1
                    if self._barren >= self._barren_limit:
                        raise FleetError(f"{self._several} keep dying: {how}")
                heir = self._spawn()
        except Exception as error:  # noqa: BLE001  (as above)
            self._post(
                error if isinstance(error, FleetError) else FleetError(f"{self._one} can't be replaced: {error}")
            )

    def _admit(self, heir: Member) -> str:
        """Wait until it is ready, and let it take part. How it died, if it did; else nothing."""
        until = monotonic() + self._patience
        try:
            while not heir.ready(_LOOK_SECONDS):
                with self._lock:
                    if self._closing:
                        break
                    if self._members:  # the crawl goes on with them, and room for another may come at any time
                        until = monotonic() + self._patience
                if monotonic() > until:
                    none = f"there are no {self._several} left, and none could be started"
                    raise FleetError(f"{none} in {self._patience:g} s")
            with self._lock:
                if not self._closing:
                    self._members.append(heir)
                    self._go(heir)
                    self._distribute()
                    return ""
        except ConnectionError as error:
            return str(error)
        except BaseException:
            heir.kill()
            raise
        heir.kill()
        return ""

    # Who gets what

    def _distribute(self) -> None:
        """Hand out the backlog as far as it goes. Under the lock."""
        waiting, self._backlog = self._backlog, deque()
        for lease in waiting:
            member = self._member_for(lease)
            if member is None:
                self._backlog.append(lease)
            else:
                member.held[lease.id] = lease
                member.solo = lease.alone
                member.leases.put(lease)

    def _member_for(self, lease: Lease) -> Member | None:
        """Who gets a lease now: if it is to be alone, an idle one, which nothing else may join."""
        free = [member for member in self._members if not member.solo and len(member.held) < self._workers]
        if lease.alone:
            return next((member for member in free if not member.held), None)
        if free and any(waiting.alone for waiting in self._backlog) and not any(m.solo for m in self._members):
            free.remove(min(free, key=lambda member: len(member.held)))  # let it run empty for the one that waits
        return min(free, key=lambda member: len(member.held), default=None)
