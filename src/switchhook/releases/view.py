"""How a candidate does, as page, API and commands tell it. Pure values.

Shares count in parts of 10,000, times are Unix milliseconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from switchhook.releases.judgement import Judgement


class StageState(StrEnum):
    """How far a stage of a rollout is."""

    DONE = "done"
    NOW = "now"
    TO_COME = "to come"


class StageView(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a rollout: its share, and what has to be there before it is left.

    In its time `decided` callers came, of whom `callers` can be judged; `callers_before` were
    judged in earlier stages at its share. Of them all `least_callers` are needed, and it lasts
    `least_ms` at least. Where `uncounted`, another release ran than now, and its callers
    count no more. A caller counts once at a share, and again where that grows.
    """

    share: int
    state: StageState
    least_callers: int
    least_ms: int
    callers: int = 0
    begun_ms: int | None = None
    ended_ms: int | None = None
    decided: int = 0
    callers_before: int = 0
    uncounted: bool = False

    @property
    def counted(self) -> int:
        """Callers that count towards those that are needed."""
        return 0 if self.uncounted else self.callers + self.callers_before


class CallerView(msgspec.Struct, frozen=True, kw_only=True):
    """One caller behind a figure, by the receipt that decided for them.

    `number` is as it was sent, empty where withheld: who shows it masks it. `canary` is on which
    side they were, `what` what became of them, in words. In shadow nobody is on a side: `what` is
    what the running release gave them, `instead` what the candidate would have given.
    """

    at_ms: int
    receipt: str
    call_sid: str
    number: str
    what: str
    canary: bool = False
    instead: str = ""


class DifferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of difference between two releases: how many callers, and the newest's receipt."""

    words: str
    count: int
    receipt: str = ""


class ShadowView(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate in shadow would have done since `since_ms`.

    Of `seen` requests it would have decided `different` otherwise; `unable` ones it could not
    decide. `kinds` the most frequent first, `callers` the newest first, both bounded.
    """

    number: int
    since_ms: int
    seen: int
    different: int
    unable: int = 0
    kinds: tuple[DifferenceView, ...] = ()
    callers: tuple[CallerView, ...] = ()


class RolloutView(msgspec.Struct, frozen=True, kw_only=True):
    """How a rollout does; of one that is over, how it did.

    `judged` is what the evidence says, None before any; from an E of `harm_at` on there is harm.
    `share` is what was asked for, `told_share` what answer processes were last told, at `told_ms`.
    `plan` says in a sentence what comes next and when, or for whom it waits. `unwatched` is why
    nobody watches it, empty where all is well. `mix` is what is odd about the mix of options and
    rules against what the back-test foretold. `callers` are those behind the evidence, the newest
    first, bounded. `ready` is whether it waits for a person alone. `ended_ms` is when it ended.
    `known_after_min` is how long after a decision at most it is known whether the caller called
    again, 0 where that is no measure: until then callers can't be judged.
    """

    number: int
    share: int
    since_ms: int
    judged: Judgement | None = None
    harm_at: float = 100.0
    told_share: int = 0
    told_ms: int | None = None
    by_itself: bool = True
    stages: tuple[StageView, ...] = ()
    plan: str = ""
    ready: bool = False
    unwatched: str = ""
    mix: tuple[str, ...] = ()
    callers: tuple[CallerView, ...] = ()
    ended_ms: int | None = None
    known_after_min: int = 0
