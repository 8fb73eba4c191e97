"""What a candidate in shadow would have given callers, counted beside what they got. Pure.

Each receipt is decided again by the candidate with the facts of then; what counts is where the
caller would have gone, not which rule says so.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.phone_numbers import masked
from switchhook.journal.receipt import decode_receipt, read_passthru
from switchhook.journal.source import moment_of
from switchhook.releases.trial import Became, Tried
from switchhook.releases.view import CallerView, DifferenceView, ShadowView
from switchhook.rules.addressing import key_of_caller

if TYPE_CHECKING:
    from switchhook.journal.source import JournalRecord
    from switchhook.releases.trial import Trial

MOST_KINDS, MOST_CALLERS = 200, 100
OTHERS = "in other ways"


class Kind(msgspec.Struct):
    """One way of going elsewhere, and the newest receipt that would have."""

    count: int = 0
    receipt: str = ""


class ShadowState(msgspec.Struct, kw_only=True):
    """What is kept of a shadow: up to the journal's record `through_seq`."""

    since_ms: int
    through_seq: int = 0
    seen: int = 0
    different: int = 0
    unable: int = 0
    kinds: dict[str, Kind] = {}
    callers: list[CallerView] = []


class Shadow:
    """The counts of one candidate. Give it each receipt of its subject once, in order."""

    def __init__(self, number: int, state: ShadowState) -> None:
        self.number, self._state = number, state
        self._kinds = OrderedDict(state.kinds)
        self._callers = deque(state.callers, maxlen=MOST_CALLERS)
        self.changed = False
        """Whether there is something to keep."""

    def take(self, record: JournalRecord, trial: Trial | None, id: str) -> None:
        """Have a record decided by the candidate, None where it can't be loaded; `id` names it."""
        tried = Tried(Became.UNABLE) if trial is None else trial.try_on(record)
        if tried is None or tried.became is Became.LEFT_OUT:
            return
        self._state.seen, self.changed = self._state.seen + 1, True
        if tried.became in (Became.UNABLE, Became.FAULT):
            self._state.unable += 1
        elif tried.became is Became.DIFFERENT and tried.was and tried.would:
            self._state.different += 1
            self._count(f"{tried.was.words} → {tried.would.words}", id)
            self._show(record, tried.was.words, tried.would.words, id)

    def _show(self, record: JournalRecord, what: str, instead: str, id: str) -> None:
        passthru = read_passthru(decode_receipt(record.body))
        self._callers.appendleft(
            CallerView(
                at_ms=moment_of(record),
                receipt=id,
                call_sid=passthru.call_sid or "",
                number=masked(key_of_caller(passthru)) or "",
                what=what,
                instead=instead,
            )
        )

    def _count(self, words: str, id: str) -> None:
        if words not in self._kinds and len(self._kinds) >= MOST_KINDS:
            words = OTHERS
        kind = self._kinds.setdefault(words, Kind())
        kind.count += 1
        kind.receipt = id

    @property
    def through_seq(self) -> int:
        """Up to which record of the journal it has heard."""
        return self._state.through_seq

    def heard(self, seq: int) -> None:
        """Everything up to a record was given."""
        self._state.through_seq = max(self._state.through_seq, seq)

    def state(self) -> ShadowState:
        """To go on from after a restart."""
        self._state.kinds, self._state.callers = dict(self._kinds), list(self._callers)
        return self._state

    def view(self) -> ShadowView:
        """As it stands."""
        state = self._state
        kinds = sorted(self._kinds.items(), key=lambda each: (-each[1].count, each[0]))
        return ShadowView(
            number=self.number,
            since_ms=state.since_ms,
            seen=state.seen,
            different=state.different,
            unable=state.unable,
            kinds=tuple(
                DifferenceView(words=words, count=each.count, receipt=each.receipt)
                for words, each in kinds
            ),
            callers=tuple(self._callers),
        )
