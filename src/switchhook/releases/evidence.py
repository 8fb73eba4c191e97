"""The evidence of one rollout, for or against its candidate. Pure; kept and gone on from.

Every caller counts once a share (callers.py), each failure at its own caller's share (risk.py).
Measures that are known at one moment form a group; their e-values are averaged. Groups, and the
fuses (fuses.py), share the false rollbacks among them: what is known of a caller at one moment
tells the caller's side to whatever comes later, and averaging both would promise too much. Harm is
where

    e = the most of (weight x e-value) >= 1 / false_rollbacks

with weights that add up to 1, so that all of them together find harm in at most that part of the
harmless rollouts, at whatever moments one looks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from switchhook.releases.callers import PURPOSES, Counted, CountedState, Heavy
from switchhook.releases.fuses import FAULTS, Mix, Sudden, SuddenState, fault_test, split_test
from switchhook.releases.judgement import (
    ExcludedCaller,
    Findings,
    Judgement,
    MeasureJudged,
    ShareTally,
    judge,
)
from switchhook.releases.risk import Failures, RiskTest
from switchhook.rules.rollout import RolloutSeen

MEASURES_PART, SPLIT_PART, SUDDEN_PART, FAULTS_PART, MIX_PART = 0.8, 0.05, 0.05, 0.05, 0.05
"""The parts of the false rollbacks that each kind of evidence may spend."""
_SPLIT_EVERY = 8
"""Calls between two looks at the split, which grows with every caller: each look costs."""


class EvidenceTerms(msgspec.Struct, frozen=True, kw_only=True):
    """By what a rollout is judged, fixed when it begins.

    `groups` are the measures, those known at the same moment together, the gravest of each first.
    `tolerated` is the risk ratio that is no reason; `foretold` the part of callers for each
    decision by the back-test, empty without one.
    """

    groups: tuple[tuple[str, ...], ...]
    false_rollbacks: float = 0.01
    tolerated: float = 1.0
    foretold: dict[str, float] = {}


class EvidenceState(msgspec.Struct, frozen=True, kw_only=True):
    """All that a `RolloutEvidence` knows."""

    terms: EvidenceTerms
    counted: CountedState
    faulty: CountedState
    calls: int
    calls_of: dict[int, int]
    excluded: dict[int, float]
    tallies: dict[str, tuple[ShareTally, ...]]
    failures: dict[str, tuple[Failures, ...]]
    sudden: tuple[SuddenState, ...]
    split: tuple[Failures, ...]
    faults: dict[str, tuple[Failures, ...]]
    mix: dict[str, int]
    peaks: dict[str, float]
    began_ms: int | None


class _Measure:
    """One measure: its test, and how many callers had which outcome at each share."""

    def __init__(
        self, tolerated: float, failures: Iterable[Failures], tallies: Iterable[ShareTally]
    ) -> None:
        self.test = RiskTest(tuple(failures), tolerated=tolerated)
        self._counts = {
            each.share: [each.canary, each.canary_failed, each.control, each.control_failed]
            for each in tallies
        }

    def count(self, share: int, rho: float, *, canary: bool, failed: bool) -> None:
        counts = self._counts.get(share)
        if counts is None:
            counts = self._counts[share] = [0, 0, 0, 0]
        side = 0 if canary else 2
        counts[side] += 1
        if failed:
            counts[side + 1] += 1
            self.test.failed(rho, canary)

    @property
    def tallies(self) -> tuple[ShareTally, ...]:
        return tuple(ShareTally(share, *counts) for share, counts in self._counts.items())

    def judged(self, name: str, alpha: float, *, bounds: bool) -> MeasureJudged:
        low, high = self.test.interval(alpha) if bounds else (0.0, None)
        return MeasureJudged(
            name=name,
            e=self.test.e,
            risk=self.test.estimate() if bounds else None,
            low=low,
            high=high,
            tallies=self.tallies,
        )


class RolloutEvidence:
    """What is known of a rollout's callers. Give it everything in the journal's order.

    `caller` is `callers.caller_of(rollout.salt, key)`, `seen` what the receipt of the decision
    keeps. Raises ValueError for a measure or fault that there is not.
    """

    def __init__(self, terms: EvidenceTerms, state: EvidenceState | None = None) -> None:
        if len(terms.groups) >= PURPOSES:
            raise ValueError(f"{len(terms.groups)} groups of measures, of {PURPOSES - 1} at most")
        self.terms = terms
        self.began_ms = state.began_ms if state else None
        self._counted = Counted(state.counted if state else None)
        self._faulty = Counted(state.faulty if state else None)
        self._heavy = Heavy(state.calls, state.calls_of) if state else Heavy()
        self._excluded = dict(state.excluded) if state else {}
        self._peaks = dict(state.peaks) if state else {}
        failures, tallies = (state.failures, state.tallies) if state else ({}, {})
        self._measures = {
            name: _Measure(terms.tolerated, failures.get(name, ()), tallies.get(name, ()))
            for group in terms.groups
            for name in group
        }
        self._group_of = {name: at for at, group in enumerate(terms.groups) for name in group}
        self._sudden = [
            Sudden(one) for one in (state.sudden if state else [SuddenState()] * len(terms.groups))
        ]
        self._split = split_test(state.split if state else ())
        self._faults = {name: fault_test(state.faults[name] if state else ()) for name in FAULTS}
        self._mix = Mix(terms.foretold, state.mix if state else None)

    def saw(
        self,
        caller: int,
        seen: RolloutSeen,
        at_ms: int,
        *,
        decided: str = "",
        faults: Collection[str] = (),
    ) -> bool:
        """A request was answered, marked tests aside: of all callers, on both sides.

        Whether its caller was counted, who was not before at this share.

        `decided` names the decision as `foretold` does, empty for one that does not count there;
        `faults` are those known at once.
        """
        if seen.share <= 0:
            return False
        if self.began_ms is None:
            self.began_ms = at_ms
        if self._heavy.called(caller):
            self._excluded[caller] = self._heavy.share_of(caller)
        for kind in faults:
            self.fault(caller, seen, kind, at_ms)
        rho = None
        if caller not in self._excluded:
            rho = self._counted.count(0, caller, seen)
        if rho is None:
            return False
        self._split.failed(rho, seen.canary)
        if self._heavy.calls % _SPLIT_EVERY == 0:
            self._peak("split", SPLIT_PART * self._split.e)
        if seen.canary and decided and self.terms.foretold:
            self._peak("mix", MIX_PART * self._mix.decided(decided))
        return True

    def fault(self, caller: int, seen: RolloutSeen, kind: str, at_ms: int) -> None:
        """Something was wrong with an answer itself, one of fuses.FAULTS; on either side."""
        if kind not in self._faults:
            raise ValueError(f"no fault of a rollout is called {kind!r}")
        rho = None
        if caller not in self._excluded:
            rho = self._faulty.count(FAULTS.index(kind), caller, seen)
        if rho is not None:
            self._faults[kind].failed(rho, seen.canary)
            self._peak(kind, FAULTS_PART / len(FAULTS) * self._faults[kind].e)

    def outcome(
        self, caller: int, seen: RolloutSeen, failed: Mapping[str, bool], at_ms: int
    ) -> list[str]:
        """What followed a decision: for each measure known at this moment whether it failed.

        All measures of a group belong into one call; `seen` is of the decision that it followed.
        The measures by which the caller was counted, who was not before at this share.
        """
        for name in failed:
            if name not in self._group_of:
                raise ValueError(f"no measure of this rollout is called {name!r}")
        if caller in self._excluded:
            return []
        groups = sorted({self._group_of[name] for name in failed})
        return [name for at in groups for name in self._count(at, caller, seen, failed)]

    def _count(
        self, at: int, caller: int, seen: RolloutSeen, failed: Mapping[str, bool]
    ) -> list[str]:
        rho = self._counted.count(1 + at, caller, seen)
        if rho is None:
            return []
        group, share, canary = self.terms.groups[at], seen.share, seen.canary
        worse = False
        for name in group:
            if name in failed:
                self._measures[name].count(share, rho, canary=canary, failed=failed[name])
                worse |= failed[name]
        if worse and canary:  # a failure of control is no evidence for harm: nothing peaks
            self._peak(f"measures {at}", self._weight(group) * self._mean(group))
        if failed.get(group[0], False):
            e = self._sudden[at].failed(rho, canary)
            self._peak("sudden", SUDDEN_PART / len(self.terms.groups) * e)
        return [name for name in group if name in failed]

    def _mean(self, group: tuple[str, ...]) -> float:
        return sum(self._measures[name].test.e for name in group) / len(group)

    def _weight(self, group: tuple[str, ...]) -> float:
        return MEASURES_PART * len(group) / len(self._measures)

    def _peak(self, part: str, e: float) -> None:
        if e > self._peaks.get(part, 0.0):
            self._peaks[part] = e

    @property
    def harm(self) -> bool:
        """Whether harm was found: cheap, for after every receipt."""
        return max(self._peaks.values(), default=0.0) >= 1 / self.terms.false_rollbacks

    def judged(self, now_ms: int, *, bounds: bool = True) -> Judgement:
        """What it all says by now. Ratios and their bounds cost most, some milliseconds in all."""
        return judge(self._findings(bounds), now_ms)

    def _findings(self, bounds: bool) -> Findings:
        alpha = self.terms.false_rollbacks
        groups = self.terms.groups
        return Findings(
            false_rollbacks=alpha,
            e=max((self._weight(group) * self._mean(group) for group in groups), default=0.0),
            peaks=self._peaks,
            measures=tuple(
                one.judged(name, alpha, bounds=bounds) for name, one in self._measures.items()
            ),
            split=self._split.failures,
            faults={name: test.failures for name, test in self._faults.items()},
            mix=self._mix.furthest(),
            excluded=tuple(ExcludedCaller(*each) for each in self._excluded.items()),
            callers=len(self._counted),
            full=self._counted.full,
            began_ms=self.began_ms,
        )

    def state(self) -> bytes:
        """All of it, to go on from: msgpack, about 15 bytes a caller."""
        return msgspec.msgpack.encode(
            EvidenceState(
                terms=self.terms,
                counted=self._counted.state(),
                faulty=self._faulty.state(),
                calls=self._heavy.calls,
                calls_of=self._heavy.counts,
                excluded=self._excluded,
                tallies={name: one.tallies for name, one in self._measures.items()},
                failures={name: one.test.failures for name, one in self._measures.items()},
                sudden=tuple(one.state for one in self._sudden),
                split=self._split.failures,
                faults={name: test.failures for name, test in self._faults.items()},
                mix=self._mix.counts,
                peaks=self._peaks,
                began_ms=self.began_ms,
            )
        )

    @classmethod
    def resume(cls, body: bytes) -> RolloutEvidence:
        """Go on from what was kept; raises msgspec.MsgspecError, ValueError where it is broken."""
        state = msgspec.msgpack.decode(body, type=EvidenceState)
        return cls(state.terms, state)
