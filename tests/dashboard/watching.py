"""What the tests of the dashboard share: a site that waits, crawls of it, and their pages."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from chromium import PATIENCE

from scrapekit.cli import main
from scrapekit.testing import Reply


class Answered(NamedTuple):
    status: int
    headers: Any
    text: str


class Page:
    """A dashboard, asked by plain HTTP. It has the cookie that the page gave it, as a browser would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.place = urlsplit(url).netloc
        self.headers: dict[str, str] = {}

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answered:
        connection = http.client.HTTPConnection(self.place, timeout=PATIENCE)
        given = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=given)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return Answered(answer.status, answer.headers, text)

    def act(self, path: str) -> Answered:
        """As its buttons do."""
        cookie = self.ask("/").headers["Set-Cookie"].partition(";")[0]
        return self.ask(path, "POST", Cookie=cookie, Origin=f"http://{self.place}")

    @contextmanager
    def events(self, path: str = "/events", **headers: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """Server-sent events, as they come: their names, and what they say."""
        connection = http.client.HTTPConnection(self.place, timeout=PATIENCE)
        connection.request("GET", path, headers=self.headers | headers)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")

        def each() -> Iterator[tuple[str, Any]]:
            name = ""
            for line in answer:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)

        try:
            yield each()
        finally:
            answer.close()  # until then its socket is open
            connection.close()

    def wait(self, condition, path: str = "/events") -> Any:
        """The first frame of which it is true."""
        with self.events(path) as events:
            for _, frame in events:
                if condition(frame):
                    return frame
        raise AssertionError("the stream has ended")


class Crawling(threading.Thread):
    """``scrapekit crawl`` in a thread of this process; ``page`` is its dashboard."""

    def __init__(self, *arguments: str) -> None:
        super().__init__()
        self._arguments = arguments
        self._told = threading.Event()
        self.lines: list[str] = []
        self.urls: list[str] = []
        self.code: int | None = None

    def __enter__(self) -> Self:
        self.handler = logging.Handler()
        self.handler.emit = self._hear
        logging.getLogger("scrapekit").addHandler(self.handler)
        self.start()
        assert self._told.wait(PATIENCE), self.lines
        return self

    def __exit__(self, kind, *_: object) -> None:
        if kind is not None and self.is_alive():
            self.page.act("/stop")
            self.page.act("/stop")
        self.join(PATIENCE)
        logging.getLogger("scrapekit").removeHandler(self.handler)
        assert not self.is_alive()

    def run(self) -> None:
        try:
            self.code = main(["crawl", *self._arguments])
        finally:
            self._told.set()

    def _hear(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        self.lines.append(line)
        if line.startswith(("the dashboard is at ", "metrics are at ")):
            self.urls.append(line.split()[-1])
            self.page = Page(self.urls[0])
            self._told.set()


class Site:
    """``/`` links to ``/1`` to ``/40``; what is asked for waits until it may ``go``."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.pages = {"/": "".join(f"<a href='/{number}'>x</a>" for number in range(1, 41))}
        self.statuses: dict[str, int] = {}
        self.retry_after = 0

    def __call__(self, request) -> Reply:
        if request.path == "/robots.txt":
            return Reply(b"", 404)
        while not self.go.wait(0.05) and request.path != "/" and not request.closing.is_set():
            pass
        html = self.pages.get(request.path, f"<title>Page {request.path[1:]}</title>")
        status = self.statuses.get(request.path, 200)
        headers = (("Content-Type", "text/html; charset=utf-8"), ("Retry-After", str(self.retry_after)))
        return Reply(html.encode(), status, headers)
