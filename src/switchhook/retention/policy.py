"""How long things are kept: what may go, when, and what is the next small step.

Receipts go by whole segments of the journal, everything else by rows. `next_step` decides, others
carry it out; as long as it names a step there is something to do, and each step makes it less.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.exotel.times import DAY_MS, HOUR_MS
from switchhook.journal.closed import Segment, SegmentState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARE = 20
"""In an hour goes one part in so many of the time that is kept, and at least a day's."""
ROLL_SHARE = 10
"""The open segment is sealed when it is older than this part of the limit: what a sealed one holds
is deleted together, so nothing stays longer than the limit and a tenth."""
SHORTEST_ROLL_MS = 3_600_000


class Matter(StrEnum):
    """What is kept, by class."""

    RAW = "raw"
    """Requests as they came: the records of the journal."""
    STORIES = "stories"
    """What was folded from them: streams and calls, in the store."""
    CALLS = "call_details"
    """What Exotel said of a call when it was asked."""
    ALERTS = "alerts"
    """What fired, and what was sent."""
    CAPACITY = "capacity"
    """How many streams ran and were allowed."""
    AUDIT = "audit"
    """Who did what in the console."""
    PROMISES = "promises"
    """Callbacks that were owed, what was dialled for them, and who was promised none."""


class RetentionLimits(msgspec.Struct, frozen=True):
    """`[keep]`: days by class, 0 keeps for ever; and who alone can read backups, by their keys."""

    raw_days: int = 400
    stories_days: int = 400
    call_details_days: int = 400
    alerts_days: int = 400
    capacity_days: int = 800
    audit_days: int = 800
    promises_days: int = 400
    encrypt_backups_to: tuple[str, ...] = ()

    def days(self, matter: Matter) -> int:
        """How many days a class is kept; 0 is for ever."""
        days: int = getattr(self, f"{matter.value}_days")
        return days

    def before_ms(self, matter: Matter, now_ms: int) -> int | None:
        """What is older than this time may go; None where nothing ever does.

        Rows go by whole days (UTC), so that there is one deletion a day and not one a minute.
        """
        days = self.days(matter)
        if not days:
            return None
        before = now_ms - days * DAY_MS
        return before if matter is Matter.RAW else before - before % DAY_MS


class DeleteSegment(msgspec.Struct, frozen=True):
    """Remove a whole segment."""

    segment: Segment


class DeleteRows(msgspec.Struct, frozen=True):
    """Remove some of the rows of a class that are older than a time in ms."""

    matter: Matter
    before_ms: int


class Roll(msgspec.Struct, frozen=True):
    """Ask the answer side to seal the segment that it writes, if it holds a record up to `seq`."""

    seq: int


Step = DeleteSegment | DeleteRows | Roll


class Holdings(msgspec.Struct, frozen=True):
    """What is there.

    All segments in order, the seq up to which the store has folded, and the time in ms of the
    oldest row of each class but the journal's; None where it has none.
    """

    segments: tuple[Segment, ...] = ()
    folded_seq: int = 0
    oldest: dict[Matter, int | None] = {}

    def oldest_of(self, matter: Matter) -> int | None:
        """The time of the oldest row of a class."""
        if matter is not Matter.RAW:
            return self.oldest.get(matter)
        return next((each.first_at for each in self.segments if each.first_at is not None), None)


def expired(holdings: Holdings, before_ms: int, now_ms: int) -> tuple[Segment, ...]:
    """The segments that may go: closed, all records older than `before_ms`, all of them folded.

    They go from the beginning on, without a gap. While nothing is in the open one the last closed
    one stays: it alone knows how far time has come.
    """
    found: list[Segment] = []
    for place, segment in enumerate(holdings.segments[:-1]):  # the last one's name is the count
        if segment.state is SegmentState.SUPERSEDED:
            found.append(segment)
            continue
        if segment.state is SegmentState.OPEN or segment.last_seq > holdings.folded_seq:
            break
        dated = segment.last_at is not None or segment.state is SegmentState.DAMAGED
        if dated and _ended_ms(holdings.segments[place:], now_ms) >= before_ms:
            break
        found.append(segment)
    newest = holdings.segments[-1] if holdings.segments else None
    if newest is not None and newest.last_at is None:
        with_records = [each for each in holdings.segments if each.last_at is not None]
        found = [each for each in found if not with_records or each != with_records[-1]]
    return tuple(found)


def _ended_ms(segments: Sequence[Segment], now_ms: int) -> int:
    """When the first of some segments ended: its clock may have been wrong at either end.

    What is later than now is from a clock that was ahead; then it ended before the next began. So
    did one that is damaged, whose times nobody knows.
    """
    first = segments[0]
    ended = max(first.first_at or 0, first.last_at or 0)
    if ended <= now_ms and first.state is not SegmentState.DAMAGED:
        return ended
    later = (each.first_at for each in segments[1:] if each.first_at is not None)
    return next((at for at in later if at <= now_ms), now_ms)


