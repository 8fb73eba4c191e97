"""From a passthru whose rules promised a callback to the promise, or to why there is none. Pure.

What only the ledger knows, the do-not-call list and the promises that are open, is decided there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.callbacks.calling_hours import times_of
from switchhook.callbacks.numbers import undialable
from switchhook.callbacks.promise import Promise, PromiseOrigin, PromiseState
from switchhook.callbacks.refusals import Refusal, RefusalCode

if TYPE_CHECKING:
    from collections.abc import Collection

    from switchhook.callbacks.hearing import Wanted
    from switchhook.callbacks.settings import CallbackSettings


def promise_for(
    wanted: Wanted,
    account: str,
    settings: CallbackSettings | None,
    own: Collection[str],
    token: str,
) -> Promise | Refusal:
    """The promise to make, unproven, or why not.

    `account` is the endpoint's, empty where it has none; `settings` are None where it calls nobody
    back. `own` are our ExoPhones, `token` is the promise's, drawn at random.
    """
    number = callee_of(wanted, own)
    refused = _refused(wanted, account, settings, own, number)
    if refused is not None or settings is None:
        code, why = refused or (RefusalCode.NOT_CONFIGURED, "")
        return _refusal(wanted, account, number, code, why)
    due_ms, until_ms = times_of(settings, number, wanted.at_ms)
    return Promise(
        token=token,
        account=account,
        number=number,
        class_=wanted.class_,
        reason=wanted.reason,
        origin=PromiseOrigin.RULE,
        endpoint=wanted.endpoint,
        call_sid=wanted.call_sid,
        receipt=wanted.receipt,
        made_ms=wanted.at_ms,
        due_ms=due_ms,
        until_ms=until_ms,
        state=PromiseState.UNPROVEN,
        since_ms=wanted.at_ms,
    )


def callee_of(wanted: Wanted, own: Collection[str]) -> str:
    """Whom to call back, in E.164; empty where nobody can tell.

    Of an outgoing call either number may be the callee's: From is who was rung first
    (exotel-platform A.4), where it is not our own ExoPhone.
    """
    if not wanted.outbound:
        return next(iter(wanted.numbers), "")
    return next((each for each in wanted.numbers if each not in own), "")


def _refused(
    wanted: Wanted,
    account: str,
    settings: CallbackSettings | None,
    own: Collection[str],
    number: str,
) -> tuple[RefusalCode, str] | None:
    if not account:
        return RefusalCode.NOT_CONFIGURED, f"endpoint {wanted.endpoint} belongs to no account"
    if settings is None:
        return RefusalCode.NOT_CONFIGURED, f"account {account} calls nobody back"
    if not wanted.proven:
        return RefusalCode.UNCONFIRMED, "its request proved no secret"
    if not wanted.call_sid:
        return RefusalCode.UNCONFIRMED, "its request names no call that Exotel could confirm"
    if wanted.outbound and not settings.campaigns:
        return RefusalCode.CAMPAIGN, "they were called, and only those who call in are called back"
    if not number:
        return RefusalCode.UNREADABLE, "its number is withheld, or none that can be read"
    problem = undialable(number, own)
    return (RefusalCode.UNDIALABLE, problem) if problem else None


def _refusal(wanted: Wanted, account: str, number: str, code: RefusalCode, why: str) -> Refusal:
    return Refusal(
        at_ms=wanted.at_ms,
        account=account,
        number=number,
        class_=wanted.class_,
        reason=wanted.reason,
        endpoint=wanted.endpoint,
        call_sid=wanted.call_sid,
        receipt=wanted.receipt,
        code=code,
        why=why,
    )
