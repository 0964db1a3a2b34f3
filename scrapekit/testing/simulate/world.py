"""The :class:`World`: a small web with all its faults, and how the crawl of it is disturbed, drawn from one number."""

from __future__ import annotations

from random import Random

from msgspec import Struct, field

from scrapekit.web.urls import address

SCOPE_LEFT = "elsewhere.test"
"""A host that the crawl may not visit."""

_STATUSES = (500, 503, 429, 404, 403)
_ERRORS = ("ConnectError", "DeadlineExceeded", "TLSError", "TruncatedBody")
RETRIED = frozenset({"500", "503", "429", "ConnectError", "DeadlineExceeded", "TruncatedBody"})
"""Failures that are tried again."""
TIMES = 2
"""Attempts after the first."""
NEVER = 99
"""So many failures in a row that no retry gets past them."""
SHARED = -1
"""Stands for the number of the page in items that several pages have."""
CALLBACK_TIMEOUT = 20.0
"""Seconds after which a callback that does not return is given up; no latency is so long."""


class SimHost(Struct):
    """One host, and how hard it may be asked.

    Args:
        name: Its name.
        maxsize: Requests in flight.
        delay: Seconds between two starts.
        robots: ``missing``, ``rules`` (forbids /private/), ``delay`` (rules with a Crawl-delay of 0.5), ``down`` (503
            for ever), ``unreachable``.
        robots_failures: So often robots.txt answers 503 first.
    """

    name: str
    maxsize: int = 4
    delay: float = 0.0
    robots: str = "missing"
    robots_failures: int = 0


class Node(Struct):
    """One URL.

    Args:
        url: As it is spelled canonically.
        links: Where the page leads, in any spelling.
        items: How many items it yields.
        redirect: Where it redirects to instead of being a page.
        failures: So many visits fail first.
        failure: With this: a status or the name of an error.
        retry_after: Seconds that a 429 or 503 asks for; 0 for none.
        raises: The callback raises after it has yielded: a number of items, and all links.
        hangs: The callback never returns.
        late: Seconds that it takes before it yields.
        lost: So many visits kill the worker process that makes them.
        errback: Requests for it have an errback, which yields one item.
        shared: It also yields the item of this number, which other pages yield too, and which is to be written once.
    """

    url: str
    links: list[str] = []
    items: int = 1
    redirect: str | None = None
    failures: int = 0
    failure: str = "503"
    retry_after: int = 0
    raises: bool = False
    hangs: bool = False
    lost: int = 0
    errback: bool = False
    shared: int | None = None
    late: float = 0.0


class World(Struct):
    """A web and the disturbances of its crawl. Plain data, so that a failure can be written down and replayed.

    Args:
        seed: Of latencies and jitter.
        hosts: The hosts that may be visited.
        nodes: Their URLs.
        start: The start requests.
        workers: Leases at once.
        latency: Shortest and longest, in seconds.
        window: Requests in the scheduler's window.
        max_hosts: Hosts in it.
        adaptive: Whether the limits move.
        keep_partial: Whether items count that a callback yielded before it raised.
        in_file: Whether the frontier is a file; only then can the crawl be killed. Else it is in memory.
        kills: At the so-manieth effect of each run in turn the process dies: append, statement, commit, submit.
        stops: After so many seconds each run after that is interrupted; negative: at once, without draining.
        pauses: After so many pages each run after that ends by ``max_pages``.
    """

    seed: int
    hosts: list[SimHost] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    start: list[str] = field(default_factory=list)
    workers: int = 4
    latency: tuple[float, float] = (0.01, 0.5)
    window: int = 64
    max_hosts: int = 64
    adaptive: bool = False
    keep_partial: bool = False
    in_file: bool = False
    kills: list[int] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    pauses: list[int] = field(default_factory=list)

    @property
    def quarantine_after(self) -> int:
        """More deaths than any request can get that does not kill its process itself."""
        return 3 + len(self.kills)


