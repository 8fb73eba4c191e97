"""Whether an account may dial: off until an administrator allows it, stopped at once. Pure."""

from __future__ import annotations

import shlex

import msgspec

BY_ITSELF = ("", "switchhook")
"""Who stopped dialling where no person did."""
NO_REASON = "no reason was given"
"""Why a person stopped it who was in a hurry."""


class Dialling(msgspec.Struct, frozen=True, kw_only=True):
    """The switch of one account. Times are Unix ms.

    It is `allowed` since `at_ms` by somebody. `stopped` says why it was stopped since, `stopped_by`
    by whom, empty where Switchhook did it: it stays so until somebody allows it anew.
    Until `held_until_ms` Exotel asked to be left alone, or the like: that passes by itself.
    """

    account: str
    allowed: bool = False
    by: str = ""
    at_ms: int = 0
    stopped: str = ""
    stopped_by: str = ""
    stopped_ms: int | None = None
    held_until_ms: int | None = None
    held_why: str = ""

    def why_not(self, now_ms: int) -> str:
        """Why it may not dial now; empty where it may."""
        if self.stopped:
            return f"dialling is stopped: {self.stopped}"
        if not self.allowed:
            return "nobody has allowed this account to dial"
        if self.held_until_ms is not None and now_ms < self.held_until_ms:
            return f"dialling waits: {self.held_why}"
        return ""


def allowed(dialling: Dialling, by: str, now_ms: int) -> Dialling:
    """The switch after an administrator turned it on."""
    return Dialling(account=dialling.account, allowed=True, by=by, at_ms=now_ms)


def stopped(dialling: Dialling, why: str, by: str, now_ms: int) -> Dialling:
    """The switch after it was stopped, perhaps once more.

    What it stopped by itself for stays said until somebody mends that, and so does a person's
    reason until a person gives another.
    """
    if dialling.stopped and (
        dialling.stopped_by in BY_ITSELF or by in BY_ITSELF or why == NO_REASON
    ):
        return dialling
    return msgspec.structs.replace(
        dialling, allowed=False, stopped=why, stopped_by=by, stopped_ms=now_ms
    )


def allow_command(account: str) -> str:
    """What somebody types who lets an account dial."""
    return shlex.join(("switchhook", "promises", "allow-dialling", account, "--reason", "WHY"))


def held(dialling: Dialling, until_ms: int, why: str) -> Dialling:
    """The switch held for a while; never for shorter than it is already."""
    if dialling.held_until_ms is not None and dialling.held_until_ms >= until_ms:
        return dialling
    return msgspec.structs.replace(dialling, held_until_ms=until_ms, held_why=why)
