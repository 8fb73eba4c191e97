"""`python -m benchmarks.canaries [--quick]`: rollouts by the thousand, with the real parts.

How many harmless rollouts are rolled back, with everything that could mislead at once, and how many
callers it takes until harm is found. What judges and steps are `releases/evidence.py` and
`releases/stages.py`; simulated are the callers and what becomes of them.

A harmless rollout: the failure rate moves over the day, twice by up to four times, and an outage
makes seven of ten fail for an hour. One caller in twenty has a bad line and redials. Others call
again after a failure, or another day. A switchboard that always fails makes up some per cent of the
calls. Answers come late in bursts. Outcomes become known minutes after their decision. The rollout
goes through the stages that the account's volume gives, until all callers have the candidate.
"""

from __future__ import annotations

import argparse
import heapq
import math
import os
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from benchmarks.children import ROOT
from benchmarks.report import put_between_marks
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.releases.evidence import EvidenceTerms, RolloutEvidence
from switchhook.releases.measures import GROUPS, OF_STREAM, Measure
from switchhook.releases.settings import RolloutSettings
from switchhook.releases.stages import Stage, Volume, next_stage, plan
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import BUCKETS, RolloutSeen

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULT = ROOT / "benchmarks" / "results" / "canaries.json"
PAGE = ROOT / "docs" / "performance.md"
BEGIN = "<!-- simulated canaries stand from here -->"
END = "<!-- simulated canaries stand until here -->"
HARMS_EXCLUDED = (10.0, *(20.0,) * 3, *(30.0,) * 4)
"""The default, and what who is in a hurry chooses."""
VOLUMES = (400, 1_500, 6_000)
"""Calls a day."""
CALLS_AT_MOST = 20_000
_LOOK_EVERY = 200
_SWITCHBOARD = 10**9
_FORETOLD = {"A by well": 0.85, "B by trouble": 0.1, "B by default": 0.05}
_KINDS = (EndpointKind.VOICEBOT, EndpointKind.ADMIT, EndpointKind.PASSTHRU)


class Ended(NamedTuple):
    """How a rollout ended: `because` is empty unless it was rolled back."""

    because: str
    share: int
    calls: int
    days: float


class Caller(NamedTuple):
    """One call to come: when, by whom, and for the how-many-th time."""

    at_ms: int
    key: int
    again: int


