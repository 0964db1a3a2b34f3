"""A public server of faults: what hostile and broken servers do, one path each, to test crawlers against.

>>> with serve_faults() as server:
...     for response in scrapekit.fetch(server.request(path) for path in FAULTS): ...

``python -m scrapekit.testing.faults`` serves them until it is told to stop. ``docs/robustness.md`` lists them.
"""

from __future__ import annotations

# Each group puts its faults into FAULTS, in this order.
from scrapekit.testing.faults import connections as _connections
from scrapekit.testing.faults import content as _content
from scrapekit.testing.faults import documents as _documents
from scrapekit.testing.faults import framing as _framing
from scrapekit.testing.faults import policies as _policies
from scrapekit.testing.faults import proxies as _proxies
from scrapekit.testing.faults import redirects as _redirects
from scrapekit.testing.faults import timing as _timing
from scrapekit.testing.faults import tls as _tls
from scrapekit.testing.faults.registry import FAULTS, Fault
from scrapekit.testing.faults.server import FaultServer, serve_faults

_GROUPS = (_timing, _connections, _framing, _tls, _proxies, _content, _documents, _redirects, _policies)

__all__ = ["FAULTS", "Fault", "FaultServer", "serve_faults"]
