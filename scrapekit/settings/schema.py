"""Every setting with its type, range and default. docs/settings.md says what each one means.

The structs are immutable, so any thread may read them. Calling one does not validate: :func:`scrapekit.settings.load`
does, once, at the edge. All times are in seconds, all sizes in bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from scrapekit.web import host_of
from scrapekit.web.urls import is_loopback

Count = Annotated[int, Meta(ge=1, le=2**53)]
Seconds = Annotated[float, Meta(ge=0, le=86_400, extra={"unit": "seconds"})]
Timeout = Annotated[float, Meta(ge=0.001, le=86_400, extra={"unit": "seconds"})]
Size = Annotated[
    int, Meta(ge=1, le=2**40, extra={"noun": "a size from 1 byte to 1TiB, such as 32MiB, 500KB or 1048576"})
]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Slots = Annotated[int, Meta(ge=1, le=1024)]


@cache
def default_user_agent() -> str:
    """The product token with the installed version, and where the package says its home is (RFC 9110, 10.1.5)."""
    from importlib.metadata import PackageNotFoundError, metadata  # noqa: PLC0415  (30 ms that only a crawl needs)

    try:
        about = metadata("scrapekit")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "scrapekit"
    homes = [link.partition(", ")[2] for link in about.get_all("Project-URL", [])]
    return f"scrapekit/{about['Version']}" + (f" (+{homes[0]})" if homes else "")


def best_name(names: Collection[str], host: str) -> str | None:
    """Of names and globs that for ``host``: itself, else the longest glob that matches it; None for none. Pure.

    ``*.example.org`` matches ``example.org`` too, as it does in allowed_domains.
    """
    if host in names:
        return host
    # The name itself breaks ties, so that the order of the file never matters.
    matching = [glob for glob in names if fnmatchcase(host, glob) or (glob[:2] == "*." and fnmatchcase(host, glob[2:]))]
    return max(matching, key=lambda glob: (len(glob), glob), default=None)


class TimeoutSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``http.timeout``: how long one request may take, in seconds."""

    connect: Timeout = 10.0
    read: Timeout = 30.0
    total: Timeout = 120.0
    pool: Timeout = 30.0


class DnsSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``http.dns``: how host names become addresses."""

    ttl: Seconds = 60.0
    timeout: Timeout = 5.0


class ClientCert(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``http.client_cert``: what to show to servers that ask for a certificate; ``cert`` is None for nothing."""

    cert: str | None = None
    key: str | None = None
    password: str | None = None


class FleetSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``fleet``: where the workers run; ``start_method`` is for processes, what follows it for actors on Ray."""

    kind: str = "threads"
    start_method: Literal["spawn", "forkserver"] = "spawn"
    actors: Annotated[int, Meta(ge=1, le=10_000)] = 2
    cpus_per_actor: Annotated[float, Meta(ge=0, le=1024)] = 1.0
    resources: dict[str, Annotated[float, Meta(ge=0.0001, le=2**53)]] = field(default_factory=dict)
    start_timeout: Timeout = 60.0


class DomainAuth(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``http.auth.NAME``: the credentials for hosts of that name or glob, one of ``basic`` and ``bearer``."""

    basic: str | None = None
    bearer: str | None = None
    allow_http: bool | None = None

    @property
    def header(self) -> str:
        """The value of the Authorization header (RFC 7617, RFC 6750)."""
        return f"Bearer {self.bearer}" if self.basic is None else f"Basic {b64encode(self.basic.encode()).decode()}"


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``http``: the pool, TLS, and what each request carries. The pool always blocks at ``maxsize`` connections."""

    user_agent: str = field(default_factory=default_user_agent)
    headers: dict[str, str] = field(
        default_factory=lambda: {
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language": "en,*;q=0.5",
        }
    )
    timeout: TimeoutSettings = field(default_factory=TimeoutSettings)
    dns: DnsSettings = field(default_factory=DnsSettings)
    allow_private: bool = True
    max_body: Size = 32 * 2**20
    max_ratio: Count = 250
    spool_above: Size = 8 * 2**20
    spool_dir: str | None = None
    verify: bool = True
    ca_bundle: str | None = None
    client_cert: ClientCert = field(default_factory=ClientCert)
    assert_hostname: str | None = None
    server_hostnames: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    proxies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    auth: dict[str, DomainAuth] = field(default_factory=dict)
    max_redirects: Annotated[int, Meta(ge=0, le=100)] = 10
    secret_headers: tuple[str, ...] = ()
    cookies: bool = True
    num_pools: Annotated[int, Meta(ge=1, le=65_536)] | None = None

    def authorization(self, url: str) -> str | None:
        """The Authorization header that ``auth`` has for ``url``, an ``Address.url``; None for none. Pure; any thread.

        It is for the URL's host alone, and goes over plain HTTP only to this machine or where ``allow_http`` says so.
        """
        host = host_of(url)
        name = best_name(self.auth, host)
        if name is None:
            return None
        auth = self.auth[name]
        return auth.header if auth.allow_http or url.startswith("https:") or is_loopback(host) else None


class DomainLimits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What holds for one host, none of it missing. Meanings and units are those of ``throttle``."""

    maxsize: int
    delay: float
    jitter: float
    adaptive: bool


