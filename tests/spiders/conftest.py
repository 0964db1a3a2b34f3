"""Crawls over a site that a test writes down."""

from writtensite import crawl, site

__all__ = ["crawl", "site"]
