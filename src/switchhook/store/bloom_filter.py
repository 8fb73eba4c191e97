"""Whether a stream was ever seen, without a look at the disk: a Bloom filter that grows.

Nearly every receipt brings a new stream, and looking for it in vain among 10 million would cost
more than the rest of the fold. "No" is certain; "yes" has to be looked up.
"""

from __future__ import annotations

_BITS_PER_KEY = 24
_PROBES = range(4)  # about one new key in two thousand is looked up in vain
_FEWEST_KEYS = 100_000
_MOST_BITS = 1 << 30  # 128 MB, for 45 million keys; of twice as many, one in 150 is in vain
_KIND = 3  # bits that are the same in the hashes of all streams
_STEP = 33  # bits that the first place is made of


class BloomFilter:
    """Remembers hashes of 63 bits: three bytes each, or up to six, for filters double in size.

    `expected` keys share the first filter: every further one makes more look-ups in vain. A filter
    of the greatest size takes all that comes.
    """

    def __init__(self, expected: int = 0, most_bits: int = _MOST_BITS) -> None:
        self._filters: list[tuple[bytearray, int]] = []
        self._most_bits = most_bits
        self._room = 0
        self._grow(max(expected, _FEWEST_KEYS))

    def __contains__(self, key: int) -> bool:
        step = key >> _STEP
        for bits, mask in self._filters:
            place = key >> _KIND
            for _ in _PROBES:
                at = place & mask
                if not bits[at >> 3] & 1 << (at & 7):
                    break
                place += step
            else:
                return True
        return False

    def add(self, key: int) -> None:
        """Remember a hash, whose bits but the lowest three must be as good as random."""
        bits, mask = self._filters[-1]
        if not self._room and mask + 1 < self._most_bits:
            self._grow(2 * (mask + 1) // _BITS_PER_KEY)
            bits, mask = self._filters[-1]
        self._room -= self._room > 0
        place, step = key >> _KIND, key >> _STEP
        for _ in _PROBES:
            at = place & mask
            bits[at >> 3] |= 1 << (at & 7)
            place += step

    def _grow(self, keys: int) -> None:
        bits = min(1 << (keys * _BITS_PER_KEY - 1).bit_length(), self._most_bits)
        self._filters.append((bytearray(bits // 8), bits - 1))
        self._room = bits // _BITS_PER_KEY
