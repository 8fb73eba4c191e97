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
from switchhook.releases.measures import FAULT_WORDS, GROUPS, WORDS, Decided, Fault, Measure
from switchhook.releases.stages_had import StageHad
from switchhook.releases.view import CallerView
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import salt_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchhook.releases.judgement import Judgement
    from switchhook.releases.measures import OfCaller
    from switchhook.releases.release import Release
    from switchhook.releases.settings import RolloutSettings

MOST_BEHIND = 60
"""Callers behind the evidence that are shown, of each side."""


class Stage(msgspec.Struct):
    """A share that was in force from `begun_ms` on, and until when; and who came in that time.

    `decided` callers were counted, of whom it is known what became of them for so many of each
    measure. With `uncounted` another release ran than now: its callers count no more.
    """

    share: int
    begun_ms: int
    ended_ms: int | None = None
    decided: int = 0
    known: dict[str, int] = {}
    uncounted: bool = False

    @property
    def callers(self) -> int:
        """Callers who can be judged by any measure."""
        return max(self.known.values(), default=0)


class RolloutState(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a rollout; `control` is the hash of the release that it is held against.

    `since_ms` is when its evidence began.
    """

    evidence: bytes
    control: str
    through_seq: int
    through_ms: int
    since_ms: int = 0
    stages: tuple[Stage, ...] = ()
    behind: tuple[CallerView, ...] = ()


class RolloutWatch:
    """See above. Give it what `Outcomes` tells of the rollout's subject, in order."""

    def __init__(
        self,
        release: Release,
        evidence: RolloutEvidence,
        control: str,
        state: RolloutState | None,
        since_ms: int = 0,
    ) -> None:
        self.release, self.evidence, self.control = release, evidence, control
        self.through_seq = 0 if state is None else state.through_seq
        self.through_ms = 0 if state is None else state.through_ms
        self.stages: list[Stage] = [] if state is None else list(state.stages)
        self._since_ms = since_ms if state is None else state.since_ms
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
            counted = self.evidence.saw(
                caller, seen, told.at_ms, decided=told.mix, faults=[str(f) for f in told.faults]
            )
            stage = self._stage_of(decided)
            if stage is not None:
                stage.decided += counted
            for fault in told.faults:
                self._show(decided, FAULT_WORDS[fault], told.at_ms)
            return
        if isinstance(told, Fault):
            self.evidence.fault(caller, seen, told.kind.value, told.at_ms)
            self._show(decided, FAULT_WORDS[told.kind], told.at_ms)
            return
        failed = {measure.value: each for measure, each in told.failed.items()}
        known = self.evidence.outcome(caller, seen, failed, told.at_ms)
        stage = self._stage_of(decided)
        if stage is not None:
            for name in known:
                stage.known[name] = stage.known.get(name, 0) + 1
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

    def _stage_of(self, decided: Decided) -> Stage | None:
        """The stage in which somebody was decided for, though processes hear of a share later."""
        same = [
            each for each in self.stages if each.share == decided.seen.share and not each.uncounted
        ]
        begun = [each for each in same if each.begun_ms <= decided.at_ms]
        return begun[-1] if begun else same[0] if same else None

    def went(self, had: Sequence[StageHad]) -> None:
        """The stages that it had and has: those before the evidence began are another's."""
        if tuple(map(_had, self.stages)) == tuple(had):
            return
        known = {each.begun_ms: each for each in self.stages}
        stages = []
        for each in had:
            stage = known.get(each.begun_ms)
            if stage is None:
                older = each.begun_ms < self._since_ms
                stage = Stage(each.share, each.begun_ms, uncounted=older)
            stage.ended_ms = each.ended_ms
            stages.append(stage)
        self.stages, self.changed = stages, True

    @property
    def awaits_calls_again(self) -> bool:
        """Whether it is looked at who calls again, which is not known at once."""
        groups = self.evidence.terms.groups
        return any(Measure.CALLED_AGAIN in group for group in groups)

    @property
    def counting(self) -> list[Stage]:
        """The stages whose callers the evidence counts."""
        return [each for each in self.stages if not each.uncounted]

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
            stages=tuple(msgspec.structs.replace(e, known=dict(e.known)) for e in self.stages),
            since_ms=self._since_ms,
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
    since_ms: int = 0,
) -> RolloutWatch:
    """Watch a canary, going on from what was kept if it was held against the same release.

    Evidence that is broken is begun anew, at `since_ms`: the rollout holds until there is enough
    again.
    """
    state = kept if kept is not None and kept.control == control else None
    if state is not None:
        try:
            evidence = RolloutEvidence.resume(state.evidence)
        except (msgspec.MsgspecError, ValueError):
            state = msgspec.structs.replace(state, since_ms=since_ms)
        else:
            return RolloutWatch(release, evidence, control, state)
    terms = EvidenceTerms(
        groups=tuple(_names(group) for group in GROUPS[kind]),
        false_rollbacks=settings.false_rollbacks,
        tolerated=settings.tolerated,
        foretold=dict(foretold),
    )
    watch = RolloutWatch(release, RolloutEvidence(terms), control, state, since_ms)
    if kept is not None:
        watch.stages = [msgspec.structs.replace(each, uncounted=True) for each in kept.stages]
    return watch


def _had(stage: Stage) -> StageHad:
    return StageHad(stage.share, stage.begun_ms, stage.ended_ms)


def _names(group: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(each) for each in group)
