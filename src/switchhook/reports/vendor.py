"""What became of one bot's streams in a week, for whoever runs that bot.

Every figure is counted from the streams that the store has, each once, under the cause that the
console shows it under. What is not measured is said to be so: nothing here is estimated.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.exotel.phone_numbers import mask_text, masked
from switchhook.exotel.times import DAY_MS, HOUR_MS, moment_of
from switchhook.reports.blame import OF_THE_BOT, Blame, Certainty, Whose, blame
from switchhook.reports.week import Stretch
from switchhook.streams.facet import host_of
from switchhook.streams.recent import BOT_FAILED, BOT_WELL
from switchhook.web.masking import sid_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import tzinfo

    from switchhook.streams.names import Bot, Names
    from switchhook.streams.search.query import StreamRow

MOST_LISTED = 20_000
"""Failures that are listed; all are counted."""
LENGTHS_S = (5, 15, 30, 60, 180, 600)
"""The bounds between which talks are counted by their length, in seconds."""
LISTED = BOT_FAILED | {
    Cause.THROTTLED,
    Cause.CALLER_LEFT_EARLY,
    Cause.ENDED_BY_SYSTEM,
    Cause.UNKNOWN,
}
"""The causes whose streams are listed one by one."""
FIRST_SOUND = (
    "Not measured. Exotel tells neither in its passthru nor in its call details when a bot's first"
    " sound was heard. The trace of a test call by the emulator does, as first_audio."
)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One stream that is listed. `at_us` is when it was first told of, which is after its end.

    Texts are masked as the report is; `seconds` is how long it lasted where Exotel says so, `said`
    what the verdict rests on, as Exotel said it.
    """

    at_us: int
    cause: Cause
    kind: str
    blame: Blame
    call_sid: str
    stream_sid: str
    number: str
    seconds: int | None
    host: str
    said: str
    option: str
    rule: str


class Group(msgspec.Struct, frozen=True):
    """Streams that ended alike, and how many; `failures` are those listed, oldest first."""

    cause: Cause
    kind: str
    blame: Blame
    streams: int
    failures: tuple[Failure, ...] = ()


class Share(msgspec.Struct, frozen=True):
    """A stretch from `at_ms` on, or an hour of the day: `failed` of `judged`, of `streams`.

    Judged are the streams that tell whether the bot works: those that it failed, and talks.
    """

    at_ms: int
    streams: int
    judged: int
    failed: int

    @property
    def share(self) -> float | None:
        return self.failed / self.judged if self.judged else None


class Talks(msgspec.Struct, frozen=True):
    """How long talks lasted, in seconds; None where none is known.

    `unknown` talks have no length that Exotel told. `lengths` counts those below each bound of
    `LENGTHS_S`, and those beyond the last.
    """

    known: int
    unknown: int
    shortest_s: int | None
    half_s: int | None
    nine_in_ten_s: int | None
    longest_s: int | None
    lengths: tuple[int, ...]


class Answered(msgspec.Struct, frozen=True, order=True):
    """What our rules answered: which rule of which endpoint, the option, and where that leads."""

    endpoint: str
    rule: str
    option: str
    leads_to: str
    streams: int


class BotTrouble(msgspec.Struct, frozen=True):
    """A trouble that people were alerted of; `ended_ms` is None while it goes on.

    `together` is whether it was of several bots at once: the alert does not say which.
    """

    title: str
    severity: str
    since_ms: int
    ended_ms: int | None
    together: bool


