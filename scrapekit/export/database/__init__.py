"""Items to tables of databases: from the spool, once they are final, exactly once."""

from scrapekit.export.database.opener import Tables

__all__ = ["Tables"]
