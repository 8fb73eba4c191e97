"""Which streams a store has: asked for each receipt that tells of one, of mostly new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.store.bloom_filter import BloomFilter
from switchhook.store.files import BUCKET_BITS

if TYPE_CHECKING:
    import apsw


class KnownStreams:
    """The streams in a store's file that is folded into, by the hash of each.

    A Bloom filter in memory spares the look into the file for those that are new. `position` is the
    seq up to which the file has all, `last_seq` the journal's.
    """

    def __init__(self, connection: apsw.Connection, position: int, last_seq: int) -> None:
        self._connection = connection
        self._filter = BloomFilter(last_seq)
        self._unread = (position >> BUCKET_BITS) + 1
        """How many buckets, the oldest, are not or not wholly in the filter yet."""
        self._read_up_to = -1

    def add(self, key: int) -> None:
        """Note a stream that is new."""
        self._filter.add(key)

    def read(self, keys: int) -> None:
        """Go on reading what streams there are, newest first.

        All of 10 million would take ten seconds, for which no receipt should wait.
        """
        while self._unread and keys > 0:
            rows = self._connection.execute(
                "SELECT key FROM stream_key WHERE bucket = ? AND key > ? ORDER BY key LIMIT ?",
                (self._unread - 1, self._read_up_to, keys),
            )
            read = [key for (key,) in rows]
            for key in read:
                self._filter.add(key)
            if len(read) < keys:
                self._unread, self._read_up_to = self._unread - 1, -1
            else:
                self._read_up_to = read[-1]
            keys -= max(len(read), 1)

    def find(self, key: int, newest: int) -> int | None:
        """The first receipt of a stream, if it was seen."""
        last = newest if key in self._filter else self._unread - 1
        for bucket in range(last, -1, -1):
            row = self._connection.execute(
                "SELECT seq FROM stream_key WHERE bucket = ? AND key = ?", (bucket, key)
            ).fetchone()
            if row is not None:
                first: int = row[0]
                return first
        return None
