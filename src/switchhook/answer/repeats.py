"""Whether a question was asked before: fingerprints of the last ten minutes.

Where rules read the account or the time a question asked later is a new one: else a caller would
be held to an answer that isn't true any more.

Only hashes are remembered, in flat arrays: half a million cost 20 MB and no garbage collection,
and an insertion never has to move the others. Two generations take turns; the older is dropped
whole, when everything in it is too old or the younger is full.
"""

from __future__ import annotations

import hashlib
from array import array
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.fields import instant
from switchhook.rules.outcome import EndpointKind

if TYPE_CHECKING:
    from switchhook.answer.authentication import Endpoint
    from switchhook.exotel.passthru import Passthru
    from switchhook.rules.decide import Ruleset

    Columns = tuple[array[int], array[int], array[int], array[int], array[int]]
    """Of many questions: fingerprints, then the fields of `FirstAnswer`."""

WINDOW_MS = 600_000
"""How long a question is the same question, by the monotonic clock."""

MOST_REMEMBERED = 500_000
AGAIN_S = 3
_LONGEST_TIME = 64  # characters of a CurrentTime that is remembered
_PASSTHRU = EndpointKind.PASSTHRU
_GOLDEN, _SIGN = 0x9E3779B97F4A7C15, 1 << 63
_MASK = 2 * _SIGN - 1

_encode = msgspec.msgpack.Encoder().encode


