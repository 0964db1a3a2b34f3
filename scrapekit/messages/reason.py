"""What user code and servers say, made fit to be stored, logged, shown and sent. Pure; any thread."""

from __future__ import annotations

import traceback

from scrapekit.safe import masked

_LONGEST = 1000  # characters
_FRAMES = 8  # innermost frames of a traceback: those are the user's
_LONGEST_TRACE = 20_000  # characters


def reason(said: object) -> str:
    """``str(said)`` as one line of bounded length, :func:`masked`, without lone surrogates, for JSON and SQLite.

    Never raises: the ``__str__`` of an exception is user code too. Pure but for that; any thread.
    """
    try:
        text = str(said)
    except BaseException as error:  # noqa: BLE001  (whatever it raises, it must not cost a worker)
        text = f"({type(error).__name__} in its __str__)"
    return " ".join(storable(masked(text[: 2 * _LONGEST])[:_LONGEST]).split())


def trace(error: BaseException) -> str:
    """Where user code raised, as the lines of a traceback of bounded length, fit as :func:`reason` is. Any thread."""
    lines = traceback.format_exception(error, limit=-_FRAMES)
    return storable(masked("".join(lines)[: 2 * _LONGEST_TRACE])[:_LONGEST_TRACE]).rstrip()


def storable(text: str) -> str:
    """``text`` with U+FFFD in place of lone surrogates. Pure; any thread."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
