"""The :class:`Tee`: all outputs of a crawl, as the one that the engine knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from typing import Any, NamedTuple

from scrapekit.errors import ExportError, OutputError
from scrapekit.export.routes import ways
from scrapekit.export.sink import Sink, Waiting

MOST_KINDS = 100

Key = tuple[int, str]
"""Which output, from 0, and the kind of items that the file is for; empty where it is for all."""


class Committed(NamedTuple):
    """What was committed of one file.

    Args:
        position: The sink's.
        digest: BLAKE2b (16 bytes) of the lines that it was given last; None where it stands elsewhere.
        items: How many it holds of this crawl; None where that is not counted.
    """

    position: Mapping[str, Any]
    digest: bytes | None = None
    items: int | None = None


class Tee:
    """Writes lines to several sinks, whose positions are committed together. Engine thread only.

    Args:
        sinks: Open ones.
        routed: Whether each line comes with a route; otherwise it goes to all.
        opened: Opens the file of a kind of items that has come for the first time.
        before: What was committed of those that go on.
    """

    def __init__(
        self,
        sinks: Mapping[Key, Sink],
        *,
        routed: bool = False,
        opened: Callable[[int, str], Sink] | None = None,
        before: Mapping[Key, Committed] | None = None,
    ) -> None:
        self._sinks = dict(sinks)
        self._routed = routed
        self._opened = opened
        self._ways: dict[str, list[Key]] = {}
        self._last: dict[Key, list[bytes]] = {}
        self._items = {key: (before or {}).get(key, Committed({})).items or 0 for key in sinks}

    @property
    def names(self) -> list[str]:
        """Where items go: paths, ``-`` for stdout."""
        return [sink.name for _, sink in sorted(self._sinks.items(), key=lambda each: each[0]) if sink.name]

    @property
    def items(self) -> dict[str, int]:
        """How many items of the crawl each of :attr:`names` holds; empty where all hold all."""
        if not self._routed:
            return {}
        return {self._sinks[key].name: count for key, count in sorted(self._items.items())}

    def append(self, lines: Sequence[bytes], routes: Sequence[str] = ()) -> None:
        """Append ``lines`` to all, or to where their routes lead.

        Raises:
            ExportError: Then nothing of it counts, and the crawl is to end.
        """
        if not self._routed:
            for sink in self._sinks.values():
                sink.append(lines)
            self._last = {key: list(lines) for key in self._sinks} if len(self._sinks) > 1 else {}
            return
        self._last = {}
        for line, route in zip(lines, routes, strict=True):
            known = self._ways.get(route)
            if known is None:
                known = self._ways[route] = ways(route)
            for key in known:
                self._last.setdefault(key, []).append(line)
        for key, share in self._last.items():
            self._sink(key).append(share)
            self._items[key] += len(share)

    def position(self) -> dict[str, Any]:
        """That of one sink that takes all, as it is; otherwise a list of those of all."""
        if not self._routed and len(self._sinks) == 1:
            return next(iter(self._sinks.values())).position()
        return {"outputs": [self._entry(key, sink) for key, sink in self._sinks.items()]}

    def flush(self) -> None:
        """Flush all."""
        for sink in self._sinks.values():
            sink.flush()

    def committed(self) -> None:
        """Tell all."""
        for sink in self._sinks.values():
            sink.committed()

    def finish(self) -> None:
        """Finish all."""
        for sink in self._sinks.values():
            sink.finish()

    def leave(self) -> None:
        """Have :meth:`finish` wait for nobody any more. Any thread, and signal handlers."""
        for sink in list(self._sinks.values()):
            if isinstance(sink, Waiting):
                sink.leave()

    @property
    def left(self) -> bool:
        """Whether :meth:`finish` has ended before all was where it belongs, because of :meth:`leave`."""
        return any(sink.left for sink in self._sinks.values() if isinstance(sink, Waiting))

    def close(self) -> None:
        """Close all, the others too if one can't be."""
        with ExitStack() as stack:
            for sink in self._sinks.values():
                stack.callback(sink.close)

    def _entry(self, key: Key, sink: Sink) -> dict[str, Any]:
        digest = blake2b(b"\n".join(self._last.get(key, ())), digest_size=16).hexdigest()
        return {
            "output": key[0], "kind": key[1], "position": sink.position(), "digest": digest, "items": self._items[key]
        }  # fmt: skip

    def _sink(self, key: Key) -> Sink:
        sink = self._sinks.get(key)
        if sink is None:
            number, kind = key
            if sum(1 for other, _ in self._sinks if other == number) >= MOST_KINDS:
                raise ExportError(
                    f"output {number + 1}: {kind} would be kind {MOST_KINDS + 1} of items, and each has a file of its "
                    "own: say which it is to have with items, or leave {item} out of its path"
                )
            assert self._opened is not None
            try:
                sink = self._sinks[key] = self._opened(number, kind)
            except OutputError as error:  # what was there at the start is gone
                raise ExportError(str(error)) from error
            self._items[key] = 0
        return sink


def committed_of(position: Mapping[str, Any]) -> dict[Key, Committed]:
    """What the position of a :class:`Tee` says, file by file. Pure."""
    if "outputs" not in position:
        return {(0, ""): Committed(position)}
    entries: Iterable[Mapping[str, Any]] = position["outputs"]
    return {
        (each["output"], each["kind"]): Committed(each["position"], bytes.fromhex(each["digest"]), each["items"])
        for each in entries
    }