class Day:
    """What goes on, whichever release decides."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.base = chance.uniform(0.01, 0.12)
        self.phase = chance.uniform(0, 2 * math.pi)
        self.swing = chance.uniform(0, 1.2)
        self.outage_ms = int(chance.uniform(0, 3) * DAY_MS)
        self.late_ms = int(chance.uniform(0, 3) * DAY_MS)
        self.switchboard = chance.choice([0.0, 0.02, 0.06])
        self.mix = chance.uniform(-0.05, 0.08)

    def failing(self, at_ms: int) -> float:
        if 0 <= at_ms - self.outage_ms < HOUR_MS:
            return 0.7
        return self.base * math.exp(
            self.swing * math.sin(2 * math.pi * at_ms / DAY_MS + self.phase)
        )

    def late(self, at_ms: int) -> bool:
        burst = 0 <= at_ms - self.late_ms < 10 * MINUTE_MS
        return self.chance.random() < (0.5 if burst else 0.001)

    def decided(self, at_ms: int) -> str:
        """Decisions move over the day, within what is tolerated."""
        moved = self.mix * (1 + math.sin(2 * math.pi * at_ms / DAY_MS)) / 2
        drawn = self.chance.random()
        if drawn < _FORETOLD["A by well"] - moved:
            return "A by well"
        return "B by default" if drawn > 0.95 else "B by trouble"


class HarmlessRollout:
    """One rollout of a candidate that changes nothing."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.day = Day(self.chance)
        self.kind = self.chance.choice(_KINDS)
        self.volume = self.chance.choice(VOLUMES)
        groups = tuple(tuple(each.value for each in group) for group in GROUPS[self.kind])
        self.evidence = RolloutEvidence(EvidenceTerms(groups=groups, foretold=_FORETOLD))
        self.settings = RolloutSettings(exclude_points=self.chance.choice(HARMS_EXCLUDED))
        measures = sum(map(len, groups))
        volume = Volume(count=self.volume, span_ms=DAY_MS)
        made = plan(self.settings, volume=volume, base=0.05, measures=measures)
        self.stages: Sequence[Stage] = made.stages
        self.share, self.since_ms = self.stages[0].share, 0
        self.known: list[tuple[int, int, int, RolloutSeen, dict[str, bool]]] = []
        self.to_come: list[Caller] = []
        self.calls = self.now_ms = self.keys = 0
        self.salt = self.chance.getrandbits(64)

    def run(self) -> Ended:
        """Until all callers have it, it is rolled back, or it has taken very long."""
        mean_gap = DAY_MS / self.volume
        fresh_ms = 0.0
        while self.share < BUCKETS and self.calls < CALLS_AT_MOST:
            if self.to_come and self.to_come[0].at_ms <= fresh_ms:
                self._call(heapq.heappop(self.to_come))
            else:
                self._call(Caller(int(fresh_ms), self._new_caller(), 0))
                fresh_ms += self.chance.expovariate(1 / mean_gap)
            if self.evidence.harm:
                break
            if self.calls % _LOOK_EVERY == 0:
                self._look()
        judged = self.evidence.judged(self.now_ms)
        because = judged.because if judged.harm else ""
        return Ended(because, self.share, self.calls, self.now_ms / DAY_MS)

    def _new_caller(self) -> int:
        """Somebody new, the switchboard, or somebody who called before."""
        drawn = self.chance.random()
        if drawn < self.day.switchboard:
            return _SWITCHBOARD
        if drawn < self.day.switchboard + 0.1 and self.keys:
            return self.chance.randrange(self.keys)
        self.keys += 1
        return self.keys - 1

    def _call(self, caller: Caller) -> None:
        self.calls += 1
        self.now_ms = at_ms = max(self.now_ms, caller.at_ms)
        while self.known and self.known[0][0] <= at_ms:
            due_ms, _, key, seen, failed = heapq.heappop(self.known)
            self.evidence.outcome(key, seen, failed, due_ms)
        seen = RolloutSeen(12, "", self.share, self._bucket(caller.key))
        decided = self.day.decided(at_ms)
        self.evidence.saw(caller.key, seen, at_ms, decided=decided)
        if self.day.late(at_ms):
            self.evidence.fault(caller.key, seen, "deadline_missed", at_ms)
        if self.chance.random() < 0.001:
            self.evidence.fault(caller.key, seen, "rule_error", at_ms)
        self._becomes(caller, seen, at_ms)

    def _bucket(self, key: int) -> int:
        return hash((self.salt, key)) * 0x9E3779B97F4A7C15 % 2**64 * BUCKETS >> 64

    def _becomes(self, caller: Caller, seen: RolloutSeen, at_ms: int) -> None:
        """What follows goes by the caller and the moment, never by the side."""
        draw = self.chance.random
        bad_line = caller.key % 20 == 0 or caller.key == _SWITCHBOARD
        rate = 0.95 if bad_line else self.day.failing(at_ms)
        failed = draw() < rate
        again = failed and caller.again < 8 and draw() < (0.9 if bad_line else 0.4)
        if again:
            redials = Caller(at_ms + int(draw() * 8 * MINUTE_MS), caller.key, caller.again + 1)
            heapq.heappush(self.to_come, redials)
        for group in GROUPS[self.kind]:
            found, after_ms = self._known(group, failed, again, rate)
            if found:
                due = (at_ms + after_ms, self.calls, caller.key, seen, found)
                heapq.heappush(self.known, due)

    def _known(
        self, group: Sequence[Measure], failed: bool, again: bool, rate: float
    ) -> tuple[dict[str, bool], int]:
        draw = self.chance.random
        if group == OF_STREAM:
            found: dict[str, bool] = {
                Measure.STREAM_FAILED: failed,
                Measure.LEFT_EARLY: draw() < rate / 2,
            }
            if not failed:
                found[Measure.SHORT_TALK] = draw() < 0.05 + rate / 4
                found[Measure.BOT_SILENT] = draw() < 0.01
            return found, int(draw() * 3 * MINUTE_MS)
        if group == (Measure.NEXT_FAILED,):
            return ({Measure.NEXT_FAILED: failed} if draw() < 0.05 else {}), MINUTE_MS
        if group == (Measure.NOBODY_TALKED,):
            return {Measure.NOBODY_TALKED: failed or draw() < 0.1}, 4 * MINUTE_MS
        return {Measure.CALLED_AGAIN: again}, 5 * MINUTE_MS if again else 10 * MINUTE_MS

    def _look(self) -> None:
        step = next_stage(
            self.settings,
            self.stages,
            self.evidence.judged(self.now_ms, bounds=False),
            share=self.share,
            since_ms=self.since_ms,
            now_ms=self.now_ms,
        )
        if step.share is not None:
            self.share, self.since_ms = step.share, self.now_ms


