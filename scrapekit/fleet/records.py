"""Log records of worker processes: they are said by the engine's process, as its own are."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from scrapekit.messages.reason import storable

FACTS = ("event", "url", "host", "status", "error", "spider")
"""What a record may tell besides its message, as attributes given by ``extra=``: texts and numbers."""


class Logged(Struct, tag=True):
    """A log record on its way.

    Args:
        level: As :mod:`logging` has it.
        name: The logger's.
        message: With its traceback, if it has one.
        created: Seconds since the epoch.
        facts: Those of :data:`FACTS` that it tells.
    """

    level: int
    name: str
    message: str
    created: float
    facts: dict[str, str | int] = {}

    def say(self) -> None:
        """Hand it to the handlers of this process. Any thread."""
        level = {"levelno": self.level, "levelname": logging.getLevelName(self.level)}
        told = {"msg": "%s", "args": (self.message,), "name": self.name, "created": self.created}
        record = logging.makeLogRecord({**self.facts, **level, **told})
        logging.getLogger(self.name).handle(record)


class Forward(logging.Handler):
    """Puts records where they travel from. Any thread."""

    def __init__(self, put: Callable[[Logged], Any]) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        """Send one; one that can't be formatted is reported as the logging module does it."""
        try:
            name, message = storable(record.name), storable(self.format(record))
            self._put(Logged(record.levelno, name, message, record.created, facts_of(record)))
        except Exception:  # noqa: BLE001  (the contract of logging handlers)
            self.handleError(record)


def facts_of(record: logging.LogRecord) -> dict[str, str | int]:
    """Those of :data:`FACTS` that a record tells, fit to be sent: texts without lone surrogates, 64 bits. Pure."""
    found = {name: getattr(record, name, None) for name in FACTS}
    return {name: _fit(value) for name, value in found.items() if isinstance(value, str | int)}


def _fit(value: str | int) -> str | int:
    return int(value) if isinstance(value, int) and value.bit_length() < 64 else storable(str(value))
