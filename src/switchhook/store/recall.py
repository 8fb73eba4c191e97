"""Whether a stream was ever seen, without a look at the disk: a Bloom filter that grows.

Nearly every receipt brings a new stream, and looking for it in vain among 10 million would cost
more than the rest of the fold. "No" is certain; "yes" has to be looked up.
"""

from __future__ import annotations

_BITS_PER_KEY = 16  # with three probes about 0.5 % of new keys are looked up in vain
_FIRST_BITS = 1 << 22  # half a megabyte, for 260,000 keys


class Recall:
    """Remembers 64-bit hashes; two bytes each, in filters of doubling size."""

    def __init__(self) -> None:
        self._filters: list[tuple[bytearray, int]] = []
        self._room = 0
        self._grow(_FIRST_BITS)

    def __contains__(self, key: int) -> bool:
        step = key >> 31
        for bits, mask in self._filters:
            one, two, three = key & mask, key + step & mask, key + 2 * step & mask
            if (
                bits[one >> 3] & 1 << (one & 7)
                and bits[two >> 3] & 1 << (two & 7)
                and bits[three >> 3] & 1 << (three & 7)
            ):
                return True
        return False

    def add(self, key: int) -> None:
        """Remember a hash, whose bits must be as good as random."""
        if not self._room:
            self._grow(2 * len(self._filters[-1][0]) * 8)
        self._room -= 1
        bits, mask = self._filters[-1]
        step = key >> 31
        for place in (key & mask, key + step & mask, key + 2 * step & mask):
            bits[place >> 3] |= 1 << (place & 7)

    def _grow(self, bits: int) -> None:
        self._filters.append((bytearray(bits // 8), bits - 1))
        self._room = bits // _BITS_PER_KEY