def harmless(seed: int) -> Ended:
    """How one harmless rollout ended."""
    return HarmlessRollout(seed).run()


# How soon harm is found.

TABLE = (
    (500, 0.02, (3_130, 1_020, 400, 120)),
    (500, 0.05, (5_980, 1_900, 660, 160)),
    (500, 0.10, (9_780, 3_200, 1_000, 220)),
    (1_000, 0.05, (3_500, 1_000, 320, 100)),
    (2_500, 0.05, (1_660, 490, 180, 60)),
    (2_500, 0.10, (3_160, 850, 260, 80)),
    (5_000, 0.05, (1_280, 420, 140, 60)),
)
"""Share, base rate, and the medians that were simulated before this was built, for these harms."""
HARMS = (0.05, 0.10, 0.20, 0.50)
_FOUND_WITHIN = 20_000
"""The earlier table counted the runs that had found the harm by then, and so does this one."""


class Delay(msgspec.Struct, frozen=True):
    """Calls until harm is found: median and 90th percentile, and how often it was found at all."""

    share: int
    base: float
    harm: float
    measures: int
    foretold: int
    median: float
    most: float
    found: float

    @property
    def ratio(self) -> float:
        """How many times as long as the table says."""
        return self.median / self.foretold


def calls_until_found(share: int, base: float, harm: float, measures: int, seed: int) -> int | None:
    """Calls of as many callers until the evidence finds harm in the first of some measures.

    Only those who fail are told of: the others change nothing.
    """
    chance = random.Random(seed)
    draw = chance.random
    names = tuple(f"measure {at}" for at in range(measures))
    evidence = RolloutEvidence(EvidenceTerms(groups=(names,)))
    well = [(1 - base) ** (measures - 1) * (1 - base - part) for part in (0.0, harm)]
    rho = share / BUCKETS
    failing = (1 - rho) * (1 - well[0]) + rho * (1 - well[1])
    of_canary = rho * (1 - well[1]) / failing
    calls = 0
    while not evidence.harm:
        calls += 1 + int(math.log(1 - draw()) / math.log(1 - failing))  # who fails next
        if calls > _FOUND_WITHIN:
            return None
        canary = draw() < of_canary
        failed = dict.fromkeys(names, False)
        while not any(failed.values()):
            failed = {name: draw() < base for name in names}
            failed[names[0]] = draw() < base + harm * canary
        bucket = 0 if canary else BUCKETS - 1
        evidence.outcome(calls, RolloutSeen(12, "", share, bucket), failed, calls)
    return calls


def delay(cell: tuple[int, float, float, int, int], runs: int) -> Delay:
    """One cell of the table."""
    share, base, harm, measures, foretold = cell
    made = [calls_until_found(share, base, harm, measures, seed) for seed in range(runs)]
    found = sorted(each for each in made if each is not None)
    most = quantiles(found, n=10)[8] if len(found) > 1 else math.nan
    return Delay(share, base, harm, measures, foretold, median(found), most, len(found) / len(made))


