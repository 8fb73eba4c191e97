"""Pools, members and settings as the API gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.web.json import Json, time_of

if TYPE_CHECKING:
    from switchhook.routes.breaker import Change
    from switchhook.routes.hands_ledger import PastSetting
    from switchhook.routes.health import Evidence
    from switchhook.routes.view import HandView, MemberView, PoolView, RoutesView


def routes_json(view: RoutesView) -> Json:
    """All of it, as it was at a moment."""
    return {
        "made_at": _time(view.made_ms),
        "pools": [pool_json(each) for each in view.pools],
        "hands": [hand_json(each) for each in view.hands],
        "counted_from": _time(view.counted_from_ms),
        "problem": view.problem or None,
    }


def pool_json(pool: PoolView) -> Json:
    """A pool."""
    return {
        "name": pool.name,
        "to_pool": pool.to or None,
        "off": pool.off,
        "degraded": pool.degraded,
        "empty": pool.empty,
        "sticky": pool.sticky,
        "breaker_enabled": pool.enabled,
        "members": [member_json(each) for each in pool.members],
    }


def member_json(member: MemberView) -> Json:
    """A member; a null share is not known, as nobody called."""
    return {
        "name": member.name,
        "url": member.url,
        "word": member.word,
        "state": member.state.value,
        "weight": member.weight,
        "configured_state": member.configured_state.value,
        "configured_weight": member.configured_weight,
        "limit": member.limit,
        "live": member.live,
        "hand": list(member.hand),
        "share": round(member.share, 4),
        "draw_share": round(member.draw_share, 4),
        "given_share": None if member.given_share is None else round(member.given_share, 4),
        "given": member.given,
        "silent": member.silent,
        "certificate_days_left": member.days_left,
        "breaker": {
            "state": member.breaker.state.value,
            "since": _time(member.breaker.since_ms or None),
            "why": member.breaker.why or None,
            "history": [_change_json(each) for each in member.history],
        },
        "evidence": [_evidence_json(each) for each in member.evidence],
    }


def hand_json(hand: HandView) -> Json:
    """A setting in force."""
    setting = hand.setting
    return {
        "id": setting.id,
        "act": setting.act.value,
        "words": hand.words,
        "pool": setting.pool or None,
        "member": setting.member or None,
        "to_pool": setting.to or None,
        "endpoint": setting.endpoint or None,
        "state": None if setting.state is None else setting.state.value,
        "weight": setting.weight,
        "by": setting.by,
        "reason": setting.reason,
        "since": _time(setting.since_ms),
        "until": _time(setting.until_ms),
    }


def past_json(hand: HandView, past: PastSetting) -> Json:
    """One that is over."""
    said = {"ended_at": _time(past.ended_ms), "ended_by": past.ended_by or None}
    return hand_json(hand) | said


def _change_json(change: Change) -> Json:
    return {"at": _time(change.at_ms), "state": change.state.value, "why": change.why}


def _evidence_json(evidence: Evidence) -> Json:
    return {
        "source": evidence.source.value,
        "good": evidence.good,
        "said": evidence.said,
        "at": _time(evidence.at_ms),
    }


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else time_of(at_ms * 1000)
