"""What became of each caller of a rush hour: by what was seen of them, and by the server's list.

Pure. The server is believed in nothing that was not seen: it only has to list, with a reason, those
whom it could not serve.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.runs.doubles import Doubles
from switchhook.emulator.stream.outcome import cause_of
from switchhook.exotel.cause import Cause
from switchhook.exotel.phone_numbers import masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from switchhook.emulator.call.call import Call

KEPT = "kept"
"""The state of a promise that was kept."""
ON_ITS_WAY = ("dialling", "unknown", "ringing")
"""States of one whose call is not known to be over: the details of a call may come minutes late."""
_HEARD_WITHIN = timedelta(seconds=3)
"""After so long a server has read what it was told of a call."""
_HEARD_OUT = (Cause.BOT_DONE, Cause.CALLER_LEFT)


class Fate(msgspec.Struct):
    """What was seen of one caller: their own calls, whether one or a callback was a talk."""

    number: str
    sids: list[str] = []
    served: bool = False
    called_back: bool = False
    needless: bool = False
    """Whether they were called when they had got through by themselves, and that was told."""
    abandoned: int = 0
    """Callbacks that they answered, and nobody talked to them."""


class Listed(msgspec.Struct, frozen=True):
    """A promise of the server's list, or a caller whom it could promise nothing: state and why."""

    call_sid: str
    state: str
    why: str


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each, and what must not be, in words."""

    callers: int
    served: int
    called_back: int
    listed: dict[str, int]
    """By state and reason: those who were not served, and are on the list."""
    missing: tuple[str, ...]
    """Numbers of those of whom nothing is known."""
    wrong: tuple[str, ...]
    """What the list says and what was seen don't agree about."""
    doubles: Doubles
    enough: float
    abandoned: int = 0

    @property
    def passed(self) -> bool:
        """Whether enough were served or called back, and nobody was lost, twice or made up."""
        reached = self.served + self.called_back
        failed = bool(self.missing or self.wrong or self.doubles.any)
        return reached >= self.enough and not failed

    def lines(self) -> list[str]:
        """Why those who were not reached weren't, then what must not be; the last line sums up."""
        most = sorted(self.listed.items(), key=lambda each: (-each[1], each[0]))
        lines = [f"listed: {count:,} {reason}" for reason, count in most]
        lines += [f"missing: {masked(number)}" for number in self.missing]
        lines += [f"wrong: {text}" for text in self.wrong]
        if self.abandoned:
            lines.append(f"{self.abandoned:,} callbacks were answered, and nobody talked to them")
        lines.append(self.doubles.text() or "no callback was asked for")
        return [*lines, self._last()]

    def _last(self) -> str:
        return (
            f"{self.callers:,} callers: {self.served:,} served, {self.called_back:,} called back,"
            f" {sum(self.listed.values()):,} listed with a reason, {len(self.missing):,} missing"
        )


def fates_of(calls: Iterable[Call], numbers: Iterable[str]) -> dict[str, Fate]:
    """What was seen of each caller, by their number."""
    fates = {number: Fate(number) for number in numbers}
    served_at: dict[str, datetime] = {}
    for call in sorted(calls, key=lambda each: each.created):
        fate = fates.get(call.facts.from_)
        if fate is None:
            continue
        if call.facts.outbound:
            human = call.answered_by == "human"
            fate.called_back |= call.talked and human
            fate.abandoned += human and not call.talked
            through = served_at.get(fate.number)
            fate.needless |= through is not None and call.created > through + _HEARD_WITHIN
            continue
        fate.sids.append(call.facts.sid)
        if cause_of(call.stream_outcome) in _HEARD_OUT and call.ended is not None:
            fate.served = True
            served_at.setdefault(fate.number, call.ended)
    return fates


def tally_of(
    fates: Mapping[str, Fate], listed: Iterable[Listed], doubles: Doubles, enough: float
) -> Tally:
    """Hold what was seen against what the server lists."""
    by_call: dict[str, list[Listed]] = {}
    for each in listed:
        by_call.setdefault(each.call_sid, []).append(each)
    served = called_back = 0
    reasons: Counter[str] = Counter()
    missing, wrong = [], []
    for fate in fates.values():
        mine = [each for sid in fate.sids for each in by_call.get(sid, ())]
        problem = _disagreement(fate, mine)
        if problem:
            wrong.append(f"{masked(fate.number)} {problem}")
        if fate.served:
            served += 1
        elif fate.called_back:
            called_back += 1
        elif mine:
            reasons[_reason(mine)] += 1
        else:
            missing.append(fate.number)
    return Tally(
        callers=len(fates),
        served=served,
        called_back=called_back,
        listed=dict(reasons),
        missing=tuple(missing),
        wrong=tuple(wrong),
        doubles=doubles,
        enough=enough,
        abandoned=sum(fate.abandoned for fate in fates.values()),
    )


def _disagreement(fate: Fate, mine: Sequence[Listed]) -> str:
    kept = any(each.state == KEPT for each in mine)
    if kept and not fate.called_back:
        return "is listed as called back, and nobody talked to them"
    if fate.called_back and not kept and not any(each.state in ON_ITS_WAY for each in mine):
        said = _reason(mine) if mine else "nothing"
        return f"was called back, and the list says: {said}"
    if fate.needless:
        return "was called back after they had got through by themselves"
    return ""


def _reason(mine: Sequence[Listed]) -> str:
    """The state and why of the newest that is no mere refusal of a second promise."""
    chosen = next((each for each in reversed(mine) if each.state != "refused"), mine[-1])
    return f"{chosen.state}: {chosen.why}" if chosen.why else chosen.state
