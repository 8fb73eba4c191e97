"""Buckets: stretches of the journal by which the store's indexes are divided.

New rows of an index by hash or digits fall into the newest stretch, a few pages that are in memory,
and not all over the index. A bucket is 65,536 seqs: 153 hold 10 million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BITS = 16


def bucket_of(seq: int) -> int:
    """The bucket of a record."""
    return seq >> BITS


def by_bucket(seqs: Iterable[int]) -> list[tuple[int, list[int]]]:
    """Records by their bucket, ascending."""
    buckets: dict[int, list[int]] = {}
    for seq in seqs:
        buckets.setdefault(bucket_of(seq), []).append(seq)
    return sorted(buckets.items())


STRETCH_BITS = 12
"""A stretch is 4,096 seqs, of which the first and last time are known: 2,442 hold 10 million."""


def stretch_of(seq: int) -> int:
    """The stretch of a record."""
    return seq >> STRETCH_BITS


def seqs_of(stretch: int) -> tuple[int, int]:
    """The records of a stretch: from, and to before."""
    return stretch << STRETCH_BITS, (stretch + 1) << STRETCH_BITS
