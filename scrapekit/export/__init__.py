"""Items to files and tables: outputs that hold what was committed, so that no crash tears or doubles an item."""

from scrapekit.export.formats import Options, format_of
from scrapekit.export.manifest import manifest_of
from scrapekit.export.opener import is_table, scheme_of
from scrapekit.export.output import check_kinds, open_output, resume_output
from scrapekit.export.parts import Limits
from scrapekit.export.rejected import rejected_beside, write_rejected
from scrapekit.export.routes import Filter, is_routed, router_of
from scrapekit.export.shelf import part_path, segment_spool
from scrapekit.export.sink import Sink
from scrapekit.export.tee import Tee, committed_of
from scrapekit.export.verify import NOT_YET, groups_intact, parts_intact

__all__ = [
    "NOT_YET",
    "Filter",
    "Limits",
    "Options",
    "Sink",
    "Tee",
    "check_kinds",
    "committed_of",
    "format_of",
    "groups_intact",
    "is_routed",
    "is_table",
    "manifest_of",
    "open_output",
    "part_path",
    "parts_intact",
    "rejected_beside",
    "resume_output",
    "router_of",
    "scheme_of",
    "segment_spool",
    "write_rejected",
]
