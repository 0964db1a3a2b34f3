"""Statements over many rows: few steps of SQLite for a batch, where ``executemany`` makes one a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

_SIZES = (256, 128, 64, 32, 16, 8, 4, 2, 1)  # rows a step; SQLite takes 32,766 values


class Rows:
    """A statement with a ``VALUES`` list, which is made as long as there are rows. Engine thread only.

    ``sqlite3`` lets other threads run during each step, and has to wait for its turn again after it: with many busy
    workers, up to the interpreter's switch interval. So it is the steps of a commit that make it long, not its work.

    Args:
        head: What stands before the rows, with ``VALUES`` at its end.
        width: Values a row.
        tail: What stands behind them.
    """

    def __init__(self, head: str, width: int, tail: str = "") -> None:
        row = f"({', '.join('?' * width)})"
        self._statements = [(size, f"{head} {', '.join([row] * size)} {tail}") for size in _SIZES]

    def run(self, db: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Run it over ``rows``, in their order; how many rows of the table changed."""
        begin = changed = 0
        for size, statement in self._statements:
            while len(rows) - begin >= size:
                values = list(chain.from_iterable(rows[begin : begin + size]))
                changed += db.execute(statement, values).rowcount
                begin += size
        return changed
