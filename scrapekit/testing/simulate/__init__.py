"""The simulator: whole crawls with faults and crashes, deterministic from a seed, and a judge of what comes of them.

``python -m scrapekit.testing.simulate --seeds 1000`` runs it; docs/proof.md says what it proves.
"""

from __future__ import annotations

from scrapekit.testing.simulate.run import Result, simulate
from scrapekit.testing.simulate.shrink import shrink
from scrapekit.testing.simulate.world import Node, SimHost, World, draw

__all__ = ["Node", "Result", "SimHost", "World", "draw", "shrink", "simulate"]
