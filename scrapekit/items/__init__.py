"""Items: declared where they are found, checked, unique, and rejected when they are not as they must be."""

from scrapekit.items.checking import checked, is_validation
from scrapekit.items.fields import Field, css, each, given, link, page_url, xpath
from scrapekit.items.item import Item
from scrapekit.items.processors import (
    clean,
    join,
    regex,
    strip,
    take_first,
    to_date,
    to_datetime,
    to_int,
    to_number,
    to_price,
)
from scrapekit.items.writing import ItemWriter, rejection

__all__ = [
    "Field",
    "Item",
    "ItemWriter",
    "checked",
    "clean",
    "css",
    "each",
    "given",
    "is_validation",
    "join",
    "link",
    "page_url",
    "regex",
    "rejection",
    "strip",
    "take_first",
    "to_date",
    "to_datetime",
    "to_int",
    "to_number",
    "to_price",
    "xpath",
]
