"""Whether callers who are owed a callback can be called back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.callbacks.dialling import BY_ITSELF, allow_command
from switchhook.doctor.finding import fail, ok, warn
from switchhook.exotel.phone_numbers import counted

if TYPE_CHECKING:
    from switchhook.callbacks.dialling import Dialling
    from switchhook.doctor.finding import Finding


def judge_calling_back(dialling: Dialling, waiting: int, due: int, now_ms: int) -> Finding:
    """Whether an account may dial, where `waiting` are owed a call, `due` of them now."""
    account = dialling.account
    check, allow = f"calling back by {account}", allow_command(account)
    owed = f"{counted(waiting)} wait for a callback, {counted(due)} of them now"
    if dialling.stopped and dialling.stopped_by in BY_ITSELF:
        said = f"Exotel refused it, and nobody is dialled: {dialling.stopped}; {owed}"
        return fail(check, said, f"mend it at Exotel or under [accounts.{account}], then: {allow}")
    why = dialling.why_not(now_ms)
    if not why:
        return ok(check, f"it may dial; {owed}")
    if not waiting:
        return ok(check, f"{why}; nobody waits for a callback")
    return warn(check, f"{why}; {owed}", f"let it dial where that is wanted: {allow}")
