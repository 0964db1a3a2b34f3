"""The :class:`Sink`: where committed lines go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable


class Sink(Protocol):
    """An open output. Engine thread only (it may be opened in another one).

    The engine stores :meth:`position` once before the first :meth:`append`, and then with every group of lines: append,
    :meth:`flush`, store the position in the transaction that makes the group's requests done. After a crash,
    :func:`~scrapekit.export.resume_output` cuts the output back to the stored position. Right after each transaction
    that stored a position, it calls :meth:`committed`.

    Attributes:
        name: The path, or ``-`` for stdout, for messages and the report.
        cut: Bytes beyond the stored position that were cut off when it was resumed.
    """

    name: str
    cut: int

    def append(self, lines: Sequence[bytes]) -> None:
        """Hand ``lines`` (without line ends) to the kernel: all of them, or none as far as the position goes.

        Raises:
            ExportError: They can't be written; the cause is the OSError. What was torn is cut off again if possible.
        """

    def position(self) -> dict[str, Any]:
        """The end of what was appended, as a dict of JSON values that only this room understands."""

    def flush(self) -> None:
        """Wait until all that was appended is as durable as the output was opened for.

        Raises:
            ExportError: The disk reports an error.
        """

    def committed(self) -> None:
        """The last position is final: all that was appended is, and will never be cut off by a crash.

        A kill may come before it, so an output that acts only here has to catch up when it is resumed.

        Raises:
            ExportError: What is to be done now can't be; the position stays.
        """

    def finish(self) -> None:
        """Make of what was appended what was asked for: the crawl has come to its end. May be called again.

        Raises:
            ExportError: It can't be written; what was appended stays as it is.
        """

    def close(self) -> None:
        """Close the output and give its lock back. A second call does nothing.

        Raises:
            ExportError: The file system reports only now that it can't keep what was written.
        """


@runtime_checkable
class Waiting(Protocol):
    """A :class:`Sink` whose ``finish()`` waits for somebody else, and can be told not to.

    Attributes:
        left: Whether ``finish()`` has ended before all was there, because of :meth:`leave`. What is missing is for the
            next run.
    """

    left: bool

    def leave(self) -> None:
        """Have ``finish()`` wait no longer. Any thread, and signal handlers."""
