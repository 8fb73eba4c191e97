"""Promises and attempts as tests of dialling need them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from switchhook.callbacks.promise import (
    Attempt,
    Promise,
    PromiseOrigin,
    PromiseState,
    custom_field_of,
)

IST = ZoneInfo("Asia/Kolkata")
NUMBER = "+919811100001"


def ist(day: int, hour: int, minute: int = 0) -> int:
    """A moment of January 2026, whose 5th is a Monday, in Unix ms."""
    return int(datetime(2026, 1, day, hour, minute, tzinfo=IST).timestamp() * 1000)


NOON = ist(5, 12)


def shown(at_ms: int) -> str:
    """A moment as people in India read it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(IST):%a %H:%M}"


def promise_of(number: str = NUMBER, **more: object) -> Promise:
    said: dict[str, object] = {
        "id": 1,
        "token": "abc",
        "account": "main",
        "number": number,
        "class_": "default",
        "reason": "throttled",
        "origin": PromiseOrigin.RULE,
        "made_ms": NOON - 60_000,
        "due_ms": NOON,
        "until_ms": NOON + 4 * 3_600_000,
        "state": PromiseState.OPEN,
        "since_ms": NOON - 60_000,
    }
    return Promise(**said | more)  # type: ignore[arg-type]


def attempt_of(number: int = 1, **more: object) -> Attempt:
    said: dict[str, object] = {
        "promise": 1,
        "number": number,
        "custom_field": custom_field_of("abc", number),
        "asked_ms": NOON,
        "exophone": "+918045678900",
    }
    return Attempt(**said | more)  # type: ignore[arg-type]
