"""Traps: URLs of which a site can make more without end, told by their shape."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from scrapekit.errors import PathTooDeep, RepeatingPath, TooManyParameters, Trapped, UrlTooLong


class UrlLimits(NamedTuple):
    """What URLs may look like; None for anything.

    Args:
        length: Characters of the whole URL.
        depth: Segments of its path.
        repeats: How often the path may have the same segment.
        parameters: Parameters of its query.
    """

    length: int | None = None
    depth: int | None = None
    repeats: int | None = None
    parameters: int | None = None


ANY_URL = UrlLimits()
"""No limits at all."""


class Trap(NamedTuple):
    """Why a URL is not fetched."""

    kind: type[Trapped]
    message: str


def trap_in(url: str, limits: UrlLimits) -> Trap | None:
    """The limit that ``url``, the one of an ``Address``, goes beyond; None where it keeps to all. Pure; any thread."""
    length, depth, repeats, parameters = limits
    if length is not None and len(url) > length:
        return Trap(UrlTooLong, f"{len(url):,} characters, more than crawl.limits.url_length ({length})")
    path, _, query = url.partition("?")
    segments = path.split("/")[3:]
    if not segments[-1]:
        segments.pop()  # /a/b/ is as deep as /a/b
    if depth is not None and len(segments) > depth:
        return Trap(PathTooDeep, f"{len(segments):,} segments, more than crawl.limits.path_depth ({depth})")
    if repeats is not None and len(segments) - len(set(segments)) >= repeats:  # else none can be there so often
        [(segment, times)] = Counter(segments).most_common(1)
        if times > repeats:
            which = f"{segment[:40]!r} {times:,} times in the path"
            return Trap(RepeatingPath, f"{which}, more than crawl.limits.repeated_segments ({repeats})")
    if query and parameters is not None and (count := query.count("&") + 1) > parameters:
        return Trap(TooManyParameters, f"{count:,} parameters, more than crawl.limits.query_parameters ({parameters})")
    return None
