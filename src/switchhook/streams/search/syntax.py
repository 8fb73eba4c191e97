"""A search as people type it, read and written: the text never fails, it has problems.

Words stand between blanks and all have to hold. `key:value` says what is meant; several values of
one key, by commas or said again, are alternatives; `!` before a word excludes it. A word without a
key is guessed: a SID, a number, a cause, a status, a host, else a part of a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, tzinfo
from difflib import get_close_matches

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.exotel.number_keys import FEWEST, PATTERN, digits_asked
from switchhook.exotel.passthru import Stream, StreamStatus
from switchhook.exotel.phone_numbers import hint_of
from switchhook.exotel.stream_error import ErrorKind
from switchhook.exotel.times import IST
from switchhook.streams.search.query import (
    COMPARISON,
    EACH_HOLDS,
    STATES,
    Condition,
    Moment,
    Query,
    SearchProblem,
)
from switchhook.web.moments import read_moment

LONGEST = 2000
"""Characters of a search that are read."""
_LONGEST_VALUE = 300
_MOST = 50  # conditions and values, each

_TOKEN = re.compile(r'(?:"(?:\\.|[^"\\])*"?|[^\s"])+')
_WORD = re.compile(r"(!?)(?:([A-Za-z_]{1,20})(:|(?=[<>]))|)(.*)", re.DOTALL)
_VALUE = re.compile(r'"((?:\\.|[^"\\])*)("?)|([^,"]+)')
_PLAIN = re.compile(r'[^\s,"!:<>\\][^\s,"\\]*')
_SID = re.compile(r"[0-9A-Za-z]{32}")
_HOST = re.compile(
    r"(?:wss?://)?([0-9A-Za-z*](?:[0-9A-Za-z_*-]*\.)+[0-9A-Za-z*-]+)(?::[0-9]+)?(?:/\S*)?"
)
_GUESSED_NUMBER = re.compile(r"\+?[0-9]{4,31}|\*[0-9]{3,31}")


class _Unclear(Exception):  # noqa: N818 - becomes a SearchProblem
    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint


class Key(msgspec.Struct, frozen=True):
    """One key: what it looks for, an example, and how a value of it is read."""

    name: str
    meaning: str
    example: str
    read: Callable[[str], str]


def _text(value: str) -> str:
    return value


def _lower(value: str) -> str:
    return value.lower()


def _one_of(what: str, words: tuple[str, ...]) -> Callable[[str], str]:
    def read(value: str) -> str:
        word = value.strip().lower()
        for candidate in (word, word.replace("-", "_"), word.replace("_", "-")):
            if candidate in words:
                return candidate
        raise _Unclear(f"{value[:40]!r} is no {what}", _meant(word, words) or _all_of(words))

    return read


def _option(value: str) -> str:
    if value.upper() not in ("A", "B"):
        raise _Unclear(f"{value[:40]!r} is no option", "A or B")
    return value.upper()


def _status(value: str) -> str:
    state = Stream(status=value.strip()).state
    known = state is not None and state is not StreamStatus.UNKNOWN
    return state.value if known and state else value.strip().lower()


_HINT_NUMBER = f"{FEWEST} digits or more of its beginning (98765, +9198765) or its end (*3210)"


def _number(value: str) -> str:
    digits = re.sub(r"[ ().-]", "", value)
    if not PATTERN.fullmatch(digits):
        raise _Unclear(f"{hint_of(value)} is no part of a number", _HINT_NUMBER)
    if digits_asked(digits) < FEWEST:
        raise _Unclear("too few digits", _HINT_NUMBER)
    return digits


def _exophone(value: str) -> str:
    digits = re.sub(r"[ ().-]", "", value)
    return digits if PATTERN.fullmatch(digits) else value


def _duration(value: str) -> str:
    found = COMPARISON.fullmatch(value.replace(" ", "").removesuffix("s"))
    if found is None:
        raise _Unclear(f"{value[:40]!r} is no length", "whole seconds: duration>30, duration<=5")
    return f"{found[1] or '='}{int(found[2])}"


def _sid(value: str) -> str:
    return value.strip()


KEYS = {
    key.name: key
    for key in (
        Key("cause", "our verdict on how it ended", "cause:throttled,connect_failed",
            _one_of("cause", tuple(Cause))),
        Key("kind", "what went wrong on the way to the bot", "kind:refused",
            _one_of("kind of error", tuple(ErrorKind))),
        Key("status", "the stream's status, or any other word that was said", "status:failed",
            _status),
        Key("is", "failed, running, ended; late: kept after its answer", "is:failed",
            _one_of("state", STATES)),
        Key("bot", "the bot by the name in your configuration, else its host",
            "bot:Reception", _text),
        Key("host", "the host in StreamUrl; * stands for anything", "host:*.bot.example", _lower),
        Key("endpoint", "the endpoint that first told of it", "endpoint:sales", _text),
        Key("option", "what was answered: A or B", "option:B", _option),
        Key("rule", "the rule that chose it, by its whole name; also default, safe option",
            'rule:"stream failed"', _text),
        Key("from", "the caller's number: its beginning, or its end after *", "from:98765",
            _number),
        Key("to", "the number called", "to:*2233", _number),
        Key("number", "either of the two", "number:*3210", _number),
        Key("exophone", "your number, or its name", "exophone:Sales", _exophone),
        Key("flow", "the flow by its name or its number", "flow:11754", _text),
        Key("call", "CallSid", "call:7f31bb90c2d84e0fa6550e1d9c2b1abo", _sid),
        Key("stream", "StreamSID", "stream:b68e46bca0fd4e1c9a7789643f6d1abo", _sid),
        Key("sid", "either of the two", "sid:b68e46bca0fd4e1c9a7789643f6d1abo", _sid),
        Key("duration", "seconds that it lasted", "duration>30", _duration),
        Key("error", "a part of the error's text", 'error:"no such host"', _text),
        Key("name", "a part of the name of bot, host, endpoint or ExoPhone", "name:sales", _text),
        Key("since", "first told of then or later: how long ago, a date, or a time", "since:2h",
            _text),
        Key("until", "first told of before", "until:2026-11-25T18:05", _text),
    )
}  # fmt: skip
"""All keys, in the order in which they are explained."""


def parse_query(text: str, now_ms: int, zone: tzinfo = IST) -> Query:
    """Read a search; a date without a zone is one in `zone`. What is unclear is a problem."""
    reading = _Reading(now_ms, zone)
    if len(text) > LONGEST:
        reading.note(LONGEST, len(text) - LONGEST, "the search is too long", "leave words out")
        text = text[:LONGEST]
    for found in _TOKEN.finditer(text):
        reading.take(found[0], found.start())
    return reading.query()


class _Reading:
    def __init__(self, now_ms: int, zone: tzinfo, conditions: tuple[Condition, ...] = ()) -> None:
        self._now_ms, self._zone = now_ms, zone
        self._conditions = list(conditions)
        self._moments: dict[str, Moment] = {}
        self._problems: list[SearchProblem] = []

    def note(self, at: int, length: int, problem: str, hint: str) -> None:
        self._problems.append(SearchProblem(at, length, problem, hint))

    def query(self) -> Query:
        return Query(
            tuple(self._conditions),
            self._moments.get("since"),
            self._moments.get("until"),
            tuple(self._problems),
        )

    def take(self, token: str, at: int) -> None:
        """One word of the text."""
        try:
            self._take(token)
        except _Unclear as unclear:
            self.note(at, len(token), unclear.problem, unclear.hint)

    def _take(self, token: str) -> None:
        found = _WORD.fullmatch(token)
        assert found is not None, "the expression takes everything"
        excluded, key, rest = bool(found[1]), found[2], found[4]
        if key is not None and key.lower() in ("ws", "wss") and rest.startswith("//"):
            key, rest = None, f"{key}:{rest}"
        if key is None:
            values = _values(rest)
            key, values = _guess(values)
        else:
            key = key.lower()
            if key not in KEYS:
                raise _Unclear(f"there is no key {key!r}", _meant(key, KEYS) or _all_of(KEYS))
            values = _values(rest)
        _check(key, values)
        if key in ("since", "until"):
            self._take_moment(key, values, excluded)
        else:
            self.add(key, [KEYS[key].read(value) for value in values], excluded)

    def _take_moment(self, key: str, values: list[str], excluded: bool) -> None:
        if excluded or len(values) > 1 or key in self._moments:
            hint = "since and until are said once each, without an exclamation mark"
            raise _Unclear(f"there can be one {key} only", hint)
        at = read_moment(values[0], self._now_ms, self._zone)
        if at is None:
            raise _Unclear(
                f"{values[0][:40]!r} is no time",
                "90s, 15m, 2h, 7d or 2w ago; 2026-11-25; 2026-11-25T18:05; or with a zone,"
                " 2026-11-25T18:05:00+05:30",
            )
        self._moments[key] = Moment(values[0], at)

    def add(self, key: str, said: list[str], excluded: bool) -> None:
        """One condition more, or further values of one that is there."""
        _check(key, said)
        values = tuple(dict.fromkeys(said))
        if len(self._conditions) >= _MOST or len(values) > _MOST:
            raise _Unclear("too many conditions", f"at most {_MOST}")
        new = Condition(key, values, excluded)
        for place, each in enumerate(self._conditions):
            if (each.key, each.excluded) != (key, excluded):
                continue
            if key not in EACH_HOLDS or excluded:
                merged = tuple(dict.fromkeys(each.values + values))
                if len(merged) > _MOST:
                    raise _Unclear("too many values", f"at most {_MOST}")
                self._conditions[place] = Condition(key, merged, excluded)
                return
            if each == new:
                return
        self._conditions.append(new)


def _check(key: str, values: list[str]) -> None:
    if not values or not all(values):
        raise _Unclear(f"{key} has no value", f"for example {KEYS[key].example}")
    if any(len(value) > _LONGEST_VALUE for value in values):
        raise _Unclear("the value is too long", f"at most {_LONGEST_VALUE} characters")


def _values(text: str) -> list[str]:
    """Values between commas, without the quotes around them."""
    values = []
    for found in _VALUE.finditer(text):
        if found[3] is not None:
            values.append(found[3])
            continue
        if not found[2]:
            raise _Unclear("a quotation mark is not closed", 'put a " at its end')
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
    return "name", values


_GUESSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("cause", tuple(word for word in Cause if word != Cause.UNKNOWN)),
    ("status", tuple(word for word in StreamStatus if word != StreamStatus.UNKNOWN)),
    ("kind", tuple(word for word in ErrorKind if word != ErrorKind.OTHER)),
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
    reading = _Reading(0, UTC, query.conditions)
    try:
        reading.add(key, [KEYS[key].read(value)], excluded)
    except _Unclear:
        return query
    return msgspec.structs.replace(query, conditions=reading.query().conditions)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _meant(word: str, words: object) -> str:
    found = get_close_matches(word, list(words), 1)  # type: ignore[call-overload]
    return f"did you mean {found[0]}?" if found else ""


def _all_of(words: object) -> str:
    return "one of " + ", ".join(words)  # type: ignore[arg-type]