def fingerprint(endpoint: str, passthru: Passthru, key: bytes) -> int | None:
    """A signed 64-bit hash of what is asked: all parameters but CurrentTime.

    None without a CallSid, for then nothing says that two requests are about the same call. Order
    and encoding don't matter. `key` keeps outsiders from making collisions.
    """
    p = passthru
    if p.call_sid is None:
        return None
    asked = (
        endpoint,
        p.call_sid,
        p.account_sid,
        p.from_raw,
        p.to_raw,
        p.direction_raw,
        p.digits,
        p.custom_field,
        p.recording_url,
        p.forwarded_from,
        p.flow_id,
        p.tenant_id,
        p.event_type,
        p.agent_status,
        p.agent_email,
        p.call_status,
        p.call_type,
        p.dial_status,
        p.dial_duration_raw,
        p.dial_whom_number,
        p.outgoing_number,
        p.created_raw,
        p.started_raw,
        p.ended_raw,
        p.recording_available_raw,
        p.legs,
        p.stream,
        sorted(p.extra),
    )
    digest = hashlib.blake2b(_encode(asked), key=key, digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


def askings(asked: int, passthru: Passthru, now_ms: int) -> tuple[int, ...]:
    """The hashes under which a question with this fingerprint may have been asked, its own first.

    For rules that read what changes (the account, the time): there only who asks again at once
    repeats himself, with the same CurrentTime or one at most `AGAIN_S` later. Without CurrentTime
    it goes by `now_ms`, of the monotonic clock.
    """
    said = passthru.current_raw
    apart = None
    if said is not None:
        of = _apart_as_said if len(said) <= _LONGEST_TIME else _apart_as_said.__wrapped__
        apart = of(said)
    return tuple([asked ^ each or 1 for each in apart or _apart(now_ms // 1000)])


@lru_cache(maxsize=64)  # many ask in the same second
def _apart_as_said(current: str) -> tuple[int, ...] | None:
    """The same by CurrentTime; None where that is no time."""
    at = instant(current)
    return _apart(int(at.timestamp())) if isinstance(at, datetime) else None


@lru_cache(maxsize=64)
def _apart(at_s: int) -> tuple[int, ...]:
    """What sets the hashes of a second apart, and those of the seconds before it; signed, too.

    Spread, or those of many seconds would fill places of the memory that adjoin.
    """
    spread = [_GOLDEN * (at_s - ago) for ago in range(AGAIN_S + 1)]
    return tuple([(each + _SIGN & _MASK) - _SIGN for each in spread])


class FirstAnswer(msgspec.Struct, frozen=True, gc=False):
    """The first time a question was asked: its place in the journal, times in ms, its answer.

    `option` is the answer's number, as `answer.choices` has it.
    """

    seq: int
    at: int
    mono: int
    option: int


class _Generation:
    """An open-addressing table that only grows, up to half full."""

    __slots__ = ("asked", "at", "mask", "mono", "option", "seq", "slots")

    def __init__(self, capacity: int) -> None:
        size = 1 << (capacity * 2 - 1).bit_length()
        self.mask = size - 1
        self.slots = array("i", bytes(4 * size))  # 1 + index of the entry, 0 for none
        self.asked = array("q")
        self.seq = array("q")
        self.at = array("q")
        self.mono = array("q")
        self.option = array("i")

    def __len__(self) -> int:
        return len(self.asked)

    def find(self, asked: int) -> int:
        """The entry's index, or -1."""
        slots, mask, entries = self.slots, self.mask, self.asked
        place = asked & mask
        while index := slots[place]:
            if entries[index - 1] == asked:
                return index - 1
            place = (place + 1) & mask
        return -1

    def put(self, asked: int, first: FirstAnswer) -> None:
        """Add one, or take the place of the same from before the window."""
        slots, mask, entries = self.slots, self.mask, self.asked
        place = asked & mask
        while index := slots[place]:
            if entries[index - 1] == asked:
                self.seq[index - 1], self.at[index - 1] = first.seq, first.at
                self.mono[index - 1], self.option[index - 1] = first.mono, first.option
                return
            place = (place + 1) & mask
        entries.append(asked)
        self.seq.append(first.seq)
        self.at.append(first.at)
        self.mono.append(first.mono)
        self.option.append(first.option)
        slots[place] = len(entries)

    def extend(self, columns: Columns) -> None:
        """Add many, of which later ones take the place of earlier ones."""
        slots, mask, entries = self.slots, self.mask, self.asked
        index = len(entries)
        for mine, theirs in zip(self._columns(), columns, strict=True):
            mine.extend(theirs)
        for asked in columns[0]:
            index += 1
            place = asked & mask
            while (taken := slots[place]) and entries[taken - 1] != asked:
                place = (place + 1) & mask
            slots[place] = index

    def _columns(self) -> Columns:
        return self.asked, self.seq, self.at, self.mono, self.option

    def entry(self, index: int) -> FirstAnswer:
        return FirstAnswer(self.seq[index], self.at[index], self.mono[index], self.option[index])


class RepeatMemory:
    """What was asked within the window, `most` questions at the most. Times in ms, monotonic."""

    def __init__(self, most: int = MOST_REMEMBERED, window_ms: int = WINDOW_MS) -> None:
        self._capacity = max(1, most // 2)
        self._window_ms = window_ms
        self._young = _Generation(self._capacity)
        self._old = _Generation(1)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, keys: tuple[int, ...], now_ms: int) -> FirstAnswer | None:
        """The first time that one of these was asked within the window, or None."""
        young, old = self._young, self._old
        of_young, of_old, young_mask, old_mask = young.slots, old.slots, young.mask, old.mask
        for asked in keys:
            # Most are new, and at least half of the slots empty.
            if not (of_young[asked & young_mask] or of_old[asked & old_mask]):
                continue
            generation, index = young, young.find(asked)
            if index < 0:
                generation, index = old, old.find(asked)
                if index < 0:
                    continue
            first = generation.entry(index)
            # A question asked again after the window is a new one, and then in the younger
            # generation or still unknown there.
            if now_ms - first.mono < self._window_ms:
                return first
        return None

    def remember(self, asked: int, first: FirstAnswer) -> None:
        """Keep a question that `find` did not know."""
        young = self._young
        if len(young) >= self._capacity or (
            young.mono and first.mono - young.mono[0] >= self._window_ms
        ):
            self._old, self._young = young, _Generation(self._capacity)
            young = self._young
        young.put(asked, first)

    def load(self, columns: Columns) -> None:
        """Keep many questions in the order in which they were asked, all within one window.

        The same as to `remember` each, in a fifth of the time: while it is done, no caller is
        answered.
        """
        start, count = 0, len(columns[0])
        while start < count:
            if len(self._young) >= self._capacity:
                self._old, self._young = self._young, _Generation(self._capacity)
            end = start + self._capacity - len(self._young)
            asked, seq, at, mono, option = (column[start:end] for column in columns)
            self._young.extend((asked, seq, at, mono, option))
            start = end


def asked_before(
    memory: RepeatMemory,
    endpoint: Endpoint,
    ruleset: Ruleset,
    passthru: Passthru,
    key: bytes,
    now_ms: int,
) -> tuple[int | None, FirstAnswer | None]:
    """What to remember a question by, and the first answer to it.

    `ruleset` is the one that decides it.
    An answer that nothing gives any more (its keyword or member is gone) is none.
    """
    asked = fingerprint(endpoint.name, passthru, key)
    if asked is None:
        return None, None
    keys: tuple[int, ...] = (asked,)
    # Room and the bots' health change as the account does.
    if ruleset.changing or endpoint.kind is not _PASSTHRU:
        keys = askings(asked, passthru, now_ms)
    first = memory.find(keys, now_ms)
    return keys[0], first if first is not None and first.option in endpoint.choices else None
