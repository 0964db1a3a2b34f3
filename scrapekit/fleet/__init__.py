"""The hands: workers that turn leases into outcomes, and hold no state of the crawl."""

from scrapekit.fleet.callbacks import Callbacks
from scrapekit.fleet.several import AnyWorker, Several
from scrapekit.fleet.threads import ThreadFleet
from scrapekit.fleet.worker import Worker

__all__ = ["AnyWorker", "Callbacks", "Several", "ThreadFleet", "Worker"]
