"""A search as people type it, read and written: the text never fails, it has problems.

Words stand between blanks and all have to hold. `key:value` says what is meant; several values of
one key, by commas or said again, are alternatives; `!` before a word excludes it. A word without a
key is guessed: a SID, a number, a day, a cause, a status, a host, else a part of a name. A number,
a time or a length goes on over blanks as far as it can be read.
"""

from __future__ import annotations

import re
from datetime import UTC, tzinfo

import msgspec

from switchhook.exotel.asked_number import asked_number, why_no_number
from switchhook.exotel.cause import Cause
from switchhook.exotel.passthru import StreamStatus
from switchhook.exotel.stream_error import ErrorKind
from switchhook.exotel.times import IST
from switchhook.streams.search.keys import KEYS, OF_TIMES, WITHHELD, Unclear, key_named, no_such_key
from switchhook.streams.search.query import (
    EACH_HOLDS,
    Condition,
    Moment,
    Query,
    SearchProblem,
)
from switchhook.streams.search.tokens import Word, plain_signs, words_of
from switchhook.web.moments import read_span

LONGEST = 2000
"""Characters of a search that are read."""
_LONGEST_VALUE = 300
_MOST = 50  # conditions and values, each

_VALUE = re.compile(r'"((?:\\.|[^"\\])*)("?)|([^,"]+)')
_PLAIN = re.compile(
    r'[^\s,"!:<>=≥≤\uff01\uff02\uff0c\uff1a\uff1c-\uff1e\\\u061c\u200b\u200e\u200f\u201c-\u201f\u202a-\u202e\u2060-\u206f\ufeff«»]'
    r'[^\s,"\uff01\uff02\uff0c\uff1a\uff1c-\uff1e\\\u061c\u200b\u200e\u200f\u201c-\u201f\u202a-\u202e\u2060-\u206f\ufeff«»]*'
)
_SID = re.compile(r"[0-9A-Za-z]{32}")
_HOST = re.compile(
    r"(?:wss?://)?([0-9A-Za-z*](?:[0-9A-Za-z_*-]*\.)+[0-9A-Za-z*-]+)(?::[0-9]+)?(?:/\S*)?"
)
_GUESSED_NUMBER = re.compile(r"\+?[0-9]{4,31}|\*[0-9]{3,31}|[0-9]{3,31}\*")


def parse_query(text: str, now_ms: int, zone: tzinfo = IST) -> Query:
    """Read a search; a date without a zone is one in `zone`. What is unclear is a problem."""
    reading = _Reading(now_ms, zone)
    if len(text) > LONGEST:
        reading.note(LONGEST, len(text) - LONGEST, "the search is too long", "leave words out")
        text = text[:LONGEST]
    for word in words_of(plain_signs(text), lambda said: reading.is_time(said)):
        reading.take(word)
    return reading.query()


class _Reading:
    def __init__(self, now_ms: int, zone: tzinfo, conditions: tuple[Condition, ...] = ()) -> None:
        self._now_ms, self._zone = now_ms, zone
        self._conditions = list(conditions)
        self._moments: dict[str, str] = {}
        self._problems: list[SearchProblem] = []

    def note(self, at: int, length: int, problem: str, hint: str) -> None:
        self._problems.append(SearchProblem(at, length, problem, hint))

    def is_time(self, text: str) -> bool:
        """Whether a text is a time by itself."""
        return read_span(text, self._now_ms, self._zone) is not None

    def query(self) -> Query:
        since = self._moment("since")
        until = self._moment("until", since)
        return Query(tuple(self._conditions), since, until, tuple(self._problems))

    def _moment(self, key: str, since: Moment | None = None) -> Moment | None:
        text = self._moments.get(key)
        if text is None:
            return None
        after_ms = None if since is None else since.ms
        span = read_span(text, self._now_ms, self._zone, after_ms=after_ms)
        assert span is not None, "what is no time was refused"
        return Moment(text, span.until if key == "until" else span.since)

    def take(self, word: Word) -> None:
        """One word of the text."""
        try:
            self._take(word)
        except Unclear as unclear:
            self.note(word.at, word.length, unclear.problem, unclear.hint)

    def _take(self, word: Word) -> None:
        if word.key is None:
            key, values = _guess(_values(word.value))
        else:
            known = key_named(word.key)
            if known is None:
                raise no_such_key(word.key)
            key, values = known, _values(word.value)
        _check(key, values)
        if key in OF_TIMES:
            self._take_moment(key, values, word.excluded)
        elif key == "from" and all(value.lower() in WITHHELD for value in values):
            self.add("is", ["withheld"], word.excluded)
        else:
            self.add(key, [KEYS[key].read(value) for value in values], word.excluded)

    def _take_moment(self, key: str, values: list[str], excluded: bool) -> None:
        for each in ("since", "until") if key == "on" else (key,):
            if excluded or len(values) > 1 or each in self._moments:
                hint = "since and until are said once each, without an exclamation mark"
                raise Unclear(f"there can be one {each} only", hint)
        span = read_span(values[0], self._now_ms, self._zone)
        if span is None:
            raise Unclear(
                f"{values[0][:40]!r} is no time",
                "90s, 15m, 2h, 7d or 2w ago; today, yesterday, monday; 2026-11-25 or 25 Nov; 21:30;"
                " yesterday 21:30; 2026-11-25T18:05; or with a zone, 2026-11-25T18:05:00+05:30",
            )
        if key == "on" and span.since == span.until:
            raise Unclear(
                f"{values[0][:40]!r} is no day", f"since:{_quoted(values[0])} is from then"
            )
        for each in ("since", "until") if key == "on" else (key,):
            self._moments[each] = values[0]

    def add(self, key: str, said: list[str], excluded: bool) -> None:
        """One condition more, or further values of one that is there."""
        _check(key, said)
        values = tuple(dict.fromkeys(said))
        if len(self._conditions) >= _MOST or len(values) > _MOST:
            raise Unclear("too many conditions", f"at most {_MOST}")
        new = Condition(key, values, excluded)
        for place, each in enumerate(self._conditions):
            if (each.key, each.excluded) != (key, excluded):
                continue
            if key not in EACH_HOLDS or excluded:
                merged = tuple(dict.fromkeys(each.values + values))
                if len(merged) > _MOST:
                    raise Unclear("too many values", f"at most {_MOST}")
                self._conditions[place] = Condition(key, merged, excluded)
                return
            if each == new:
                return
        self._conditions.append(new)


