"""One kind of page: what is taken from it, and where it leads. Runs in workers; immutable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from scrapekit.declarative import schema
from scrapekit.declarative.following import Following, links
from scrapekit.declarative.itemclasses import item_class
from scrapekit.declarative.places import document, finding, href, source, standing
from scrapekit.errors import ItemError, RequestInvalid
from scrapekit.items import Item
from scrapekit.messages import Request, Response, encode_item


def detail_callback(kind: str) -> str:
    """The method that gets the detail page of an item."""
    return f"detail_{kind}"


def page_callback(name: str) -> str:
    """The method that gets a kind of page."""
    return f"page_{name}"


class Readers:
    """Those of one spider.

    Args:
        description: The whole file.
        values: Those of the spider's arguments.
    """

    def __init__(self, description: schema.Description, values: Mapping[str, str]) -> None:
        front = description.front
        self.front = None if front is None else PageReader(front, values, None, description)
        """Of the pages that no kind matches; None where nothing is taken from them."""
        self.pages = {
            name: PageReader(page, values, page_callback(name), description) for name, page in description.pages.items()
        }
        self.details = {
            reader.kind: reader.detail
            for page in ([self.front] if self.front else []) + [*self.pages.values()]
            for reader in page.items
            if reader.detail is not None
        }


class PageReader:
    """Reads one kind of page.

    Args:
        page: What the file says of it.
        values: Those of the spider's arguments.
        callback: The method that gets such a page; None for ``parse``.
        description: The whole file.
    """

    def __init__(
        self, page: schema.Page, values: Mapping[str, str], callback: str | None, description: schema.Description
    ) -> None:
        callbacks = {name: page_callback(name) for name in description.pages}
        endorsed = "nofollow" in description.obeys
        self.streams = bool(page.items) and all(one.each is not None and one.each.tag is not None for one in page.items)
        """Whether the page is never parsed as a whole."""
        self.items = [ItemReader(one, values, description.namespaces) for one in page.items]
        self._links = [links(one, callbacks, endorsed=endorsed) for one in page.links]
        self._next = None if page.next is None else Following(page.next, values, callback)
        self._counts = page.next is not None and page.next.counts

    def read(self, page: Response, number: int | None, before: str) -> Iterator[Item | ItemError | Request]:
        """Items, detail pages, links, and the next page.

        Args:
            page: The page.
            number: What it is counted as among the pages of its list, if it is.
            before: What was found on the one before, as this method has told it; empty for none.
        """
        found = blake2b(digest_size=8) if self._counts else None
        empty = True
        for reader in self.items:
            for one in reader.read(page, found):
                empty = False
                yield one
        for requests in self._links:
            for request in requests(page):
                empty = False
                if found is not None:
                    found.update(request.url.encode())
                yield request
        if self._next is not None:
            same = found.hexdigest() if found is not None else ""
            yield from self._next.requests(page, number, found=same, ended=empty or "" != same == before)


class ItemReader:
    """Reads the items of one kind.

    Args:
        items: What the file says of them.
        values: Those of the spider's arguments.
        namespaces: URIs by prefix.
    """

    def __init__(self, items: schema.Items, values: Mapping[str, str], namespaces: Mapping[str, str]) -> None:
        self.kind = items.kind
        self._callback = detail_callback(items.kind)
        self._carries = bool(items.fields)
        detail = items.detail
        unique = items.unique
        self._standing = _whole(json=items.reads_json) if items.each is None else standing(items.each, namespaces)
        self._part = item_class(items.kind, items.fields, values, unique=unique if detail is None else ())
        self.detail: Callable[[Response, dict[str, Any]], Iterator[Item]] | None = None
        if detail is not None and detail.link is not None:
            self._link = finding(detail.link)
            self._missing = f"detail.link: nothing matches {detail.link}"
            whole = item_class(items.kind, detail.fields, values, given=tuple(items.fields), unique=unique)
            place = _whole(json=detail.reads_json)
            known = items.fields.keys()

            def read_detail(page: Response, found: dict[str, Any]) -> Iterator[Item]:
                # Of a request that was made before the file was edited, what is no field any more is left out.
                kept = {name: value for name, value in found.items() if name in known}
                for at in place(page):
                    yield whole.from_response(page, at, **kept)

            self.detail = read_detail

    def read(self, page: Response, found: blake2b | None = None) -> Iterator[Item | ItemError | Request]:
        """The items of a page; of those that have a page of their own, the requests for it.

        Args:
            page: The page.
            found: Is fed with what they stand in.
        """
        for at in self._standing(page):
            if found is not None:
                found.update(source(page if at is None else at).encode(errors="replace"))
            item = self._part.from_response(page, at)
            yield item if self.detail is None or item.problem is not None else self._request(page, at, item)

    def _request(self, page: Response, at: Any, item: Item) -> Request | ItemError:
        found: Any = next(self._link(page if at is None else at), None)
        link = "" if found is None else href(found).strip()
        if not link:
            return ItemError(self._missing, item, url=page.url)
        arguments = {"found": msgspec.json.decode(encode_item(item))} if self._carries else {}
        try:
            return page.follow(link, self._callback, cb_kwargs=arguments)
        except RequestInvalid as error:
            return ItemError(f"detail.link: {error}", item, value=link, url=page.url)


def _whole(*, json: bool) -> Callable[[Response], Iterator[Any]]:
    """The place of an item that has the whole page; None stands for the page itself."""
    return lambda page: iter([document(page) if json else None])
