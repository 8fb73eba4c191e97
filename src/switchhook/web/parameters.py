"""What may be asked of an address: one table for checking a request and for describing the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.fields import with_plus
from switchhook.exotel.times import IST
from switchhook.web.moments import read_moment

if TYPE_CHECKING:
    from collections.abc import Mapping


LONGEST_TEXT = 1000
VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f\ufeff]"
"""A character that one sees, as a pattern that Python and JSON Schema (ECMA-262) read alike: for
Python alone U+001C to U+001F are blanks, for ECMA-262 alone U+FEFF is."""


class RefusedParameter(Exception):  # noqa: N818 - an answer, not a failure
    """A parameter that can't be understood; `parameter` is None where it is about none."""

    def __init__(self, parameter: str | None, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.parameter, self.problem, self.hint = parameter, problem, hint


class Parameter(msgspec.Struct, frozen=True):
    """One parameter: `read` takes its text and the time in ms, and gives the value or raises."""

    name: str
    meaning: str
    schema: dict[str, Any]
    read: Callable[[Parameter, str, int], Any]
    required: bool = False

    def refuse(self, problem: str, hint: str) -> RefusedParameter:
        return RefusedParameter(self.name, problem, hint)


def read_text(parameter: Parameter, text: str, now_ms: int) -> str:
    if not 1 <= len(text) <= LONGEST_TEXT:
        raise parameter.refuse("it is empty or too long", f"1 to {LONGEST_TEXT} characters")
    return text


def has_words(text: str) -> bool:
    """Whether there is anything to read in a text."""
    return re.search(VISIBLE, text) is not None


def read_choice(parameter: Parameter, text: str, now_ms: int) -> str:
    known = parameter.schema["enum"]
    if text not in known:
        raise parameter.refuse(f"no such {parameter.name}", "one of " + ", ".join(known))
    return text


def read_time(parameter: Parameter, text: str, now_ms: int) -> int:
    if not (_AGO.fullmatch(text) or _RFC3339.fullmatch(with_plus(text))):
        hint = "RFC 3339 such as 2026-11-23T10:00:00Z or +05:30, or how long ago: 90s, 15m, 2h, 7d"
        raise parameter.refuse("not a time with its zone", hint)
    moment = read_moment(text, now_ms, IST)
    if moment is None:
        hint = "a day of the years 1 to 9999, and time and zone of at most 23:59"
        raise parameter.refuse("not a time that there is", hint)
    return moment


_AGO = re.compile(r"([0-9]{1,6})([smhdw])")


_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,20})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


TEXT_SCHEMA: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}


TIME_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": f"^{_AGO.pattern}$"},
    ]
}


SINCE = Parameter(
    "since", "not before; to the millisecond, by the journal's clock", TIME_SCHEMA, read_time
)


UNTIL = Parameter("until", "before; likewise", TIME_SCHEMA, read_time)


STRETCH = {
    parameter.name: parameter
    for parameter in (
        SINCE,
        UNTIL,
        Parameter(
            "by",
            "how long a stretch is",
            {"type": "string", "enum": ["minute", "hour"], "default": "minute"},
            read_choice,
        ),
    )
}
"""The parameters of what is counted by the minute or the hour."""


def read_filters(
    pairs: list[tuple[str, str]], now_ms: int, known: Mapping[str, Parameter]
) -> dict[str, Any]:
    """The values of a list's parameters; RefusedParameter names the first that can't be used."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        parameter = known.get(name)
        if parameter is None:
            raise RefusedParameter(name[:100], "unknown parameter", "known: " + ", ".join(known))
        if name in values:
            raise parameter.refuse("said twice", "say it once")
        values[name] = parameter.read(parameter, text, now_ms)
    return values


def read_none(pairs: list[tuple[str, str]]) -> None:
    """Refuse every parameter where there are none."""
    for name, _ in pairs:
        raise RefusedParameter(name[:100], "unknown parameter", "this address takes none")
