"""What an answer to `Calls/connect` says of the call that was asked for. Pure.

The request has no key that would make it safe to repeat (exotel-platform E.2): what doesn't say for
sure that no call was made is *ambiguous*. Exotel answers 403 for what is wrong with the account and
for what is wrong with the number alike: its code and its words tell them apart.
"""

from __future__ import annotations

import re
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.phone_numbers import mask_text
from switchhook.exotel.wire.active_streams import UnreadableAnswer
from switchhook.exotel.wire.calls import parse_call
from switchhook.exotel.wire.rest_error import parse_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.exotel.wire.calls import CallRecord
    from switchhook.exotel.wire.connect import ConnectRequest
    from switchhook.exotel.wire.rest_error import RestError

KYC, UNAVAILABLE = 340_030, 35_008
"""Exotel's codes of an account that may not call, and of a service that is down for now
(exotel-platform E.6)."""
_FEWEST = 7  # digits that tell one number from another
_LONGEST_SID, _LONGEST_SAID = 64, 160


class ConnectOutcome(StrEnum):
    """What is known of the call after one request."""

    PLACED = "placed"
    """Exotel calls."""
    AMBIGUOUS = "ambiguous"
    """Nobody knows whether it calls."""
    POSTPONED = "postponed"
    """It does not call, for now."""
    REFUSED_NUMBER = "refused number"
    """It does not call this number."""
    STOP_ACCOUNT = "stop account"
    """It calls nobody for this account, or not as it was asked to, until a person mends it."""


class ConnectAnswer(msgspec.Struct, frozen=True):
    """What came of a request; `problem` is in words, without secrets and full numbers.

    `retry_after_s` is how long Exotel asked to be left alone. `unknown` is a refusal that nobody
    can tell an account's from a number's: where several numbers in a row get one, it is about the
    account.
    """

    outcome: ConnectOutcome
    call_sid: str = ""
    problem: str = ""
    retry_after_s: float | None = None
    unknown: bool = False