class DomainOverride(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``throttle.domains.NAME``: what differs from ``throttle``; None where nothing does."""

    maxsize: Slots | None = None
    delay: Seconds | None = None
    jitter: Fraction | None = None
    adaptive: bool | None = None


class ThrottleSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``throttle``: politeness per host name."""

    maxsize: Slots = 8
    delay: Seconds = 0.0
    jitter: Fraction = 0.5
    adaptive: bool = True
    domains: dict[str, DomainOverride] = field(default_factory=dict)

    def for_host(self, host: str) -> DomainLimits:
        """The limits of ``host``, spelled as in ``Address.host``. Pure; any thread.

        One entry of ``domains`` at most is used: the exact name, else the longest glob that matches. What it leaves out
        comes from ``throttle`` itself. ``*.example.org`` matches ``example.org`` too, as it does in allowed_domains.
        """
        name = best_name(self.domains, host)
        over = self.domains[name] if name is not None else DomainOverride()
        return DomainLimits(
            maxsize=self.maxsize if over.maxsize is None else over.maxsize,
            delay=self.delay if over.delay is None else over.delay,
            jitter=self.jitter if over.jitter is None else over.jitter,
            adaptive=self.adaptive if over.adaptive is None else over.adaptive,
        )


class BackoffSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``retry.backoff``: a random wait from 0 to ``min(max, initial * multiplier ** n)`` seconds (full jitter)."""

    initial: Seconds = 1.0
    max: Seconds = 60.0
    multiplier: Annotated[float, Meta(ge=1, le=100)] = 2.0


class RetrySettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``retry``: which failures are tried again, how often and how soon."""

    times: Annotated[int, Meta(ge=0, le=100)] = 3
    statuses: tuple[Annotated[int, Meta(ge=100, le=599)], ...] = (
        408,
        429,
        500,
        502,
        503,
        504,
        520,
        521,
        522,
        523,
        524,
    )  # fmt: skip  (one line reads better than eleven)
    exceptions: tuple[str, ...] = (
        "ConnectError",
        "DNSError",
        "ProxyError",
        "PoolExhausted",
        "DeadlineExceeded",
        "ProtocolError",
        "TruncatedBody",
        "Rejected",
    )
    backoff: BackoffSettings = field(default_factory=BackoffSettings)
    max_retry_after: Seconds = 600.0


class RobotsSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``robots``: robots.txt (RFC 9309)."""

    obey: bool = True
    max_crawl_delay: Seconds = 30.0
    ttl: Annotated[float, Meta(ge=0, le=31_536_000, extra={"unit": "seconds"})] = 86_400.0


class FailIf(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``crawl.fail_if``: what makes a crawl that has ended a failed one; None for nothing."""

    error_share: Fraction | None = None
    items_below: Count | None = None


class LimitsSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``crawl.limits``: what no honest site goes beyond, so that a crawl of any other one ends; None for no limit."""

    url_length: Count | None = 4096
    path_depth: Count | None = 32
    repeated_segments: Count | None = 5
    query_parameters: Count | None = 64
    pages_per_host: Count | None = 10_000_000


class CacheSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``cache``: whether responses are kept on disk, and answer requests."""

    mode: Literal["off", "dev", "http"] = "off"
    path: str = ".scrapekit/cache"
    max_size: Size = 2**30


class ArchiveSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``archive``: the WARC files to record to, and to replay from."""

    record: str | None = None
    replay: str | None = None


class CrawlSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``crawl``: how far a crawl goes, and how it ends."""

    max_depth: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    max_pages: Count | None = None
    max_items: Count | None = None
    allowed_domains: tuple[str, ...] | None = None
    durability: Literal["process", "power"] = "process"
    ledger: Literal["full", "errors"] = "full"
    drain_timeout: Seconds = 30.0
    callback_timeout: Timeout | None = 300.0
    quarantine_after: Annotated[int, Meta(ge=1, le=100)] = 3
    keep_partial_items: bool = False
    ignore_parameters: tuple[str, ...] = ()
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    fail_if: FailIf = field(default_factory=FailIf)


class PartsSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``export.parts``: when a part of an output is full, and another file begins; None for never."""

    items: Count | None = None
    size: Size | None = None


class OutputSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One output; what an entry of ``export.outputs`` does not say is as ``export`` says."""

    path: str
    items: tuple[str, ...] = ()
    spider: tuple[str, ...] = ()
    having: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None
    spreadsheet_safe: bool = False
    parquet_compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd"
    max_outage: Seconds = 60.0
    overwrite: bool = False
    parts: PartsSettings = field(default_factory=PartsSettings)


class ExportSettings(OutputSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``export``: where items go when neither ``-o`` nor ``-O`` says, and how their formats look."""

    path: str = "results/{spider}/{job}.jsonl"
    outputs: tuple[OutputSettings, ...] = ()

    def to(self, path: str, *, overwrite: bool | None = None) -> OutputSettings:
        """The output ``path``, all else as it stands here."""
        own = {name: getattr(self, name) for name in OutputSettings.__struct_fields__}
        return OutputSettings(**{**own, "path": path, "overwrite": self.overwrite if overwrite is None else overwrite})


class LogSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``log``: how much is said, where to, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: str | None = None
    json: bool = False


class UiSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``ui``: where a crawl can be watched, and by whom; None for nowhere."""

    listen: str | None = None
    metrics: str | None = None
    token: str | None = None
    hosts: tuple[str, ...] = ()


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set. Only the composition root and the commands see a whole one."""

    workers: Slots = 16
    fleet: FleetSettings = field(default_factory=FleetSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    throttle: ThrottleSettings = field(default_factory=ThrottleSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    robots: RobotsSettings = field(default_factory=RobotsSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    crawl: CrawlSettings = field(default_factory=CrawlSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    log: LogSettings = field(default_factory=LogSettings)
    ui: UiSettings = field(default_factory=UiSettings)

    @property
    def num_pools(self) -> int:
        """``http.num_pools``, or where it is null a number that no crawl's active hosts can reach.

        A pool that is evicted while in use would let a second one for the same host exist, and ``maxsize`` not hold.
        """
        return self.http.num_pools or max(self.workers * 2, 64)
