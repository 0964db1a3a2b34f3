"""The brain: the one thread that owns a crawl's state, and makes it durable. It knows the fleet only as a protocol."""

from scrapekit.engine.admission import Admission, Admissions
from scrapekit.engine.clock import Clock, SteadyClock
from scrapekit.engine.contract import Audience, Fleet, Inbox, Output, Seeds
from scrapekit.engine.engine import Engine
from scrapekit.engine.frontier import Frontier
from scrapekit.engine.host import HostSnapshot
from scrapekit.engine.inflight import InFlight
from scrapekit.engine.latency import Latency
from scrapekit.engine.outcomes import Outcomes, seeds_key
from scrapekit.engine.proxies import Proxies
from scrapekit.engine.retry import RetryPolicy
from scrapekit.engine.robots import Robots
from scrapekit.engine.scheduler import Scheduler
from scrapekit.engine.seeds import SeedThread
from scrapekit.engine.snapshot import Snapshot
from scrapekit.engine.stats import Stats, Tally

__all__ = [
    "Admission",
    "Admissions",
    "Audience",
    "Clock",
    "Engine",
    "Fleet",
    "Frontier",
    "HostSnapshot",
    "InFlight",
    "Inbox",
    "Latency",
    "Outcomes",
    "Output",
    "Proxies",
    "RetryPolicy",
    "Robots",
    "Scheduler",
    "SeedThread",
    "Seeds",
    "Snapshot",
    "Stats",
    "SteadyClock",
    "Tally",
    "seeds_key",
]
