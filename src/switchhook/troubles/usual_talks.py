"""How long the talks of each bot usually last at this hour, by what is kept of the days before.

A bot that has gone silent, or that understands nobody, is told by nothing that Exotel sends, but
by its talks: callers give up after seconds where they usually stay for a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.journal.source import moment_of
from switchhook.streams.parsed_record import PassthruRecord, parse_record
from switchhook.streams.store import StreamFilter
from switchhook.troubles.outcomes import AT_ONCE_S, UsualTalk, ended_stream, talk_s

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store

LEAST = 30
"""Talks from which what is usual is told."""
DAYS = 7
AROUND_MS = HOUR_MS // 2
"""What is within half an hour of the time of day is of its hour."""
MOST_A_DAY, MOST_LATELY = 500, 1_000
LATELY_MS = 5 * MINUTE_MS
"""What is younger may be of what goes wrong now."""
READ_EVERY_MS, LACKING_EVERY_MS = HOUR_MS, 5 * MINUTE_MS


def usual_talk(seconds: Sequence[int]) -> UsualTalk | None:
    """What is usual by the lengths of talks; None where there are few, or they are short anyway.

    Shorter than nine of ten, and than half of the median, is much shorter than usual.
    """
    if len(seconds) < LEAST:
        return None
    ordered = sorted(seconds)
    median, tenth = ordered[len(ordered) // 2], ordered[len(ordered) // 10]
    short = min(tenth, median // 2)
    return UsualTalk(short, median) if short > AT_ONCE_S else None


class UsualTalks:
    """What is usual of each bot, by its name. One thread looks, any may ask."""

    def __init__(self, store: Store, journal: JournalSource) -> None:
        self._store, self._journal = store, journal
        self._usual: dict[str, UsualTalk | None] = {}
        self._names: Names | None = None
        self._read_ms: int | None = None
        self._to_read: list[tuple[int | None, int, int]] = []
        self._of_hour: dict[str, list[int]] = {}

    def of(self, bot: str) -> UsualTalk | None:
        return self._usual.get(bot)

    def look(self, now_ms: int, names: Names, in_trouble: Collection[str] = ()) -> bool:
        """Read a day more, where it is time to; whether there is more to read.

        Of those `in_trouble` stays usual what was: they don't teach what is wrong. Raises
        SwitchhookError where it can't be read; it is tried again when it is time to.
        """
        if not self._to_read:
            if not self._due(now_ms, names):
                return False
            self._plan(now_ms, names)
        (since_ms, until_ms, most), later = self._to_read[0], self._to_read[1:]
        self._to_read = []  # so that nothing is made of a part of it
        read = self._lengths(since_ms, until_ms, most, names)
        self._to_read = later
        if since_ms is not None:
            for bot, seconds in read.items():
                self._of_hour.setdefault(bot, []).extend(seconds)
            return True
        self._settle(read, in_trouble)
        return False

    def _due(self, now_ms: int, names: Names) -> bool:
        if self._read_ms is None or names != self._names:
            return True
        lacking = not self._usual or None in self._usual.values()
        wait_ms = LACKING_EVERY_MS if lacking else READ_EVERY_MS
        return not 0 <= now_ms - self._read_ms < wait_ms

    def _plan(self, now_ms: int, names: Names) -> None:
        self._names, self._read_ms, self._of_hour = names, now_ms, {}
        hours = [now_ms - day * DAY_MS for day in range(1, DAYS + 1)]
        self._to_read = [(at - AROUND_MS, at + AROUND_MS, MOST_A_DAY) for at in hours]
        self._to_read.append((None, now_ms - LATELY_MS, MOST_LATELY))

    def _lengths(
        self, since_ms: int | None, until_ms: int, most: int, names: Names
    ) -> dict[str, list[int]]:
        """How long talks lasted, in seconds, by bot; the newest of the time."""
        first, before = self._store.seqs_between(since_ms, until_ms)
        wanted = StreamFilter(from_seq=first, limit=most)
        if before is not None:
            wanted = msgspec.structs.replace(wanted, before_seq=before)
        seqs = self._store.receipts(wanted)
        found: dict[str, list[int]] = {}
        for record in self._journal.get_many(seqs).values():
            parsed = parse_record(record)
            at_ms = moment_of(record)
            stream = ended_stream(parsed, at_ms) if isinstance(parsed, PassthruRecord) else None
            seconds = None if stream is None else talk_s(stream)
            if stream is not None and seconds is not None:
                facet = stream.facet
                bot = names.bot_name(facet.host, facet.endpoint, facet.exophone)
                found.setdefault(bot, []).append(seconds)
        return found

    def _settle(self, lately: dict[str, list[int]], in_trouble: Collection[str]) -> None:
        """By this hour of other days; by the last hours where these tell too little."""
        usual: dict[str, UsualTalk | None] = {}
        for bot in self._of_hour.keys() | lately.keys():
            of_hour = self._of_hour.get(bot, [])
            enough = len(of_hour) >= LEAST
            usual[bot] = usual_talk(of_hour if enough else of_hour + lately.get(bot, []))
        for bot in in_trouble:
            if (before := self._usual.get(bot)) is not None:
                usual[bot] = before
        self._usual, self._of_hour = usual, {}
