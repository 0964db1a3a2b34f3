"""Responses on disk, between the workers and the network: the HTTP cache, and archives to record and replay."""

from scrapekit.store.cache import DevCache, HttpCache
from scrapekit.store.files import CacheFiles

__all__ = ["CacheFiles", "DevCache", "HttpCache"]