def draw(seed: int) -> World:
    """The world number ``seed``."""
    dice = Random(seed)
    hosts = [_host(dice, number) for number in range(dice.choice((1, 1, 2, 3, 6)))]
    world = World(
        seed,
        hosts=hosts,
        workers=dice.choice((1, 2, 4, 8, 32)),
        latency=dice.choice(((0.01, 0.5), (0.0, 0.001), (0.1, 0.1), (0.01, 5.0))),
        window=dice.choice((2, 8, 64, 1024)),
        max_hosts=dice.choice((1, 2, 64)),
        adaptive=dice.random() < 0.3,
        keep_partial=dice.random() < 0.3,
        in_file=dice.random() < 0.7,
    )
    urls = [_url(dice, hosts, number) for number in range(dice.choice((2, 5, 20, 40, 80)))]
    world.nodes = [_node(dice, url) for url in urls]
    redirects = 0
    for node in world.nodes:
        if redirects < 5 and dice.random() < 0.1:
            redirects += 1
            node.redirect = _spelled(dice, dice.choice([*urls, f"http://{SCOPE_LEFT}/"]))
            node.errback = node.raises = node.hangs = False
        else:
            node.links = [_spelled(dice, dice.choice(urls)) for _ in range(dice.choice((0, 1, 3, 6, 12)))]
            if dice.random() < 0.1:
                node.links.append(f"http://{SCOPE_LEFT}/{dice.randrange(3)}")
    targets = {address(node.redirect).fingerprint for node in world.nodes if node.redirect}
    for node in world.nodes:  # a redirect hands on the errback of its own request: whoever comes first would decide
        node.errback = node.errback and address(node.url).fingerprint not in targets
    world.start = dice.sample(urls, min(len(urls), dice.choice((1, 1, 2, 8))))
    if world.in_file or dice.random() < 0.25:  # most worlds in memory go undisturbed, so that their time can be judged
        _disturb(dice, world)
    for node in world.nodes:
        node.shared = dice.choice((None, None, None, 0, 1, 2))
    for node in world.nodes:
        node.late = dice.choice((0.0,) * 30 + (2.0, 12.0))
    return world


def _host(dice: Random, number: int) -> SimHost:
    return SimHost(
        f"h{number}.test",
        maxsize=dice.choice((1, 2, 3, 8)),
        delay=dice.choice((0.0, 0.0, 0.0, 0.3, 2.0)),
        robots=dice.choice(("missing",) * 4 + ("rules",) * 3 + ("delay", "down", "unreachable")),
        robots_failures=dice.choice((0, 0, 0, 1, TIMES)),
    )


def _url(dice: Random, hosts: list[SimHost], number: int) -> str:
    folder = dice.choice(("", "", "", "private/", "a/b/"))
    query = dice.choice(("", "", "", "?a=1&b=2"))
    return f"http://{dice.choice(hosts).name}/{folder}{number}{query}"


def _node(dice: Random, url: str) -> Node:
    node = Node(url, items=dice.choice((0, 1, 1, 3)))
    if dice.random() < 0.2:
        node.failures = dice.choice((1, TIMES, NEVER))
        node.failure = str(dice.choice((*_STATUSES, *_ERRORS)))
        if node.failure not in RETRIED:
            node.failures = NEVER  # whoever is killed after the first attempt must come to the same
        node.retry_after = dice.choice((0, 0, 1, 30))
    node.raises = dice.random() < 0.05
    node.lost = dice.choice((0,) * 40 + (1, 2, NEVER))
    node.errback = dice.random() < 0.1
    node.hangs = dice.random() < 0.02
    return node


def _disturb(dice: Random, world: World) -> None:
    """Kills, interruptions and pauses, or none; what is in memory only is not killed."""
    kind = dice.random()
    size = 8 * (len(world.nodes) + 2)
    if kind < 0.5 and world.in_file:
        world.kills = [dice.randrange(1, size) for _ in range(dice.choice((1, 1, 2, 5)))]
    if kind > 0.4:
        world.stops = [dice.choice((-1, 1)) * dice.uniform(0.001, 20.0) for _ in range(dice.choice((0, 0, 1, 2)))]
        world.pauses = [dice.randrange(1, 20) for _ in range(dice.choice((0, 0, 1, 2)))]


def _spelled(dice: Random, url: str) -> str:
    """``url`` as somebody else might write it."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    before, _, query = path.partition("?")
    way = dice.randrange(8)
    if way == 0:
        return f"{scheme.upper()}://{host.upper()}/{path}"
    if way == 1:
        return f"{scheme}://{host}:80/{path}"
    if way == 2:
        return f"{url}#fragment{dice.randrange(9)}"
    if way == 3:
        return f"{scheme}://{host}/x/../{path}"
    if way == 4:
        return f"{scheme}://{host}/./{path}"
    if way == 5 and query:
        return f"{scheme}://{host}/{before}?{'&'.join(reversed(query.split('&')))}"
    if way == 6:
        return f" {url}\t"
    return url
