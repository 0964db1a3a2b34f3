"""How long exchanges take: a histogram of fixed buckets, and the quantiles that it can tell."""

from __future__ import annotations

from bisect import bisect_left

from msgspec import Struct, field

BOUNDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""The upper ends of the buckets, in seconds; what took longer is in one more."""


class Latency(Struct):
    """The times of exchanges that had a response, each from its start to the last byte. Its owner alone adds.

    Args:
        counts: Exchanges by bucket: one for each of :data:`BOUNDS`, and one beyond.
        sum: Seconds of all together.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum: float = 0.0

    @property
    def count(self) -> int:
        """How many exchanges there were."""
        return sum(self.counts)

    def add(self, seconds: float) -> None:
        """One more exchange."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def since(self, earlier: Latency) -> Latency:
        """What came after ``earlier``, as a new one: for instance that of the last minute."""
        return Latency(
            [now - then for now, then in zip(self.counts, earlier.counts, strict=True)], self.sum - earlier.sum
        )

    def quantile(self, share: float) -> float | None:
        """Seconds in which ``share`` of them, from 0 to 1, were done; None where there were none. Pure.

        Within a bucket the times are taken to be evenly spread, so it is as precise as the buckets are narrow; what
        took longer than the last bound is told as that bound.
        """
        rank, below, lower = share * self.count, 0, 0.0
        for upper, count in zip(BOUNDS, self.counts, strict=False):
            if count and below + count >= rank:
                return lower + (upper - lower) * max(0.0, rank - below) / count
            below, lower = below + count, upper
        return BOUNDS[-1] if self.counts[-1] else None
