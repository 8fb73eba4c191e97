"""Releases as JSON, for the API and for commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.rules.rollout import BUCKETS
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from switchhook.releases.release import Release, Standing, Step
    from switchhook.web.json import Json


def share_json(share: int) -> float | None:
    """A share as a part of 1, as the API has all shares; None without one."""
    return share / BUCKETS if share else None


def release_json(release: Release) -> Json:
    """A release without its text."""
    return {
        "number": release.number,
        "subject": release.subject,
        "hash": release.hash,
        "author": release.author,
        "reason": release.reason,
        "made_at": time_of(release.made_ms * 1000),
        "parent": release.parent,
        "by_file": release.by_file,
    }


def standing_json(standing: Standing) -> Json:
    """A release and its state."""
    return {
        **release_json(standing.release),
        "state": standing.state.value,
        "since": time_of(standing.since_ms * 1000),
        "by": standing.by,
        "why": standing.reason or None,
        "evidence": standing.evidence or None,
        "share": share_json(standing.share),
        "problems": list(standing.problems),
        "flaw": standing.flaw or None,
    }


def step_json(step: Step) -> Json:
    """What was done to a release."""
    return {
        "number": step.number,
        "at": time_of(step.at_ms * 1000),
        "act": step.act.value,
        "state": step.to.value,
        "by": step.by,
        "reason": step.reason or None,
        "share": share_json(step.share),
        "evidence": step.evidence or None,
    }