def _check(key: str, values: list[str]) -> None:
    if not values or not all(values):
        raise Unclear(f"{key} has no value", f"for example {KEYS[key].example}")
    if any(len(value) > _LONGEST_VALUE for value in values):
        raise Unclear("the value is too long", f"at most {_LONGEST_VALUE} characters")


def _values(text: str) -> list[str]:
    """Values between commas, without the quotes around them."""
    values = []
    for found in _VALUE.finditer(text):
        if found[3] is not None:
            values.append(found[3].strip(" "))
            continue
        if not found[2]:
            raise Unclear("a quotation mark is not closed", 'put a " at its end')
        values.append(re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL))
    return values


def _guess(values: list[str]) -> tuple[str, list[str]]:
    """The key that values without one are of: the first that takes all."""
    hosts = [_HOST.fullmatch(value) for value in values]
    lows = [value.lower() for value in values]
    if values and all(_SID.fullmatch(value) for value in values):
        return "sid", values
    if values and all(_GUESSED_NUMBER.fullmatch(value) for value in values):
        return "number", values
    for key, words in _GUESSES:
        if values and all(low in words for low in lows):
            return key, values
    if values and all(hosts):
        return "host", [found[1] for found in hosts if found]
    for value in values:
        if value in _OPERATORS:
            raise Unclear(f"there is no {value} between words", _OPERATORS[value])
        if len(value) < _FEWEST_OF_NUMBER or (why := why_no_number(value)) is None:
            continue
        if len(values) == 1 and asked_number(value) is not None:
            return "number", values  # the end of a masked one
        raise Unclear(f"{value[:40]!r} is no number", why)
    return "name", values


_OPERATORS = {
    "OR": "alternatives stand between commas: cause:throttled,unknown",
    "AND": "leave it out: all words have to hold",
    "NOT": "an exclamation mark before a word excludes it: !cause:throttled",
}
_FEWEST_OF_NUMBER = 7
"""Characters from which a text that was a number once is not a name."""


_GUESSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("cause", tuple(word for word in Cause if word != Cause.UNKNOWN)),
    ("status", tuple(word for word in StreamStatus if word != StreamStatus.UNKNOWN)),
    ("kind", tuple(word for word in ErrorKind if word != ErrorKind.OTHER)),
    ("is", ("withheld",)),
)


def query_text(query: Query) -> str:
    """A query as text: `parse_query` makes the same of it. What was unclear is left out."""
    words = []
    for each in query.conditions:
        mark = "!" if each.excluded else ""
        if each.key == "duration":
            words.append(f"{mark}duration:{','.join(each.values)}")
        else:
            words.append(f"{mark}{each.key}:{','.join(map(_quoted, each.values))}")
    for name, moment in (("since", query.since), ("until", query.until)):
        if moment is not None:
            words.append(f"{name}:{_quoted(moment.text)}")
    return " ".join(words)


def with_condition(query: Query, key: str, value: str, *, excluded: bool = False) -> Query:
    """A query that also asks this, as a click on a value does; a value that can't be one, not."""
    if key in OF_TIMES:
        return query
    reading = _Reading(0, UTC, query.conditions)
    try:
        reading.add(key, [KEYS[key].read(value)], excluded)
    except Unclear:
        return query
    return msgspec.structs.replace(query, conditions=reading.query().conditions)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
