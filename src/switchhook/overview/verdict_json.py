"""The verdict, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.web.json import time_of

if TYPE_CHECKING:
    from switchhook.alerts.json import Json
    from switchhook.overview.verdict import State


def verdict_json(state: State) -> Json:
    """The verdict."""
    return {
        "level": state.level.value,
        "what": state.what,
        "since": None if state.since_us is None else time_of(state.since_us),
        "callers": state.callers,
        "went": state.went,
        "fault": state.fault,
        "todo": state.todo,
        "stale": list(state.stale),
        "more": list(state.more),
        "streams": state.streams,
        "issue": state.issue,
    }
