"""Bytes off the network, safe from any thread: pools, deadlines, limits of size, TLS and proxies."""

from scrapekit.download.downloader import Downloader, Reply
from scrapekit.download.source import Source
from scrapekit.download.stats import HostStats, PoolStats

__all__ = ["Downloader", "HostStats", "PoolStats", "Reply", "Source"]
