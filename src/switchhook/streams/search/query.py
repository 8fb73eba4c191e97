"""What people look for among streams: `cause:throttled from:98765 since:2h !bot:a.example`.

A `Query` is what was asked, `syntax` reads and writes it. `fits` says whether a stream is
among what was asked; a store may find them as it likes, and must find the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import FAILURES, Cause
from switchhook.exotel.number_keys import number_matches
from switchhook.exotel.passthru import StreamStatus
from switchhook.exotel.phone_numbers import holds_number
from switchhook.metrics import OTHER
from switchhook.streams.facet import Facet

if TYPE_CHECKING:
    from switchhook.streams.names import Names
    from switchhook.streams.story import StreamStory


EACH_HOLDS = ("is", "duration", "error")
"""Said twice, both have to hold; of every other key, one of the values."""


class Moment(msgspec.Struct, frozen=True):
    """A time as it was written, and in ms of Unix time."""

    text: str
    ms: int


class Condition(msgspec.Struct, frozen=True):
    """One of the `values` of `key` has to hold, or none of them where `excluded`."""

    key: str
    values: tuple[str, ...]
    excluded: bool = False


class SearchProblem(msgspec.Struct, frozen=True):
    """A part of the text, from `at` on for `length` characters, that can't be understood."""

    at: int
    length: int
    problem: str
    hint: str


class Query(msgspec.Struct, frozen=True):
    """What is looked for: all conditions hold, and the stream was first told of in the time."""

    conditions: tuple[Condition, ...] = ()
    since: Moment | None = None
    until: Moment | None = None
    problems: tuple[SearchProblem, ...] = ()


class StreamRow(msgspec.Struct, frozen=True):
    """A stream in a list: `seq` and `at_ms` are those of the receipt that first told of it.

    `facet` is the stream's own, also where the store counts it under "other".
    """

    seq: int
    at_ms: int
    facet: Facet
    story: StreamStory
    late_ms: int | None = None
    one_copy: bool = False


class StreamCount(msgspec.Struct, frozen=True):
    """How many streams a search finds: exactly so many, or `more` than that."""

    count: int
    more: bool


class SearchPage(msgspec.Struct, frozen=True):
    """A page, newest first. `next` is the `before_seq` of the next one; None where all was seen.

    There can be fewer rows than asked for and still a next page: looking stops after a while.
    `count` is how many there are on all pages, where that was asked and an index tells it.
    """

    rows: list[StreamRow]
    next: int | None
    count: StreamCount | None = None


def fits(query: Query, names: Names, row: StreamRow) -> bool:
    """Whether a stream is among what is asked for."""
    if query.since is not None and row.at_ms < query.since.ms:
        return False
    if query.until is not None and row.at_ms >= query.until.ms:
        return False
    return all(_holds(each, names, row) for each in query.conditions)


def _holds(condition: Condition, names: Names, row: StreamRow) -> bool:
    of_facet = OF_FACET.get(condition.key)
    if of_facet is not None:
        found = any(of_facet(value, names, row.facet) for value in condition.values)
    else:
        of_row = OF_ROW[condition.key]
        found = any(of_row(value, names, row) for value in condition.values)
    return found is not condition.excluded


def facet_may_fit(query: Query, names: Names, facet: Facet) -> bool:
    """Whether a stream counted under this facet can be among what is asked for."""
    return facet_decides(query, names, facet) is not False


def facet_decides(query: Query, names: Names, facet: Facet) -> bool | None:
    """Whether every stream counted under this facet fits, or none; None where some may.

    The time is left out of it.
    """
    blurred = OTHER in (facet.host, facet.exophone)
    unsure = False
    for condition in query.conditions:
        hint = _HINTS.get(condition.key)
        if hint is None or (blurred and condition.key in _OF_OTHER):
            unsure = True
            continue
        said = {hint(value, names, facet) for value in condition.values}
        found = True if True in said else None if None in said else False
        if found is condition.excluded:
            return False
        unsure = unsure or found is None
    return None if unsure else True


_OF_NUMBERS = ("from", "to", "number")
_OF_MASKED_TEXTS = ("error", "flow", "custom_field", "digits")
_BY_PART = ("exophone", "name")
"""Keys by a part of whose texts is looked without any `*`."""


def asks_number(condition: Condition) -> bool:
    """Whether it tells digits of somebody's number who asks it often enough."""
    if condition.key in _OF_NUMBERS:
        return True
    by_part = condition.key in _BY_PART or condition.key in _OF_MASKED_TEXTS
    return any(_tells_digits(value, by_part or "*" in value) for value in condition.values)


def _tells_digits(value: str, by_part: bool) -> bool:
    if by_part:
        return sum(c.isdigit() or c.isnumeric() for c in value) > 1
    return holds_number(value)


def asks_numbers(query: Query) -> bool:
    """Whether any of its conditions does."""
    return any(map(asks_number, query.conditions))


def asks_masked(condition: Condition) -> bool:
    """Whether it looks into what is shown masked, and so tells of it by yes or no."""
    return condition.key in _OF_MASKED_TEXTS or asks_number(condition)


@lru_cache(maxsize=256)
def _parts(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.casefold().split("*"))


