"""One canary as it is watched: its evidence, the callers behind it, and its stages. Pure.

What it knows can be kept and gone on from; records up to `through_seq` are in it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.phone_numbers import masked
from switchhook.releases.callers import caller_of
from switchhook.releases.evidence import EvidenceTerms, RolloutEvidence
from switchhook.releases.measures import FAULT_WORDS, GROUPS, WORDS, Decided, Fault
from switchhook.releases.view import CallerView
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import salt_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.releases.judgement import Judgement
    from switchhook.releases.measures import OfCaller
    from switchhook.releases.release import Release
    from switchhook.releases.settings import RolloutSettings

MOST_BEHIND = 60
"""Callers behind the evidence that are shown, of each side."""


class Stage(msgspec.Struct, frozen=True):
    """A share that was in force from `begun_ms` on, and until when."""

    share: int
    begun_ms: int
    ended_ms: int | None = None


class RolloutState(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a rollout; `control` is the hash of the release that it is held against."""

    evidence: bytes
    control: str
    through_seq: int
    through_ms: int
    stages: tuple[Stage, ...] = ()
    behind: tuple[CallerView, ...] = ()


class RolloutWatch:
    """See above. Give it what `Outcomes` tells of the rollout's subject, in order."""

    def __init__(
        self, release: Release, evidence: RolloutEvidence, control: str, state: RolloutState | None
    ) -> None:
        self.release, self.evidence, self.control = release, evidence, control
        self.through_seq = 0 if state is None else state.through_seq
        self.through_ms = 0 if state is None else state.through_ms
        self.stages: tuple[Stage, ...] = () if state is None else state.stages
        self._salt = salt_of(release.subject, release.hash)
        behind = () if state is None else state.behind
        self._behind = {
            side: deque((each for each in behind if each.canary is side), maxlen=MOST_BEHIND)
            for side in (True, False)
        }
        self.changed = state is None
        """Whether there is something to keep."""
        self.unjudged = True
        """Whether the evidence may say something else than when it was asked last."""

    def take(self, told: OfCaller) -> None:
        """Hear of a caller; of another rollout's, nothing follows."""
        decided = told if isinstance(told, Decided) else told.decided
        seen = decided.seen
        if (seen.number, seen.hash) != (self.release.number, self.release.hash):
            return
        caller = caller_of(self._salt, decided.key)
        self.changed = self.unjudged = True
        if isinstance(told, Decided):
            self.evidence.saw(
                caller, seen, told.at_ms, decided=told.mix, faults=[str(f) for f in told.faults]
            )
            for fault in told.faults:
                self._show(decided, FAULT_WORDS[fault], told.at_ms)
            return
        if isinstance(told, Fault):
            self.evidence.fault(caller, seen, told.kind.value, told.at_ms)
            self._show(decided, FAULT_WORDS[told.kind], told.at_ms)
            return
        failed = {measure.value: each for measure, each in told.failed.items()}
        self.evidence.outcome(caller, seen, failed, told.at_ms)
        for measure, each in told.failed.items():
            if each:
                self._show(decided, WORDS[measure], told.at_ms)

    def _show(self, decided: Decided, what: str, at_ms: int) -> None:
        self._behind[decided.seen.canary].appendleft(
            CallerView(
                at_ms=at_ms,
                receipt=decided.receipt,
                call_sid=decided.call,
                number=masked(decided.key) or "",
                what=what,
                canary=decided.seen.canary,
            )
        )

    def heard(self, seq: int, at_ms: int) -> None:
        """Everything up to a record was given."""
        self.through_seq = max(self.through_seq, seq)
        self.through_ms = max(self.through_ms, at_ms)

    def at_share(self, share: int, now_ms: int) -> None:
        """The share that it has by now; another one than before begins a stage."""
        last = self.stages[-1] if self.stages else None
        if last is not None and last.ended_ms is None:
            if last.share == share:
                return
            last = msgspec.structs.replace(last, ended_ms=now_ms)
            self.stages = (*self.stages[:-1], last)
        if share:
            self.stages = (*self.stages, Stage(share, now_ms))
        self.changed = True

    def judged(self, now_ms: int) -> Judgement:
        """What the evidence says."""
        self.unjudged = False
        return self.evidence.judged(now_ms)

    @property
    def behind(self) -> tuple[CallerView, ...]:
        """The callers behind the evidence, of both sides, the newest first."""
        both = (*self._behind[True], *self._behind[False])
        return tuple(sorted(both, key=lambda each: -each.at_ms))

    def state(self) -> RolloutState:
        """What is to be kept."""
        return RolloutState(
            evidence=self.evidence.state(),
            control=self.control,
            through_seq=self.through_seq,
            through_ms=self.through_ms,
            stages=self.stages,
            behind=self.behind,
        )


def watch_of(
    release: Release,
    kind: EndpointKind,
    settings: RolloutSettings,
    *,
    control: str,
    kept: RolloutState | None,
    foretold: Mapping[str, float],
) -> RolloutWatch:
    """Watch a canary, going on from what was kept if it was held against the same release.

    Evidence that is broken is begun anew: the rollout holds until there is enough again.
    """
    state = kept if kept is not None and kept.control == control else None
    if state is not None:
        try:
            evidence = RolloutEvidence.resume(state.evidence)
        except (msgspec.MsgspecError, ValueError):
            state = msgspec.structs.replace(state, stages=())
        else:
            return RolloutWatch(release, evidence, control, state)
    terms = EvidenceTerms(
        groups=tuple(_names(group) for group in GROUPS[kind]),
        false_rollbacks=settings.false_rollbacks,
        tolerated=settings.tolerated,
        foretold=dict(foretold),
    )
    return RolloutWatch(release, RolloutEvidence(terms), control, state)


def _names(group: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(each) for each in group)
