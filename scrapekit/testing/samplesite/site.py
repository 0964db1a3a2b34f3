"""The :class:`SampleSite`: what lies where, and what a spider must find there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any
from xml.sax.saxutils import escape

from scrapekit.testing.application import Reply, RequestView
from scrapekit.testing.samplesite import html
from scrapekit.testing.samplesite.books import BookPages, book_page
from scrapekit.testing.samplesite.catalogue import Book, Quote, make_books, make_quotes
from scrapekit.testing.samplesite.login import login
from scrapekit.testing.samplesite.quotes import quote_routes
from scrapekit.testing.samplesite.routes import HTML, Route, moved, page, static

_NOT_FOUND = page(html.page("404", "<h1>Not Found</h1>"), status=404)
_NOT_ALLOWED = Reply(b"", 405, (("Allow", "GET, HEAD"),))
_FILES = {
    "/static/style.css": ("text/css", b"body { font-family: sans-serif }"),
    "/media/cover.svg": ("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="12"/>'),
    "/media/catalogue.pdf": ("application/pdf", b"%PDF-1.4\n%%EOF\n"),
    "/media/terms": ("text/plain; charset=utf-8", b"Scrape as much as you like."),
}


class SampleSite:
    """The application that :func:`scrapekit.testing.serve` serves. Any number of servers may share it.

    Books lie at ``/``, quotes under ``/quotes/``, in the markup of the practice sites books.toscrape.com and
    quotes.toscrape.com. On the lists that it follows from ``/``, a spider of books meets relative, rooted and absolute
    links; books that have moved (by 301, by 302, and by one after the other), linked by their old and their new URL; a
    page in ISO-8859-1, as its header says, and one in Shift_JIS, as its meta tag says; pages that answer 503 with
    Retry-After at first; a link to a page that is gone; and one to ``/private/``, which robots.txt forbids. The "next"
    links of the quotes are rooted and relative by turns. The books are also in ``/sitemap.xml``, which robots.txt
    names, in ``/books.xml`` and ``/books.csv``, and the first of them in ``/feed.xml`` (RSS).
    Under ``/quotes/login`` whoever sends the form back may see
    ``/quotes/account``.

    Args:
        seed: The same seed, on the same version of Python, makes the same site.
        books: How many books; 20 make a list page.
        quotes: How many quotes; 10 make a page.
        retry_after: What the 503 answers say, in seconds.

    Attributes:
        books: The books, in the order of the lists.
        quotes: The quotes, in the order of the lists.
        moved: The status and the next path, by old path.
        flaky: How many times each server answers 503 at a path before it answers 200.
        private: The paths that robots.txt forbids.
        missing: The path that is linked and not found.
        pages: How many paths have an HTML page, by kind: list, category, book, quotes, tag, author, private.
    """

    missing = "/catalogue/withdrawn_0/index.html"

    def __init__(self, seed: int = 1, books: int = 1000, quotes: int = 100, *, retry_after: int = 1) -> None:
        if books < 1 or quotes < 1:
            raise ValueError(f"a sample site needs a book and a quote, not {books} and {quotes}")
        random = Random(f"scrapekit {seed}")
        self.books: Sequence[Book] = make_books(random, books)
        self.quotes: Sequence[Quote] = make_quotes(random, quotes)
        unreleased = next(book for book in make_books(random, 3) if book.encoding == "utf-8")
        self.private = ("/private/", f"/private/unreleased_{unreleased.number}/index.html")
        special = [book for book in random.sample(self.books, books) if book.encoding == "utf-8"]
        self.moved, old_links = _moved(special[:6])
        slow_to_start = [book.path for book in special[6:8]] + (["/catalogue/page-3.html"] if books > 40 else [])
        self.flaky: Mapping[str, int] = dict(zip(slow_to_start, (1, 2, 1), strict=False))
        self._retry_after = str(retry_after)
        extras = [(book, book.path) for book in special[:6]]
        extras += [(unreleased, self.private[1]), (unreleased, self.missing)]
        routes = [
            *BookPages(self.books, old_links, extras).routes(),
            *quote_routes(self.quotes),
            *(moved(path, status, target) for path, (status, target) in self.moved.items()),
            static(self.private[0], page(html.page("Staff only", f'<a href="{self.private[1]}">New</a>')), "private"),
            book_page(unreleased, self.private[1], kind="private"),
            *(static(path, Reply(body, headers=(("Content-Type", kind),))) for path, (kind, body) in _FILES.items()),
            Route("/robots.txt", self._robots),
            Route("/sitemap.xml", self._sitemap),
            Route("/feed.xml", self._feed),
            static("/books.xml", Reply(self._books_xml(), headers=(("Content-Type", "application/xml"),))),
            static("/books.csv", Reply(self._books_csv(), headers=(("Content-Type", "text/csv; charset=utf-8"),))),
        ]
        self.pages: Mapping[str, int] = Counter(route.kind for route in routes if route.kind)
        self._routes = {route.path: route for route in routes}
        self._replies: dict[tuple[str, str], Reply] = {}  # from any thread: a page made twice is the same page

    def __call__(self, request: RequestView) -> Reply:
        """The answer to one request, from any thread."""
        if (reply := login(request)) is not None:
            return reply
        if request.method not in {"GET", "HEAD"}:
            return _NOT_ALLOWED
        if request.visit <= self.flaky.get(request.target, 0):
            text = html.page("503", "<h1>Service Unavailable</h1>")
            return Reply(text.encode(), 503, (("Content-Type", HTML), ("Retry-After", self._retry_after)))
        if request.target not in self._routes:
            return _NOT_FOUND
        host = request.headers.get("host", "localhost")
        made = self._replies.get((host, request.target))
        if made is None:
            made = self._replies[host, request.target] = self._routes[request.target].render(f"http://{host}")
        return made

    def expected_books(self, url: str = "") -> list[dict[str, Any]]:
        """What the ``books`` spider must yield, in any order, when robots.txt is obeyed.

        Args:
            url: The server's URL, which the items' ``url`` starts with; with or without a slash at the end.
        """
        return [
            {
                "title": book.title,
                "price": book.price / 100,
                "rating": book.rating,
                "stock": book.stock,
                "category": book.category.name,
                "upc": book.upc,
                "url": url.rstrip("/") + book.path,
            }
            for book in self.books
        ]

    def expected_quotes(self) -> list[dict[str, Any]]:
        """What the ``quotes`` spider must yield, in any order, from ``/quotes/``."""
        return [{"text": quote.text, "author": quote.author.name, "tags": list(quote.tags)} for quote in self.quotes]

    def _robots(self, origin: str) -> Reply:
        text = f"User-agent: *\nDisallow: {self.private[0]}\n\nSitemap: {origin}/sitemap.xml\n"
        return Reply(text.encode(), headers=(("Content-Type", "text/plain"),))

    def _sitemap(self, origin: str) -> Reply:
        urls = "\n".join(f"<url><loc>{origin}{path}</loc></url>" for path in ("/", *(book.path for book in self.books)))
        text = f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
{urls}
</urlset>
"""
        return Reply(text.encode(), headers=(("Content-Type", "application/xml"),))

    def _feed(self, origin: str) -> Reply:
        items = "\n".join(
            f"<item><title>{escape(book.title)}</title><link>{origin}{book.path}</link><guid>{book.upc}</guid>"
            f"<pubDate>Mon, 06 Sep 2021 16:45:{number:02} GMT</pubDate></item>"
            for number, book in enumerate(self.books[:20])
        )
        text = f'<rss version="2.0"><channel><title>New books</title>{items}</channel></rss>'
        return Reply(text.encode(), headers=(("Content-Type", "application/rss+xml"),))

    def _books_xml(self) -> bytes:
        books = "".join(
            f'<book upc="{book.upc}"><title>{escape(book.title)}</title>'
            f"<g:price>{book.price / 100:.2f}</g:price></book>\n"
            for book in self.books
        )
        return f'<books xmlns="urn:books" xmlns:g="urn:prices">\n{books}</books>'.encode()

    def _books_csv(self) -> bytes:
        quoted = (book.title.replace('"', '""') for book in self.books)
        rows = zip(self.books, quoted, strict=True)
        return "".join(["upc,title,price\r\n", *(f'{b.upc},"{t}",{b.price / 100:.2f}\r\n' for b, t in rows)]).encode()


def _moved(books: Sequence[Book]) -> tuple[dict[str, tuple[int, str]], dict[int, str]]:
    """Redirects by old path, and old paths by book number: three by 301, two by 302, one by 301 and then 302."""
    redirects: dict[str, tuple[int, str]] = {}
    old_links: dict[int, str] = {}
    for index, book in enumerate(books):
        by_query = f"/go?book={book.number}"
        if index < 3:
            redirects[book.old_path] = 301, book.path
        else:
            redirects[by_query] = 302, book.path
        if index == 5:
            redirects[book.old_path] = 301, by_query
        old_links[book.number] = book.old_path if book.old_path in redirects else by_query
    return redirects, old_links
