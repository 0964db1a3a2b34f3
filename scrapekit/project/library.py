"""The library: crawls, and pooled fetches without a spider, as plain Python iterators."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec

from scrapekit.errors import CrawlFailed, RequestInvalid, SettingsError, SpiderError
from scrapekit.messages import Failed, Request, Response
from scrapekit.project.agreement import arguments_for
from scrapekit.project.crawling import Crawl
from scrapekit.project.lineup import Lineup, line_up
from scrapekit.project.naming import outputs_of
from scrapekit.project.report import CrawlReport
from scrapekit.settings import ExportSettings, Loaded, OutputSettings, Settings, load
from scrapekit.spider import Spider

_BUFFER = 16  # groups of a commit each that may wait for the caller before the crawl waits


Spiders = type[Spider] | Spider | Sequence[type[Spider] | Spider]


def run(
    spider: Spiders,
    *,
    output: str | Path | Sequence[str | Path] | None = None,
    overwrite: bool = True,
    settings: Mapping[str, Any] | str | Path | None = None,
    **arguments: Any,
) -> CrawlReport:
    """Crawl to the end, in the calling thread, and say how it went.

    It installs no signal handlers: Ctrl-C is the usual KeyboardInterrupt, after which everything is closed. Several
    crawls may run at once, in threads of their own. A crawl that is to be resumed is one for the command line.

    Args:
        spider: A Spider class, or an instance; or a list of them, to crawl with all at once under one pool and one
            politeness.
        output: Path of the file, or several; their names say the formats. The URL of a table or of a file
            elsewhere; ``-`` for stdout; None for none.
        overwrite: False appends to them.
        settings: Nested as in settings.yaml, and stronger than ``Spider.settings``; or the path of such a file, which
            is weaker. No file is read unasked.
        arguments: For the spider, like ``-a`` on the command line; of several, for all that take them.

    Raises:
        ConfigError: The settings, the spider or the output can't be used.
        FrontierError, ExportError: State or output can't be written.
    """
    lineup, shared = _lineup(spider, settings, arguments)
    outputs = _outputs(output, lineup, shared.export, overwrite=overwrite)
    with Crawl(lineup, shared, outputs=outputs) as crawl:
        return crawl.run()


def _outputs(
    output: str | Path | Sequence[str | Path] | None, lineup: Lineup, export: ExportSettings, *, overwrite: bool
) -> list[OutputSettings]:
    paths = [output] if isinstance(output, str | Path) else output or ()
    if not paths:
        return []
    now, names = datetime.now().astimezone(), [spider.name for spider, _ in lineup.casts.values()]
    asked = [export.to(os.fspath(path), overwrite=overwrite) for path in paths]
    return outputs_of(asked, job=f"{'+'.join(names)}-{now:%Y%m%d-%H%M%S}", spiders=names, now=now)


def crawl(
    spider: Spiders, *, settings: Mapping[str, Any] | str | Path | None = None, **arguments: Any
) -> Generator[dict[str, Any]]:
    """Crawl in the background, and yield the items as they become final, as the dicts that the JSONL would hold.

    A slow caller slows the crawl down. Leaving the loop early ends the crawl and closes everything.

    Args:
        spider: A Spider class, an instance, or a list of them, as for :func:`run`.
        settings: As for :func:`run`.
        arguments: For the spider.

    Raises:
        ConfigError: As for :func:`run`, at once or from the first ``next()``.
        FrontierError: State can't be written.
        CrawlFailed: At the end: nothing was fetched, or ``start()`` raised.
    """
    lineup, shared = _lineup(spider, settings, arguments)
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    stream = _Stream(fails=lambda report: report.failure)
    return stream.run(lambda: Crawl(lineup, shared, audience=stream), decode)


def fetch(
    urls: Iterable[str | Request] | str | Request, *, settings: Settings | Mapping[str, Any] | str | Path | None = None
) -> Generator[Response | Failed]:
    """Fetch URLs over the shared pool, throttled, retried and with robots.txt obeyed, in the order in which they come.

    Args:
        urls: URLs or requests, pulled lazily, or one of them; each gives one result, duplicates too. A result's
            ``request.meta["url"]`` is the URL that was given; its ``url`` is where redirects led. What can't be
            requested at all comes back as a failure without a ``request``.
        settings: As for :func:`run`; or what was loaded already.

    Raises:
        ConfigError: The settings can't be used.
        CrawlFailed: At the end: ``urls`` raised.
    """
    return fetch_watched(urls, settings, lambda _: None)


def fetch_watched(
    urls: Iterable[str | Request] | str | Request,
    settings: Settings | Mapping[str, Any] | str | Path | None,
    watch: Callable[[Crawl], object],
) -> Generator[Response | Failed]:
    """:func:`fetch`, of whose crawl ``watch`` is told before it begins."""
    stream = _Stream()
    spider = _Fetches([urls] if isinstance(urls, str | Request) else urls, stream.put)
    chosen = settings if isinstance(settings, Settings) else settings_for(spider, settings)

    def make() -> Crawl:
        crawl = Crawl(spider, chosen, audience=stream, keep=True)
        watch(crawl)
        return crawl

    return stream.run(make)


class _Fetches(Spider):
    """The start requests are all there is; the responses go to the caller as they are."""

    name = "fetch"
    allowed_domains = None

    def __init__(self, urls: Iterable[str | Request], refuse: Callable[[Any], None]) -> None:
        super().__init__()
        self._urls = urls
        self._refuse = refuse

    def start(self) -> Iterator[Request]:
        for url in self._urls:
            try:
                request = url if isinstance(url, Request) else Request(url)
                yield request.replace(
                    dont_filter=True,
                    callback=None,
                    errback=None,
                    meta={"url": str(getattr(url, "url", url)), **request.meta},
                )
            except RequestInvalid as error:
                self._refuse(Failed(id=0, error=type(error).__name__, message=str(error), url=str(url), final=True))

    def parse(self, response: Response) -> None:
        """Nothing: the response itself is the result."""


class _Stream:
    """Carries what is final from the engine's thread to the caller's, and makes the engine wait for a slow caller."""

    def __init__(self, fails: Callable[[CrawlReport], str | None] = lambda report: report.start_error) -> None:
        self._fails = fails
        self._queue: queue.Queue[Sequence[Any] | None] = queue.Queue(_BUFFER)
        self._left = Event()
        self._error: BaseException | None = None

    def committed(self, lines: Sequence[bytes], kept: Sequence[Any]) -> None:
        """Engine thread: wait until the caller has room, or is gone."""
        for result in kept:  # one by one: each may have megabytes
            self._offer([result])
        if lines:
            self._offer(lines)

    def put(self, result: Any) -> None:
        """Any thread: a result that did not come out of the crawl."""
        self._offer([result])

    def run(self, make: Callable[[], Crawl], read: Callable[[Any], Any] = lambda result: result) -> Generator[Any]:
        """Make and run the crawl, and yield what it offers, read; nothing starts before the first ``next()``."""
        with make() as crawl:
            thread = Thread(target=self._crawl, args=(crawl,), name="scrapekit-engine", daemon=True)
            thread.start()
            try:
                while (group := self._queue.get()) is not None:
                    for result in group:
                        yield read(result)
            finally:
                self._left.set()
                crawl.engine.stop("closed", at_once=True)
                thread.join()
        if self._error is not None:
            raise self._error

    def _crawl(self, crawl: Crawl) -> None:
        try:
            failure = self._fails(crawl.run())
            self._error = None if failure is None else CrawlFailed(failure)
        except BaseException as error:  # noqa: BLE001  (it is raised again in the caller's thread)
            self._error = error
        self._offer(None)

    def _offer(self, group: Sequence[Any] | None) -> None:
        while not self._left.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(group, timeout=0.1)
                return


def _lineup(
    spider: Spiders, settings: Mapping[str, Any] | str | Path | None, arguments: Mapping[str, Any]
) -> tuple[Lineup, Settings]:
    """One spider or several, made and with settings. Raises ConfigError."""
    if not isinstance(spider, Sequence):
        one = made(spider, arguments)
        return line_up([one], [_loaded_for(one, settings)])
    for each in spider:
        _check_is_spider(each)
    if not spider:
        raise SpiderError("the list of spiders is empty")
    shares = arguments_for([each if isinstance(each, type) else type(each) for each in spider], arguments)
    spiders = [made(each, share) for each, share in zip(spider, shares, strict=True)]
    return line_up(spiders, [_loaded_for(each, settings) for each in spiders])


def made(spider: type[Spider] | Spider, arguments: Mapping[str, Any]) -> Spider:
    """An instance of a Spider class with these arguments, or the instance itself. Raises SpiderError for neither."""
    _check_is_spider(spider)
    if isinstance(spider, type):
        return spider(**arguments)
    if arguments:
        raise SpiderError(f"arguments {', '.join(arguments)} are for a Spider class, not for an instance")
    return spider


def _check_is_spider(spider: Any) -> None:
    if not issubclass(spider if isinstance(spider, type) else type(spider), Spider):
        raise SpiderError(f"not a Spider class: {spider!r}")


def settings_for(spider: Spider, settings: Mapping[str, Any] | str | Path | None) -> Settings:
    """What holds for a spider with these settings, as :func:`run` has them. Raises SettingsError."""
    return _loaded_for(spider, settings).settings


def _loaded_for(spider: Spider, settings: Mapping[str, Any] | str | Path | None) -> Loaded:
    origin = f"{type(spider).__name__}.settings"
    if settings is not None and not isinstance(settings, Mapping | str | Path):
        raise SettingsError(
            f"settings= must be a dict in the shape of settings.yaml, or its path, not {settings!r:.80}"
        )
    if settings is None or isinstance(settings, str | Path):
        return load(None if settings is None else Path(settings), spider.settings, origin)
    load(None, spider.settings, origin)  # so that what is wrong there is not said to be wrong here
    return load(None, _merged(spider.settings, settings), "settings=")


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings as one; ``above`` wins."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
