"""Names of columns and tables: which there can be, and which field of an item goes to which."""

from __future__ import annotations

from collections.abc import Iterable

OUTBOX = "scrapekit_outbox"
JOB, NUMBER = "_job", "_n"
MOST_COLUMNS = {"postgresql": 300}  # a row must fit into 8,160 bytes, and texts of up to 24 never lie elsewhere
_SYSTEM = {"postgresql": frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})}
_LONGEST = 63  # bytes: what PostgreSQL cuts off silently


def is_name(name: str) -> bool:
    """Whether it can be the name of a column, a table or an index in any database."""
    return 0 < len(name.encode()) <= _LONGEST and "\0" not in name


def is_field(name: str, dialect: str) -> bool:
    """Whether a field can have a column of its name in a table of ours, in that kind of database."""
    return is_name(name) and name.lower() not in {JOB, NUMBER} and name not in _SYSTEM.get(dialect, ())


def places(fields: Iterable[str], columns: Iterable[str]) -> dict[str, str]:
    """To which column each field goes, of those that have one: of the same name, or else of the same but for case."""
    exact = set(columns)
    folded = {column.lower(): column for column in columns}
    found = {field: field for field in fields if field in exact}
    for field in fields:
        column = folded.get(field.lower())
        if column is not None and column not in found.values():
            found[field] = column
    return found
