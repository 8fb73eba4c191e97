"""What the answer process counts, by the names that Prometheus knows it under.

A name that is not in the table becomes an event of its own, so that none is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from switchhook.journal.receipt import (
    ANSWER_BUCKETS,
    ANSWER_US,
    ANSWERED_ALONE,
    ANSWERED_UNREAD,
    UNREADABLE,
    WAITING,
)
from switchhook.metrics import OTHER

if TYPE_CHECKING:
    from collections.abc import Mapping


class CounterPlace(msgspec.Struct, frozen=True):
    """Where a count belongs: a family with its meaning, and the labels of it."""

    family: str
    meaning: str
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


_REFUSED = "Requests refused before they were decided, by reason."
_UNREADABLE = "Requests that were no readable HTTP, whether they proved a secret or not."
_AWAY = "Connections that were closed without an answer, by reason."
_WEBHOOKS = "StatusCallbacks, Heartbeats and bots' reports that were taken in."
_WEBHOOKS_REFUSED = "StatusCallbacks, Heartbeats and bots' reports that were refused, by reason."
_ADMISSION = "Calls that asked an admit endpoint, by what became of it."
_ADDRESS = "Dynamic URLs that were answered, by what was given."
_EVENTS = "Everything else that the answer program counts."

_ALONE = {
    "answered": CounterPlace("answers", "Passthrus and dynamic URLs that were answered."),
    ANSWERED_UNREAD: CounterPlace(
        "answers_unread", "Passthrus that were answered though their head was no readable HTTP."
    ),
    "deadline before disk": CounterPlace(
        "answer_deadlines_missed", "Answers that left before their receipt was on disk."
    ),
    ANSWERED_ALONE: CounterPlace(
        "answers_one_copy",
        "Answers that left before their receipt was kept twice, though that was asked for.",
    ),
    "failed to decide": CounterPlace(
        "answers_undecided", "Passthrus for which deciding failed: the safe option was taken."
    ),
    "admission unknown": CounterPlace(
        "admissions_unknown",
        "Calls that asked for room while nothing was known: the safe option was taken.",
    ),
    "receipt refused by the database": CounterPlace(
        "receipts_refused", "Receipts that the database refused; their bytes were set aside."
    ),
}
_REASONS = {
    "secret wrong", "secret missing", "not loopback", "unknown endpoint", "unknown account",
}  # fmt: skip
_WEBHOOK_REASONS = {
    "webhook secret wrong": "secret_wrong",
    "webhook secret missing": "secret_missing",
    "webhook method": "method",
    "webhook refused: too many wait": "too_many_wait",
    "webhook not kept in time": "not_kept_in_time",
    "report secret wrong": "report_secret_wrong",
    "report secret missing": "report_secret_missing",
    "report not loopback": "report_not_loopback",
    "report method": "report_method",
    "report not understood": "report_not_understood",
}
_RECEIVED = {
    "status received": "status",
    "heartbeat received": "heartbeat",
    "report received": "report",
}
_ADMISSIONS = {"admitted": "admitted", "admission refused": "refused"}
_ADDRESSES = {"address given": "member", "fallback given": "fallback", "no address": "none"}
_TURNED_AWAY = {
    "too many connections", "too many connections from one address", "silent",
    "closed for a newer connection", "broken off in the head", "answers left unread",
}  # fmt: skip
_NOT_COUNTS = {*ANSWER_BUCKETS, ANSWER_US, WAITING}
_BODY_PREFIX = "webhook: "
_WORD = re.compile(r"[^a-z0-9]+")
_LIKE_NUMBER = re.compile("[0-9]{4}")
_LONGEST = 60
FROM_THE_START = (
    *(*_ALONE, *_REASONS, *_WEBHOOK_REASONS, *_RECEIVED, *_TURNED_AWAY),
    *(*_ADMISSIONS, *_ADDRESSES),
)
"""What is told as 0 before it was ever counted: else the first of a kind is no increase."""
MOST_VALUES = 40
"""A family has no more labels than that; what else there is, is `other`."""


def place_of(name: str) -> CounterPlace | None:
    """Where a counter's name belongs; None for what is no count of events."""
    if name in _NOT_COUNTS:
        return None
    if name in _ALONE:
        return _ALONE[name]
    if name in _REASONS:
        return CounterPlace("requests_refused", _REFUSED, ("reason",), (_word(name),))
    if name in _WEBHOOK_REASONS or name.startswith(_BODY_PREFIX):
        reason = _WEBHOOK_REASONS.get(name, "body_not_whole")
        return CounterPlace("webhooks_refused", _WEBHOOKS_REFUSED, ("reason",), (reason,))
    if name in _RECEIVED:
        return CounterPlace("webhooks_received", _WEBHOOKS, ("kind",), (_RECEIVED[name],))
    if name in _ADMISSIONS:
        return CounterPlace("admissions", _ADMISSION, ("outcome",), (_ADMISSIONS[name],))
    if name in _ADDRESSES:
        return CounterPlace("addresses_given", _ADDRESS, ("given",), (_ADDRESSES[name],))
    if name in _TURNED_AWAY:
        return CounterPlace("connections_turned_away", _AWAY, ("reason",), (_word(name),))
    if name.startswith(UNREADABLE):
        reason = _word(name.removeprefix(UNREADABLE))
        return CounterPlace("requests_unreadable", _UNREADABLE, ("reason",), (reason,))
    return CounterPlace("answer_events", _EVENTS, ("event",), (_word(name),))


def not_let_in(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Of what was counted, what was refused, not readable or turned away; the most first.

    Reasons that hold what may be a number are one, `other`.
    """
    found: Counter[str] = Counter()
    for name, count in counts.items():
        place = place_of(name)
        if place is not None and place.meaning in (_REFUSED, _UNREADABLE, _AWAY):
            found[OTHER if _LIKE_NUMBER.search(name) else name] += count
    return found.most_common()


def _word(text: str) -> str:
    """A text as a label's value: lower-case words, no digits in a row that could be a number."""
    word = _WORD.sub("_", text.lower()).strip("_")
    return OTHER if len(word) > _LONGEST or _LIKE_NUMBER.search(word) else word or OTHER
