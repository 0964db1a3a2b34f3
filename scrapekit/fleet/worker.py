"""The worker: one lease in, one outcome out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from hashlib import blake2b
from math import ceil
from typing import Any

from msgspec.structs import replace
from urllib3 import HTTPHeaderDict

from scrapekit.download import Reply, Source
from scrapekit.errors import (
    BadRedirect,
    CallbackError,
    ParseError,
    Rejected,
    RequestError,
    RequestInvalid,
    StatusError,
    request_error,
)
from scrapekit.fleet.callbacks import Callbacks, Harvest
from scrapekit.fleet.pipelines import Pipelines
from scrapekit.messages import (
    Failed,
    Fetched,
    Lease,
    Outcome,
    Page,
    Redirected,
    Request,
    Response,
    Spool,
    Yielded,
)
from scrapekit.messages.reason import reason, trace
from scrapekit.spider import Spider
from scrapekit.web import robots
from scrapekit.web.cookiejar import PER_DOMAIN
from scrapekit.web.redirects import REDIRECTS, follow, headers_after

_PAGE_LIMIT = 2**20  # bytes of a failed response's body that its errback gets


class Worker:
    """Does one hop and reports: it never sleeps, retries, follows or decides. Shared by the threads of a fleet.

    Args:
        spider: Whose callbacks to run.
        downloader: Fetches.
        parse: Turns a response into its document.
        keep_partial: Whether items and requests count that a callback yielded before it raised.
        keep: Whether to hand the responses over as they are, and run no callbacks.
        secret_headers: Names of request headers that never go along with a redirect to another origin, besides the
            usual ones.
        route: See :class:`Pipelines`.
    """

    def __init__(
        self,
        spider: Spider,
        downloader: Source,
        parse: Callable[[Response], Any],
        *,
        keep_partial: bool = False,
        keep: bool = False,
        secret_headers: Iterable[str] = (),
        route: Callable[[Any, bytes], str] | None = None,
    ) -> None:
        self.callbacks = Callbacks(spider)
        """The spider's methods by name."""
        self._keep_partial = keep_partial
        self._downloader = downloader
        self._parse = parse
        self._keep = keep
        self._secret_headers = tuple(secret_headers)
        self._hooks = hooks = self.callbacks.hooks
        watched = [*spider.pipelines, hooks.seen] if "on_item" in hooks else spider.pipelines
        self._pipelines = Pipelines(watched, spider.unique, self.callbacks.new_link, route)

    def process(self, lease: Lease) -> Outcome:
        """Fetch, parse, run the callback, encode what it yields; or run the errback of a lease that has failed.

        Never raises: failures are outcomes, also ``SystemExit`` in a callback, and bugs of scrapekit itself.
        """
        sent = lease.request
        try:
            if lease.failure is None and not lease.is_robots and "before_request" in self._hooks:
                sent = self._hooks.before(sent)
            outcome = self._process(lease, sent)
        except RequestError as error:
            outcome = _failed(lease, {"id": lease.id}, error)
        except BaseException as error:  # noqa: BLE001  (a worker that dies would take its slot and its page with it)
            what = CallbackError(f"{type(error).__name__}: {reason(error)}")
            outcome = _failed(lease, {"id": lease.id}, what, error)
        if isinstance(outcome, Failed) and not outcome.final and "on_error" in self._hooks and not lease.is_robots:
            self._hooks.failed(request_error(outcome.error)(outcome.message, sent))
        return outcome

    def _process(self, lease: Lease, sent: Request) -> Outcome:
        if lease.failure is not None:
            return self._errback(lease, lease.failure)
        reply = self._downloader.fetch(
            sent,
            host=lease.host,
            maxsize=lease.maxsize,
            cookies=lease.cookies,
            proxy=lease.proxy if sent.proxy == lease.request.proxy else None,
            authorization=lease.authorization,
            first=robots.MAX_BYTES + 1 if lease.is_robots else None,  # one more shows that there is more
            again=lease.attempt > 0,
        )
        try:
            return self._read(lease, reply)
        finally:
            if isinstance(reply.body, Spool) and not self._keep:
                reply.body.close()

    def close_thread(self) -> None:
        """The calling thread ends: close what was opened for it."""
        self._pipelines.close_thread()

    def _read(self, lease: Lease, reply: Reply) -> Outcome:
        """What a reply is: a page, a redirect, a failure."""
        request, status = lease.request, reply.status
        facts: dict[str, Any] = {
            "id": lease.id,
            "status": status,
            "size": len(reply.body),
            "elapsed": reply.elapsed,
            "set_cookies": reply.headers.getlist("set-cookie")[:PER_DOMAIN],
            "flags": reply.flags,
        }
        if "after_response" in self._hooks and not lease.is_robots:
            try:
                self._hooks.rejects(self._response(lease, reply))
            except Rejected as error:
                return self._rejected(lease, facts, error)
        if 200 <= status < 300 or status in request.handle_statuses:
            if lease.is_robots:
                return Fetched(**facts, yielded=Yielded(), page=_page(reply))
            return self._callback(lease, reply, facts)
        if status in REDIRECTS:
            try:
                return Redirected(**facts, link=self.callbacks.link_of(_next_hop(request, reply, self._secret_headers)))
            except (BadRedirect, RequestInvalid) as error:
                return _failed(lease, facts, BadRedirect(str(error)))
        return Failed(
            **facts,
            error=StatusError.__name__,
            message=f"status {status}",
            url=request.url,
            page=None if request.errback is None else _page(reply),
            retry_after=reply.headers.get("retry-after"),
        )

    def _callback(self, lease: Lease, reply: Reply, facts: dict[str, Any]) -> Outcome:
        """Parse and run the callback; when it raises, what it had yielded goes, unless it is to be kept."""
        request = lease.request
        response = self._response(lease, reply)
        if self._keep:
            return Fetched(**facts, yielded=Yielded(), kept=response)
        harvest = Harvest(self.callbacks, self._pipelines, request.url)
        try:
            callback = self.callbacks.find(request.callback)
            harvest.take(partial(callback, response, **request.cb_kwargs))
        except BaseException as error:  # noqa: BLE001  (user code may raise anything, and costs this page only)
            failed = _failed(lease, facts, _blame(error, callback=request.callback or "parse"), error)
            failed.yielded = harvest.fail(error, keep=self._keep_partial)
            return failed
        if response.flags:
            facts["flags"] = tuple(map(reason, response.flags))
        return Fetched(**facts, yielded=harvest.finish())

    def _response(self, lease: Lease, reply: Reply) -> Response:
        return Response(
            lease.request.url,
            reply.status,
            reply.headers,
            reply.body,
            request=lease.request,
            elapsed=reply.elapsed,
            flags=reply.flags,
            parse=self._parse,
            sent_cookies=lease.cookies,
        )

    def _rejected(self, lease: Lease, facts: dict[str, Any], error: Rejected) -> Failed:
        """A response that a hook has turned down, with what it says about the next attempt."""
        failed, request = _failed(lease, facts, error), lease.request
        if error.retry is not None:
            again = error.retry
            if (again.url, again.method, again.body) != (request.url, request.method, request.body):
                raise RequestInvalid("the retry of a Rejected must be of the same URL, method and body")
            failed.again = self.callbacks.link_of(again)
        for link in map(self.callbacks.link_of, error.first):
            # All that had the same cookies need the same: the dupe filter lets one of them pass, and later ones too.
            identity = blake2b((link.fingerprint or b"") + (lease.cookies or "").encode(), digest_size=16).digest()
            failed.first.append(replace(link, fingerprint=identity))
        failed.retry_after = str(ceil(error.wait)) if error.wait else None
        return failed

    def _errback(self, lease: Lease, failure: Failed) -> Outcome:
        """Run the errback: the request stays failed, what the errback yields counts."""
        request = lease.request
        error = request_error(failure.error)(failure.message, request)
        if isinstance(error, StatusError) and failure.page is not None:
            page = failure.page
            error.response = Response(
                page.url, page.status, HTTPHeaderDict(page.headers), page.body, request=request, parse=self._parse
            )
        harvest = Harvest(self.callbacks, self._pipelines, request.url)
        try:
            harvest.take(partial(self.callbacks.find(request.errback), error))
        except BaseException as raised:  # noqa: BLE001  (user code, as above)
            blamed = _blame(raised, callback=request.errback)
            both = type(blamed)(f"{reason(blamed)}; the request had failed of {failure.error}: {failure.message}")
            failed = _failed(lease, {"id": lease.id}, both, raised)
            failed.final = True
            return failed
        failure.yielded = harvest.finish()
        failure.final = True
        failure.page = None
        return failure


