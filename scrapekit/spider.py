"""The :class:`Spider`: the class that users write."""

from __future__ import annotations

import inspect
import socket
import ssl
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

from scrapekit.errors import RequestInvalid, SpiderError
from scrapekit.messages import Request, Response
from scrapekit.web.urls import address


class Pipeline(Protocol):
    """What an instance in ``Spider.pipelines`` is to a type checker."""

    def process(self, item: Any, /) -> Any:
        """The item, changed or not, or another one."""
        raise NotImplementedError


class Spider:
    """What to crawl and what to take from it.

    One instance is shared by all workers, and its callbacks run in them, several at once: a callback must not change
    ``self``. What belongs to one page travels in ``meta`` or ``cb_kwargs``; what belongs to the whole crawl is better
    computed from the output, or kept by a pipeline.

    Args:
        arguments: The ``-a name=value`` of the command line, as text, or the keyword arguments of
            :func:`scrapekit.crawl`. Each becomes an attribute.
    """

    name: str = ""
    """What ``scrapekit crawl NAME`` calls it; default: the class's name in lower case."""

    start_urls: Iterable[str] = ()
    """Where the crawl starts, unless ``start()`` is overridden."""

    allowed_domains: Iterable[str] | None = ()
    """Domains, with their subdomains, that links and redirects may lead to. Default: the hosts of the start
    requests. ``None`` or ``["*"]``: anywhere."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """Overrides, nested as in settings.yaml."""

    pipelines: ClassVar[Iterable[Callable[..., Any] | Pipeline]] = ()
    """Classes, instances, or functions of one item, that each item passes through in this order. Each worker thread
    makes its own instance of a class (so it needs no locks), calls its ``process(item)``, and its ``close()`` at the
    end; an instance is shared by all."""

    unique: ClassVar[Sequence[str]] = ()
    """Fields by which an item that is a dict is the only one of its kind: of two that have the same values in all of
    them, the first is written. Other items say so in an attribute ``unique`` of their own class."""

    hooks: ClassVar[Iterable[Any]] = ()
    """Classes, instances or names of installed hooks, with any of the methods ``on_start``, ``new_request``,
    ``before_request``, ``after_response``, ``on_item``, ``on_error``, ``on_finish``. Each thread makes its own instance
    of a class; an instance is shared by all."""

    parsers: ClassVar[Mapping[str, Callable[[Response], Any]]] = {}
    """Parsers by media type (``"text/html"``, ``"text/*"``, ``"*/*"``) that are used before the built-in ones."""

    ignored_parameters: Collection[str] = ()
    """What ``crawl.ignore_parameters`` says, from when the crawl is made: set by it, in each process."""

    arguments: Mapping[str, Any]
    """The keyword arguments that it was made with, so that a worker process can make the same one."""

    def __new__(cls, *_: Any, **arguments: Any) -> Self:
        """Remember the arguments, whatever ``__init__`` makes of them."""
        spider = super().__new__(cls)
        spider.arguments = arguments
        return spider

    def __init__(self, **arguments: Any) -> None:
        for name, value in arguments.items():
            if callable(getattr(type(self), name, None)):
                raise SpiderError(f"argument {name!r} would hide the method of that name of spider {self.name!r}")
            setattr(self, name, value)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__.lower()

    def start(self) -> Iterable[Request]:
        """The start requests, pulled lazily, by one thread that is not the workers'.

        It may be endless, and may block. A resumed crawl calls it anew and skips as many requests as it had taken, so
        it must yield them in the same order again.
        """
        for url in [self.start_urls] if isinstance(self.start_urls, str) else self.start_urls:
            yield Request(url)

    def ssl_context(self) -> ssl.SSLContext | None:
        """The context for TLS; None for one made of ``http.verify``, ``http.ca_bundle`` and ``http.client_cert``.

        Called once in each process that fetches, before it begins, so that a context need not travel.
        """
        return None

    def resolve(self, host: str, port: int) -> Sequence[tuple[int, int, int, str, Any]]:
        """The addresses of a host name at a port, as :func:`socket.getaddrinfo` has them, and by default from there.

        Called in threads of its own, several at once, in each process that fetches; may block: ``http.dns`` says how
        long it is waited for, and how long its answer is good. Never called for what is an address already.

        Raises:
            socket.gaierror: There is none.
        """
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)

    def parse(self, response: Response) -> Any:
        """The default callback: an iterable of items and requests, one of them, or None. Runs in a worker; may block.

        Unless it is overridden, it yields what the parser for the media type yields.
        """
        doc = response.doc
        if isinstance(doc, Iterable) and not isinstance(doc, (str, bytes, Mapping)) and not hasattr(doc, "css"):
            return doc
        raise NotImplementedError(
            f"spider {self.name!r} has no parse() method, and the parser's {type(doc).__name__} is not items"
        )


def check_spider(spider: Spider) -> None:
    """See to it that the class attributes are what they are said to be.

    Raises:
        SpiderError: One is not; the message says which, and what it must be.
    """
    domains: Any = spider.allowed_domains
    pipelines: Any = spider.pipelines
    wrong = None
    if not isinstance(spider.start_urls, Iterable):
        wrong = "start_urls", "a list of URLs"
    elif domains is not None and not _all(domains, lambda domain: isinstance(domain, str)):
        wrong = "allowed_domains", "a list of domains, or None for anywhere"
    elif not isinstance(spider.settings, Mapping):
        wrong = "settings", "a dict in the shape of settings.yaml"
    elif isinstance(spider.unique, str) or not _all(spider.unique, lambda name: isinstance(name, str)):
        wrong = "unique", "a list of names of fields"
    elif not isinstance(spider.parsers, Mapping):
        wrong = "parsers", "a dict of functions by media type"
    elif isinstance(spider.hooks, str) or not isinstance(spider.hooks, Iterable):
        wrong = "hooks", "a list of hooks"
    elif isinstance(pipelines, str) or not _all(pipelines, _is_pipeline):
        wrong = (
            "pipelines",
            "a list of functions of one item, or of classes with process(item), none of them async or a generator",
        )
    if wrong is not None:
        name, must = wrong
        raise SpiderError(f"{type(spider).__name__}.{name} must be {must}, not {getattr(spider, name)!r:.80}")
    if inspect.iscoroutinefunction(spider.start) or inspect.isasyncgenfunction(spider.start):
        raise SpiderError(f"{type(spider).__name__}.start must be a plain generator, not async: it may block")
    for theirs, ours in _SCRAPYS.items():
        if hasattr(spider, theirs):
            raise SpiderError(f"{type(spider).__name__}.{theirs} is Scrapy's, and would do nothing: {ours}")


def start_hosts(spider: Spider) -> set[str]:
    """The hosts of the start URLs, as far as they are known beforehand.

    Raises:
        SpiderError: A start URL can't be fetched.
    """
    urls = spider.start_urls
    if not isinstance(urls, list | tuple) or type(spider).start is not Spider.start:
        return set()
    try:
        return {address(url).host for url in urls[:_LOOKED_AT]}
    except RequestInvalid as error:
        raise SpiderError(f"start_urls of spider {spider.name!r}: {error}") from error


_SCRAPYS = {
    "closed": "at the end, on_finish(report) of a hook is called",
    "custom_settings": "settings go into `settings`, nested as in settings.yaml",
    "download_delay": "say `settings = {'throttle': {'delay': 1}}`",
    "from_crawler": "__init__() gets the arguments, and settings go into `settings`",
    "handle_httpstatus_list": "say Request(url, handle_statuses=[404])",
    "start_requests": "call it start()",
}
"""What those who come from Scrapy leave in their spiders, and what to do with it."""

_LOOKED_AT = 10_000  # start URLs, before the crawl begins; the others are looked at when their turn comes


def _all(values: Any, right: Callable[[Any], bool]) -> bool:
    return isinstance(values, Iterable) and all(map(right, values))


def _is_pipeline(stage: Any) -> bool:
    process = getattr(stage, "process", None if isinstance(stage, type) else stage)
    gives_no_item = inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction
    return callable(process) and not any(kind(process) for kind in gives_no_item)
