"""Who is told next while nobody says that they are on it.

A policy's steps follow each other at equal waits, and begin again as often as it says. A step of
which nobody is on call is passed at once; where nobody of the whole policy is, all are told: what
is critical must reach somebody.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.quiet import matches
from switchhook.metrics import Labels

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from switchhook.alerts.alert import Alert


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`[alerts.policy.NAME]`: who is told first, and who next. `match` is as a silence's.

    `steps` are names of destinations; `repeat` is how often they are gone through again.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]
    wait_ms: int
    repeat: int = 0
    match: Labels = ()

    def names(self) -> frozenset[str]:
        """All who are ever told."""
        return frozenset(name for step in self.steps for name in step)


def policy_of(policies: Sequence[Policy], alert: Alert) -> Policy | None:
    """The first that takes an alert."""
    return next((each for each in policies if matches(each.match, alert)), None)


def due_rounds(
    policy: Policy, on_call: Collection[str], began_ms: int | None, now_ms: int
) -> Counter[str]:
    """How many times each should have been told by now; `began_ms` is when the first was.

    Who is not to be told yet is missing. None of them has said that they are on it.
    """
    there = policy.names() & frozenset(on_call) or policy.names()
    steps = [step for step in ([*filter(there.__contains__, s)] for s in policy.steps) if step]
    passed_ms = 0 if began_ms is None else max(now_ms - began_ms, 0)
    told: Counter[str] = Counter()
    for at in range(len(steps) * (1 + policy.repeat)):
        if at and passed_ms < at * policy.wait_ms:
            break
        told.update(steps[at % len(steps)])
    return told
