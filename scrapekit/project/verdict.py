"""Whether a crawl that has come to its end was a success, and if not, why."""

from __future__ import annotations

from scrapekit.engine import Stats
from scrapekit.project.report import Share
from scrapekit.settings import FailIf


def why_failed(stats: Stats, limits: FailIf) -> str | None:
    """Why a crawl that has come to its end can't be called a success; None where it can."""
    if not stats.pages:
        return _why_nothing(stats)
    return _beyond(stats.pages, stats.items, stats.failed + stats.quarantined, limits)


def why_share_failed(share: Share, limits: FailIf) -> str | None:
    """The same of one spider of several."""
    if not share.pages:
        return f"nothing was fetched: {share.error}" if share.error else "nothing was fetched"
    return _beyond(share.pages, share.items, share.failed, limits)


def _beyond(pages: int, items: int, failed: int, limits: FailIf) -> str | None:
    """Which limit is not kept, if there are pages."""
    share = failed / (pages + failed)
    if limits.error_share is not None and share > limits.error_share:
        return f"{share:.1%} of the requests failed, more than crawl.fail_if.error_share ({limits.error_share:.1%})"
    if limits.items_below is not None and items < limits.items_below:
        return f"{items} items, fewer than crawl.fail_if.items_below ({limits.items_below})"
    return None


def _why_nothing(stats: Stats) -> str:
    """Why there is not one page."""
    reasons = [*stats.errors.items(), *stats.skipped.items()]
    if stats.quarantined:
        return f"nothing was fetched: {stats.quarantined} requests killed their process or never returned"
    if not reasons:
        if not stats.queued:
            return "no start requests: give the spider start_urls, or a start() that yields some"
        return "nothing was fetched"
    kind, tally = max(reasons, key=lambda reason: reason[1].count)
    return f"nothing was fetched: {kind}: {tally.url}: {tally.message}"