class VendorReport(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Times are Unix time; `zone` is the one that days and hours are of.

    `kept_since_ms` is set where streams of the time are no longer kept, `unlisted` counts failures
    that found no room in the lists. `without_host` streams told no host, and are the bot's by the
    endpoint or ExoPhone that they came by. `whole` is whether numbers are in full.
    """

    bot: str
    owner: str
    hosts: tuple[tuple[str, int], ...]
    stretch: Stretch
    zone: str
    made_ms: int
    kept_since_ms: int | None
    whole: bool
    calls: int
    streams: int
    without_host: int
    judged: int
    failed: int
    causes: tuple[tuple[Cause, int], ...]
    blames: tuple[tuple[Whose, Certainty, int], ...]
    groups: tuple[Group, ...]
    unlisted: int
    days: tuple[Share, ...]
    hours: tuple[Share, ...]
    each_hour: tuple[Share, ...]
    talks: Talks
    early: Talks
    answered: tuple[Answered, ...]
    troubles: tuple[BotTrouble, ...]
    first_sound: str = FIRST_SOUND

    @property
    def over(self) -> bool:
        """Whether the time was over when the report was made."""
        return self.made_ms >= self.stretch.until_ms

    @property
    def share(self) -> float | None:
        """Of the streams that tell whether the bot works, the share that it failed."""
        return self.failed / self.judged if self.judged else None


class Counting:
    """Takes the bot's streams one by one, newest first, and makes the report of them."""

    def __init__(self, stretch: Stretch, zone: tzinfo, *, whole: bool) -> None:
        self._stretch, self._zone, self._whole = stretch, zone, whole
        self._calls: set[int] = set()
        self._streams = self._without_host = self._listed = self._unlisted = 0
        self._causes: Counter[Cause] = Counter()
        self._hosts: Counter[str] = Counter()
        self._groups: dict[tuple[Cause, str, Blame], list[Failure]] = {}
        self._of_group: Counter[tuple[Cause, str, Blame]] = Counter()
        self._hours: dict[int, list[int]] = {}
        self._talks: list[int | None] = []
        self._early: list[int | None] = []
        self._answered: Counter[tuple[str, str, str]] = Counter()

    def take(self, row: StreamRow) -> None:
        """Count a stream."""
        story, verdict = row.story, row.story.verdict
        cause = verdict.cause
        self._streams += 1
        self._calls.add(hash(story.call_sid or story.first.id))
        self._causes[cause] += 1
        host = host_of(story.stream)
        self._hosts.update([host] if host else [])
        self._without_host += not host
        judged = cause in BOT_FAILED or cause in BOT_WELL
        hour = self._hours.setdefault(self._hour_of(row.at_ms), [0, 0, 0])
        hour[0] += 1
        hour[1] += judged
        hour[2] += cause in BOT_FAILED
        if cause in BOT_WELL:
            self._talks.append(story.stream.duration_s)
        elif cause is Cause.CALLER_LEFT_EARLY:
            self._early.append(story.stream.duration_s)
        settled = story.settled_by
        self._answered[settled.endpoint, settled.rule, settled.option] += 1
        key = cause, str(verdict.kind or ""), blame(verdict)
        self._of_group[key] += 1
        if cause in LISTED:
            self._list(row, key)

    def _hour_of(self, at_ms: int) -> int:
        since_ms = self._stretch.since_ms
        return since_ms + (at_ms - since_ms) // HOUR_MS * HOUR_MS

    def _list(self, row: StreamRow, key: tuple[Cause, str, Blame]) -> None:
        if self._listed >= MOST_LISTED:
            self._unlisted += 1
            return
        self._listed += 1
        story, stream, whole = row.story, row.story.stream, self._whole
        said = "; ".join(f"{field}: {text}" for field, text in story.verdict.evidence)
        number = story.said("to" if story.said("direction") == "outbound" else "from_")
        self._groups.setdefault(key, []).append(
            Failure(
                at_us=row.at_ms * 1000,
                cause=key[0],
                kind=key[1],
                blame=key[2],
                call_sid=self._sid(story.call_sid),
                stream_sid=self._sid(story.sid),
                number=(number if whole else masked(number)) or "",
                seconds=stream.duration_s,
                host=host_of(stream),
                said=said if whole else mask_text(said),
                option=story.settled_by.option,
                rule=story.settled_by.rule,
            )
        )

    def _sid(self, sid: str | None) -> str:
        return (sid if self._whole else sid_text(sid)) if sid else ""

    def report(
        self,
        bot: Bot,
        names: Names,
        troubles: Sequence[BotTrouble],
        *,
        zone: str,
        made_ms: int,
        oldest_ms: int | None,
    ) -> VendorReport:
        """The report; `oldest_ms` is when the oldest stream of all that is kept was told of."""
        gone = oldest_ms is not None and oldest_ms > self._stretch.since_ms
        hours = [Share(at, *self._hours[at]) for at in sorted(self._hours)]
        return VendorReport(
            bot=bot.name,
            owner=", ".join(filter(None, (bot.owner, bot.contact))),
            hosts=tuple(sorted(self._hosts.items(), key=lambda each: (-each[1], each[0]))),
            stretch=self._stretch,
            zone=zone,
            made_ms=made_ms,
            kept_since_ms=oldest_ms if gone else None,
            whole=self._whole,
            calls=len(self._calls),
            streams=self._streams,
            without_host=self._without_host,
            judged=sum(each.judged for each in hours),
            failed=sum(each.failed for each in hours),
            causes=tuple(sorted(self._causes.items(), key=lambda each: (-each[1], each[0]))),
            blames=self._blames(),
            groups=self._all_groups(),
            unlisted=self._unlisted,
            days=self._days(hours),
            hours=self._by_hour_of_day(hours),
            each_hour=tuple(hours),
            talks=_talks(self._talks),
            early=_talks(self._early),
            answered=self._all_answered(names),
            troubles=tuple(sorted(troubles, key=lambda each: (each.since_ms, each.title))),
        )

    def _all_answered(self, names: Names) -> tuple[Answered, ...]:
        return tuple(
            Answered(*key, names.destination(key[0], key[2]), count)
            for key, count in sorted(self._answered.items())
        )

    def _all_groups(self) -> tuple[Group, ...]:
        groups = [
            Group(*key, count, tuple(reversed(self._groups.get(key, ()))))
            for key, count in self._of_group.items()
            if key[0] in LISTED
        ]
        return tuple(sorted(groups, key=_bots_first))

    def _blames(self) -> tuple[tuple[Whose, Certainty, int], ...]:
        blames: Counter[tuple[Whose, Certainty]] = Counter()
        for (_, _, each), count in self._of_group.items():
            blames[each.whose, each.certainty] += count
        return tuple((*who, count) for who, count in sorted(blames.items(), key=_whose_first))

    def _days(self, hours: Iterable[Share]) -> tuple[Share, ...]:
        """Each day of the time from its beginning on, those without a stream too."""
        since_ms, until_ms = self._stretch.since_ms, self._stretch.until_ms
        days = {at: [0, 0, 0] for at in range(since_ms, until_ms, DAY_MS)}
        for each in hours:
            day = days[since_ms + (each.at_ms - since_ms) // DAY_MS * DAY_MS]
            _add(day, each)
        return tuple(Share(at, *counted) for at, counted in days.items())

    def _by_hour_of_day(self, hours: Iterable[Share]) -> tuple[Share, ...]:
        """The 24 hours of the day; `at_ms` is how far into the day each begins."""
        found = {hour: [0, 0, 0] for hour in range(24)}
        for each in hours:
            _add(found[moment_of(each.at_ms * 1000).astimezone(self._zone).hour], each)
        return tuple(Share(hour * HOUR_MS, *counted) for hour, counted in found.items())


def _add(counted: list[int], each: Share) -> None:
    counted[0] += each.streams
    counted[1] += each.judged
    counted[2] += each.failed


def _talks(lengths: Sequence[int | None]) -> Talks:
    known = sorted(each for each in lengths if each is not None)
    bounds = (*LENGTHS_S, None)
    counted = [0] * len(bounds)
    for seconds in known:
        counted[sum(seconds >= bound for bound in LENGTHS_S)] += 1
    return Talks(
        known=len(known),
        unknown=len(lengths) - len(known),
        shortest_s=known[0] if known else None,
        half_s=_part(known, 0.5),
        nine_in_ten_s=_part(known, 0.9),
        longest_s=known[-1] if known else None,
        lengths=tuple(counted),
    )


def _part(known: Sequence[int], part: float) -> int | None:
    """The length that this part of them does not exceed, by the nearest rank."""
    return known[max(math.ceil(len(known) * part) - 1, 0)] if known else None


_ORDER = {each: at for at, each in enumerate(Whose)}
_SURE = {each: at for at, each in enumerate(Certainty)}


def _whose_first(each: tuple[tuple[Whose, Certainty], int]) -> tuple[int, int]:
    return _ORDER[each[0][0]], _SURE[each[0][1]]


def _bots_first(group: Group) -> tuple[bool, int, str, str, str]:
    bots = group.blame.whose in OF_THE_BOT
    return not bots, -group.streams, group.cause, group.kind, group.blame.why
