"""Leases: which places of an account are taken by streams that we let in. Pure.

A lease begins with an admission and is *pending* until its stream starts, then *live* until it
ends. What is known comes late and in any order, so each call keeps the moments that it was told
of, and its leases follow from these: the same moments give the same leases in whatever order they
came, as long as no more than `CLOSED_KEPT_MS` lie between.

Where start signals are known to come, a pending lease ends by itself after the 99th percentile of
admission to stream: such a caller left before. Where they don't come, it can't be told from a live
one, and is held until its end is known. See facts.md 5.3 and docs/before-the-stream.md.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_MS = 3_600_000
"""No stream runs longer."""
LEAST_PENDING_MS, MOST_PENDING_MS = 15_000, 30_000
"""The bounds of how long a lease is pending; the longer one holds until enough is learnt."""
CLOSED_KEPT_MS = 180_000
"""How long a lease is remembered after its end, for what comes late and to compare with polls."""
_LEARNT = 2_000
_LEAST_LEARNT = 100
_LEAST_ENDED = 20
_SIGNALLED = 0.95
"""The share of streams whose start must have been told before a lease is ended for want of it."""
_COARSE_MS = 1_000
"""How exactly ends are dated: Exotel's CurrentTime has whole seconds."""
CALLBACKS = "a callback"
"""Stands for the endpoint of a lease that a callback has; no endpoint has a name with a blank."""
_USUAL_START_MS = 3_000
"""From admission to stream, where nothing is learnt."""


class _Kind(IntEnum):
    """What happened to a call; of the same millisecond in this order."""

    ADMITTED = 0
    STARTED = 1
    ENDED = 2


class _Event(msgspec.Struct, frozen=True, order=True, array_like=True):
    """What was told at `told_ms`, by which it is ordered; an end was at `at_ms`."""

    told_ms: int
    kind: _Kind
    at_ms: int
    endpoint: str = ""
    class_: str = ""
    ran: bool = False


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One stream's place: who holds it, and what is known of when. Times in ms of Unix time."""

    call: str
    endpoint: str
    class_: str
    admitted_ms: int
    started_ms: int | None = None
    ended_ms: int | None = None
    ran: bool = False
    """Whether what told of its end told of a stream too."""


class Held(msgspec.Struct, frozen=True):
    """How many leases there are at a moment."""

    pending: int = 0
    live: int = 0

    @property
    def all(self) -> int:
        """Both."""
        return self.pending + self.live


class _Learnt(msgspec.Struct, frozen=True):
    """What a lease taught: how long its start took, and whether its start was told of.

    `ms` is None where it never started; `signalled` where it is not known to have run.
    """

    endpoint: str
    ms: int | None
    signalled: bool | None


