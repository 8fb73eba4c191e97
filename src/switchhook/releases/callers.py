"""Which callers a rollout has counted, so that each counts once; and who calls too often. Pure.

Who redials ten times from a bad line is one caller, not ten failures. A caller who was counted as
control and is asked about again at a larger share is known not to be among the first callers, so
that the chance of being a canary caller now is that of the buckets that were added, by those that
were left. Whoever was counted as a canary caller stays one, and tells nothing more.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from switchhook.rules.rollout import BUCKETS, RolloutSeen

CALLERS_AT_MOST = 250_000
"""As many callers are counted in one rollout; further ones aren't, on either side."""
HEAVY_SHARE = 0.03
"""Who makes up more of all calls is left out: a switchboard, or a line that tests call from."""
_HEAVY_FROM = 200
"""Calls before which nobody is called heavy."""
_COUNTERS = 256
PURPOSES = 4
"""For how many purposes a caller may be counted: as many shares fit into 64 bits."""
_FIELD = 14
_CANARY = (1 << _FIELD) - 1
"""The level of those who were counted as canary callers: above every share."""


def caller_of(salt: str, key: str) -> int:
    """What evidence knows a caller by, 64 bits: `salt` the rollout's, `key` as buckets have it."""
    digest = blake2b(f"caller\n{salt}\n{key}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


class CountedState(msgspec.Struct, frozen=True):
    """What is kept of `Counted`: callers of 8 bytes each, and the share of each purpose."""

    callers: bytes
    levels: list[int]


class Counted:
    """Up to which share each caller is known, for each of a few purposes."""

    def __init__(self, state: CountedState | None = None) -> None:
        self._levels: dict[int, int] = {}
        if state is not None:
            size = len(state.callers) // 8
            callers = (state.callers[8 * at : 8 * at + 8] for at in range(size))
            self._levels = dict(
                zip((int.from_bytes(one, "big") for one in callers), state.levels, strict=True)
            )

    def __len__(self) -> int:
        return len(self._levels)

    @property
    def full(self) -> bool:
        """Whether no further caller is counted."""
        return len(self._levels) >= CALLERS_AT_MOST

    def count(self, purpose: int, caller: int, seen: RolloutSeen) -> float | None:
        """The chance, as known before, that this caller is a canary caller; None: counts no more.

        Counted at share s as control, at the larger share t it is (t - s) / (1 - s).
        """
        known = self._levels.get(caller)
        if known is None:
            if self.full:
                return None
            known = 0
        shift, share = _FIELD * purpose, seen.share
        level = known >> shift & _CANARY
        if share <= level or share >= BUCKETS:
            return None
        now = _CANARY if seen.bucket < share else share
        self._levels[caller] = known + (now - level << shift)
        return (share - level) / (BUCKETS - level)

    def state(self) -> CountedState:
        """To go on from after a restart."""
        callers = b"".join(caller.to_bytes(8, "big") for caller in self._levels)
        return CountedState(callers, list(self._levels.values()))


class Heavy:
    """Finds callers that make up more than a few per cent of all calls, in bounded memory.

    Goes by calls alone, never by their side or outcome. By the algorithm of Misra and Gries: a
    count is at most `calls / 257` too low. Who was found once stays out.
    """

    def __init__(self, calls: int = 0, counts: dict[int, int] | None = None) -> None:
        self.calls = calls
        self.counts = {} if counts is None else dict(counts)

    def called(self, caller: int) -> bool:
        """Count a call; whether its caller is heavy by now."""
        self.calls += 1
        counts = self.counts
        mine = counts.get(caller, 0) + 1
        if mine > 1 or len(counts) < _COUNTERS:
            counts[caller] = mine
        else:
            self.counts = {one: count - 1 for one, count in counts.items() if count > 1}
        least = (HEAVY_SHARE - 1 / (_COUNTERS + 1)) * self.calls
        return self.calls >= _HEAVY_FROM and mine > least

    def share_of(self, caller: int) -> float:
        """About which part of all calls a caller makes."""
        return self.counts.get(caller, 0) / self.calls if self.calls else 0.0
