"""One call told by four sources: passthrus, status callbacks, call details, heartbeats.

Each says its fields in its own words. Here they become one story: for every field what is believed
and who says it, and in words where they disagree. Also when to ask for a call's details.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.call_words import (
    FINAL_STATUSES,
    NOTHING,
    call_status,
    worth_of_number,
    worth_of_seconds,
    worth_of_status,
    worth_of_text,
    worth_of_time,
)
from switchhook.exotel.fields import Unusable, e164, instant, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

# When details are asked for.

LOOKS_MS = (120_000, 300_000, 900_000)
"""How long after the end of a call it is looked at: what Exotel says of it grows for minutes."""
MORE_LOOKS_MS = (1_800_000, 3_600_000)
"""And again, where it still runs by Exotel's word: a stream ends before its call does."""
GIVE_UP_MS = 3_600_000
RETRY_FIRST_MS, RETRY_MOST_MS = 30_000, 600_000


class Due(msgspec.Struct, frozen=True):
    """A call whose details are wanted; times in ms, Unix time.

    `looks` is how many of its times are past, `failures` how often in a row nothing was learnt.
    """

    account: str
    call_sid: str
    ended_ms: int
    due_ms: int
    looks: int = 0
    failures: int = 0


class DetailsAttempt(StrEnum):
    """What became of one question for a call's details."""

    RUNNING = "running"
    """Exotel knows the call, and no end of it yet."""
    ENDED = "ended"
    """It knows the end."""
    FAILED = "failed"
    """Nothing was learnt."""


def first_due(account: str, call_sid: str, ended_ms: int, now_ms: int) -> Due | None:
    """When to look first; None where it ended too long ago."""
    return _next(Due(account, call_sid, ended_ms, 0), LOOKS_MS, now_ms)


def after_look(due: Due, look: DetailsAttempt, now_ms: int, chance: float) -> Due | None:
    """When to look again; None where nothing more is to come.

    `chance` from 0 to 1 spreads retries. Looks whose time passed meanwhile are one.
    """
    if look is DetailsAttempt.FAILED:
        doubled = RETRY_FIRST_MS << min(due.failures, 10)
        wait_ms = round(min(doubled, RETRY_MOST_MS) * (0.5 + chance / 2))
        if now_ms + wait_ms > due.ended_ms + GIVE_UP_MS:
            return None
        return msgspec.structs.replace(due, failures=due.failures + 1, due_ms=now_ms + wait_ms)
    times = LOOKS_MS if look is DetailsAttempt.ENDED else LOOKS_MS + MORE_LOOKS_MS
    done = msgspec.structs.replace(due, looks=due.looks + 1, failures=0)
    return _next(done, times, now_ms)


def _next(due: Due, times: tuple[int, ...], now_ms: int) -> Due | None:
    """The next of the times; several that are past are one, the last of them."""
    since_ms = now_ms - due.ended_ms
    if since_ms > GIVE_UP_MS or due.looks >= len(times):
        return None
    look = max([due.looks, *(at for at, after in enumerate(times) if after <= since_ms)])
    return msgspec.structs.replace(due, looks=look, due_ms=due.ended_ms + times[look])


class KeptDetails(msgspec.Struct, frozen=True):
    """What Exotel said of a call when it was last asked: the body of its answer."""

    account: str
    call_sid: str
    fetched_ms: int
    body: str


# One story.


class Source(StrEnum):
    """Who says something of a call; the later one is believed where they differ."""

    PASSTHRU = "passthru"
    CALLBACK = "callback"
    DETAILS = "call details"


class SourceReport(msgspec.Struct, frozen=True):
    """What one source said at `at_us`: texts by field, as sent."""

    source: Source
    at_us: int
    fields: Mapping[str, str]


class HeartbeatReport(msgspec.Struct, frozen=True):
    """A heartbeat: how an account's numbers were at `at_us`."""

    at_us: int
    status: str
    affected: tuple[str, ...] = ()


class Claim(msgspec.Struct, frozen=True):
    """One source's word on a field: as sent, and when it said so last."""

    source: Source
    text: str
    at_us: int


class FieldStory(msgspec.Struct, frozen=True):
    """A field: `said` by whom, in the order of sources; `text` is what is believed."""

    name: str
    said: tuple[Claim, ...]
    agreed: bool

    @property
    def text(self) -> str:
        return self.said[-1].text

    @property
    def source(self) -> Source:
        """Who is believed."""
        return self.said[-1].source


class CallSources(msgspec.Struct, frozen=True):
    """The story: fields in order, disagreements and troubles of the time in words."""

    fields: tuple[FieldStory, ...] = ()
    disagreements: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()

    def field(self, name: str) -> FieldStory | None:
        return next((each for each in self.fields if each.name == name), None)


FIELDS = (
    "status",
    "direction",
    "from",
    "to",
    "started",
    "ended",
    "duration",
    "talked",
    "answered_by",
    "custom_field",
    "recording_url",
    "price",
)
"""The fields that are compared and shown, in this order; others come after them, by name."""

NEAR_US = 15 * 60_000_000
"""How long before and after a call a heartbeat is of its time."""
_NEAR_TIME_S, _NEAR_LENGTH_S = 5, 2
_INBOUND = {"incoming": "inbound"}
_NUMBERS, _TIMES = ("from", "to"), ("started", "ended")
_LENGTHS = ("duration", "talked")
_EXACT = ("custom_field",)
_LONGEST_SHOWN = 60


