"""What user code and servers say, made fit to be stored, logged, shown and sent. Pure; any thread."""

from __future__ import annotations

from scrapekit.safe import masked

_LONGEST = 1000  # characters


def reason(said: object) -> str:
    """``str(said)`` as one line of bounded length, :func:`masked`, without lone surrogates, for JSON and SQLite.

    Never raises: the ``__str__`` of an exception is user code too. Pure but for that; any thread.
    """
    try:
        text = str(said)
    except BaseException as error:  # noqa: BLE001  (whatever it raises, it must not cost a worker)
        text = f"({type(error).__name__} in its __str__)"
    return " ".join(storable(masked(text[: 2 * _LONGEST])[:_LONGEST]).split())


def storable(text: str) -> str:
    """``text`` with U+FFFD in place of lone surrogates. Pure; any thread."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
