"""The pages about quotes: lists of all and by tag, and a page for each author."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scrapekit.testing.samplesite import html
from scrapekit.testing.samplesite.catalogue import Quote, chunks
from scrapekit.testing.samplesite.routes import Route, moved, page, static

_QUOTES_A_PAGE = 10


def quote_routes(quotes: Sequence[Quote]) -> Iterator[Route]:
    """All routes of the quotes, under ``/quotes/``."""
    yield from _lists("quotes", "/quotes/", "Quotes to Scrape", quotes)
    for tag in dict.fromkeys(tag for quote in quotes for tag in quote.tags):
        tagged = [quote for quote in quotes if tag in quote.tags]
        yield from _lists("tag", f"/quotes/tag/{tag}/", f"Viewing tag: {tag}", tagged)
        yield moved(f"/quotes/tag/{tag}", 301, f"/quotes/tag/{tag}/")
    for author in dict.fromkeys(quote.author for quote in quotes):
        yield static(f"{author.path}/", page(html.author_page(author)), "author")
        yield moved(author.path, 301, f"{author.path}/")


def _lists(kind: str, folder: str, heading: str, quotes: Sequence[Quote]) -> Iterator[Route]:
    """The list pages of one folder. Their "next" links are rooted and relative by turns."""
    pages = chunks(quotes, _QUOTES_A_PAGE)
    for number, shown in enumerate(pages, 1):
        previous = f"{folder}page/{number - 1}/" if number > 1 else ""
        following = f"../{number + 1}/" if number % 2 == 0 else f"{folder}page/{number + 1}/"
        text = html.quote_list(heading, shown, previous, following if number < len(pages) else "")
        for path in (f"{folder}page/{number}/", *((folder,) if number == 1 else ())):
            yield static(path, page(text), kind)
