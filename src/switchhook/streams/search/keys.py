"""The keys of a search: what each looks for, and how a value of it is read.

A value that can't be one is told with what was probably meant; nothing is made up for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

import msgspec

from switchhook.exotel.asked_number import asked_number, why_no_number
from switchhook.exotel.cause import Cause
from switchhook.exotel.number_keys import FEWEST, PATTERN
from switchhook.exotel.passthru import Stream, StreamStatus
from switchhook.exotel.phone_numbers import hint_of
from switchhook.exotel.stream_error import ErrorKind
from switchhook.streams.search.query import COMPARISON, STATES
from switchhook.web.moments import read_length

OF_NUMBERS = ("from", "to", "number", "exophone")
OF_TIMES = ("since", "until", "on")
WITHHELD = ("withheld", "hidden", "private", "anonymous", "unknown", "none", "restricted")
"""In place of the caller's number: that none was told."""


class Unclear(Exception):  # noqa: N818 - becomes a SearchProblem
    """A word that can't be understood, and what would be."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
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
        word = "_".join(value.lower().split())
        for candidate in (word, word.replace("-", "_"), word.replace("_", "-")):
            if candidate in words:
                return candidate
        hint = _of_another_key(word) or meant(word, words) or all_of(words)
        raise Unclear(f"{value[:40]!r} is no {what}", hint)

    return read


def _option(value: str) -> str:
    if value.upper() not in ("A", "B"):
        raise Unclear(f"{value[:40]!r} is no option", "A or B")
    return value.upper()


def _status(value: str) -> str:
    state = Stream(status=value.strip()).state
    known = state is not None and state is not StreamStatus.UNKNOWN
    return state.value if known and state else value.strip().lower()


_HINT_NUMBER = f"{FEWEST} digits or more of its beginning (98765 or +91987) or its end (*3210)"


def _number(value: str) -> str:
    found = asked_number(value)
    if found is not None:
        return found
    if (why := why_no_number(value)) is not None:
        raise Unclear(f"{hint_of(value)} is no whole number", why)
    if re.fullmatch(r"[+*0-9 ().-]+", value):
        raise Unclear("too few digits", _HINT_NUMBER)
    raise Unclear(f"{hint_of(value)} is no part of a number", _HINT_NUMBER)


def _exophone(value: str) -> str:
    if re.search(r"[^\W\d_]", value) is None and (found := asked_number(value)) is not None:
        return found
    digits = re.sub(r"[ ().-]", "", value)
    return digits if PATTERN.fullmatch(digits) else value


def _duration(value: str) -> str:
    found = re.fullmatch(r"\s*(>=|=>|≥|<=|=<|≤|>|<|=)?(.*)", value, re.DOTALL)
    length = None if found is None else read_length(found[2])
    if found is None or length is None or length >= 10**9:
        hint = "seconds, or minutes and seconds: duration>30, duration<=1m30s, duration>1:30"
        raise Unclear(f"{value[:40]!r} is no length", hint)
    said = _COMPARISONS.get(found[1], found[1]) or "="
    assert COMPARISON.fullmatch(f"{said}{length}"), "is what searches compare by"
    return f"{said}{length}"


_COMPARISONS = {"=>": ">=", "≥": ">=", "=<": "<=", "≤": "<="}


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
        Key("is", "failed, running, ended; late: kept after its answer; one_copy: answered with one"
            " copy of its receipt; withheld: no caller's number was told", "is:failed",
            _one_of("state", STATES)),
        Key("bot", "the bot by the name in your configuration, else its host",
            "bot:Reception", _text),
        Key("host", "the host in StreamUrl; * stands for anything", "host:*.bot.example", _lower),
        Key("endpoint", "the endpoint that first told of it", "endpoint:sales", _text),
        Key("option", "what was answered: A or B", "option:B", _option),
        Key("rule", "the rule that chose it, by its whole name; also default, safe option",
            'rule:"stream failed"', _text),
        Key("from", "the caller's number in any spelling, its beginning or its end; or withheld",
            "from:98765", _number),
        Key("to", "the number called", "to:*2233", _number),
        Key("number", "either of the two", "number:*3210", _number),
        Key("exophone", "your number, or its name", "exophone:Sales", _exophone),
        Key("custom_field", "the CustomField of the call; * stands for anything",
            "custom_field:lead-4711", _text),
        Key("digits", "the digits that were dialled before the Passthru", "digits:2", _text),
        Key("flow", "the flow by its name or its number", "flow:11754", _text),
        Key("call", "CallSid", "call:7f31bb90c2d84e0fa6550e1d9c2b1abo", _sid),
        Key("stream", "StreamSID", "stream:b68e46bca0fd4e1c9a7789643f6d1abo", _sid),
        Key("sid", "either of the two", "sid:b68e46bca0fd4e1c9a7789643f6d1abo", _sid),
        Key("duration", "how long it lasted: 30, 30s, 1m30s or 1:30", "duration>30", _duration),
        Key("error", "a part of the error's text", 'error:"no such host"', _text),
        Key("name", "a part of the name of bot, host, endpoint or ExoPhone", "name:sales", _text),
        Key("since", "first told of then or later: how long ago, a day, or a time", "since:2h",
            _text),
        Key("until", "first told of before then; a day is meant with all of it",
            "until:2026-11-25T18:05", _text),
        Key("on", "first told of on that day: since and until at once", "on:yesterday", _text),
    )
}  # fmt: skip
"""All keys, in the order in which they are explained."""

ALIASES = {
    "caller": "from",
    "callfrom": "from",
    "called": "to",
    "callto": "to",
    "phone": "number",
    "mobile": "number",
    "tel": "number",
    "callsid": "call",
    "streamsid": "stream",
    "stream_sid": "stream",
    "call_sid": "call",
    "customfield": "custom_field",
    "custom": "custom_field",
    "flow_id": "flow",
    "reason": "cause",
    "lasted": "duration",
    "answered": "option",
    "after": "since",
    "before": "until",
    "day": "on",
    "date": "on",
}
"""Other words for keys: Exotel's names of parameters, the page's titles, and what people type."""


def key_named(word: str) -> str | None:
    """The key that a word means; None where it is none."""
    low = word.lower().replace("-", "_")
    return low if low in KEYS else ALIASES.get(low)


def no_such_key(word: str) -> Unclear:
    """That there is none, and which was probably meant."""
    low = word.lower()
    close = get_close_matches(low, [*KEYS, *ALIASES], 1)
    hint = f"did you mean {ALIASES.get(close[0], close[0])}?" if close else all_of(KEYS)
    return Unclear(f"there is no key {low!r}", hint)


CLOSED: dict[str, tuple[str, ...]] = {
    "cause": tuple(Cause),
    "kind": tuple(ErrorKind),
    "is": STATES,
}
"""The keys whose values are few and ours."""


def _of_another_key(word: str) -> str:
    found = next((key for key, words in CLOSED.items() if word in words), None)
    if found is None and word in tuple(StreamStatus):
        found = "status"
    return "" if found is None else f"did you mean {found}:{word}?"


def meant(word: str, words: Iterable[str]) -> str:
    """What was probably meant, as a question; empty where nothing is near."""
    found = get_close_matches(word, list(words), 1)
    return f"did you mean {found[0]}?" if found else ""


def all_of(words: Iterable[str]) -> str:
    return "one of " + ", ".join(words)
