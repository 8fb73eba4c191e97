"""What the evidence of a rollout says, as values and in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import msgspec

from switchhook.releases.measures import WORDS
from switchhook.releases.risk import Failures


class ShareTally(msgspec.Struct, frozen=True):
    """Callers with an outcome while the share was `share`, by side; and how many of them failed."""

    share: int
    canary: int = 0
    canary_failed: int = 0
    control: int = 0
    control_failed: int = 0


class MeasureJudged(msgspec.Struct, frozen=True, kw_only=True):
    """One measure: `e` its own e-value, `risk` how many times as likely a canary caller fails.

    `low` and `high` bound that ratio at any look, with the confidence of the whole rollout but for
    this measure alone; 0 and None where nothing bounds it. The tallies are one a share, since sums
    over shares mislead where the failure rate moves over the day.
    """

    name: str
    e: float = 1.0
    risk: float | None = None
    low: float = 0.0
    high: float | None = None
    tallies: tuple[ShareTally, ...] = ()

    @property
    def canary(self) -> int:
        """Canary callers with an outcome."""
        return sum(each.canary for each in self.tallies)

    @property
    def canary_failed(self) -> int:
        """Those of them who failed."""
        return sum(each.canary_failed for each in self.tallies)

    @property
    def control(self) -> int:
        """Control callers with an outcome."""
        return sum(each.control for each in self.tallies)

    @property
    def control_failed(self) -> int:
        """Those of them who failed."""
        return sum(each.control_failed for each in self.tallies)

    def callers_at(self, share: int) -> int:
        """Callers with an outcome while the share was this, on both sides."""
        return sum(each.canary + each.control for each in self.tallies if each.share == share)


class FuseJudged(msgspec.Struct, frozen=True):
    """One fuse: `e` as it counts for the whole, at its most so far; and what it saw, in words."""

    name: str
    e: float
    tripped: bool
    words: str


class ExcludedCaller(msgspec.Struct, frozen=True):
    """A caller that is left out (callers.caller_of), and about which part of all calls it made."""

    caller: int
    share: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence says by now.

    `e` is the rollout's e-value now, weighed so that harm is where it reaches 1/false_rollbacks;
    `p` goes by its most so far. `harm` stays once it was found; `because` names the measure or fuse
    that found it, or that speaks loudest for it. `risk`, `low` and `high` are those of the measure
    that speaks loudest, None and 0 before anybody failed. `callers` were counted, `heavy` are left
    out, `full` says that no further caller can be counted.
    """

    e: float
    p: float
    harm: bool
    because: str
    risk: float | None
    low: float
    high: float | None
    measures: tuple[MeasureJudged, ...]
    fuses: tuple[FuseJudged, ...]
    excluded: tuple[ExcludedCaller, ...]
    callers: int
    full: bool
    began_ms: int | None
    at_ms: int
    words: str


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a `RolloutEvidence` has found: e-values by part, weighed, and what they are made of."""

    false_rollbacks: float
    e: float
    peaks: Mapping[str, float]
    measures: tuple[MeasureJudged, ...]
    split: tuple[Failures, ...]
    faults: Mapping[str, tuple[Failures, ...]]
    mix: tuple[str, float, float] | None
    excluded: tuple[ExcludedCaller, ...]
    callers: int
    full: bool
    began_ms: int | None


def judge(found: Findings, now_ms: int) -> Judgement:
    """What the findings say."""
    enough = 1 / found.false_rollbacks
    fuses = tuple(
        FuseJudged(name, e, e >= enough, fuse_words(name, found))
        for name, e in found.peaks.items()
        if not name.startswith("measures")
    )
    peak = max(found.peaks.values(), default=0.0)
    loudest = _loudest(found)
    tripped = next((each for each in fuses if each.tripped), None)
    by_measures = any(e >= enough for name, e in found.peaks.items() if name.startswith("measures"))
    named = tripped.name if tripped and not by_measures else loudest.name if loudest else ""
    return Judgement(
        e=found.e,
        p=min(1.0, 1 / peak) if peak else 1.0,
        harm=peak >= enough,
        because=named,
        risk=loudest.risk if loudest else None,
        low=loudest.low if loudest else 0.0,
        high=loudest.high if loudest else None,
        measures=found.measures,
        fuses=fuses,
        excluded=found.excluded,
        callers=found.callers,
        full=found.full,
        began_ms=found.began_ms,
        at_ms=now_ms,
        words=tripped.words if tripped and not by_measures else measure_words(loudest),
    )


def measure_words(measure: MeasureJudged | None) -> str:
    """A measure in a sentence: what happened on both sides, and how far off the ratio may be."""
    if measure is None or not measure.canary_failed + measure.control_failed:
        known = measure is None or measure.canary + measure.control
        if not known:
            return "of no caller is it known yet what became of them"
        return "nothing has failed so far, on either side"
    what = WORDS.get(measure.name, measure.name)
    sides = (
        f"{what}: {measure.canary_failed:,} of {measure.canary:,} canary callers,"
        f" {measure.control_failed:,} of {measure.control:,} control callers"
    )
    bounds = [f"at least {times(measure.low)}"] if measure.low > 0 else []
    bounds += [f"at most {times(measure.high)}"] if measure.high is not None else []
    if measure.risk is None:
        return f"{sides}; {' and '.join(bounds)} as likely" if bounds else sides
    within = f" ({', '.join(bounds)})" if bounds else ""
    return f"{sides}; about {times(measure.risk)} as likely for canary callers{within}"


def fuse_words(name: str, found: Findings) -> str:
    """What a fuse saw, in a sentence."""
    if name == "split":
        canary = sum(each.canary for each in found.split)
        all_of_them = canary + sum(each.control for each in found.split)
        expected = sum(each.rho * (each.canary + each.control) for each in found.split)
        return (
            f"the candidate decided for {canary:,} of {all_of_them:,} callers,"
            f" where about {expected:,.0f} were to be expected"
        )
    if name == "mix" and found.mix is not None:
        decision, part, foretold = found.mix
        said = decision or "a decision that the back-test never gave"
        return (
            f"{100 * part:.0f} % of the canary callers get {said};"
            f" the back-test foretold {100 * foretold:.0f} %"
        )
    if name in found.faults:
        canary = sum(each.canary for each in found.faults[name])
        control = sum(each.control for each in found.faults[name])
        said = {"rule_error": "a rule failed", "deadline_missed": "an answer came too late"}[name]
        return f"{said} for {canary:,} canary callers and {control:,} control callers"
    return f"failures of canary callers came close together: {measure_words(_loudest(found))}"


def _loudest(found: Findings) -> MeasureJudged | None:
    """The measure that speaks loudest for harm: where anybody failed, else where any is known."""
    return max(
        found.measures,
        key=lambda each: (
            each.canary_failed + each.control_failed > 0,
            each.canary + each.control > 0,
            each.e,
        ),
        default=None,
    )


def times(ratio: float) -> str:
    """A ratio as people say it: 4.2 times, 0.8 times."""
    return f"{ratio:.0f} times" if 10 <= ratio < inf else f"{ratio:.1f} times"
