"""What follows for a canary from its evidence, and how it is shown. Pure.

Harm ends it by itself. Else it goes through the stages that its subject's own volume allows, by
itself or by a person's hand, and holds where too little is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import HOUR_MS
from switchhook.metrics import duration_text
from switchhook.releases.release import ReleaseAct
from switchhook.releases.settings import Advance
from switchhook.releases.stages import (
    Volume,
    awaited,
    base_of,
    next_stage,
    not_awaited,
    plan,
    stage_at,
)
from switchhook.releases.view import RolloutView, StageState, StageView
from switchhook.releases.words import chance_words
from switchhook.releases.words import evidence_words as strength_words
from switchhook.rules.rollout import BUCKETS

if TYPE_CHECKING:
    from switchhook.releases.judgement import Judgement
    from switchhook.releases.release import Standing
    from switchhook.releases.rollout_watch import RolloutWatch
    from switchhook.releases.settings import RolloutSettings
    from switchhook.releases.stages import Plan, StageStep

THROTTLED_HOLDS = 3
"""So many streams that the limit refused of late hold a rollout."""
UNWATCHED_MS = 300_000
"""For how long what was told of a share holds: see capacity.facts_file."""
BEHIND_MS = 30_000
"""A console that lags by so much takes nothing further."""
_BASE_FROM = 50
"""So many callers of the control say how often callers fail anyway."""
_KNOWN_AFTER_MS = HOUR_MS
"""After so long the rollout's own callers say how many there are a day."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a step is decided by, beside the evidence.

    `as_of_ms` is up to when everything was heard, None while that is not known; `volume` how
    many came to the subject of late, None where nobody knows; `throttled` the streams
    that the account's limit refused of late; `problem` why the last act failed.
    """

    now_ms: int
    as_of_ms: int | None
    volume: Volume | None = None
    throttled: int = 0
    problem: str = ""


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """What follows: an act and its share, or none; `plan` and `evidence` are in words."""

    act: ReleaseAct | None = None
    share: int = 0
    plan: str = ""
    evidence: str = ""
    ready: bool = False
    step: StageStep | None = None


def lag_words(as_of_ms: int | None, now_ms: int) -> str:
    """Why nobody watches a rollout; empty where somebody does."""
    if as_of_ms is None:
        return "the console has not caught up with the journal yet"
    lag = now_ms - as_of_ms
    if lag < BEHIND_MS:
        return ""
    gone = "; what runs decides for all callers until it has caught up"
    behind = f"the console is {duration_text(lag / 1000)} behind the journal"
    return behind + (gone if lag >= UNWATCHED_MS else "")


def following(
    watch: RolloutWatch,
    standing: Standing,
    judged: Judgement,
    seen: Seen,
    settings: RolloutSettings,
) -> Following:
    """What follows for a canary."""
    if judged.harm:
        return Following(
            act=ReleaseAct.FREEZE,
            plan="it harmed callers: what ran before decides for all of them",
            evidence=evidence_words(judged, settings),
        )
    if unwatched := lag_words(seen.as_of_ms, seen.now_ms):
        return Following(plan=f"held: {unwatched}")
    if seen.problem:
        return Following(plan=f"held: {seen.problem}")
    planned = plan_of(watch, standing, judged, seen, settings)
    step = next_stage(
        settings,
        planned.stages,
        judged,
        share=standing.share,
        since_ms=_since(watch, standing),
        now_ms=seen.now_ms,
        reasons_to_hold=_reasons_to_hold(seen),
    )
    words = "; ".join(filter(None, (step.words, not_awaited(settings, judged, standing.share))))
    if step.share is None:
        return Following(plan=words, ready=step.ready, step=step)
    act = ReleaseAct.PROMOTE if step.share >= BUCKETS else ReleaseAct.CANARY
    return Following(
        act=act,
        share=0 if act is ReleaseAct.PROMOTE else step.share,
        plan=words,
        evidence=f"{words}; {evidence_words(judged, settings)}",
        ready=True,
        step=step,
    )


def _reasons_to_hold(seen: Seen) -> tuple[str, ...]:
    if seen.throttled < THROTTLED_HOLDS:
        return ()
    refused = f"the account's limit refused {seen.throttled} streams in 10 min"
    return (f"{refused}, which hits both sides",)


def evidence_words(judged: Judgement, settings: RolloutSettings) -> str:
    """The evidence in a sentence: E, what it needs to be harm, and on what it rests."""
    harm = f"harm from {settings.needed:,.0f} on"
    if judged.e > 1:
        harm += f"; by chance: {chance_words(judged.p)}"
    return f"E = {strength_words(judged.e)} ({harm}): {judged.words}"


def _since(watch: RolloutWatch, standing: Standing) -> int:
    return watch.stages[-1].begun_ms if watch.stages else standing.since_ms


def plan_of(
    watch: RolloutWatch,
    standing: Standing,
    judged: Judgement,
    seen: Seen,
    settings: RolloutSettings,
) -> Plan:
    """The stages by how many call a day: the rollout's own once it has gone a while."""
    volume = seen.volume
    if judged.began_ms is not None and seen.now_ms - judged.began_ms >= _KNOWN_AFTER_MS:
        volume = Volume(count=judged.callers, span_ms=seen.now_ms - judged.began_ms)
    first = watch.counting[0].share if watch.counting else None
    return plan(
        settings,
        volume=volume,
        base=_base(judged, standing, settings),
        measures=len(judged.measures),
        first=first,
    )


