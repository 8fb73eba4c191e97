"""Promises for tests."""

from __future__ import annotations

from itertools import count

from switchhook.access.audit import Deed
from switchhook.callbacks.promise import (
    TOKEN_BYTES,
    Promise,
    PromiseOrigin,
    PromiseState,
    token_of,
)

T = 1_700_000_000_000
HOUR = 3_600_000
NUMBER = "+919876500001"

_count = count()


def number(at):
    """The documented test number with an index."""
    return f"+9198765{at:05}"


def _token(at):
    digits = []
    for _ in range(TOKEN_BYTES):
        at, digit = divmod(at, 26)
        digits.append(digit)
    return token_of(bytes(digits))


def promise(**said):
    """A promise made at T, open and due then, for four hours."""
    made_ms = said.get("made_ms", T)
    return Promise(
        **{
            "token": _token(next(_count)),
            "account": "main",
            "number": NUMBER,
            "class_": "",
            "reason": "throttled",
            "origin": PromiseOrigin.RULE,
            "endpoint": "sales",
            "call_sid": "4cf6b74c24af2bd4cd2e1b8b5a9d17bl",
            "receipt": "1-1",
            "made_ms": made_ms,
            "due_ms": made_ms,
            "until_ms": made_ms + 4 * HOUR,
            "state": PromiseState.OPEN,
            "since_ms": made_ms,
            **said,
        }
    )


def deed(what="did something to promises"):
    return Deed(who="asha", what=what, origin="test")
