"""The registry: which parser reads which media type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, TypeVar

from scrapekit.errors import ParseError, SpiderError
from scrapekit.messages import Response
from scrapekit.parse.builtin import Parser, builtin
from scrapekit.parse.sniffing import sniff
from scrapekit.web.headers import content_type

GROUP = "scrapekit.parsers"
"""The entry points of this group are parsers; their names are media types, ``type/*`` or ``*/*``."""

_PATTERN = re.compile(r"(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]*)/(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]*)").fullmatch  # RFC 6838
_T = TypeVar("_T")
_MEMO_LIMIT = 256  # media types; servers choose them


class Parsers:
    """The parser of every response: by its media type, from the spider, else an installed package, else built in.

    Any thread may call it.

    Args:
        own: The spider's: parsers by ``type/subtype``, ``type/*`` or ``*/*``, the most special first.
        installed: Returns the entry points by name; called when no parser of ``own`` fits.

    Raises:
        SpiderError: A key of ``own`` is no media type, or its parser can't be called.
    """

    def __init__(
        self,
        own: Mapping[str, Parser] = MappingProxyType({}),
        installed: Callable[[], Mapping[str, EntryPoint]] | None = None,
    ) -> None:
        self._own = {_checked(name, parser): parser for name, parser in own.items()}
        self._installed = installed or _installed
        self._memo: dict[str, Parser] = {}  # written by any thread: the same key always gets an equal value

    def __call__(self, response: Response) -> Any:
        """The document of ``response``.

        Raises:
            ParseError: The body is not of its media type, or the parser of an installed package can't be loaded.
            Exception: Whatever a parser of others raises.
        """
        media_type = content_type(response.headers.get("content-type")).media_type or sniff(response.body)
        parser = self._memo.get(media_type)
        if parser is None:
            parser = self._find(media_type, response)
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            self._memo[media_type] = parser
        return parser(response)

    def _find(self, media_type: str, response: Response) -> Parser:
        names = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        own = _first(self._own, names)
        if own is not None:
            return own
        plugin = _first(self._installed(), names)
        return builtin(media_type) if plugin is None else _load(plugin, response)


def _first(found: Mapping[str, _T], names: Iterable[str]) -> _T | None:
    return next((found[name] for name in names if name in found), None)


def _checked(name: Any, parser: Any) -> str:
    if not isinstance(name, str) or not _PATTERN(name.lower()) or (name.startswith("*/") and name != "*/*"):
        raise SpiderError(f'parsers: {name!r} is not a media type such as "text/html", "text/*" or "*/*"')
    if not callable(parser):
        raise SpiderError(f"parsers: that for {name!r} must be a function of a response, not {type(parser).__name__}")
    return name.lower()


@cache
def _installed() -> Mapping[str, EntryPoint]:
    """Those of the process; of two with one name, the one that is found first."""
    return {plugin.name.lower(): plugin for plugin in reversed(tuple(entry_points(group=GROUP)))}


def _load(plugin: EntryPoint, response: Response) -> Parser:
    source = f"the parser for {plugin.name} of package {plugin.dist.name if plugin.dist else '?'} ({plugin.value})"
    try:
        parser = plugin.load()
    except Exception as error:
        raise ParseError(f"{source} can't be loaded: {type(error).__name__}: {error}", response.request) from error
    if not callable(parser):
        raise ParseError(f"{source} is not a function but {type(parser).__name__}", response.request)
    return parser  # type: ignore[no-any-return]
