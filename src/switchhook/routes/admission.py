"""How many streams an account has room for: leases, what is not ours, and reserves. Pure.

    admission = AccountAdmission()
    admission.leases.admitted("CallSid", at_ms, endpoint="gate")  # started, ended, throttled
    admission.polled(at_ms, active=71, allowed=100)
    admission.look(now_ms)      # about each second
    admission.estimate(now_ms)  # at any time between

Ends are told of some seconds late, so that of our live streams some have ended. How many is known
a little later, and on average a moment ago was as now: they are taken off.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from switchhook.routes.callback_leases import CallbackLeases
from switchhook.routes.foreign import AVERAGED_MS, LOOK_AFTER_MS, ForeignStreams, Lost
from switchhook.routes.leases import CALLBACKS, Held, Leases
from switchhook.rules.routing import AdmissionBudget

if TYPE_CHECKING:
    from collections.abc import Mapping

FRESH_MS = 60_000
"""For how long a poll says something where there are no leases; older figures are called old."""
ANSWERED_MS = 5_000
"""From when it is told that somebody answered, or that a bot's address was asked for, to when their
stream is among those that the account tells of: a greeting, and the bot's handshake."""
_LEAST_STEP, _STEP_SHARE = 0.5, 0.005


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed of an account at a moment, in streams.

    `unseen` of the live ones have ended, as far as can be guessed; `room` is how many more may be
    let in. `unknown` says why nothing is known, and is empty else. `poll_age_ms` is how long ago
    Exotel answered last, None is never; `old` says that this is long ago, and is empty else.
    """

    allowed: int | None
    held: Held
    unseen: float
    foreign: float
    reserve: float
    room: int
    unknown: str = ""
    poll_age_ms: int | None = None
    old: str = ""


class _UnseenEnds:
    """How many of those that we take for live have ended, on average of the last seconds."""

    def __init__(self) -> None:
        self._believed = deque[tuple[int, int]]()
        self._seen = deque[tuple[int, int]]()

    def look(self, now_ms: int, leases: Leases) -> None:
        """Compare what was believed some seconds ago with what is known of it now."""
        self._believed.append((now_ms, leases.live_at(now_ms)))
        while self._believed[0][0] <= now_ms - LOOK_AFTER_MS:
            at_ms, live = self._believed.popleft()
            self._seen.append((at_ms, live - leases.live_at(at_ms)))
        while self._seen and self._seen[0][0] <= now_ms - LOOK_AFTER_MS - AVERAGED_MS:
            self._seen.popleft()

    def gave_up(self, lost: Lost) -> None:
        """So many of our streams are taken for ended: no ends that are told of late."""
        self._believed = deque(
            (at_ms, live - lost.count if at_ms >= lost.since_ms else live)
            for at_ms, live in self._believed
        )

    @property
    def streams(self) -> float:
        if not self._seen:
            return 0.0
        return max(0.0, sum(count for _, count in self._seen) / len(self._seen))


class AccountAdmission:
    """One account: feed it what happens, ask it what may be let in."""

    def __init__(self) -> None:
        self.leases, self.foreign = Leases(), ForeignStreams()
        self.callbacks = CallbackLeases()
        self._unseen = _UnseenEnds()
        self._active = 0
        self._allowed: int | None = None
        self._polled_ms: int | None = None

    def polled(self, at_ms: int, active: int, allowed: int | None) -> None:
        """The account said so at `at_ms`."""
        self.foreign.polled(at_ms, active)
        self._active, self._allowed, self._polled_ms = active, allowed, at_ms

    def throttled(self, at_ms: int) -> None:
        """A stream of ours was over the limit."""
        self.foreign.throttled(at_ms, max(_LEAST_STEP, _STEP_SHARE * (self._allowed or 0)))

    def started(self, call: str, at_ms: int) -> None:
        """A call's stream started, or is about to."""
        place = self.callbacks.leave(call)
        if place is not None:
            self.leases.admitted(call, at_ms, endpoint=CALLBACKS, class_=place.class_)
        self.leases.started(call, at_ms)

    def ended(self, call: str, at_ms: int, *, told_ms: int, ran: bool = False) -> None:
        """A call's stream ended at `at_ms`, or never was, as was told at `told_ms`."""
        self.callbacks.leave(call)
        self.leases.ended(call, at_ms, told_ms=told_ms, ran=ran)

    def knows(self, call: str) -> bool:
        """Whether anything is remembered of a call."""
        return self.leases.knows(call) or self.callbacks.is_of(call)

    def take_callback(self, name: str, class_: str, reserve: int, now_ms: int) -> str:
        """Hold a place for a callback while `reserve` are left; else why not, in words."""
        if self.callbacks.holds(name):
            return ""
        estimate = self.estimate(now_ms)
        if why := estimate.unknown or estimate.old:
            return why
        room = self._room_by_poll(estimate, now_ms)
        if room <= reserve:
            return _no_place(room, estimate.allowed, reserve)
        self.callbacks.hold(name, class_, now_ms)
        return ""

    def _room_by_poll(self, estimate: Estimate, now_ms: int) -> int:
        """What the last poll leaves, however its streams are to be explained.

        An average of what is not ours is seconds behind where a line fills or empties. Those who
        ring may be in use already, untold, and who has just answered may be in none yet: both are
        counted twice rather than not.
        """
        assert self._polled_ms is not None
        seen_ms = self._polled_ms - ANSWERED_MS - self.foreign.age_ms
        taken = self._active + self.leases.unseen_at(seen_ms, now_ms) + len(self.callbacks)
        return max(0, math.floor((estimate.allowed or 0) - taken - estimate.reserve))

    def look(self, now_ms: int) -> None:
        """Compare what there is to compare, and tidy up."""
        for call in tuple(self.callbacks.answered(now_ms)):
            self.started(call, now_ms)
        self.callbacks.tidy(now_ms)
        lost = self.foreign.look(now_ms, self.leases.live_at)
        if lost is not None:
            self._give_up(lost, now_ms)
        self.leases.tidy(now_ms)
        self._unseen.look(now_ms, self.leases)

    def _give_up(self, lost: Lost, now_ms: int) -> None:
        count = self.leases.give_up(lost.count, lost.since_ms, now_ms)
        gone = Lost(count, lost.since_ms)
        self.foreign.gave_up(gone)
        self._unseen.gave_up(gone)

    def estimate(self, now_ms: int) -> Estimate:
        """How things are."""
        held, foreign = self.leases.held(now_ms), self.foreign.streams
        held = Held(held.pending + len(self.callbacks), held.live)
        unseen = min(self._unseen.streams, float(held.live))
        reserve = self.foreign.reserve(now_ms)
        unknown = self._unknown(now_ms, held)
        age_ms = None if self._polled_ms is None else max(0, now_ms - self._polled_ms)
        taken = held.all - unseen + foreign + reserve
        return Estimate(
            allowed=self._allowed,
            held=held,
            unseen=unseen,
            foreign=foreign,
            reserve=reserve,
            room=0 if unknown else max(0, math.floor((self._allowed or 0) - taken)),
            unknown=unknown,
            poll_age_ms=age_ms,
            old="" if age_ms is None or age_ms <= FRESH_MS else _answered_last(age_ms),
        )

    def _unknown(self, now_ms: int, held: Held) -> str:
        if self._polled_ms is None:
            return "Exotel has not been asked yet"
        if self._allowed is None:
            return "Exotel does not say how many streams are allowed"
        if now_ms - self._polled_ms > FRESH_MS and not held.all:
            return _answered_last(now_ms - self._polled_ms)
        return ""


def _no_place(room: int, allowed: int | None, reserve: int) -> str:
    free = f"{room} of {allowed} streams {'is' if room == 1 else 'are'} free"
    kept = f"{reserve} {'is' if reserve == 1 else 'are'} kept free for those who call in"
    return f"{free}, and {kept}" if reserve else free


def _answered_last(age_ms: int) -> str:
    return f"Exotel last answered {age_ms // 1000} s ago"


def budget_of(estimate: Estimate, through_seq: int, reserves: Mapping[str, int]) -> AdmissionBudget:
    """What one answer process is told."""
    return AdmissionBudget(estimate.room, through_seq, dict(reserves), estimate.unknown)
