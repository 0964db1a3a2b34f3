"""Public fakes for tests: a response, a clock, a fleet and a web for one thread, a sample site, a counting server."""

from __future__ import annotations

from scrapekit.testing.application import Application, Reply, RequestView
from scrapekit.testing.clock import FakeClock
from scrapekit.testing.fleet import FakeFleet, FakeSeeds
from scrapekit.testing.response import response
from scrapekit.testing.samplesite import SampleSite
from scrapekit.testing.server import Server, serve
from scrapekit.testing.web import LinkSpider, SimulatedPage, SimulatedWeb

__all__ = [
    "Application",
    "FakeClock",
    "FakeFleet",
    "FakeSeeds",
    "LinkSpider",
    "Reply",
    "RequestView",
    "SampleSite",
    "Server",
    "SimulatedPage",
    "SimulatedWeb",
    "response",
    "serve",
]