def _blame(error: BaseException, *, callback: str) -> RequestError:
    """What a page failed of, whose callback raised ``error``."""
    if isinstance(error, (CallbackError, ParseError)):
        return error
    return CallbackError(f"{callback} raised {type(error).__name__}: {reason(error)}")


def _failed(lease: Lease, facts: dict[str, Any], error: RequestError, cause: BaseException | None = None) -> Failed:
    """The outcome that says ``error``, with the traceback of its ``cause`` in user code."""
    where = None if cause is None else trace(cause)
    return Failed(**facts, error=type(error).__name__, message=reason(error), url=lease.request.url, traceback=where)


def _next_hop(request: Request, reply: Reply, secret: Iterable[str]) -> Request:
    """The request that follows a redirect."""
    hop = follow(request.method, request.url, reply.status, *reply.headers.getlist("location"))
    headers = headers_after(request.headers, request.url, hop.url, hop.keep_body, secret)
    body = request.body if hop.keep_body else None
    return request.replace(url=hop.url, method=hop.method, headers=headers, body=body, cookies={})


def _page(reply: Reply) -> Page:
    body = reply.body
    first = body.head(_PAGE_LIMIT) if isinstance(body, Spool) else body[:_PAGE_LIMIT]
    return Page(reply.url, reply.status, list(reply.headers.items()), first)
