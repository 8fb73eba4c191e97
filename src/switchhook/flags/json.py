"""Flags and their changes as the API gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.rules.flag_values import value_text
from switchhook.web.json import Json, time_of

if TYPE_CHECKING:
    from switchhook.flags.changes import FlagChange
    from switchhook.flags.view import FlagsView, FlagView
    from switchhook.rules.flags import SetTo


def flags_json(view: FlagsView, ofrep: str) -> Json:
    """All flags; `ofrep` is where bots read them."""
    return {
        "flags": [flag_json(each) for each in view.flags],
        "ofrep": ofrep or None,
        "problem": view.problem or None,
    }


def flag_json(flag: FlagView) -> Json:
    """One flag as it stands."""
    return {
        "name": flag.name,
        "kind": flag.kind.value,
        "description": flag.description,
        "value": value_json(flag.value),
        "text": flag.text,
        "words": flag.words,
        "default": value_json(flag.default),
        "change": None if flag.change is None else change_json(flag.change),
        "readers": list(flag.readers),
        "rules_read_at": _time(flag.rules_ms),
        "bots_read_at": _time(flag.bots_ms),
        "stale": flag.stale or None,
        "unused": flag.unused or None,
    }


def change_json(change: FlagChange) -> Json:
    """One change of a flag; a `value` of null is its default."""
    value = change.value
    return {
        "id": change.id,
        "flag": change.flag,
        "act": change.act.value,
        "value": value_json(value),
        "text": None if value is None else value_text(change.kind, value),
        "by": change.by,
        "reason": change.reason,
        "at": time_of(change.at_ms * 1000),
        "until": _time(change.until_ms),
    }


def value_json(value: SetTo | None) -> Any:
    """What a flag is set to."""
    return msgspec.to_builtins(value)


def _time(ms: int | None) -> str | None:
    return None if ms is None else time_of(ms * 1000)