def _base(judged: Judgement, standing: Standing, settings: RolloutSettings) -> float | None:
    """How often callers fail anyway, by the measures that are waited for; None: nobody knows."""
    waited = [each for each, _ in awaited(settings, judged, standing.share)]
    return max((base_of(each) for each in waited if each.control >= _BASE_FROM), default=None)


def rollout_view(
    watch: RolloutWatch,
    standing: Standing,
    judged: Judgement,
    follows: Following,
    seen: Seen,
    settings: RolloutSettings,
    *,
    told: tuple[int, int] | None,
) -> RolloutView:
    """How a canary stands; `told` is the share in force and when it was told."""
    planned = plan_of(watch, standing, judged, seen, settings)
    return RolloutView(
        number=standing.release.number,
        share=standing.share,
        since_ms=watch.counting[0].begun_ms if watch.counting else standing.since_ms,
        judged=judged,
        harm_at=settings.needed,
        told_share=0 if told is None else told[0],
        told_ms=None if told is None else told[1],
        by_itself=settings.advance is Advance.ITSELF,
        stages=_stages(watch, standing, judged, follows, planned, settings),
        plan="; ".join(filter(None, (follows.plan, planned.words))),
        ready=follows.ready and follows.act is None,
        unwatched=lag_words(seen.as_of_ms, seen.now_ms),
        mix=tuple(each.words for each in judged.fuses if each.name == "mix"),
        callers=watch.behind,
        known_after_min=settings.again_within_min if watch.awaits_calls_again else 0,
    )


def _stages(
    watch: RolloutWatch,
    standing: Standing,
    judged: Judgement,
    follows: Following,
    planned: Plan,
    settings: RolloutSettings,
) -> tuple[StageView, ...]:
    """Those that were, the one that is, and those to come."""
    of = {each.share: each for each in planned.stages}
    base = _base(judged, standing, settings)
    found: list[StageView] = []
    for was in watch.stages:
        stage = of.get(was.share) or stage_at(
            was.share, settings, base=base, measures=len(judged.measures)
        )
        step = follows.step if was.ended_ms is None else None
        same = [each for each in watch.counting if each.share == was.share]
        before = same[: same.index(was)] if was in same else []
        view = StageView(
            share=was.share,
            state=StageState.NOW if was.ended_ms is None else StageState.DONE,
            least_callers=step.needed if step else stage.callers,
            least_ms=stage.least_ms,
            callers=was.callers,
            begun_ms=was.begun_ms,
            ended_ms=was.ended_ms,
            decided=was.decided,
            callers_before=sum(each.callers for each in before),
            uncounted=was.uncounted,
        )
        if step is not None:  # all as the measure has it that is furthest behind
            own = was.known.get(step.measure, 0)
            earlier = max(0, step.callers - own)
            view = msgspec.structs.replace(view, callers=own, callers_before=earlier)
        found.append(view)
    to_come = (each for each in planned.stages if each.share > standing.share)
    return (
        *found,
        *(
            StageView(
                share=each.share,
                state=StageState.TO_COME,
                least_callers=each.callers,
                least_ms=each.least_ms,
            )
            for each in to_come
        ),
    )
