"""The pages about books: list pages, the lists of the categories, and a page for each book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter

from scrapekit.testing.application import Reply
from scrapekit.testing.samplesite import html
from scrapekit.testing.samplesite.catalogue import Book, Category, chunks
from scrapekit.testing.samplesite.routes import HTML, Route, page, relative

_BOOKS_A_PAGE = 20
_ALL = "/catalogue/category/books_1/"


@dataclass(frozen=True)
class _Shelf:
    """Books that are listed together, page by page, in one folder."""

    kind: str
    folder: str
    heading: str
    books: Sequence[Book]
    extras: Sequence[tuple[Book, str]] = ()

    @cached_property
    def pages(self) -> list[Sequence[Book]]:
        return chunks(self.books, _BOOKS_A_PAGE)

    def path(self, index: int) -> str:
        return f"{self.folder}page-{index + 1}.html"


class BookPages:
    """The routes of the books.

    Args:
        books: In the order of the lists.
        old_links: By book number, the link that lists have instead of the book's path.
        extras: Books with links that the first list page has besides its own.
    """

    def __init__(self, books: Sequence[Book], old_links: Mapping[int, str], extras: Sequence[tuple[Book, str]]) -> None:
        self._books = books
        self._old_links = old_links
        self._front = _Shelf("list", "/catalogue/", "All products", books, extras)
        by_category: dict[Category, list[Book]] = {}
        for book in books:
            by_category.setdefault(book.category, []).append(book)
        shelves = [_Shelf("category", each.folder, each.name, shelved) for each, shelved in by_category.items()]
        self._categories = sorted(shelves, key=attrgetter("heading"))

    def routes(self) -> Iterator[Route]:
        """All of them."""
        yield from self._lists(self._front, "/", "/index.html")
        for shelf in (_Shelf("category", _ALL, "Books", self._books), *self._categories):
            yield from self._lists(shelf, f"{shelf.folder}index.html")
        for number, book in enumerate(self._books, 1):
            yield book_page(book, book.path, self._books[number : number + 3])

    def _lists(self, shelf: _Shelf, *first: str) -> Iterator[Route]:
        """The list pages of one shelf; the first of them lies at the paths ``first`` too."""
        for index in range(len(shelf.pages)):
            for path in (shelf.path(index), *(first if index == 0 else ())):
                yield Route(path, partial(self._list, shelf, index, path), shelf.kind)

    def _list(self, shelf: _Shelf, index: int, path: str, origin: str) -> Reply:
        pods = [html.pod(book, self._link(book, path, origin)) for book in shelf.pages[index]]
        if index == 0:
            pods += [html.pod(book, link) for book, link in shelf.extras]
        last = len(shelf.pages) - 1
        previous = relative(path, shelf.path(index - 1)) if index > 0 else ""
        following = relative(path, shelf.path(index + 1)) if index < last else ""
        side = [(other.heading, relative(path, f"{other.folder}index.html")) for other in self._categories]
        pager = (index + 1, last + 1, previous, following)
        return page(html.book_list(shelf.heading, pods, side, pager, relative(path, "/")))

    def _link(self, book: Book, path: str, origin: str) -> str:
        """From the list at ``path``: old where the book has moved; else one in eleven absolute, one in seven rooted."""
        if book.number in self._old_links:
            return self._old_links[book.number]
        if book.number % 11 == 0:
            return origin + book.path
        return book.path if book.number % 7 == 0 else relative(path, book.path)


def book_page(book: Book, path: str, related: Sequence[Book] = (), kind: str = "book") -> Route:
    """A book's own page, in its encoding: ISO-8859-1 is declared by the header, every other one by the meta tag."""

    def render(_origin: str) -> Reply:
        by_header = book.encoding == "iso-8859-1"
        category = relative(path, f"{book.category.folder}index.html")
        pods = [html.pod(other, relative(path, other.path)) for other in related]
        charset = None if by_header else book.encoding
        text = html.book_page(book, category, pods, meta_charset=charset, root=relative(path, "/"))
        return page(text, book.encoding, f"{HTML}; charset={book.encoding}" if by_header else HTML)

    return Route(path, render, kind)
