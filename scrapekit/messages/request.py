"""The :class:`Request`: what a spider asks for."""

from __future__ import annotations

import json as stdlib_json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr, replace

from scrapekit.errors import RequestInvalid
from scrapekit.safe import masked
from scrapekit.web.urls import address

_MAX_PRIORITY = 2**31
_USUAL: tuple[object, ...] = ("", None, None, None, (), {})  # session, proxy, timeout, delay, handle_statuses, cookies
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_COOKIE_VALUE = re.compile(r"[\x20-\x3a\x3c-\x7e\x80-\xff]*").fullmatch
_FIELD_VALUE = re.compile(r"[^\0\r\n\u0100-\U0010ffff]*").fullmatch
_encode_json = stdlib_json.JSONEncoder(allow_nan=False).encode
_encode_msgpack = msgspec.msgpack.Encoder().encode
_decode_dict = msgspec.json.Decoder(dict[str, Any]).decode
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Request(Struct, frozen=True, omit_defaults=True, repr_omit_defaults=True):
    """One HTTP request and the callback that gets its response. Immutable, JSON-serialisable, safe in any thread.

    It is checked where it is created, because it may be carried out much later, after a restart: a request that can't
    be stored is an error in the line that made it.

    Args:
        url: An absolute http or https URL. The fragment is removed, unsafe characters are percent-encoded.
        callback: A method of the spider, or its name; default ``parse``. It is stored by name.
        method: An HTTP method; POST where ``form`` or ``json`` is given and no other method is.
        headers: Sent besides the default headers, and instead of those of the same name.
        body: Bytes, or text that is sent as UTF-8.
        form: A mapping or pairs, sent as ``application/x-www-form-urlencoded``.
        json: Anything that JSON can hold, sent as ``application/json``.
        meta: A dict of JSON values, of which the callback finds a copy in ``response.meta``: tuples are lists there,
            and keys are text.
        cb_kwargs: A dict of JSON values that the callback gets as keyword arguments.
        priority: A higher one is fetched earlier; default 0.
        errback: A method of the spider, or its name, that gets the :class:`~scrapekit.errors.RequestError` when the
            request has failed for good. What it yields counts like a callback's.
        dont_filter: True fetches the URL even if it was requested before, and outside ``allowed_domains``.
        session: The name of the cookie jar; requests of one session share their cookies. ``"ann=>bob"`` sends what ann
            asks for with the cookies of bob: to the dupe filter it is ann's.
        proxy: The URL of a proxy for this request.
        timeout: Seconds for the whole exchange, instead of ``http.timeout.total``.
        delay: Seconds that the host must have been left alone before this request, instead of ``throttle.delay``.
        handle_statuses: Statuses besides 2xx whose responses go to the callback.
        cookies: Put into the jar of the session, for the URL's host, before this request is first sent; None as a
            value takes one out. Without a jar (``http.cookies: false``) they are sent with this request alone.

    Raises:
        RequestInvalid: The URL can't be fetched, ``meta`` or ``cb_kwargs`` is not JSON, the callback is not a method
            or a name, a header holds a line break, an argument is of the wrong type.
    """

    url: str
    callback: Any = None
    method: str = "GET"
    headers: dict[str, str] = {}
    body: Any = None
    form: Any = None
    json: Any = None
    meta: dict[str, Any] = {}
    cb_kwargs: dict[str, Any] = {}
    priority: int = 0
    errback: Any = None
    dont_filter: bool = False
    session: str = ""
    proxy: str | None = None
    timeout: float | None = None
    delay: float | None = None
    handle_statuses: Collection[int] = ()
    cookies: Mapping[str, str | None] = {}

    def __post_init__(self) -> None:
        url = address(self.url if type(self.url) is str else _plain(self.url)).url
        if url is not self.url:
            force_setattr(self, "url", url)
        callback = self.callback
        if callback is not None and type(callback) is not str:
            force_setattr(self, "callback", method_name(callback, "callback", url))
        if self.errback is not None and type(self.errback) is not str:
            force_setattr(self, "errback", method_name(self.errback, "errback", url))
        if self.meta or type(self.meta) is not dict:
            force_setattr(self, "meta", _json_dict(self.meta, "meta", url))
        if self.cb_kwargs or type(self.cb_kwargs) is not dict:
            force_setattr(self, "cb_kwargs", _json_dict(self.cb_kwargs, "cb_kwargs", url))
        if (
            self.method != "GET"
            or self.headers
            or type(self.headers) is not dict
            or self.body is not None
            or self.form is not None
            or self.json is not None
        ):
            _normalise(self)
        if type(self.priority) is not int or not -_MAX_PRIORITY <= self.priority <= _MAX_PRIORITY:
            raise RequestInvalid(
                f"priority must be a whole number up to {_MAX_PRIORITY:,}, not {self.priority!r} (request to {url})"
            )
        if (self.session, self.proxy, self.timeout, self.delay, self.handle_statuses, self.cookies) != _USUAL:
            _check_rare(self)

    def __repr__(self) -> str:
        return masked(super().__repr__())

    @property
    def visitor(self) -> str:
        """Whose request it is to the dupe filter: of ``session="ann=>bob"``, ``"ann"``."""
        return self.session.partition("=>")[0]

    @property
    def jar(self) -> str:
        """Whose cookies are sent with it: of ``session="ann=>bob"``, ``"bob"``."""
        return self.session.rpartition("=>")[2]

    def replace(self, **changes: Any) -> Request:
        """A copy with these arguments changed. A ``body``, ``form`` or ``json`` takes the place of the one before."""
        if not changes.keys().isdisjoint(("body", "form", "json")):
            changes.setdefault("body", None)
            if "headers" not in changes:
                kept = {name: value for name, value in self.headers.items() if name.lower() != "content-type"}
                changes["headers"] = kept
        return replace(self, **changes)


