"""The :class:`Hooks` of a spider: which there are, and who is called when."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import Any

from scrapekit.errors import RequestError, RequestInvalid, SpiderError
from scrapekit.messages import Request, Response

GROUP = "scrapekit.hooks"
"""The entry points of this group are hooks that a spider may name."""

POINTS = ("on_start", "new_request", "before_request", "after_response", "on_item", "on_error", "on_finish")
"""The methods that a hook may have."""

logger = logging.getLogger("scrapekit")


class Hooks:
    """Calls the hooks of a spider, in their order. Any thread; each thread has instances of its own of what is a class.

    Args:
        given: Classes, instances, or names of entry points, each with at least one of :data:`POINTS`.

    Raises:
        SpiderError: One is none of that, or not installed.
    """

    def __init__(self, given: Iterable[Any]) -> None:
        self._given = [_resolved(hook) for hook in given]
        self._local = threading.local()
        self._has = {point for point in POINTS for hook in self._given if callable(getattr(hook, point, None))}

    def __contains__(self, point: str) -> bool:
        return point in self._has

    def call(self, point: str, *arguments: Any) -> None:
        """Call ``point`` of each hook that has it. What one raises passes through."""
        for method in self._methods(point):
            method(*arguments)

    def changed(self, point: str, request: Request) -> Request:
        """What the hooks make of a request, one after the other; None from one leaves it as it is.

        Raises:
            RequestInvalid: One returns something else.
        """
        for method in self._methods(point):
            answer = method(request)
            if answer is not None and not isinstance(answer, Request):
                raise RequestInvalid(f"{point} of a hook must return a Request or None, not {answer!r:.80}")
            request = request if answer is None else answer
        return request

    def before(self, request: Request) -> Request:
        """The request as it is to be fetched: its headers, proxy and timeout may be others.

        Raises:
            RequestInvalid: What the engine has decided upon already would be another: the page, or its cookies.
        """
        changed = self.changed("before_request", request)
        for name in ("url", "method", "body", "session", "callback"):
            if getattr(changed, name) != getattr(request, name):
                raise RequestInvalid(f"before_request of a hook can't change the {name}: new_request can")
        return changed

    def seen(self, item: Any) -> Any:
        """The last of the pipelines: shows each item to the hooks."""
        self.call("on_item", item)
        return item

    def start(self, spider: Any) -> None:
        """The crawl is about to begin. The thread of the engine.

        Raises:
            SpiderError: A hook raised.
        """
        try:
            self.call("on_start", spider)
        except SpiderError:
            raise
        except Exception as error:
            raise SpiderError(f"a hook raised {type(error).__name__} in on_start: {error}") from error

    def finish(self, report: Any) -> None:
        """The crawl has ended. The thread of the engine. What a hook raises is logged: the crawl is what it is."""
        try:
            self.call("on_finish", report)
        except Exception:
            logger.exception("a hook raised in on_finish")

    def failed(self, error: RequestError) -> None:
        """Show an attempt that has failed. What a hook raises here is logged: the failure stays what it is."""
        try:
            self.call("on_error", error)
        except Exception:
            logger.exception("a hook raised in on_error")

    def rejects(self, response: Response) -> None:
        """Show a response. Whoever doesn't want it raises :class:`~scrapekit.errors.Rejected`."""
        self.call("after_response", response)

    def _methods(self, point: str) -> list[Callable[..., Any]]:
        hooks: list[Any] | None = getattr(self._local, "hooks", None)
        if hooks is None:
            hooks = self._local.hooks = [_made(hook) if isinstance(hook, type) else hook for hook in self._given]
        return [getattr(hook, point) for hook in hooks if callable(getattr(hook, point, None))]


def _made(hook: type) -> Any:
    try:
        return hook()
    except Exception as error:
        raise SpiderError(
            f"hooks: {hook.__name__} can't be made for a thread: {type(error).__name__}: {error}; "
            f"give an instance, {hook.__name__}(...), where it takes arguments"
        ) from error


def _resolved(hook: Any) -> Any:
    if isinstance(hook, str):
        installed = {plugin.name: plugin for plugin in reversed(tuple(entry_points(group=GROUP)))}
        if hook not in installed:
            known = ", ".join(sorted(installed)) or "none"
            raise SpiderError(f"hooks: no installed package has a hook {hook!r}; installed: {known}")
        try:
            hook = installed[hook].load()
        except Exception as error:
            raise SpiderError(f"hooks: {installed[hook].value} can't be loaded: {error}") from error
    if not any(callable(getattr(hook, point, None)) for point in POINTS):
        raise SpiderError(f"hooks must have at least one of the methods {', '.join(POINTS)}: {hook!r:.80} has none")
    return hook
