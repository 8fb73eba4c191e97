"""How much a word says of a call, so that later ones with less don't stand over what is known.

Exotel sends `null`, nothing, and times of 1970 or the year 0 for what it does not know (yet), and
its events come late and out of order (exotel-platform A.4, E.3).
"""

from __future__ import annotations

from switchhook.exotel.fields import Unusable, e164, instant, seconds
from switchhook.exotel.wire.scalar import clean

FINAL_STATUSES = frozenset({"completed", "failed", "busy", "no-answer", "canceled"})
_OTHER_SPELLINGS = {
    "cancelled": "canceled",
    "noanswer": "no-answer",
    "no answer": "no-answer",
    "no_answer": "no-answer",
    "in progress": "in-progress",
}


def call_status(text: str) -> str:
    """A call's status as Exotel's API spells it."""
    word = text.strip().lower()
    return _OTHER_SPELLINGS.get(word, word)


def is_final(text: str | None) -> bool:
    """Whether a call's status says that the call is over."""
    return text is not None and call_status(text) in FINAL_STATUSES


NOTHING, SOMETHING, USABLE = range(3)


def worth_of_time(text: str) -> int:
    """How much a time says; placeholders of "not yet" say nothing."""
    found = instant(text.strip())
    return NOTHING if found is None else SOMETHING if isinstance(found, Unusable) else USABLE


def worth_of_number(text: str, region: str = "IN") -> int:
    """How much a telephone number says: one in full more than words and parts."""
    return USABLE if isinstance(e164(text.strip(), region), str) else SOMETHING


def worth_of_seconds(text: str) -> int:
    """How much a duration says: a longer one more, as a call's only grows."""
    found = seconds(text.strip())
    return USABLE + found if isinstance(found, int) else SOMETHING


def worth_of_status(text: str) -> int:
    """How much a call's status says: a final one more."""
    return USABLE if is_final(text) else SOMETHING


def worth_of_text(text: str) -> int:
    """How much any other text says."""
    return NOTHING if clean(text) is None else SOMETHING
