"""Which table of which database: ``sqlite:///items.db?table=quotes&key=url``."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from scrapekit.errors import OutputError
from scrapekit.export.database.names import OUTBOX, is_name
from scrapekit.safe import masked


class TableTarget(NamedTuple):
    """A table, as a URL says it.

    Args:
        url: Of the database, as SQLAlchemy has it, without what is ours.
        table: ``?table=``, or ``items``.
        key: ``?key=``, columns that are unique: a row that is there already is refreshed. Empty for none.
    """

    url: str
    table: str
    key: tuple[str, ...]

    @classmethod
    def of(cls, target: str) -> TableTarget:
        """Read a URL. Raises OutputError where it is none of a table."""
        try:
            parts = urlsplit(target)
            query = parse_qsl(parts.query, keep_blank_values=True)
        except ValueError as error:
            raise OutputError(f"{masked(target)}: this is no URL of a database: {error}") from error
        if parts.netloc and "@" not in parts.netloc and "@" in target:
            raise OutputError(  # without the URL, whose password could not be told from the rest
                f"the URL of the {parts.scheme} database has an @ behind its host: in a password, / is %2F, ? is %3F, "
                "# is %23 and @ is %40"
            )
        ours = {name: value for name, value in query if name in {"table", "key"}}
        table = ours.get("table", "items")
        key = tuple(name for name in ours.get("key", "").split(",") if name)
        for name in (table, *key):
            if not is_name(name) or name == OUTBOX:
                raise OutputError(f"{masked(target)}: {name!r} can't be the name of a table or column")
        theirs = urlencode([(name, value) for name, value in query if name not in ours])
        # Not urlunsplit: that takes two of the slashes of sqlite:///x away.
        return cls(target.partition("?")[0] + ("?" + theirs if theirs else ""), table, key)

    @property
    def scheme(self) -> str:
        """Which database, and after a ``+`` by which driver."""
        return self.url.partition(":")[0].lower()
