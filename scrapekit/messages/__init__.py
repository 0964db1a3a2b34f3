"""What flows between the rooms: values, safe to hand to any thread and to any process. A spool alone does I/O."""

from scrapekit.messages.items import encode_item, is_item
from scrapekit.messages.lease import Lease
from scrapekit.messages.link import Link, link_of, linker, request_of
from scrapekit.messages.outcome import Failed, Fetched, Lost, Outcome, Page, Redirected, Rejected, Seeded, Yielded
from scrapekit.messages.owner import owned, owned_key, owner_of
from scrapekit.messages.request import Request
from scrapekit.messages.response import Response
from scrapekit.messages.spool import Spool

__all__ = [
    "Failed",
    "Fetched",
    "Lease",
    "Link",
    "Lost",
    "Outcome",
    "Page",
    "Redirected",
    "Rejected",
    "Request",
    "Response",
    "Seeded",
    "Spool",
    "Yielded",
    "encode_item",
    "is_item",
    "link_of",
    "linker",
    "owned",
    "owned_key",
    "owner_of",
    "request_of",
]
