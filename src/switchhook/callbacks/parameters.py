"""What may be asked of promises: one table for the page, the API and its description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from switchhook.callbacks.filters import PromiseFilter
from switchhook.callbacks.numbers import HOW_WRITTEN
from switchhook.callbacks.promise import PromiseState
from switchhook.exotel.fields import Unusable, e164
from switchhook.web.parameters import (
    SINCE,
    TEXT_SCHEMA,
    TIME_SCHEMA,
    UNTIL,
    Parameter,
    read_text,
    read_time,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST, DEFAULT = 500, 50
LARGEST_ID = 2**53
"""What every reader of JSON takes for a whole number as it is."""
_STATES = [each.value for each in PromiseState]
_STATES_PATTERN = f"^({'|'.join(_STATES)})(,({'|'.join(_STATES)}))*$"


def _states(parameter: Parameter, text: str, now_ms: int) -> tuple[PromiseState, ...]:
    if not re.fullmatch(_STATES_PATTERN, text):
        raise parameter.refuse("no such state", f"one or several of {', '.join(_STATES)}")
    return tuple(dict.fromkeys(PromiseState(each) for each in text.split(",")))


def _number(parameter: Parameter, text: str, now_ms: int) -> str:
    number = e164(read_text(parameter, text, now_ms).strip(), "IN")
    if number is None or isinstance(number, Unusable):
        raise parameter.refuse("not a full telephone number", HOW_WRITTEN)
    return number


def _whole(least: int, most: int, hint: str = "") -> tuple[dict[str, Any], Any]:
    def read(parameter: Parameter, text: str, now_ms: int) -> int:
        if not re.fullmatch(r"[0-9]{1,16}", text) or not least <= int(text) <= most:
            raise parameter.refuse("not a number in range", hint or f"{least} to {most}")
        return int(text)

    return {"type": "integer", "minimum": least, "maximum": most}, read


_LIMIT, _read_limit = _whole(1, MOST)
_CURSOR, _read_cursor = _whole(1, LARGEST_ID, "the `next` of the page before")

WHICH = {
    parameter.name: parameter
    for parameter in (
        Parameter(
            "state",
            "in one of these states, with commas between them",
            {"type": "string", "pattern": _STATES_PATTERN, "maxLength": 200},
            _states,
        ),
        Parameter("account", "of this account", TEXT_SCHEMA, read_text),
        Parameter("class", "of this class", TEXT_SCHEMA, read_text),
        Parameter("reason", "made for exactly this reason", TEXT_SCHEMA, read_text),
        Parameter("number", "to this number, in any spelling", TEXT_SCHEMA, _number),
        SINCE,
        UNTIL,
        Parameter("due_before", "due before; likewise", TIME_SCHEMA, read_time),
    )
}
"""Which promises; `since` and `until` are when they were made."""
LISTED = WHICH | {
    parameter.name: parameter
    for parameter in (
        Parameter("limit", "how many at most", _LIMIT | {"default": DEFAULT}, _read_limit),
        Parameter("cursor", "`next` of the page before", _CURSOR, _read_cursor),
    )
}
"""The parameters of the list."""


def filter_of(values: Mapping[str, Any]) -> PromiseFilter:
    """The promises that parameters mean."""
    return PromiseFilter(
        states=values.get("state", ()),
        accounts=_one(values.get("account")),
        classes=_one(values.get("class")),
        reason=values.get("reason", ""),
        number=values.get("number", ""),
        made_since_ms=values.get("since"),
        made_before_ms=values.get("until"),
        due_before_ms=values.get("due_before"),
    )


def _one(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)
