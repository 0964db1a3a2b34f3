"""Running user code: which method, what it yields, and what becomes of that when it raises."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import replace

from scrapekit.errors import CallbackError, ItemError, RequestInvalid, StopCrawl
from scrapekit.fleet.pipelines import Pipelines
from scrapekit.hooks import Hooks
from scrapekit.items import is_validation, rejection
from scrapekit.messages import Link, Request, Yielded, is_item, linker
from scrapekit.messages.reason import reason
from scrapekit.spider import Spider


class Callbacks:
    """The methods of one spider, by name. Shared by the worker threads."""

    def __init__(self, spider: Spider) -> None:
        self._spider = spider
        self._linker = linker(spider.ignored_parameters)
        self.hooks = Hooks(spider.hooks)
        """The spider's."""
        stages: Iterable[Any] = spider.pipelines
        self._stages = {each.name: each for each in stages if hasattr(each, "requests") and hasattr(each, "name")}
        self._known: dict[str | None, Callable[..., Any]] = {None: spider.parse}

    def link_of(self, request: Request) -> Link:
        """The link of a request. No page, and no file that it is redirected to, stands in for one of a pipeline."""
        link = self._linker(request)
        if link.callback is None or "." not in link.callback or link.fingerprint is None:
            return link
        own = link.fingerprint + link.callback.encode() + msgspec.json.encode(request.meta, order="sorted")
        return replace(link, fingerprint=blake2b(own, digest_size=16).digest())

    def new_link(self, request: Request) -> Link:
        """The link of a request that enters the crawl."""
        return self.link_of(self.hooks.changed("new_request", request) if "new_request" in self.hooks else request)

    def find(self, name: str | None) -> Callable[..., Any]:
        """The method called ``name``; None is ``parse``.

        Raises:
            RequestInvalid: The spider has none.
        """
        method = self._known.get(name)
        if method is None:
            assert name is not None
            stage, _, own = name.rpartition(".")  # "files.save" is a method of the pipeline that is called "files"
            method = getattr(self._stages.get(stage), own, None) if stage else getattr(self._spider, name, None)
            if not callable(method) or name.startswith("__"):
                methods = [known for known, _ in inspect.getmembers(type(self._spider), callable) if known[0] != "_"]
                close = difflib.get_close_matches(name, methods, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise RequestInvalid(
                    f"unknown callback {name!r}: spider {self._spider.name!r} has no such method{hint}"
                )
            self._known[name] = method
        return method

    def check(self, request: Request) -> None:
        """Whether the spider has the callbacks that ``request`` names.

        Raises:
            RequestInvalid: It has not.
        """
        if request.callback not in self._known:
            self._find_for(request, request.callback)
        if request.errback is not None and request.errback not in self._known:
            self._find_for(request, request.errback)

    def _find_for(self, request: Request, name: str) -> None:
        try:
            self.find(name)
        except RequestInvalid as error:
            raise RequestInvalid(f"{error} (request to {request.url})") from error


class Harvest:
    """What one callback yields. It belongs to one worker thread and one page.

    Args:
        callbacks: To check the requests that are yielded.
        pipelines: What the items pass through.
        url: The page's.
    """

    __slots__ = ("_callbacks", "_items", "_links", "_pipelines", "_stop", "_url")

    def __init__(self, callbacks: Callbacks, pipelines: Pipelines, url: str) -> None:
        self._callbacks = callbacks
        self._pipelines = pipelines
        self._items: list[Any] = []
        self._links: list[Link] = []
        self._stop: str | None = None
        self._url = url

    def take(self, produce: Callable[[], Any]) -> None:
        """Collect all that ``produce()`` returns or yields. What it raises passes through, but for StopCrawl.

        Raises:
            CallbackError: It yields what is neither an item nor a request.
        """
        try:
            produced = produce()
            if produced is None:
                return
            if isinstance(produced, Request | ItemError) or is_item(produced):
                produced = (produced,)
            elif not isinstance(produced, Iterable) or isinstance(produced, (str, bytes)):
                raise CallbackError(f"a callback must yield items and requests, not {_kind(produced)}")
            for element in produced:
                if type(element) is Request or isinstance(element, Request):
                    self._callbacks.check(element)
                    self._links.append(self._callbacks.new_link(element))
                elif is_item(element) or isinstance(element, ItemError):
                    self._items.append(element)
                elif element is not None:
                    raise CallbackError(f"a callback must yield items and requests, not {_kind(element)}")
        except StopCrawl as stop:
            self._stop = reason(stop) or "StopCrawl"

    def fail(self, error: BaseException, *, keep: bool) -> Yielded | None:
        """What counts though the callback has raised: what it had yielded, if that is to be kept, and a wrong item."""
        yielded = self.finish() if keep else None
        if isinstance(error, Exception) and is_validation(error):
            yielded = yielded or Yielded()
            yielded.rejected.append(rejection(error, None, self._url))
        return yielded

    def finish(self) -> Yielded:
        """Pass the items through the pipelines and encode them."""
        yielded = Yielded(links=self._links, stop=self._stop)
        if self._items:
            self._pipelines.encode(self._items, yielded, self._url)
        return yielded


def _kind(value: Any) -> str:
    if inspect.isawaitable(value) or inspect.isasyncgen(value):
        close = getattr(value, "close", None)
        if close is not None:
            close()  # or Python warns that it was never awaited
        return "a coroutine: callbacks are plain functions, and may block"
    return f"{type(value).__name__}: {value!r:.80}"