def _plain(url: Any) -> Any:
    return str.__str__(url) if isinstance(url, str) else url  # such as lxml's smart strings


def method_name(method: Callable[..., Any], role: str, url: str) -> str:
    """The name under which a request can find ``method`` on its spider again, also after a restart."""
    name = getattr(method, "__name__", "")
    owner = getattr(method, "__self__", None)
    if owner is None or getattr(owner, name, None) != method:
        raise RequestInvalid(
            f"{role} must be a method of the spider or its name, not {method!r} (request to {url}): "
            "a request is stored, so its callback must be found again by name"
        )
    return name


def _normalise(request: Request) -> None:
    """Turn ``form``, ``json`` and text bodies into bytes and headers, and check what goes on the wire."""
    if not isinstance(request.method, str):
        raise RequestInvalid(f"method must be a name, not {request.method!r} (request to {request.url})")
    headers = _headers(request.headers, request.url)
    given = {name.lower() for name in headers}
    body, method = request.body, request.method.upper()
    payloads = [name for name in ("body", "form", "json") if getattr(request, name) is not None]
    if len(payloads) > 1:
        raise RequestInvalid(f"{' and '.join(payloads)} can't be given together (request to {request.url})")
    if isinstance(body, str):
        try:
            body = body.encode()
        except UnicodeEncodeError as error:
            raise RequestInvalid(f"body can't be sent: {error} (request to {request.url})") from error
    elif body is not None and not isinstance(body, (bytes, bytearray)):
        raise RequestInvalid(f"body must be bytes or text, not {type(body).__name__} (request to {request.url})")
    if request.form is not None:
        body = _urlencode(request.form, request.url)
        headers |= {} if "content-type" in given else {"Content-Type": "application/x-www-form-urlencoded"}
    if request.json is not None:
        body = _json_text(request.json, "json", request.url).encode()
        headers |= {} if "content-type" in given else {"Content-Type": "application/json"}
    if method == "GET" and (request.form is not None or request.json is not None):
        method = "POST"
    if method not in _METHODS:
        raise RequestInvalid(f"unknown method {request.method!r} (request to {request.url})")
    for field, value in (("headers", headers), ("method", method), ("form", None), ("json", None)):
        force_setattr(request, field, value)
    force_setattr(request, "body", None if body is None else bytes(body))