# All of it.


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one run has found."""

    at: str
    seconds: int
    rollouts: int
    rolled_back: int
    because: dict[str, int]
    upper_99: float
    reached_all: int
    calls: float
    delays: tuple[Delay, ...]


def upper_bound(found: int, of: int, confidence: float = 0.99) -> float:
    """The greatest share that is not refuted by so few of so many (Clopper and Pearson)."""
    low, high = found / of, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _at_most(found, of, middle) > 1 - confidence else (low, middle)
        )
    return high


def _at_most(found: int, of: int, share: float) -> float:
    """The chance of at most so many."""
    if share >= 1:
        return 0.0
    logs = (
        math.lgamma(of + 1)
        - math.lgamma(k + 1)
        - math.lgamma(of - k + 1)
        + k * math.log(share)
        + (of - k) * math.log1p(-share)
        for k in range(found + 1)
        if share > 0 or k == 0
    )
    return math.fsum(map(math.exp, logs)) if share > 0 else 1.0


def measure(rollouts: int, runs: int) -> Result:
    """Simulate with all cores."""
    began = time.perf_counter()
    cells = [
        (share, base, harm, measures, foretold)
        for share, base, medians in TABLE
        for harm, foretold in zip(HARMS, medians, strict=True)
        for measures in (1, 6)
    ]
    cells.sort(key=lambda cell: -cell[4])
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        ended: list[Ended] = []
        for each in pool.map(harmless, range(rollouts), chunksize=20):
            ended.append(each)
            if len(ended) % 500 == 0:
                back = sum(bool(one.because) for one in ended)
                _say(f"{len(ended):,} rollouts, {back} rolled back", began)
        delays = list(pool.map(partial(delay, runs=runs), cells))
    because = [each.because for each in ended if each.because]
    return Result(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - began),
        rollouts=rollouts,
        rolled_back=len(because),
        because={each: because.count(each) for each in sorted(set(because))},
        upper_99=upper_bound(len(because), rollouts),
        reached_all=sum(each.share == BUCKETS for each in ended),
        calls=median(each.calls for each in ended),
        delays=tuple(sorted(delays, key=lambda each: (each.measures, each.share, each.base))),
    )


def _say(text: str, began: float) -> None:
    sys.stderr.write(f"{time.perf_counter() - began:6.0f} s  {text}\n")
    sys.stderr.flush()


def table(result: Result) -> str:
    """For the page."""
    by = ", ".join(f"{name} {count}" for name, count in result.because.items())
    lines = [
        f"{result.rollouts:,} harmless rollouts, of {result.calls:,.0f} calls in the median:"
        f" {result.rolled_back} rolled back{f' ({by})' if by else ''},"
        f" {result.rolled_back / result.rollouts:.2%}; upper 99 % bound {result.upper_99:.2%}."
        f" {result.reached_all / result.rollouts:.1%} reached all callers within"
        f" {CALLS_AT_MOST:,} calls by themselves.",
        "",
        "| Share | Failing anyway | Measures | +5 points | +10 | +20 | +50 |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for measures in (1, 6):
        for share, base, _ in TABLE:
            cells = [
                f"{each.median:,.0f} / {each.most:,.0f} ({each.ratio:.2f})"
                for harm in HARMS
                for each in result.delays
                if (each.share, each.base, each.harm, each.measures)
                == (share, base, harm, measures)
            ]
            row = (f"{share / 100:g} %", f"{base:.0%}", str(measures), *cells)
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def main() -> int:
    """Simulate, write the result and its table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canaries", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth, for a first look")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the figures go")
    options = parser.parse_args()
    result = measure(500, 40) if options.quick else measure(10_000, 400)
    print(table(result))
    sys.stderr.write(f"{result.seconds} s\n")
    if not options.quick:
        text = msgspec.json.format(msgspec.json.encode(result), indent=1)
        options.out.write_bytes(text + b"\n")
        PAGE.write_text(put_between_marks(PAGE.read_text(), table(result), (BEGIN, END)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
