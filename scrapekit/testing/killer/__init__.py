"""The kill campaign: the real command in real processes, killed over and over, and its output counted.

``python -m scrapekit.testing.killer --kills 300`` runs it in a checkout; docs/proof.md says what it shows.
"""

from __future__ import annotations

from scrapekit.testing.killer.campaign import Campaign, Tally

__all__ = ["Campaign", "Tally"]
