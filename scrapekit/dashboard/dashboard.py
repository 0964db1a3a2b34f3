"""The :class:`Dashboard`: the servers of one crawl, open before it and closed after it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from scrapekit.dashboard.board import Board, Controls
from scrapekit.dashboard.frame import About
from scrapekit.dashboard.latest import Latest
from scrapekit.dashboard.metrics import check_installed
from scrapekit.dashboard.server import Server
from scrapekit.download import PoolStats
from scrapekit.engine import Snapshot
from scrapekit.settings import Settings
from scrapekit.settings.listen import listen_at

_SLACK_SECONDS = 60.0


class Dashboard:
    """Listens as soon as it is made, so that a port that is taken is known before there is a job. A context manager.

    Args:
        settings: ``ui`` says where to listen; ``http``, ``crawl`` and ``retry``, how long one request may take.

    Raises:
        ConfigError: It can't listen there, or metrics are asked for without prometheus-client.
    """

    def __init__(self, settings: Settings) -> None:
        ui = settings.ui
        self._patience = patience(settings)
        self.latest = Latest()
        """The audience of the crawl."""
        self._board: Board | None = None
        with ExitStack() as opened:
            self._page = self._service = None
            if ui.metrics is not None:
                check_installed()
                self._service = Server(listen_at(ui.metrics), ui.token, ui.hosts)
                opened.callback(self._service.close)
            if ui.listen is not None:
                self._page = Server(listen_at(ui.listen), ui.token, ui.hosts)
                opened.callback(self._page.close)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end("failed", "it was broken off")
        self._opened.close()

    def open(
        self,
        about: About,
        folder: Path,
        *,
        snapshot: Callable[[], Snapshot],
        pool_stats: Callable[[], PoolStats],
        controls: Controls,
        why: Callable[[str, str], str],
    ) -> list[str]:
        """Show this crawl; see :class:`Board`. Returns a line for each server, for the log."""
        board = self._board = Board(
            about,
            folder,
            snapshot=snapshot,
            pool_stats=pool_stats,
            latest=self.latest,
            controls=controls,
            patience=self._patience,
            why=why,
        )
        lines = []
        if self._page is not None:
            self._page.start(board.page)
            lines.append(f"the dashboard is at {self._page.url()}")
        if self._service is not None:
            self._service.start(board.service)
            lines.append(f"metrics are at {self._service.url('metrics')}")
        return lines

    @property
    def keys(self) -> list[str]:
        """What to open, with the token, where it takes one: for whoever has started it, and no log."""
        servers = [(self._page, ""), (self._service, "metrics")]
        return [server.url(path, key=True) for server, path in servers if server is not None and server.gate.guarded]

    def end(self, phase: str, why: str = "") -> None:
        """It has ended like this: tell all who watch. The first time counts."""
        if self._board is not None:
            self._board.end(phase, why)
            self._board = None


def patience(settings: Settings) -> float:
    """Seconds that may pass between two outcomes of a crawl that is well. Pure."""
    callback = settings.crawl.callback_timeout
    longest = settings.http.timeout.total + callback if callback is not None else float("inf")
    return max(longest, settings.retry.backoff.max, settings.retry.max_retry_after) + _SLACK_SECONDS
