"""What each variable of rules can ever be: closed sets of words, numbers in a range, forms of text.

A value is possible if the reading of a request, the account or the clock could bring it forth.
What is open (any text as sent) is never called impossible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.exotel.cause import Cause
from switchhook.exotel.passthru import Direction, DisconnectedBy, StreamStatus
from switchhook.exotel.stream_error import ErrorKind
from switchhook.exotel.times import WEEKDAYS
from switchhook.exotel.wire.scalar import MOST_DIGITS
from switchhook.rules.text_sets import Dates, PhoneNumbers, Status, Texts
from switchhook.rules.value_sets import Numbers, Words
from switchhook.rules.variables import VARIABLES

if TYPE_CHECKING:
    from switchhook.rules.value_sets import Values

_STATUSES = tuple(status.value for status in StreamStatus if status is not StreamStatus.UNKNOWN)
_STATUS = Status(
    Words(
        ("", *_STATUSES),
        {
            **dict.fromkeys(("canceled", "cancel", "canceld"), "cancelled"),
            **dict.fromkeys(("inprogress", "in_progress", "in progress"), "in-progress"),
            **dict.fromkeys(("running", "ongoing", "active"), "in-progress"),
            **dict.fromkeys(("complete", "success", "successful", "succeeded"), "completed"),
            **dict.fromkeys(("done", "ok", "finished", "ended"), "completed"),
            **dict.fromkeys(("fail", "failure", "error", "errored"), "failed"),
        },
        frozenset({"canceled", "inprogress", "in_progress"}),
    ),
    frozenset(cause.value for cause in Cause) - {"unknown"},
)
_SHORT_DAYS = {day[:n]: day for day in WEEKDAYS for n in (2, 3, 4)} | {"thur": "thursday"}
_SECONDS = Numbers(0, 10**MOST_DIGITS - 1, why="it counts seconds")
_COUNT = Numbers(0)

_KNOWN: dict[str, Values] = {
    "call.from": PhoneNumbers(),
    "call.to": PhoneNumbers(),
    "call.direction": Words(
        ("", *(word.value for word in Direction)),
        {"incoming": "inbound", "in": "inbound", "outgoing": "outbound", "out": "outbound",
         "outbound-api": "outbound", "outbound-dial": "outbound"},
        frozenset({"incoming", "outbound-api", "outbound-dial"}),
    ),
    "call.dial_duration": _SECONDS,
    "call.legs": _COUNT,
    "stream.status": _STATUS,
    "stream.duration": _SECONDS,
    "stream.disconnected_by": Words(
        ("", *(word.value for word in DisconnectedBy)),
        {"caller": "user", "customer": "user", "system": "NA", "n/a": "NA", "none": "NA",
         "exotel": "NA", "agent": "bot"},
        frozenset({"caller", "system", "n/a"}),
    ),
    "stream.error_kind": Words(
        ("", *(kind.value for kind in ErrorKind)),
        {"ssl": "tls", "certificate": "tls", "x509": "tls", "handshake": "bad_handshake"},
    ),
    "stream.error_code": Numbers(0, 99_999, why="it has three to five digits"),
    "stream.cause": Words(
        tuple(cause.value for cause in Cause),
        {"": "no_stream", "failed": "connect_failed", "completed": "bot_done",
         "cancelled": "caller_left_early", "in-progress": "running"},
    ),
    "account.active": _COUNT,
    "account.allowed": _COUNT,
    "account.headroom": _COUNT,
    "account.age": Numbers(0, integers=False),
    "local.hour": Numbers(0, 23, why="midnight is 0, 9 in the evening 21"),
    "local.minute": Numbers(0, 59),
    "local.weekday": Words(WEEKDAYS, _SHORT_DAYS),
    "local.date": Dates(),
}  # fmt: skip

OF_TIME: dict[str, Values] = {
    "getHours": Numbers(0, 23, why="midnight is 0, 9 in the evening 21"),
    "getMinutes": Numbers(0, 59),
    "getSeconds": Numbers(0, 59),
    "getMilliseconds": Numbers(0, 999),
    "getDayOfWeek": Numbers(0, 6, why="Sunday is 0, Saturday 6"),
    "getDate": Numbers(1, 31),
    "getDayOfMonth": Numbers(0, 30, why="the first is 0; getDate() starts with 1"),
    "getDayOfYear": Numbers(0, 365, why="the first of January is 0"),
    "getMonth": Numbers(0, 11, why="January is 0, December 11"),
    "getFullYear": Numbers(1970, 9999),
}
"""The parts of a time, by their function."""
SIZE: Values = _COUNT


def values_of(variable: str) -> Values | None:
    """What a variable can be; None where nothing is known of it."""
    if variable in _KNOWN:
        return _KNOWN[variable]
    known = VARIABLES.get(variable)
    return Texts() if known is not None and known.type == "string" else None


def elsewhere(variable: str, value: object) -> str:
    """Which other variable has a word that this one never is; empty where none has."""
    for name, values in _KNOWN.items():
        words = values.known if isinstance(values, Status) else values
        if name != variable and value and isinstance(words, Words) and value in words.words:
            return f'{name} can be "{value}"'
    return ""
