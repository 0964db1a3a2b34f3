"""From bytes to documents: parsers by media type, and selectors on what they parsed."""

from scrapekit.parse.documents import HtmlDocument, XmlDocument
from scrapekit.parse.registry import Parsers
from scrapekit.parse.selectors import Selector, SelectorList

__all__ = ["HtmlDocument", "Parsers", "Selector", "SelectorList", "XmlDocument"]
