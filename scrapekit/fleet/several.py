"""Workers of several spiders, as one worker."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from scrapekit.fleet.worker import Worker
from scrapekit.messages import Failed, Lease, Outcome, Redirected, owned, owned_key


class Several:
    """Gives each lease to the worker of the spider whose request it is, and marks what comes of it as that spider's.

    So a spider and its worker see plain names of callbacks, as if they were alone. Shared by the threads of a fleet.

    Args:
        workers: By the spiders' names.
    """

    def __init__(self, workers: Mapping[str, Worker]) -> None:
        self._workers = workers
        self._any = next(iter(workers.values()))

    def process(self, lease: Lease) -> Outcome:
        """What :meth:`Worker.process` says. Never raises."""
        spider, _, callback = (lease.request.callback or "").rpartition(":")
        worker = self._workers.get(spider)
        if worker is None:  # a robots.txt is nobody's
            return self._any.process(lease)
        outcome = worker.process(replace(lease, request=replace(lease.request, callback=callback)))
        _mark(outcome, spider)
        return outcome

    def close_thread(self) -> None:
        """The calling thread ends: close what was opened for it."""
        for worker in self._workers.values():
            worker.close_thread()


AnyWorker = Worker | Several
"""What the threads of a fleet share."""


def _mark(outcome: Outcome, spider: str) -> None:
    if isinstance(outcome, Redirected):
        outcome.link = owned(outcome.link, spider)
        return
    if isinstance(outcome, Failed) and not outcome.final:
        outcome.again = None if outcome.again is None else owned(outcome.again, spider)
        outcome.first = [owned(link, spider) for link in outcome.first]
    yielded = getattr(outcome, "yielded", None)
    if yielded is not None:
        yielded.links = [owned(link, spider) for link in yielded.links]
        yielded.keys = {place: owned_key(key, spider) for place, key in yielded.keys.items()}
