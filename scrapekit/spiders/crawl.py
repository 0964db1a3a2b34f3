"""The :class:`CrawlSpider`: rules say which links of a page are followed, and which method gets what is behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, ClassVar

from scrapekit.errors import SpiderError
from scrapekit.messages import Request, Response
from scrapekit.spiders.links import FoundLink, LinkExtractor
from scrapekit.spiders.routes import RoutedSpider, each

Method = str | Callable[..., Any] | None
"""A method of the spider: its name, or itself where it stands above the rules in the class."""


@dataclass(frozen=True)
class Rule:
    """What becomes of some of a page's links.

    Args:
        extractor: Which links; a regular expression is short for a :class:`LinkExtractor` that allows it.
        callback: The method that gets their pages; None for the method that each is routed to, if any.
        follow: Whether the rules go on from their pages; default: only where there is no callback.
        cb_kwargs: Keyword arguments for the method: JSON values.
        priority: Of their requests.
        errback: The method that gets the error of a request that has failed for good.
        process_links: A method that gets the list of links, and the response, and returns those to follow.
        process_request: A method that gets each request, and the response, and returns it, another, or None to drop it.
    """

    extractor: LinkExtractor | str = field(default_factory=LinkExtractor)
    callback: Method = None
    follow: bool | None = None
    cb_kwargs: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    errback: Method = None
    process_links: Method = None
    process_request: Method = None

    def __post_init__(self) -> None:
        if isinstance(self.extractor, str):
            object.__setattr__(self, "extractor", LinkExtractor(self.extractor))
        for name in _METHODS:
            method = getattr(self, name)
            if callable(method):
                object.__setattr__(self, name, method.__name__)

    @property
    def follows(self) -> bool:
        """Whether the rules go on from the pages behind its links."""
        return self.callback is None if self.follow is None else self.follow


_METHODS = ("callback", "errback", "process_links", "process_request")


class CrawlSpider(RoutedSpider):
    """A spider that follows the links that its rules want, from page to page.

    Each link belongs to the first rule that wants it. What is stored of a rule with a request is the names of methods
    and whether to go on, so a job may be resumed after the rules were changed. The pages of ``start_urls`` go to the
    methods that they are routed to, else to ``parse_other``, and the rules begin there.
    """

    rules: ClassVar[Iterable[Rule]] = ()

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise SpiderError(f"{type(self).__name__}.rules must be a list of Rule, not {rule!r:.80}")
            if rule.callback == "parse":
                raise SpiderError(f"{type(self).__name__}.rules: they run in parse(): give the callback another name")
            for role in _METHODS:
                self._check(getattr(rule, role), role)

    def parse(self, response: Response, **arguments: Any) -> Iterator[Any]:
        """The method that the page is routed to, then the rules. Start pages and rules without a callback come here."""
        return self.obeying(response, self._both(response, self.parse_routed(response, **arguments)))

    def parse_rule(
        self, response: Response, rule_method: str | None, rule_follow: bool, **arguments: Any
    ) -> Iterator[Any]:
        """A page behind a rule's link: the rule's method, and the rules again where it says so."""
        if rule_method is None:
            produced = self.parse_routed(response, **arguments)
        else:
            produced = getattr(self, rule_method)(response, **arguments)
        return self.obeying(response, self._both(response, produced) if rule_follow else produced)

    def follow_links(self, response: Response) -> Iterator[Request]:
        """The requests that the rules make of the links of a page."""
        seen: set[str] = set()
        for rule in self.rules:
            extractor: Any = rule.extractor  # a pattern has become one
            links: list[FoundLink] = [link for link in extractor.links(response) if link.url not in seen]
            if rule.process_links is not None:
                links = list(self._call(rule.process_links, links, response) or ())
            for link in links:
                seen.add(link.url)
                if link.nofollow and "nofollow" in self.obeys:
                    continue
                request: Request | None = self._request(rule, link, response.request.session)
                if rule.process_request is not None:
                    request = self._call(rule.process_request, request, response)
                if request is not None:
                    yield request

    def _both(self, response: Response, produced: Any) -> Iterator[Any]:
        yield from each(produced)
        yield from self.follow_links(response)

    def _request(self, rule: Rule, link: FoundLink, session: str) -> Request:
        arguments = dict(rule.cb_kwargs)
        callback = None
        if rule.callback is not None or not rule.follows:
            callback = self.parse_rule.__name__
            arguments |= {"rule_method": rule.callback, "rule_follow": rule.follows}
        return Request(
            link.url, callback, cb_kwargs=arguments, priority=rule.priority, errback=rule.errback, session=session
        )

    def _call(self, name: Any, *arguments: Any) -> Any:
        return getattr(self, name)(*arguments)

    def _check(self, name: Any, role: str) -> None:
        if name is None or callable(getattr(self, name, None)):
            return
        close = get_close_matches(name, [known for known in dir(self) if callable(getattr(self, known))], 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise SpiderError(f"{type(self).__name__}.rules: {role} {name!r} is not a method of the spider{hint}")
