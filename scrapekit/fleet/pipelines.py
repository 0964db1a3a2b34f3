"""The pipelines that items pass through, one set of instances a worker thread."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from scrapekit.errors import DropItem, ItemError, StopCrawl
from scrapekit.items import ItemWriter, rejection
from scrapekit.messages import Link, Request, Yielded, link_of
from scrapekit.messages.reason import reason

logger = logging.getLogger("scrapekit")


class Pipelines:
    """Makes each thread its own pipelines, so that they need no locks.

    Args:
        stages: See :attr:`Spider.pipelines`.
        unique: See :attr:`Spider.unique`.
        link_of: Makes the links of the requests that stages have besides, by ``requests(item, page_url)``.
        route: Says of an item and its line which outputs it goes to; None where each goes to all.
    """

    def __init__(
        self,
        stages: Iterable[Any],
        unique: Sequence[str] = (),
        link_of: Callable[[Request], Link] = link_of,
        route: Callable[[Any, bytes], str] | None = None,
    ) -> None:
        self._route = route
        self._stages = list(stages)
        self._write = ItemWriter(unique)
        self._link_of = link_of
        self._asking: list[Any] = [
            stage for stage in self._stages if hasattr(stage, "requests") and hasattr(stage, "name")
        ]
        self._local = threading.local()

    def encode(self, items: Sequence[Any], yielded: Yielded, url: str = "") -> None:
        """Pass ``items`` of a page through the calling thread's pipelines and add what comes out to ``yielded``."""
        steps = self._steps()
        for given in items:
            item = given
            try:
                if isinstance(item, ItemError):
                    raise item
                for step in steps:
                    item = step(item)
                    if item is None:
                        raise ItemError(f"pipeline {_name(step)} returned None: return the item, or raise DropItem")
                line, key = self._write(item)
                links = [self._link_of(request) for stage in self._asking for request in stage.requests(item, url)]
                if key is not None:
                    yielded.keys[len(yielded.items)] = key
                if self._route is not None:
                    yielded.routes.append(self._route(item, line))
                yielded.items.append(line)
                yielded.links += links
            except DropItem as drop:
                why = reason(drop) or "DropItem"
                yielded.dropped[why] = yielded.dropped.get(why, 0) + 1
            except StopCrawl as stop:
                yielded.stop = reason(stop) or "StopCrawl"
            except Exception as error:  # noqa: BLE001  (user code: it costs this item, and is reported)
                yielded.rejected.append(rejection(error, given if item is None else item, url))

    def close_thread(self) -> None:
        """Close the calling thread's pipelines, the last one first."""
        for stage in reversed(self._local.__dict__.pop("stages", [])):
            close = getattr(stage, "close", None)
            if close is not None:
                try:
                    close()
                except Exception:
                    logger.exception("pipeline %s could not be closed", type(stage).__name__)

    def _steps(self) -> list[Callable[[Any], Any]]:
        steps: list[Callable[[Any], Any]] | None = getattr(self._local, "steps", None)
        if steps is None:
            stages = [stage() if isinstance(stage, type) else stage for stage in self._stages]
            steps = self._local.steps = [getattr(stage, "process", stage) for stage in stages]
            self._local.stages = [
                stage for stage, given in zip(stages, self._stages, strict=True) if stage is not given
            ]
        return steps


def _name(step: Any) -> str:
    with contextlib.suppress(AttributeError):
        return str(step.__qualname__)
    return type(step).__name__
