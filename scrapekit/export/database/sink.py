"""The :class:`DatabaseSink`: lines to a spool, and from there, once they are final, to a table (an outbox)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scrapekit.errors import ExportError
from scrapekit.export.database.loader import Loader
from scrapekit.export.lines import FileSink


class DatabaseSink:
    """A :class:`~scrapekit.export.sink.Sink` whose lines go on to a table when they are final.

    Args:
        spool: Where they are until then, and stay.
        loader: Takes them.
        outbox: The key of this output in the table of outboxes.
        items: How many lines are in the spool.
        empty: Whether the table is to be emptied before the first.
        temporary: Whether the spool goes when this is closed.
    """

    def __init__(
        self, spool: FileSink, loader: Loader, name: str, *, outbox: str, items: int, empty: bool, temporary: bool
    ) -> None:
        self.name = name
        self.cut = spool.cut
        self.flush = spool.flush
        self.left = False
        self._spool = spool
        self._loader = loader
        self._outbox = outbox
        self._items = items
        self._empty = empty
        self._temporary = temporary

    def append(self, lines: Sequence[bytes]) -> None:
        """Write ``lines`` to the spool."""
        self._spool.append(lines)
        self._items += len(lines)

    def position(self) -> dict[str, Any]:
        """That of the spool, and which rows of the table are this output's."""
        return self._spool.position() | {"outbox": self._outbox, "items": self._items, "empty": self._empty}

    def committed(self) -> None:
        """Let the loader have them. Raises ExportError where the database has been given up."""
        self._loader.committed(self._spool.position()["offset"])

    def finish(self) -> None:
        """Wait until all are in the table, or :meth:`leave`.

        Raises:
            ExportError: The database has been given up.
        """
        self.left = not self._loader.wait()

    def leave(self) -> None:
        """Have :meth:`finish` wait no longer, where the next run can load the rest. Any thread, and signal handlers."""
        if not self._temporary:
            self._loader.leave()

    def close(self) -> None:
        """End the loader and close the spool. Where nobody could resume, what is final is loaded first."""
        if self._temporary:
            with suppress(ExportError):  # which committed() or finish() has raised
                self._loader.wait()
        self._loader.close()
        self._spool.close()
        if self._temporary:
            Path(self._spool.name).unlink(missing_ok=True)
