"""Which streams a store has: asked for each receipt that tells of one, of mostly new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.store.bloom_filter import BloomFilter
from switchhook.store.buckets import bucket_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from switchhook.store.tables import StreamKeys


class KnownStreams:
    """The streams in the tables that are folded into, by the hash of each.

    A Bloom filter in memory spares the look into the tables for those that are new. `position` is
    the seq up to which the tables have all, `last_seq` the journal's.
    """

    def __init__(self, table: StreamKeys, position: int, last_seq: int) -> None:
        self._table = table
        self._filter = BloomFilter(last_seq)
        self._unread = bucket_of(position) + 1
        """How many buckets, the oldest, are not or not wholly in the filter yet."""
        self._read_up_to = -1

    def add(self, keys: Collection[int]) -> None:
        """Note streams that are new."""
        for key in keys:
            self._filter.add(key)

    def read(self, keys: int) -> None:
        """Go on reading what streams there are, newest first.

        All of 10 million would take ten seconds, for which no receipt should wait.
        """
        while self._unread and keys > 0:
            read = self._table.stream_keys(self._unread - 1, self._read_up_to, keys)
            self.add(read)
            if len(read) < keys:
                self._unread, self._read_up_to = self._unread - 1, -1
            else:
                self._read_up_to = read[-1]
            keys -= max(len(read), 1)

    def find(self, keys: Collection[int], newest: int) -> dict[int, int]:
        """The first receipt of each stream that was seen, in the buckets up to `newest`."""
        perhaps = [key for key in keys if key in self._filter]
        found = self._table.first_receipts(perhaps, newest) if perhaps else {}
        if self._unread and len(perhaps) < len(keys):
            unsure = [key for key in keys if key not in self._filter]
            found |= self._table.first_receipts(unsure, self._unread - 1)
        return found