class Leases:
    """The leases of one account."""

    def __init__(self) -> None:
        self._events: dict[str, list[_Event]] = {}
        self._open: dict[str, Lease] = {}
        self._closed: dict[str, tuple[Lease, ...]] = {}
        self._learnt: OrderedDict[tuple[str, int], _Learnt] = OrderedDict()
        self._pending_ms = MOST_PENDING_MS
        self._start_ms = _USUAL_START_MS
        self._signalled: frozenset[str] = frozenset()
        self.given_up = 0
        """How many were ended because the polls told of fewer streams."""

    # What happened.

    def admitted(self, call: str, at_ms: int, *, endpoint: str = "", class_: str = "") -> None:
        """A call was let in. It ends a lease that the call had before, as its flow moved on."""
        self._take(call, _Event(at_ms, _Kind.ADMITTED, at_ms, endpoint, class_))

    def started(self, call: str, at_ms: int) -> None:
        """A call's stream started, or is about to; of a call that wasn't let in it is no lease."""
        self._take(call, _Event(at_ms, _Kind.STARTED, at_ms))

    def ended(self, call: str, at_ms: int, *, told_ms: int, ran: bool = False) -> None:
        """A call's stream ended at `at_ms`, or never was, as was told at `told_ms`.

        `ran` is whether this told of a stream.
        """
        self._take(call, _Event(told_ms, _Kind.ENDED, min(at_ms, told_ms), ran=ran))

    def give_up(self, count: int, since_ms: int, now_ms: int) -> int:
        """End leases that live since `since_ms`, as of then; how many there were of so many.

        Those whose start nobody told of end first, as they may never have had a stream; of these,
        and of the others, the oldest.
        """
        first = sorted(
            (
                each
                for each in self._open.values()
                if self._lives_at(each, since_ms) and self._lives_at(each, now_ms)
            ),
            key=lambda each: (each.started_ms is not None, each.admitted_ms, each.call),
        )[:count]
        for each in first:
            self.ended(each.call, since_ms, told_ms=now_ms)
        self.given_up += len(first)
        return len(first)

    def tidy(self, now_ms: int) -> None:
        """Learn from what is known, and forget what is over for long; called about each second."""
        self._learn()
        for call, lease in list(self._open.items()):
            if now_ms - lease.admitted_ms >= LONGEST_MS + CLOSED_KEPT_MS:
                del self._open[call]
        for call, events in list(self._events.items()):
            if call not in self._open and now_ms - events[-1].told_ms >= CLOSED_KEPT_MS:
                del self._events[call]
                self._closed.pop(call, None)

    # What follows from it.

    def held(self, now_ms: int) -> Held:
        """How many places are taken at this moment."""
        pending = live = 0
        for each in self._open.values():
            age = now_ms - each.admitted_ms
            if not 0 <= age < LONGEST_MS:
                continue
            if each.started_ms is not None and each.started_ms <= now_ms:
                live += 1
            elif age < self._pending_ms:
                pending += 1
            elif each.endpoint not in self._signalled:
                live += 1
        return Held(pending, live)

    def live_at(self, at_ms: int) -> int:
        """How many streams ran at a moment, by all that is known of it since."""
        closed = (each for leases in self._closed.values() for each in leases)
        return sum(self._lives_at(each, at_ms) for each in (*self._open.values(), *closed))

    def unseen_at(self, at_ms: int, now_ms: int) -> int:
        """How many places are taken that a poll at `at_ms` could not see as streams."""
        since = sum((each.started_ms or 0) > at_ms for each in self.open(now_ms))
        return self.held(now_ms).pending + since

    def open(self, now_ms: int) -> list[Lease]:
        """The leases that are pending or live, the oldest first."""
        found = (
            each
            for each in self._open.values()
            if 0 <= (age := now_ms - each.admitted_ms) < LONGEST_MS
            and (
                each.started_ms is not None
                or age < self._pending_ms
                or each.endpoint not in self._signalled
            )
        )
        return sorted(found, key=lambda each: (each.admitted_ms, each.call))

    def knows(self, call: str) -> bool:
        """Whether anything is remembered of a call."""
        return call in self._events

    @property
    def pending_ms(self) -> int:
        """How long a lease is pending."""
        return self._pending_ms

    def signalled(self, endpoint: str) -> bool:
        """Whether the starts of an endpoint's streams are told of."""
        return endpoint in self._signalled

    def _lives_at(self, lease: Lease, at_ms: int) -> bool:
        if lease.ended_ms is not None and lease.ended_ms <= at_ms:
            return False
        started_ms = lease.started_ms
        if started_ms is None:
            signalled = lease.endpoint in self._signalled
            if signalled and not lease.ran:
                return False
            started_ms = lease.admitted_ms + self._start_ms
        return started_ms <= at_ms < lease.admitted_ms + LONGEST_MS

    def _take(self, call: str, event: _Event) -> None:
        events = self._events.setdefault(call, [])
        if event in events:
            return
        events.append(event)
        events.sort()
        # What was made of less may have been otherwise.
        before = self._open.pop(call, None)
        for each in (*self._closed.pop(call, ()), *([before] if before else [])):
            self._learnt.pop((call, each.admitted_ms), None)
        leases = list(_leases_of(call, events))
        for each in leases:
            self._note(each)
        if leases and leases[-1].ended_ms is None:
            self._open[call] = leases.pop()
        if leases:
            self._closed[call] = tuple(leases)

    # What the leases teach.

    def _note(self, lease: Lease) -> None:
        if lease.endpoint == CALLBACKS:
            return  # it began as its stream did: that says nothing of those who call in
        took = None if lease.started_ms is None else lease.started_ms - lease.admitted_ms
        told = lease.started_ms is not None if lease.ran else None
        if took is None and told is None:
            return
        self._learnt[lease.call, lease.admitted_ms] = _Learnt(lease.endpoint, took, told)
        if len(self._learnt) > _LEARNT:
            self._learnt.popitem(last=False)

    def _learn(self) -> None:
        took = sorted(each.ms for each in self._learnt.values() if each.ms is not None)
        if len(took) >= _LEAST_LEARNT:
            percentile = took[min(len(took) - 1, len(took) * 99 // 100)]
            self._pending_ms = min(max(percentile, LEAST_PENDING_MS), MOST_PENDING_MS)
        if took:
            self._start_ms = took[len(took) // 2]
        self._signalled = frozenset(_signalled(self._learnt.values()))


def _signalled(learnt: Iterable[_Learnt]) -> Iterator[str]:
    """The endpoints whose streams that ran had their starts told of, nearly all."""
    ran, told = Counter[str](), Counter[str]()
    for each in learnt:
        if each.signalled is not None:
            ran[each.endpoint] += 1
            told[each.endpoint] += each.signalled
    for endpoint, count in ran.items():
        if count >= _LEAST_ENDED and told[endpoint] >= _SIGNALLED * count:
            yield endpoint


def _leases_of(call: str, events: Iterable[_Event]) -> Iterator[Lease]:
    """The leases that follow from what happened to a call, in the order of time."""
    lease: Lease | None = None
    for each in events:
        if each.kind is _Kind.ADMITTED:
            if lease is not None:
                yield msgspec.structs.replace(lease, ended_ms=each.at_ms)
            lease = Lease(
                call=call, endpoint=each.endpoint, class_=each.class_, admitted_ms=each.at_ms
            )
        elif lease is None:
            continue
        elif each.kind is _Kind.ENDED:
            if each.at_ms < lease.admitted_ms - _COARSE_MS:
                continue  # of the stream before
            ended_ms = max(each.at_ms, lease.started_ms or lease.admitted_ms)
            yield msgspec.structs.replace(lease, ended_ms=ended_ms, ran=each.ran)
            lease = None
        elif lease.started_ms is None:
            lease = msgspec.structs.replace(lease, started_ms=each.at_ms)
    if lease is not None:
        yield lease
