"""A sample site that behaves like books.toscrape.com and quotes.toscrape.com, made from a seed.

``python -m scrapekit.testing.samplesite`` serves it on loopback; :class:`SampleSite` is the application that
:func:`scrapekit.testing.serve` serves.
"""

from __future__ import annotations

from scrapekit.testing.samplesite.site import SampleSite

__all__ = ["SampleSite"]