def call_sources(
    reports: Iterable[SourceReport],
    beats: Iterable[HeartbeatReport] = (),
    *,
    numbers: tuple[str, ...] = (),
    begun_us: int | None = None,
    over_us: int | None = None,
    region: str = "IN",
) -> CallSources:
    """Put together what was said, in whatever order it came.

    `numbers` are the call's ExoPhone and caller, `begun_us` and `over_us` its time, by which
    heartbeats are chosen; `region` is that of numbers without a country code.
    """
    said: dict[str, dict[Source, Claim]] = {}
    for report in sorted(reports, key=_when):
        for name, text in report.fields.items():
            by = said.setdefault(name, {})
            before, worth = by.get(report.source), _worth(name, text, region)
            if worth != NOTHING and (before is None or worth >= _worth(name, before.text, region)):
                by[report.source] = Claim(report.source, text, report.at_us)
    order = {name: at for at, name in enumerate(FIELDS)}
    stories = [
        _field(name, by, region)
        for name, by in sorted(said.items(), key=lambda each: (order.get(each[0], 99), each[0]))
        if by
    ]
    return CallSources(
        fields=tuple(stories),
        disagreements=tuple(_disagreement(each) for each in stories if not each.agreed),
        troubles=_troubles(beats, (*numbers, *_named(stories)), begun_us, over_us, region),
    )


def _when(report: SourceReport) -> tuple[int, str, list[tuple[str, str]]]:
    return report.at_us, report.source, sorted(report.fields.items())


def _worth(name: str, text: str, region: str) -> int:
    """How much a word says: callbacks come late and twice, and what says more stands."""
    if name == "status":
        return worth_of_status(text)
    if name in _NUMBERS:
        return worth_of_number(text, region) if worth_of_text(text) else NOTHING
    if name in _TIMES:
        return worth_of_time(text) if worth_of_text(text) else NOTHING
    if name in _LENGTHS:
        return worth_of_seconds(text) if worth_of_text(text) else NOTHING
    return worth_of_text(text)


def _field(name: str, by: Mapping[Source, Claim], region: str) -> FieldStory:
    inorder = [by[source] for source in Source if source in by]
    if name not in _LENGTHS:
        # A passthru is sent while the call lasts; what is final outranks what is not.
        inorder.sort(key=lambda each: _worth(name, each.text, region))
    first, *others = inorder
    agreed = all(
        _agree(name, one.text, other.text, region)
        for at, one in enumerate(inorder)
        for other in inorder[at + 1 :]
    )
    return FieldStory(name, (first, *others), agreed)


def _agree(name: str, one: str, other: str, region: str) -> bool:
    """Whether two sources mean the same; what can't be compared is no disagreement."""
    if name == "status":
        words = {call_status(one), call_status(other)}
        return len(words) == 1 or not words <= FINAL_STATUSES
    if name == "direction":
        return _direction(one) == _direction(other)
    if name in _NUMBERS:
        numbers = {_number(one, region), _number(other, region)}
        return None in numbers or len(numbers) == 1
    if name in _TIMES:
        return _near(_time(one), _time(other))
    if name in _LENGTHS:
        lengths = seconds(one.strip()), seconds(other.strip())
        if not isinstance(lengths[0], int) or not isinstance(lengths[1], int):
            return True
        return abs(lengths[0] - lengths[1]) <= _NEAR_LENGTH_S
    if name in _EXACT:
        return one == other
    return True


def _direction(text: str) -> str:
    word = text.strip().lower()
    return "outbound" if word.startswith("outbound") else _INBOUND.get(word, word)


def _number(text: str, region: str) -> str | None:
    found = e164(text.strip(), region)
    return found if isinstance(found, str) else None


def _time(text: str) -> datetime | None:
    found = instant(text.strip())
    return None if found is None or isinstance(found, Unusable) else found


def _near(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return True
    return abs((one - other).total_seconds()) <= _NEAR_TIME_S


def _disagreement(field: FieldStory) -> str:
    claims = ", ".join(f"{_shown(each.text)} by {each.source.value}" for each in field.said)
    return f"{field.name.replace('_', ' ')}: {claims}"


def _named(stories: Iterable[FieldStory]) -> Iterable[str]:
    """What a heartbeat may call the call's numbers by."""
    named = ("from", "to", "phone_number_sid")
    return (each.text for story in stories if story.name in named for each in story.said)


def _troubles(
    beats: Iterable[HeartbeatReport],
    numbers: tuple[str, ...],
    begun_us: int | None,
    over_us: int | None,
    region: str,
) -> tuple[str, ...]:
    """What heartbeats say of the call's time, once for each; those about other numbers don't.

    Numbers are known by their digits or by their SID.
    """
    if begun_us is None:
        return ()
    ours = {_number(each, region) or each.strip() for each in numbers}
    found: dict[str, None] = {}
    for beat in sorted(beats, key=lambda each: each.at_us):
        if not begun_us - NEAR_US <= beat.at_us <= (over_us or begun_us) + NEAR_US:
            continue
        status = _shown(beat.status.strip().upper())
        if status in ("", "OK"):
            continue
        affected = {_number(each, region) or each.strip() for each in beat.affected}
        if affected & ours:
            found[f"heartbeat: Exotel said {status} for this call's number"] = None
        elif not beat.affected:
            found[f"heartbeat: Exotel said {status} for the account"] = None
    return tuple(found)


def _shown(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return plain if len(plain) <= _LONGEST_SHOWN else f"{plain[:_LONGEST_SHOWN]}…"
