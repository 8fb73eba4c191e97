"""The stages of a rollout: how many callers each needs, how long that takes, when it may be left.

Pure. A stage may be left upwards once it lasted its least time, had so many callers that the harm
to be excluded would have been found in nine of ten rollouts, and nothing speaks for harm. How many
that are follows from the share, how often callers fail anyway, and the harm: the evidence grows
with each caller by a step of known mean and spread, so that the number until it is enough is about
that of a Brownian motion with drift at a barrier (an inverse Gaussian). Only the best risk ratio of
the grid is reckoned with, which makes the number too great by up to a quarter, never too small.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import ceil, erfc, exp, log, sqrt

import msgspec

from switchhook.exotel.times import DAY_MS, HOUR_MS
from switchhook.metrics import duration_text
from switchhook.releases.acts import share_words
from switchhook.releases.evidence import MEASURES_PART
from switchhook.releases.judgement import Judgement, MeasureJudged
from switchhook.releases.measures import WORDS
from switchhook.releases.risk import GRID, chance
from switchhook.releases.settings import Advance, RolloutSettings
from switchhook.rules.rollout import BUCKETS

SHARES = (100, 500, 2_500, 5_000)
"""The shares that a rollout may go through, before all callers have the candidate."""
_ALWAYS_FROM = 2_500
"""Stages from this share on are gone through however long they take; smaller ones within a day."""
_WAIT_AT_MOST = 50_000
"""A measure whose harm needs more callers than this to be seen isn't waited for."""
_RARE = 0.1
"""A measure known of fewer callers than this part of the best known one isn't waited for."""
_USUAL_BASE = 0.05
"""How often callers are taken to fail before anything is known."""
_BISECTIONS = 40


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """How many came to a subject of late: `count` in `span_ms`, callers or `requests`.

    `sure` are so many that they say how a day is, however short they took.
    """

    count: int
    span_ms: int
    requests: bool = False
    sure: bool = False

    @property
    def a_day(self) -> float | None:
        """How many a day; None where nobody came, or in too short a time to say how a day is."""
        known = self.count and (self.sure or self.span_ms >= HOUR_MS)
        return self.count / max(1, self.span_ms) * DAY_MS if known else None

    @property
    def unit(self) -> str:
        """What is counted."""
        return "requests" if self.requests else "callers"


class Needed(msgspec.Struct, frozen=True):
    """Callers of both sides until a harm is found: in half of all rollouts, and in nine of ten."""

    median: int
    most: int


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage: how many callers it needs, how long it lasts at least, and will take about.

    `takes_ms` is None where nobody knows how many callers there are.
    """

    share: int
    callers: int
    least_ms: int
    takes_ms: int | None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The stages that a rollout will go through, and why just these, in a sentence."""

    stages: tuple[Stage, ...]
    words: str


