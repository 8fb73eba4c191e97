"""How a candidate does as JSON, for the API and for commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.releases.words import waiting_words
from switchhook.rules.rollout import BUCKETS
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from switchhook.releases.judgement import Judgement
    from switchhook.releases.view import CallerView, RolloutView, ShadowView, StageView
    from switchhook.web.json import Json


def evidence_json(rollout: RolloutView | None, shadow: ShadowView | None) -> dict[str, Json | None]:
    """What is known of a release in its canary and in shadow."""
    return {
        "rollout": None if rollout is None else rollout_json(rollout),
        "shadow": None if shadow is None else shadow_json(shadow),
    }


def rollout_json(rollout: RolloutView) -> Json:
    """A canary as it stands, or as it stood when it ended."""
    return {
        "number": rollout.number,
        "share": rollout.share / BUCKETS,
        "told_share": rollout.told_share / BUCKETS,
        "told_at": _time(rollout.told_ms),
        "since": _time(rollout.since_ms),
        "ended": _time(rollout.ended_ms),
        "by_itself": rollout.by_itself,
        "waits_for_a_person": rollout.ready,
        "plan": rollout.plan,
        "unwatched": rollout.unwatched or None,
        "waits_for_outcomes": waiting_words(rollout) or None,
        "harm_at": rollout.harm_at,
        "evidence": None if rollout.judged is None else _judged(rollout.judged),
        "stages": [_stage(each) for each in rollout.stages],
        "callers": [_caller(each) | {"canary": each.canary} for each in rollout.callers],
    }


def shadow_json(shadow: ShadowView) -> Json:
    """What a candidate in shadow would have given."""
    return {
        "number": shadow.number,
        "since": _time(shadow.since_ms),
        "seen": shadow.seen,
        "different": shadow.different,
        "unable": shadow.unable,
        "kinds": [
            {"words": each.words, "count": each.count, "receipt": each.receipt}
            for each in shadow.kinds
        ],
        "callers": [_caller(each) | {"instead": each.instead} for each in shadow.callers],
    }


def _judged(judged: Judgement) -> Json:
    return {
        "e": judged.e,
        "p": judged.p,
        "harm": judged.harm,
        "because": judged.because or None,
        "callers": judged.callers,
        "left_out": len(judged.excluded),
        "words": judged.words,
        "measures": [
            {
                "name": each.name,
                "e": each.e,
                "risk": each.risk,
                "low": each.low,
                "high": each.high,
                "canary": each.canary,
                "canary_failed": each.canary_failed,
                "control": each.control,
                "control_failed": each.control_failed,
            }
            for each in judged.measures
        ],
        "fuses": [
            {"name": each.name, "e": each.e, "tripped": each.tripped, "words": each.words}
            for each in judged.fuses
        ],
    }


def _stage(stage: StageView) -> Json:
    return {
        "share": stage.share / BUCKETS,
        "state": stage.state.value,
        "decided": stage.decided,
        "callers": stage.callers,
        "callers_before": stage.callers_before,
        "counts": not stage.uncounted,
        "least_callers": stage.least_callers,
        "least_s": stage.least_ms // 1000,
        "begun": _time(stage.begun_ms),
        "ended": _time(stage.ended_ms),
    }


def _caller(caller: CallerView) -> Json:
    return {
        "at": _time(caller.at_ms),
        "receipt": caller.receipt,
        "call_sid": caller.call_sid,
        "number": caller.number,
        "what": caller.what,
    }


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else time_of(at_ms * 1000)
