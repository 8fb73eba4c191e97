"""Whether a call has room, from what the rules chose and the budget that is known: pure.

A rule of an endpoint of kind `admit` refuses a call, or asks for room in a class. There is room
while the account's budget, less what this process has admitted since it was reckoned, is more than
what is kept free from that class. Where nothing is known of it, the safe option applies, by name.
"""

from __future__ import annotations

import msgspec

from switchhook.rules.decide import Decision, Option
from switchhook.rules.routing import AdmissionBudget

SAFE_RULE = "safe option"
"""What a decision names as its rule where nothing could be decided."""
BY_HAND = "set by hand"
"""What a decision names as its rule where a person took the deciding over."""


class AdmissionSeen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was known when a call asked for room, so that it can be decided again.

    `budget` is None where none is known, and `unknown` says why; `used` are the places that this
    process gave after the budget was reckoned; `holds` is whether the call has one of them already,
    so that it needs no other. `safe` is the option that applies where nothing is known.
    """

    account: str
    class_: str = "default"
    budget: AdmissionBudget | None = None
    unknown: str = ""
    used: int = 0
    holds: bool = False
    safe: Option = Option.B

    @property
    def room(self) -> int | None:
        """How many calls of its class could be admitted, its own included; None is unknown."""
        if self.budget is None or self.budget.unknown:
            return None
        return self.budget.room - self.used - self.budget.reserves.get(self.class_, 0)


def ask_for_room(asked: Decision, seen: AdmissionSeen) -> Decision:
    """The answer to a call for which the rules decided `asked`; its rule is the rules' own."""
    if asked.option is Option.B:
        return asked
    room = seen.room
    if room is None:
        why = seen.unknown or (seen.budget.unknown if seen.budget else "") or "no figure of them"
        reason = f"nothing is known of the account's streams: {why}; the endpoint's safe option"
        return Decision(seen.safe, SAFE_RULE, asked.release, reason)
    if seen.holds:
        return _answered(asked, Option.A, "it was admitted before and holds its place")
    if room > 0:
        return _answered(asked, Option.A, f"room for {room:,} of class {seen.class_}")
    return _answered(asked, Option.B, f"no room for class {seen.class_}: {_left(seen)}")


def _answered(asked: Decision, option: Option, why: str) -> Decision:
    reason = f"{asked.reason}; {why}"
    return msgspec.structs.replace(asked, option=option, reason=reason)


def _left(seen: AdmissionSeen) -> str:
    assert seen.budget is not None
    kept = seen.budget.reserves.get(seen.class_, 0)
    reserve = f", and {kept:,} are kept free from it" if kept else ""
    return f"{max(0, seen.budget.room - seen.used):,} left{reserve}"