def like(pattern: str, text: str) -> bool:
    """Whether a text is the pattern's, in which `*` stands for anything; letter case is nothing.

    Each part is looked for once, from where the one before it ended: the first place is as good as
    any for what follows, so nothing is tried twice.
    """
    first, *others = _parts(pattern)
    low = text.casefold()
    if not others:
        return low == first
    last = others.pop()
    end = len(low) - len(last)
    if not (low.startswith(first) and low.endswith(last)) or end < len(first):
        return False
    at = len(first)
    for part in others:
        found = low.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _bot(value: str, names: Names, facet: Facet) -> bool:
    return like(value, names.bot_name(facet.host, facet.endpoint, facet.exophone))


def _exophone(value: str, names: Names, facet: Facet) -> bool:
    return number_matches(value, facet.exophone) or like(value, names.exophone(facet.exophone))


def _name(value: str, names: Names, facet: Facet) -> bool:
    texts = (
        facet.endpoint,
        facet.host,
        names.bot_name(facet.host, facet.endpoint, facet.exophone),
        names.exophone(facet.exophone),
    )
    return any(like(f"*{value}*", text) for text in texts)


OF_FACET: dict[str, Callable[[str, Names, Facet], bool]] = {
    "cause": lambda value, names, facet: value == facet.cause,
    "kind": lambda value, names, facet: value == facet.kind,
    "option": lambda value, names, facet: value == facet.option,
    "endpoint": lambda value, names, facet: like(value, facet.endpoint),
    "host": lambda value, names, facet: bool(facet.host) and like(value, facet.host),
    "bot": _bot,
    "exophone": _exophone,
    "name": _name,
}
"""What a stream's facet alone decides."""
_OF_OTHER = ("host", "bot", "exophone", "name")


def _status_hint(value: str, names: Names, facet: Facet) -> bool | None:
    return None if facet.status == StreamStatus.UNKNOWN else value == facet.status


def _is_hint(value: str, names: Names, facet: Facet) -> bool | None:
    return None if value in _OF_STREAM else _IS[value](facet.cause)


_HINTS: dict[str, Callable[[str, Names, Facet], bool | None]] = {
    **OF_FACET,
    "status": _status_hint,
    "is": _is_hint,
    "error": lambda value, names, facet: None if facet.kind else False,
}
"""What a facet tells of a condition; None where only the stream can tell."""
_IS: dict[str, Callable[[str], bool]] = {
    "failed": lambda cause: cause in FAILURES,
    "running": lambda cause: cause == Cause.RUNNING,
    "ended": lambda cause: cause not in (Cause.RUNNING, Cause.NO_STREAM),
}
_DIGITS = re.compile("[0-9]{3}")  # who says no number has none, or a word, or a zero
_OF_STREAM: dict[str, Callable[[StreamRow], bool]] = {
    "late": lambda row: row.late_ms is not None,
    "one_copy": lambda row: row.one_copy,
    "withheld": lambda row: not _DIGITS.search(row.story.said("from_") or ""),
}
STATES = (*_IS, *_OF_STREAM)
"""What follows `is:`."""


def _status(value: str, names: Names, row: StreamRow) -> bool:
    status = row.facet.status
    return value == status or value == (row.story.stream.status or "").lower()


def _flow(value: str, names: Names, row: StreamRow) -> bool:
    flow_id = row.story.said("flow_id")
    return flow_id is not None and (like(value, flow_id) or like(value, names.flow(flow_id)))


def _number(value: str, names: Names, row: StreamRow) -> bool:
    return any(number_matches(value, row.story.said(field)) for field in ("from_", "to"))


def _said(field: str) -> Callable[[str, Names, StreamRow], bool]:
    """What was said of the call, with `*` for anything; an empty text is none."""

    def holds(value: str, names: Names, row: StreamRow) -> bool:
        text = row.story.said(field)
        return bool(text) and like(value, text or "")

    return holds


def _error(value: str, names: Names, row: StreamRow) -> bool:
    error = row.story.stream.error
    return bool(error) and like(f"*{value}*", error or "")


def _is(value: str, names: Names, row: StreamRow) -> bool:
    return _OF_STREAM[value](row) if value in _OF_STREAM else _IS[value](row.facet.cause)


COMPARISON = re.compile(r"(>=|<=|>|<|=)?([0-9]{1,9})")


def _duration(value: str, names: Names, row: StreamRow) -> bool:
    have, asked = row.story.stream.duration_s, COMPARISON.fullmatch(value)
    if have is None or asked is None:
        return False
    want = int(asked[2])
    match asked[1]:
        case ">":
            return have > want
        case ">=":
            return have >= want
        case "<":
            return have < want
        case "<=":
            return have <= want
        case _:
            return have == want


OF_ROW: dict[str, Callable[[str, Names, StreamRow], bool]] = {
    "call": lambda value, names, row: value == row.story.call_sid,
    "stream": lambda value, names, row: value == row.story.sid,
    "sid": lambda value, names, row: value in (row.story.call_sid, row.story.sid),
    "from": lambda value, names, row: number_matches(value, row.story.said("from_")),
    "to": lambda value, names, row: number_matches(value, row.story.said("to")),
    "number": _number,
    "status": _status,
    "flow": _flow,
    "custom_field": _said("custom_field"),
    "digits": _said("digits"),
    "error": _error,
    "is": _is,
    "duration": _duration,
    "rule": lambda value, names, row: value == row.story.settled_by.rule,
}
"""What the stream itself decides."""
