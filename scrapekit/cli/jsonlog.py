"""Log records as JSON: one object a line, for programs to read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from scrapekit.fleet.records import facts_of
from scrapekit.safe import safe_lines

_encode = msgspec.json.Encoder().encode


class JsonFormatter(logging.Formatter):
    """One object a record, safe to show; what is not known of it is left out.

    ``time`` (RFC 3339, in UTC), ``level``, ``event``, ``message``, ``logger``, ``spider``, ``job``; of a request
    ``url``, ``host``, ``status`` and ``error``, the name of the error's class; ``traceback``; and with some events the
    numbers that stand in the record's ``facts``.

    Args:
        spider: The name of the spider, or of several.
        job: The job's id.
    """

    def __init__(self, spider: str = "", job: str = "") -> None:
        super().__init__()
        self._spider = spider
        self._job = job

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        told = {name: _safe(value) for name, value in facts_of(record).items()}
        facts = getattr(record, "facts", None)
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": told.pop("event", "log"),
            "message": safe_lines(record.getMessage()),
            "logger": record.name,
            "spider": told.pop("spider", self._spider),
            "job": self._job,
            **told,
            **({name: _safe(value) for name, value in facts.items()} if isinstance(facts, Mapping) else {}),
            "traceback": safe_lines(self.formatException(record.exc_info)) if record.exc_info else "",
        }
        return _encode({name: value for name, value in line.items() if value not in ("", None)}).decode()


def error_line(message: str, error: str, **facts: Any) -> str:
    """The line for an error that ends the command: ``error`` is the name of its class."""
    record = logging.makeLogRecord(
        {"name": "scrapekit", "levelname": "ERROR", "msg": "%s", "args": (message,), "event": "error", "error": error}
    )
    record.facts = facts
    return JsonFormatter().format(record)


def _safe(value: Any) -> Any:
    return safe_lines(value) if isinstance(value, str) else value
