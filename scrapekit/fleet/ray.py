"""The fleet of actors: threads and pools on the nodes of a Ray cluster, under one engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from scrapekit.errors import FleetError, SpiderError
from scrapekit.fleet.actor import Actor
from scrapekit.fleet.child import READY, REFUSED
from scrapekit.fleet.crew import Crew, Member
from scrapekit.fleet.wire import encode
from scrapekit.messages import Lease, Lost, Outcome

# Calls that take outcomes, of all actors together; each costs this process 0.6 ms, however full it is.
_CALLS_PER_SECOND = 200
_LONGEST_LINGER = 0.1  # seconds
_CONCURRENCY = 4  # calls at a time that an actor answers: submit, take, close, and one to spare


class RayFleet(Crew):
    """Actors on a Ray cluster, one process each, spread over its nodes.

    What goes through Ray are bytes: the messages in MessagePack, the spider's code as it stands in its files. So a node
    needs nothing but scrapekit and Ray. An actor or a node that dies gives its leases back; a new actor takes its place
    as soon as some node has room.

    Args:
        ray: The module, connected.
        make: Import path, ``package.module:function``, of what builds the worker and its downloader in an actor.
        config: For ``make``.
        files: The spider's code by relative path; an actor's working directory has it.
        actors: How many.
        cpus: What a node must have free for each.
        resources: What else it must have.
        workers: Threads in each.
        patience: Seconds to wait for actors when there are none.
        post: Puts a batch of outcomes, or a :class:`Lost`, into the engine's inbox.
        leave: Called once, when the fleet has been closed.

    Raises:
        SpiderError: An actor can't start, for instance because it can't import the spider; one line.
        FleetError: No node had room for an actor in time.
    """

    def __init__(
        self,
        ray: Any,
        make: str,
        config: bytes,
        files: Mapping[str, bytes],
        *,
        actors: int,
        cpus: float,
        resources: Mapping[str, float],
        workers: int,
        patience: float,
        post: Callable[[list[Outcome] | Lost | FleetError], Any],
        leave: Callable[[], None],
    ) -> None:
        self._leave: Callable[[], None] | None = leave
        kind = ray.remote(Actor).options(
            num_cpus=cpus,
            resources=dict(resources),
            scheduling_strategy="SPREAD",
            max_concurrency=_CONCURRENCY,
            max_restarts=0,  # the crew makes new ones: a restarted one would not know what it had in hand
        )
        given = (make, config, msgspec.msgpack.encode(dict(files)), workers)
        linger = min(_LONGEST_LINGER, actors / _CALLS_PER_SECOND)
        super().__init__(
            lambda: _Remote(ray, kind.remote(*given, linger)),
            size=actors,
            workers=workers,
            post=post,
            noun=("an actor", "actors"),
            patience=patience,
        )

    def close(self, deadline: float) -> None:
        """End the actors, as :class:`Crew` does, and leave the cluster."""
        super().close(deadline)
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class _Remote(Member):
    """One actor, behind its handle."""

    def __init__(self, ray: Any, actor: Any) -> None:
        super().__init__()
        self._ray = ray
        self._actor = actor
        self._started = actor.start.remote()
        self._fate = "it was ended"

    def ready(self, timeout: float) -> bool:
        if not self._ray.wait([self._started], timeout=timeout)[0]:
            return False
        word = self._get(self._started)
        if word[:1] == REFUSED:
            raise SpiderError(f"an actor can't start: {word[1:].decode()}")
        assert word == READY
        return True

    def send(self, leases: list[Lease | int]) -> None:
        try:
            self._get(self._actor.submit.remote(encode(leases)))  # the next ones gather while these travel
        except ConnectionError:
            self.kill()  # so that the reader finds out, also when the actor could not make sense of them
            raise

    def finish(self) -> None:
        self._actor.close.remote()

    def receive(self) -> bytes:
        try:
            return bytes(self._get(self._actor.take.remote()))
        except ConnectionError:
            return b""

    def kill(self) -> None:
        self._ray.kill(self._actor)

    def epitaph(self) -> str:
        return self._fate

    def _get(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._fate = one_line(error)
            raise ConnectionError(self._fate) from error


def one_line(error: BaseException) -> str:
    """What Ray says in twenty lines, in one: the cause, if there is one among them."""
    if isinstance(cause := getattr(error, "cause", None), BaseException):
        return f"{type(cause).__name__}: {cause}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    because = [line for line in lines if "because" in line]
    return (because or lines)[0].partition(". ")[0][:300]