def judge_answer(
    status: int,
    body: bytes,
    request: ConnectRequest,
    *,
    account_sid: str,
    retry_after_s: float | None = None,
    hide: Callable[[str], str] = str,
) -> ConnectAnswer:
    """What an HTTP answer says of the call that `request` asked for; never raises.

    `hide` takes our credentials out of what the other side wrote.
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _of_success(status, body, request, account_sid, hide)
    return _of_refusal(status, parse_error(body), retry_after_s, hide)


def _of_success(
    status: int,
    body: bytes,
    request: ConnectRequest,
    account_sid: str,
    hide: Callable[[str], str],
) -> ConnectAnswer:
    record = parse_call(body)
    if not isinstance(record, UnreadableAnswer):
        return _of_call(record, request, account_sid)
    error = parse_error(body)
    if error is not None and error.status >= HTTPStatus.BAD_REQUEST:
        return _of_refusal(error.status, error, None, hide)
    problem = f"the API answered {status}, and not which call it made"
    return ConnectAnswer(ConnectOutcome.AMBIGUOUS, problem=problem)


def _of_call(record: CallRecord, request: ConnectRequest, account_sid: str) -> ConnectAnswer:
    wrong = ""
    if record.account_sid not in ("", account_sid):
        wrong = "for another account"
    elif not (len(record.sid) <= _LONGEST_SID and re.fullmatch("[0-9A-Za-z_-]+", record.sid)):
        wrong = "with a Sid that can't be one"
    elif not _is_of(record, request.from_):
        wrong = "with a call to another number"
    if wrong:
        return ConnectAnswer(ConnectOutcome.AMBIGUOUS, problem=f"the API answered {wrong}")
    return ConnectAnswer(ConnectOutcome.PLACED, record.sid)


def _is_of(record: CallRecord, number: str) -> bool:
    """Whether a call is one to this number, where it tells a whole one at all."""
    wanted = _digits(number)
    told = [_digits(each) for each in (record.from_, record.to or "")]
    whole = [each for each in told if len(each) >= _FEWEST]
    return not whole or any(wanted.endswith(each) or each.endswith(wanted) for each in whole)


def _digits(number: str) -> str:
    """Its digits without the zero that stands for a country."""
    return "".join(c for c in number if c.isascii() and c.isdigit()).lstrip("0")


# Refusals. Of several that fit, the first counts: the account before the number.

_DISABLED = "suspended|deactivated|disabled|inactive|terminated|closed|blocked|locked|expired"
_OF_THE_ACCOUNT = re.compile(
    rf"\bkyc\b|\bbalance\b|\bcredits?\b"
    rf"|\baccount\b.{{0,60}}\b(?:{_DISABLED})\b|\b(?:{_DISABLED})\b.{{0,40}}\baccount\b",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"\bchannels?\b|\bconcurren|\bcapacity\b|\btoo many (?:calls|requests)", re.IGNORECASE
)
_OF_THE_NUMBER = re.compile(
    r"\bNDNC\b|\bDND\b|\bNCPR\b|\bDNC\b|\bTRAI\b|\bdo[ -]?not[ -]?(?:call|disturb)"
    r"|\bblacklist|\bunsubscribed\b|\bopted[ -]out\b",
    re.IGNORECASE,
)
_OF_A_TRIAL = re.compile(r"\btrial\b|\b(?:un)?verified\b", re.IGNORECASE)
"""This number is not verified; and where others follow, hardly any is."""
_NAMED = re.compile(
    r"(?P<ours>(?i:\bcaller ?id\b|\bexophone|\bvirtual number|\w*url\b|\bflow\b|\bapp(?:_?id)?\b"
    r"|\bstatuscallback|\btimelimit\b|\btimeout\b|\bcalltype\b|\bcustomfield\b|\bstream))"
    r"|(?P<theirs>\bFrom\b|(?i:\b(?:phone|customer|destination|called|callee) ?number))"
)
"""What a 400 names first: a parameter that is the same for all calls, or the number."""

_STOPS = {
    301: ", a redirect, which is not followed: check the region, or the url",
    307: ", a redirect, which is not followed: check the region, or the url",
    308: ", a redirect, which is not followed: check the region, or the url",
    401: ": check the API key, the token and the region",
    402: ": the account's balance is used up",
    404: ": check the SID and the region",
}
_UNSURE = frozenset({408, 425, 499})
"""Answers of proxies on the way, which may have passed the request on."""


def _of_refusal(
    status: int, error: RestError | None, retry_after_s: float | None, hide: Callable[[str], str]
) -> ConnectAnswer:
    message = error.message if error is not None else ""
    said = f"the API answered {status}{_quoted(hide(message))}"
    outcome, unknown, hint = _meaning(status, error.code if error is not None else None, message)
    waits = outcome in (ConnectOutcome.POSTPONED, ConnectOutcome.AMBIGUOUS)
    return ConnectAnswer(
        outcome,
        problem=f"{said}{hint}",
        retry_after_s=retry_after_s if waits else None,
        unknown=unknown,
    )


def _meaning(status: int, code: int | None, message: str) -> tuple[ConnectOutcome, bool, str]:
    """The outcome, whether it is an unknown refusal, and what to do."""
    outcome = ConnectOutcome
    if status in _STOPS:
        return outcome.STOP_ACCOUNT, False, _STOPS[status]
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return outcome.POSTPONED, False, ": too many questions; do others use the account's API?"
    if status == HTTPStatus.SERVICE_UNAVAILABLE and code == UNAVAILABLE:
        return outcome.POSTPONED, False, ""
    if not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR or (
        status in _UNSURE
    ):
        return outcome.AMBIGUOUS, False, ""
    if code == KYC or _OF_THE_ACCOUNT.search(message):
        return outcome.STOP_ACCOUNT, False, ": the account may not call"
    of_number, full = _OF_THE_NUMBER.search(message), _FULL.search(message)
    if status == HTTPStatus.BAD_REQUEST and not full and (named := _NAMED.search(message)):
        if named["ours"] is not None:
            return outcome.STOP_ACCOUNT, False, ": check exophone, flow and bot"
        return outcome.REFUSED_NUMBER, False, ""
    if of_number:
        return outcome.REFUSED_NUMBER, False, ""
    if _OF_A_TRIAL.search(message):
        return outcome.REFUSED_NUMBER, True, ": a trial account calls verified numbers only"
    if full:
        return outcome.POSTPONED, False, ""
    return outcome.REFUSED_NUMBER, True, ""


_ADDRESS = re.compile(r"(?:https?|wss?)(?::|%3A)\S*", re.IGNORECASE)


def _quoted(message: str) -> str:
    """What the other side wrote, on one line: no number, no address (they hold secrets)."""
    told = mask_text(_ADDRESS.sub("…", message))
    line = "".join(c if c.isprintable() else " " for c in told)[:_LONGEST_SAID].strip()
    return f" ({line})" if line else ""