def _urlencode(form: Mapping[str, Any] | Iterable[tuple[str, Any]], url: str) -> bytes:
    try:
        return urlencode(list(form.items()) if isinstance(form, Mapping) else list(form), doseq=True).encode()
    except (TypeError, ValueError) as error:
        raise RequestInvalid(f"form must be a mapping or pairs: {error} (request to {url})") from error


def _headers(given: Any, url: str) -> dict[str, str]:
    """Header fields as RFC 9110 §5 has them, from a mapping or pairs of str, bytes or numbers."""
    headers = {}
    try:
        for name, value in dict(given or {}).items():
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if not isinstance(text, (str, int, float)):
                raise RequestInvalid(f"header {name!r} must be text, not {text!r} (request to {url})")
            headers[name.decode("latin-1") if isinstance(name, bytes) else str(name)] = str(text)
    except (TypeError, ValueError) as error:
        if isinstance(error, RequestInvalid):
            raise
        raise RequestInvalid(f"headers must be a mapping or pairs: {error} (request to {url})") from error
    for name, value in headers.items():
        if not _TOKEN(name) or not _FIELD_VALUE(value):
            raise RequestInvalid(
                f"header {name!r} can't be sent: its name is no token, or its value has a line break or a character "
                f"beyond latin-1 (request to {url})"
            )
    return headers


def _check_rare(request: Request) -> None:
    """Check the arguments that few requests have."""
    if type(request.session) is not str or not isinstance(request.proxy, str | None):
        raise RequestInvalid(
            f"session and proxy must be text, not {request.session!r}, {request.proxy!r} (request to {request.url})"
        )
    for name in ("timeout", "delay"):
        value = getattr(request, name)
        if value is None:
            continue
        if not isinstance(value, (int, float)) or not 0 <= value < 1e9 or (value == 0 and name == "timeout"):
            raise RequestInvalid(f"{name} must be a number of seconds, not {value!r} (request to {request.url})")
    statuses: Any = request.handle_statuses
    if not isinstance(statuses, Iterable) or not all(type(status) is int and 0 < status < 1000 for status in statuses):
        raise RequestInvalid(f"handle_statuses must be HTTP statuses, not {statuses!r} (request to {request.url})")
    force_setattr(request, "handle_statuses", tuple(statuses))
    cookies: Any = request.cookies
    if not isinstance(cookies, Mapping) or not all(_is_cookie(name, value) for name, value in cookies.items()):
        raise RequestInvalid(
            "cookies must be a dict of text, or None, by name, without ';' and line breaks, "
            f"not {cookies!r:.80} (request to {request.url})"
        )
    force_setattr(request, "cookies", dict(cookies))


def _is_cookie(name: Any, value: Any) -> bool:
    """Whether a Cookie header can hold it."""
    fits = isinstance(name, str) and isinstance(value, str | None)
    return fits and _TOKEN(name) is not None and _COOKIE_VALUE(value or "") is not None


def _json_dict(value: Any, what: str, url: str) -> dict[str, Any]:
    """What a dict is after it has been stored, so that its callback finds the same with and without a restart."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestInvalid(f"{what} must be a dict, not {value!r} (request to {url})")
    try:
        stored = _decode_dict(_json_text(value, what, url))
        _encode_msgpack(stored)  # as it travels to other processes: whole numbers have 64 bits there
    except (msgspec.DecodeError, RecursionError, OverflowError) as error:  # such as a lone surrogate
        raise RequestInvalid(f"{what} can't be stored as JSON: {error} (request to {url})") from error
    return stored


def _json_text(value: Any, what: str, url: str) -> str:
    try:
        return _encode_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestInvalid(f"{what} must be JSON, because requests are stored: {error} (request to {url})") from error
