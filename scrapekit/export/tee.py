"""The :class:`Tee`: all outputs of a crawl, as the one that the engine knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from typing import Any

from scrapekit.export.sink import Sink

_NOTHING = blake2b(digest_size=16).hexdigest()


class Tee:
    """Writes lines to several sinks, whose positions are committed together. Engine thread only.

    Args:
        sinks: Open ones, in the order in which their positions are stored.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = list(sinks)
        self._digests = [_NOTHING] * len(self._sinks)

    @property
    def names(self) -> list[str]:
        """Where items go: paths, ``-`` for stdout."""
        return [sink.name for sink in self._sinks if sink.name]

    def append(self, lines: Sequence[bytes]) -> None:
        """Append ``lines`` to all. Raises ExportError: then nothing of it counts, and the crawl is to end."""
        for sink in self._sinks:
            sink.append(lines)
        if len(self._sinks) > 1:
            self._digests = [blake2b(b"\n".join(lines), digest_size=16).hexdigest()] * len(self._sinks)

    def position(self) -> dict[str, Any]:
        """That of one sink as it is; of several, a list, each with the BLAKE2b of the lines that it was last given."""
        if len(self._sinks) == 1:
            return self._sinks[0].position()
        return {
            "outputs": [
                {"position": sink.position(), "digest": digest}
                for sink, digest in zip(self._sinks, self._digests, strict=True)
            ]
        }

    def flush(self) -> None:
        """Flush all."""
        for sink in self._sinks:
            sink.flush()

    def committed(self) -> None:
        """Tell all."""
        for sink in self._sinks:
            sink.committed()

    def finish(self) -> None:
        """Finish all."""
        for sink in self._sinks:
            sink.finish()

    def close(self) -> None:
        """Close all, the others too if one can't be."""
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.callback(sink.close)


def positions(committed: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], bytes | None]]:
    """What a :class:`Tee` has stored, one by one: the position, and the digest, None where it stands elsewhere."""
    if "outputs" not in committed:
        return [(committed, None)]
    return [(each["position"], bytes.fromhex(each["digest"])) for each in committed["outputs"]]
