"""Items to files and tables: outputs that hold what was committed, so that no crash tears or doubles an item."""

from scrapekit.export.formats import Options, format_of
from scrapekit.export.opener import is_table, scheme_of
from scrapekit.export.output import open_output, resume_output
from scrapekit.export.rejected import rejected_beside, write_rejected
from scrapekit.export.sink import NullSink, Sink
from scrapekit.export.tee import Tee, positions
from scrapekit.export.verify import groups_intact

__all__ = [
    "NullSink",
    "Options",
    "Sink",
    "Tee",
    "format_of",
    "groups_intact",
    "is_table",
    "open_output",
    "positions",
    "rejected_beside",
    "resume_output",
    "scheme_of",
    "write_rejected",
]
