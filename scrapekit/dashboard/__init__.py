"""The dashboard: a page, metrics and a health check of a crawl that runs, and the same page of jobs that have run.

A server in threads of its own that reads what the engine publishes; the crawl neither waits for it nor knows of it.
"""

from __future__ import annotations

from scrapekit.dashboard.board import Controls
from scrapekit.dashboard.dashboard import Dashboard
from scrapekit.dashboard.frame import About
from scrapekit.dashboard.server import Server
from scrapekit.dashboard.shelf import Shelf

__all__ = ["About", "Controls", "Dashboard", "Server", "Shelf"]