def roll_due(holdings: Holdings, days: int, now_ms: int) -> Roll | None:
    """Whether the open segment is so old that it would hold back what is in it."""
    newest = holdings.segments[-1] if holdings.segments else None
    if not days or newest is None or newest.state is not SegmentState.OPEN:
        return None
    # A first record of a clock that was ahead would keep it open for long.
    oldest = min((at for at in (newest.first_at, newest.last_at) if at is not None), default=None)
    longest = max(days * DAY_MS // ROLL_SHARE, SHORTEST_ROLL_MS)
    return Roll(newest.last_seq) if oldest is not None and now_ms - oldest > longest else None


class Hour(msgspec.Struct, frozen=True):
    """What may go in one hour, by a steady clock: by class what is older than `before`.

    Of the journal also one segment, however much it holds; `segments` are those that went.
    """

    began_ms: int
    before: Mapping[Matter, int]
    segments: int = 0

    def over(self, mono_ms: int) -> bool:
        return mono_ms - self.began_ms >= HOUR_MS

    def due(self, matter: Matter, before_ms: int | None) -> int | None:
        """The time before which a class may go now, by its limit and by the hour's."""
        bound = self.before.get(matter)
        return before_ms if before_ms is None or bound is None else min(before_ms, bound)

    def allows(self, segment: Segment) -> bool:
        """Whether one more segment may go."""
        bound, last_at = self.before.get(Matter.RAW), segment.last_at
        return not self.segments or bound is None or last_at is None or last_at < bound


def hour_of(holdings: Holdings, now_ms: int, mono_ms: int) -> Hour:
    """The hour that begins."""
    before = {}
    for matter in Matter:
        oldest = holdings.oldest_of(matter)
        if oldest is not None:
            before[matter] = oldest + max((now_ms - oldest) // SHARE, DAY_MS)
    return Hour(mono_ms, before)


def next_step(
    holdings: Holdings, limits: RetentionLimits, now_ms: int, hour: Hour | None = None
) -> Step | None:
    """What to do next; None where everything is as the limits want it, or `hour` has had enough."""
    before = limits.before_ms(Matter.RAW, now_ms)
    # Stories first: those that stay have to be written down before their requests go.
    for matter in (Matter.STORIES, *Matter):
        if matter is Matter.RAW:
            continue
        due, oldest = limits.before_ms(matter, now_ms), holdings.oldest_of(matter)
        due = due if hour is None else hour.due(matter, due)
        if due is not None and oldest is not None and oldest < due:
            return DeleteRows(matter, due)
    gone = expired(holdings, before, now_ms) if before is not None else ()
    if gone and (hour is None or hour.allows(gone[0])):
        return DeleteSegment(gone[0])
    return roll_due(holdings, limits.raw_days, now_ms)


class Removed(msgspec.Struct, frozen=True):
    """What retention took away of one class: rows or records, bytes where known, and when."""

    matter: Matter
    rows: int = 0
    bytes: int = 0
    at_ms: int = 0


class ClassReport(msgspec.Struct, frozen=True):
    """One class as people are told of it; `overdue_ms` is by how much its oldest row is too old."""

    matter: Matter
    days: int
    oldest_ms: int | None
    overdue_ms: int
    removed: Removed


def report(
    holdings: Holdings, limits: RetentionLimits, removed: Mapping[Matter, Removed], now_ms: int
) -> tuple[ClassReport, ...]:
    """Each class with its limit, its oldest row and what was removed of it."""
    found = []
    for matter in Matter:
        oldest, due = holdings.oldest_of(matter), limits.before_ms(matter, now_ms)
        overdue = 0 if oldest is None or due is None else max(due - oldest, 0)
        gone = removed.get(matter, Removed(matter))
        found.append(ClassReport(matter, limits.days(matter), oldest, overdue, gone))
    return tuple(found)


class KeptStore(Protocol):
    """The store, as retention sees it."""

    def position(self) -> int:
        """The seq up to which everything is folded."""

    def keep_stories(self, after_seq: int, before_seq: int, limit: int = ...) -> int | None:
        """Write down what is told of streams by records that go; the seq to go on after, if any."""


class Rows(Protocol):
    """The rows of one class, but for the journal's."""

    def oldest_ms(self) -> int | None:
        """The time of the oldest; None where there is none."""

    def remove(self, before_ms: int, most: int) -> int:
        """Remove about `most` of those before a time, at least one if there is one."""
