"""Routes: a spider's methods by the URL of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from scrapekit.errors import RequestError, SpiderError
from scrapekit.messages import Request, Response, is_item, linker
from scrapekit.spider import Spider
from scrapekit.spiders.directives import directives
from scrapekit.spiders.links import patterns
from scrapekit.web.scope import Scope
from scrapekit.web.suffixes import same_site
from scrapekit.web.urls import host_of

_Method = TypeVar("_Method", bound=Callable[..., Any])

CANONICAL_OF = "canonical_of"
"""The key in ``meta`` of a request that was made because pages name its URL their canonical one: those pages' URLs."""

ELSEWHERE = "canonical_elsewhere"
"""The flag of a page whose items were left to its canonical page."""

_DIRECTIVES = {"nofollow", "noindex", "canonical"}


def route(*pattern: str | re.Pattern[str]) -> Callable[[_Method], _Method]:
    """Let the method of a :class:`RoutedSpider` have the pages in whose URL one of the patterns is found.

    Args:
        *pattern: Regular expressions, tried by ``re.search`` on the URL after redirects.

    Raises:
        SpiderError: One is no regular expression.
    """
    if not pattern or callable(pattern[0]):
        raise SpiderError('@route needs a pattern: @route(r"/product/")')
    compiled = patterns(pattern, "@route")

    def mark(method: _Method) -> _Method:
        vars(method).setdefault("scrapekit_routes", []).extend(compiled)
        return method

    return mark


class RoutedSpider(Spider):
    """A spider whose ``parse`` gives each page to the first method whose :func:`route` is found in its URL.

    Methods are tried in the order of the class, those of a subclass before those of its bases. A request that names a
    callback goes there, whatever its URL. What a redirect leads to is routed by its own URL.
    """

    obeys: ClassVar[Collection[str]] = ()
    """What is obeyed of what a page says about itself: ``"nofollow"``, ``"noindex"``, ``"canonical"``.

    ``nofollow`` (meta robots, X-Robots-Tag): requests that the page's callback yields are left out. ``noindex``: its
    items are. ``canonical`` (``rel=canonical`` as an element or a Link header): the items of a page that names another
    URL of its site are left out, and that URL is requested in its place, with the same callback; the dupe filter sees
    to it that this happens once, whatever number of pages name it, and also across a restart.
    """

    routes: ClassVar[tuple[tuple[re.Pattern[str], str], ...]] = ()
    """Patterns with the names of their methods, in the order in which they are tried: set by :func:`route`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = [
            (pattern, name) for name, method in vars(cls).items() for pattern in getattr(method, "scrapekit_routes", ())
        ]
        cls.routes = tuple(own + [each for base in cls.__bases__ for each in getattr(base, "routes", ())])
        if isinstance(cls.obeys, str) or not _DIRECTIVES.issuperset(cls.obeys):
            raise SpiderError(
                f"{cls.__name__}.obeys must be a list of {', '.join(sorted(_DIRECTIVES))}, not {cls.obeys!r}"
            )

    def routed(self, url: str) -> str | None:
        """The name of the method that ``url`` is routed to; None for none. Pure; any thread."""
        return next((name for pattern, name in self.routes if pattern.search(url)), None)

    def parse(self, response: Response, **arguments: Any) -> Iterator[Any]:
        """Give the page to the method that it is routed to, and obey what it says about itself."""
        return self.obeying(response, self.parse_routed(response, **arguments))

    def parse_routed(self, response: Response, **arguments: Any) -> Any:
        """What the method yields that the page is routed to."""
        name = self.routed(response.url)
        return self.parse_other(response) if name is None else getattr(self, name)(response, **arguments)

    def parse_other(self, response: Response) -> Any:  # noqa: ARG002  (for those who override it)
        """The pages that no route matches. To be overridden; by default nothing is taken from them."""
        return None

    def obeying(self, response: Response, produced: Any) -> Iterator[Any]:
        """What of ``produced``, a callback's items and requests, may be yielded by what ``obeys`` says."""
        if not self.obeys:
            yield from each(produced)
            return
        said = directives(response)
        nofollow = said.nofollow and "nofollow" in self.obeys
        noindex = said.noindex and "noindex" in self.obeys
        instead = self._canonical_request(response, said.canonical) if "canonical" in self.obeys else None
        if instead is not None and not noindex:
            response.flags.append(ELSEWHERE)
            yield instead
        for element in each(produced):
            if isinstance(element, Request):
                if not nofollow:
                    yield element
            elif not is_item(element) or (not noindex and instead is None):
                yield element

    def canonical_failed(self, error: RequestError) -> Iterator[Request]:
        """A canonical page can't be had: go back to the page that named it, and take that."""
        request: Request = error.request
        named_by = request.meta[CANONICAL_OF]
        meta = request.meta | {CANONICAL_OF: [*named_by, request.url]}
        yield request.replace(url=named_by[-1], meta=meta, errback=None, dont_filter=True)

    def _is_ours(self, host: str, own: str) -> bool:
        """Whether a page of the host ``own`` may be left for one of ``host``: of the same site, and where we may go."""
        if host == own:
            return True
        domains = self.allowed_domains
        open_scope = domains is not None and not domains
        return same_site(host, own) and not open_scope and Scope(domains).allows(host)

    def _canonical_request(self, response: Response, url: str | None) -> Request | None:
        """The request of the page that this one names instead of itself; None where it is to be taken for itself."""
        request = response.request
        if url is None or request.method != "GET" or not self._is_ours(host_of(url), host_of(response.url)):
            return None
        before = request.meta.get(CANONICAL_OF, [])
        link_of = linker(self.ignored_parameters)
        identity = link_of(Request(url)).fingerprint
        if any(link_of(Request(known)).fingerprint == identity for known in (response.url, *before)):
            return None  # itself, or pages that name each other in a circle: somebody must be taken
        meta = request.meta | {CANONICAL_OF: [*before, response.url]}
        return request.replace(url=url, meta=meta, errback=self.canonical_failed, dont_filter=False)


def each(produced: Any) -> Iterable[Any]:
    """What a callback returned, as it is iterated: nothing, one thing or many."""
    if produced is None:
        return ()
    if isinstance(produced, Request | str | bytes) or is_item(produced) or not isinstance(produced, Iterable):
        return (produced,)
    return produced
