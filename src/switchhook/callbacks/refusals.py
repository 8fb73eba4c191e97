"""What was no promise, and why: callers to whom nobody owes a callback though a rule wanted it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class RefusalCode(StrEnum):
    """Why somebody is not promised a callback."""

    UNREADABLE = "unreadable"
    """There is no number, or none that can be read."""
    UNDIALABLE = "undialable"
    """It is a number that is not called: an emergency number, a premium one, one of our own."""
    UNCONFIRMED = "unconfirmed"
    """Nothing can confirm it: its request proved no secret, or names no call, or one of ours."""
    NOT_CONFIGURED = "not configured"
    """The account calls nobody back."""
    CAMPAIGN = "campaign"
    """We called them, and the account calls back only those who called in."""
    DO_NOT_CALL = "do not call"
    """The number is on the list of those that are not called."""
    OPEN_ALREADY = "open already"
    """A promise to the same number is open, or was made for the same call: one call keeps both."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. `number` is E.164, or what came, or empty; `why` says it in words."""

    id: int = 0
    at_ms: int
    account: str
    number: str = ""
    class_: str = ""
    reason: str = ""
    endpoint: str = ""
    call_sid: str = ""
    receipt: str = ""
    code: RefusalCode
    why: str
