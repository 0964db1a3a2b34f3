"""The dupe filter: which fingerprints are known, in memory."""

from __future__ import annotations

from collections.abc import Iterable

from scrapekit.messages import Link

_WIDTH = 16  # bytes of a fingerprint
_FULL = 16  # fingerprints a bucket, on average, at which the table grows


class Seen:
    """A set of fingerprints, of 16 bytes each, in some 23 bytes each. Engine thread only.

    A ``set`` would take 100. Here each bucket is one string of fingerprints, and linear hashing (Litwin, 1980) splits
    one bucket at a time, so that growing never pauses the crawl.

    Args:
        known: Fingerprints to begin with, no two the same.
        count: About how many they are, so that the table begins in the right size.
    """

    def __init__(self, known: Iterable[bytes] = (), count: int = 0) -> None:
        size = 1 << max(10, (count // _FULL).bit_length())
        self._mask = size - 1
        self._split = 0  # buckets below it are split already, by one bit more of the hash than the mask has
        self._buckets = buckets = [b""] * size
        self._count = 0
        for self._count, fingerprint in enumerate(known, 1):
            buckets[hash(fingerprint) & self._mask] += fingerprint

    def __len__(self) -> int:
        return self._count

    def __contains__(self, fingerprint: bytes) -> bool:
        # A match across the seam of two others is no more likely than two URLs of one fingerprint.
        return fingerprint in self._buckets[self._place(fingerprint)]

    def unknown(self, links: Iterable[Link]) -> list[Link]:
        """Those links whose fingerprint is not known, or that have none: in one go, for a page has many."""
        buckets, mask, split = self._buckets, self._mask, self._split
        fresh = []
        for link in links:
            fingerprint = link.fingerprint
            if fingerprint is not None:
                number = hash(fingerprint)  # as in _place()
                place = number & mask
                if fingerprint in buckets[place if place >= split else number & (mask * 2 + 1)]:
                    continue
            fresh.append(link)
        return fresh

    def add(self, fingerprint: bytes) -> bool:
        """It is known now; false where it was already."""
        place = self._place(fingerprint)
        if fingerprint in self._buckets[place]:
            return False
        self._buckets[place] += fingerprint
        self._count += 1
        if self._count > _FULL * len(self._buckets):
            self._grow()
        return True

    def discard(self, fingerprint: bytes) -> None:
        """It is not known any more."""
        place = self._place(fingerprint)
        kept, found, rest = self._buckets[place].partition(fingerprint)
        self._buckets[place] = kept + rest
        self._count -= bool(found)

    def _place(self, fingerprint: bytes) -> int:
        number = hash(fingerprint)
        place = number & self._mask
        return place if place >= self._split else number & (self._mask * 2 + 1)

    def _grow(self) -> None:
        """Split one bucket."""
        size = self._mask + 1
        halves: tuple[list[bytes], list[bytes]] = ([], [])
        bucket = self._buckets[self._split]
        for start in range(0, len(bucket), _WIDTH):
            fingerprint = bucket[start : start + _WIDTH]
            halves[hash(fingerprint) & size != 0].append(fingerprint)
        self._buckets[self._split] = b"".join(halves[0])
        self._buckets.append(b"".join(halves[1]))
        self._split += 1
        if self._split == size:
            self._mask, self._split = size * 2 - 1, 0