class StageStep(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with a stage: go to `share`, or stay where it is None; and why, in a sentence.

    `callers` of `needed` have come for the measure that is furthest behind, `measure`, empty where
    none is known of anybody. `ready` is whether it
    may be left, though it may still wait for a person.
    """

    share: int | None
    ready: bool
    callers: int
    needed: int
    words: str
    measure: str = ""


@lru_cache(maxsize=4096)
def callers_needed(
    share: int, base: float, settings: RolloutSettings, measures: int = 1
) -> Needed | None:
    """Callers until the harm to be excluded is found, where `base` of them fail anyway.

    None where it can't be found at all: the share is none or all, or nearly everybody fails anyway.
    """
    rho = share / BUCKETS
    harmed = min(1.0, base + settings.exclude_points / 100)
    canary, control = rho * harmed, (1 - rho) * base
    enough = log(settings.needed * measures / MEASURES_PART * len(GRID))
    best: Needed | None = None
    if not 0 < rho < 1:
        return None
    for each in GRID:
        theta = chance(each, rho)
        up, down = log(theta / rho), log((1 - theta) / (1 - rho))
        mean = canary * up + control * down
        spread = canary * up * up + control * down * down - mean * mean
        if mean <= 0 or spread <= 0:
            continue
        barrier = enough + up / 2  # the last step goes beyond it
        typical, shape = barrier / mean, barrier * barrier / spread
        found = Needed(ceil(_quantile(0.5, typical, shape)), ceil(_quantile(0.9, typical, shape)))
        if best is None or found.most < best.most:
            best = found
    return best


def _quantile(part: float, mean: float, shape: float) -> float:
    """Of the inverse Gaussian distribution, by bisection."""
    low, high = mean / 1e3, mean * 1e3
    for _ in range(_BISECTIONS):
        middle = sqrt(low * high)
        low, high = (middle, high) if _cumulated(middle, mean, shape) < part else (low, middle)
    return high


def _cumulated(at: float, mean: float, shape: float) -> float:
    root, twice = sqrt(shape / at), 2 * shape / mean
    first = erfc(-root * (at / mean - 1) / sqrt(2)) / 2
    tail = erfc(root * (at / mean + 1) / sqrt(2)) / 2
    return first + (exp(twice) * tail if tail > 0 and twice < 700 else 0.0)


def plan(
    settings: RolloutSettings,
    *,
    volume: Volume | None,
    base: float | None = None,
    measures: int = 1,
    first: int | None = None,
) -> Plan:
    """The stages for a subject of so many callers, of whom `base` fail anyway.

    `first` is the share that somebody chose to begin with, which is kept however long it takes.
    """
    shares = sorted({*SHARES, *([first] if first else [])})
    stages = [
        stage_at(share, settings, volume, base, measures)
        for share in shares
        if share >= (first or 0) and share < BUCKETS
    ]
    taken = [
        each
        for each in stages
        if each.share == first
        or each.share >= _ALWAYS_FROM
        or each.takes_ms is None
        or each.takes_ms <= DAY_MS
    ]
    return Plan(stages=tuple(taken), words=_plan_words(stages, taken, volume))


def stage_at(
    share: int,
    settings: RolloutSettings,
    volume: Volume | None = None,
    base: float | None = None,
    measures: int = 1,
) -> Stage:
    """What a stage at any share needs, of those that a plan goes through or not."""
    needed = callers_needed(share, _USUAL_BASE if base is None else base, settings, measures)
    callers_a_day = None if volume is None else volume.a_day
    callers = min(_WAIT_AT_MOST, _WAIT_AT_MOST if needed is None else needed.most)
    takes = None
    if callers_a_day:
        takes = max(settings.least_stage_ms, ceil(callers / callers_a_day * DAY_MS))
    return Stage(share=share, callers=callers, least_ms=settings.least_stage_ms, takes_ms=takes)


def _plan_words(stages: Sequence[Stage], taken: Sequence[Stage], volume: Volume | None) -> str:
    a_day = None if volume is None else volume.a_day
    if volume is None or a_day is None:
        return _awaited_words(volume)
    told = [f"{share_words(each.share)} takes {_takes(each)}" for each in taken]
    words = f"with your {a_day:,.0f} {volume.unit} a day {', '.join(told)}"
    left_out = [
        f"{share_words(each.share)} would take {_takes(each)}"
        for each in stages
        if each not in taken
    ]
    return f"{words}; too slow, so left out: {', '.join(left_out)}" if left_out else words


def _awaited_words(volume: Volume | None) -> str:
    """Why nobody knows yet how long stages take, and when that will be known."""
    if volume is None:
        return "how long each stage takes is not known yet, as no calls can be read here"
    so_far = duration_text(volume.span_ms / 1000)
    if volume.count:
        left = duration_text((HOUR_MS - volume.span_ms) / 1000)
        came = f"{volume.count:,} {volume.unit} so far, in {so_far}"
        return f"how long each stage takes is known after an hour of calls, in {left} ({came})"
    span = f"in the last {so_far}" if volume.span_ms >= HOUR_MS else "so far"
    return f"how long each stage takes is known after an hour of calls; nobody has called {span}"


def _takes(stage: Stage) -> str:
    return duration_text((stage.takes_ms or 0) / 1000)


def next_stage(
    settings: RolloutSettings,
    stages: Sequence[Stage],
    judged: Judgement,
    *,
    share: int,
    since_ms: int,
    now_ms: int,
    reasons_to_hold: Iterable[str] = (),
) -> StageStep:
    """Whether the stage that a rollout is in since `since_ms` may be left, and for which share.

    `reasons_to_hold` are others' reasons in words, such as throttling of the whole account. Knows
    nothing of harm: whoever asks has looked for it before.
    """
    came, needed, measure = _furthest_behind(settings, judged, share)
    left_ms = since_ms + settings.least_stage_ms - now_ms
    held, reason = f"held at {share_words(share)}", next(iter(reasons_to_hold), None)
    said = next((each.share for each in stages if each.share > share), BUCKETS)
    goes_to, ready = None, False
    if reason is not None:
        words = f"{held}: {reason}"
    elif judged.full:
        words = f"{held}: it counted as many callers as it can; promote it, or stop it"
    elif came < needed:
        words = f"stays at {share_words(share)}: {_too_few(came, needed, now_ms - since_ms)}"
    elif left_ms > 0:
        words = f"stays at {share_words(share)} for another {duration_text(left_ms / 1000)}"
    elif judged.e >= 1:
        words = f"{held}: enough callers came, but E is {judged.e:.1f}; it goes on below 1"
    elif settings.advance is Advance.HAND:
        words, ready = f"{share_words(said)} is next, and waits for a person to say so", True
    else:
        goes_to, ready = said, True
        words = f"{came:,} callers came at {share_words(share)}, and nothing speaks for harm"
    return StageStep(
        share=goes_to, ready=ready, callers=came, needed=needed, words=words, measure=measure
    )


def _too_few(came: int, needed: int, took_ms: int) -> str:
    words = f"{came:,} of the {needed:,} callers that it needs can be judged"
    if came and took_ms > 0:
        words += f"; the others take about {duration_text((needed - came) / came * took_ms / 1000)}"
    return words


def _furthest_behind(
    settings: RolloutSettings, judged: Judgement, share: int
) -> tuple[int, int, str]:
    """How many callers came at a share for the measure furthest behind, how many it needs, which.

    Its name is empty where nothing is known of anybody.
    """
    waited = awaited(settings, judged, share)
    came = [(each.callers_at(share), needed, each.name) for each, needed in waited]
    if any(each.canary + each.control for each in judged.measures) and not came:
        best = max(judged.measures, key=lambda each: each.callers_at(share))
        return best.callers_at(share), _WAIT_AT_MOST, best.name
    if not came:
        usual = callers_needed(share, _USUAL_BASE, settings, max(1, len(judged.measures)))
        return 0, _WAIT_AT_MOST if usual is None else usual.most, ""
    return min(came, key=lambda each: each[0] / each[1])


def awaited(
    settings: RolloutSettings, judged: Judgement, share: int
) -> list[tuple[MeasureJudged, int]]:
    """The measures that a stage waits for, each with the callers that it needs.

    Not those that are seldom known, nor those whose harm would take too many callers to show.
    """
    known = max((each.canary + each.control for each in judged.measures), default=0)
    found = []
    for each in judged.measures:
        callers = each.canary + each.control
        needed = callers_needed(share, base_of(each), settings, len(judged.measures))
        if callers and callers >= _RARE * known and needed and needed.most <= _WAIT_AT_MOST:
            found.append((each, needed.most))
    return found


def base_of(measure: MeasureJudged) -> float:
    """How often callers fail anyway, by the control, to two digits; above 0 where nobody did."""
    return float(f"{(measure.control_failed + 1) / (measure.control + 2):.1e}")


def not_awaited(settings: RolloutSettings, judged: Judgement, share: int) -> str:
    """Which measures a stage does not wait for, in a sentence; empty where it waits for all."""
    waited = {each.name for each, _ in awaited(settings, judged, share)}
    left = [
        WORDS.get(each.name, each.name)
        for each in judged.measures
        if each.name not in waited and each.canary + each.control
    ]
    if not left:
        return ""
    why = "known of too few callers, or too common anyway"
    return f"watched, but not waited for: {', '.join(left)} ({why})"
