"""The figures of streams, endpoints and answers, from what is folded."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.journal.receipt import (
    ANSWERED_ALONE,
    ANSWERED_UNREAD,
    UNREADABLE,
    RecordKind,
    Sample,
)
from switchhook.journal.source import moment_of
from switchhook.metrics import OTHER, Cached, Figure
from switchhook.streams.answer_times import answer_times
from switchhook.streams.baseline import Answered, shift
from switchhook.streams.facet import Facet, Tally
from switchhook.streams.recent import (
    BOT_FAILED,
    LONGEST_MS,
    WINDOW_MS,
    Recently,
    attributed,
    recently,
)
from switchhook.streams.share_metrics import ShareWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.streams.facet import Use
    from switchhook.streams.fold_metrics import Fold
    from switchhook.streams.names import Names
    from switchhook.streams.recent import AttributedTally
    from switchhook.streams.store import Store

MOST_BOTS = 200
"""Bots that figures are told of one by one: the busiest; the rest is `other`."""
MOST_NEW = 50
_STEP_MS = 5 * MINUTE_MS
_OLDER_MS, _USES_MS, _HOURS_MS, _HOUR_MS, _EVENTS_MS = 30_000, 10_000, 300_000, 5_000, 5_000
_LATELY_MS = 2 * MINUTE_MS
_WRONG_SECRET = {"secret wrong", "secret missing"}
_MOST_EVENTS = 100
_MOST_SAMPLES = 600

_decode_sample = msgspec.msgpack.Decoder(Sample).decode


class StoreFigures:
    """The figures of streams, endpoints and answers, from what is folded. For one thread.

    Beside being a source it keeps what the verdict is made of: how bots and accounts did of late,
    and `last_ms`, when a stream was last told of.
    """

    def __init__(
        self, store: Store, journal: JournalSource, fold: Fold, names: Callable[[], Names]
    ) -> None:
        self._store, self._journal, self._fold, self._names = store, journal, fold, names
        self.recently = Recently()
        self._seen: object = None
        self._recent: Sequence[AttributedTally] = ()
        self.last_ms: int | None = None
        self._warned: set[str] = set()
        self._ends: deque[tuple[int, int]] = deque(maxlen=_MOST_SAMPLES)
        self._first_end: int | None = None
        self._older = Cached(_OLDER_MS, self._read_older)
        self._uses = Cached(_USES_MS, lambda _now: store.uses())
        self._before = Cached(_HOURS_MS, self._read_before)
        self._hour = Cached(_HOUR_MS, self._read_hour)
        self.shares = ShareWatch(store, journal)
        self._wrong = Cached(_EVENTS_MS, self._read_wrong_secrets)
        self.wrong_secrets: Mapping[str, WrongSecrets] = {}
        self._lost = Cached(_EVENTS_MS, self._read_lost)

    def __call__(self, now_ms: int) -> Iterable[Figure]:
        at_ms = self.as_of(now_ms)
        names = self._names()
        recent = self._recent_of(now_ms, names)
        uses = self._uses.get(now_ms)
        newest = max((use.last_ms for use in uses), default=None)
        if recent:
            newest = max(newest or 0, recent[-1].at_ms)
        self.last_ms = newest
        return [
            *_counted(self.recently, at_ms),
            *_shares(self.recently, at_ms),
            *_new_failures(uses, names, now_ms, at_ms),
            *self._endpoints(now_ms, at_ms),
            *self._answers(now_ms, at_ms),
        ]

    def _recent_of(self, now_ms: int, names: Names) -> Sequence[AttributedTally]:
        """The streams of the last three hours; looked at again when there may be others."""
        until_ms, older = self._older.get(now_ms)
        seen = self._fold.position, _minute(now_ms), until_ms, names
        if seen != self._seen:
            late = attributed(self._store.tallies(until_ms, now_ms + MINUTE_MS), names)
            self._recent = [*older, *late]
            self.recently = recently(self._recent, now_ms)
            self._seen = seen
        return self._recent

    def as_of(self, now_ms: int) -> int:
        """When the store was as the journal is: up to then every figure is true."""
        position = self._fold.position
        end = self._journal.last_seq()
        if self._first_end is None:
            self._first_end = end
        if position >= end:
            self._ends.clear()
            self._ends.append((now_ms, end))
            return now_ms
        self._ends.append((now_ms, end))
        while len(self._ends) > 1 and self._ends[1][1] <= position:
            self._ends.popleft()
        return self._ends[0][0]

    @property
    def caught_up(self) -> bool:
        """Whether all is folded that was in the journal when it was first looked at."""
        return self._first_end is not None and self._fold.position >= self._first_end

    def _read_older(self, now_ms: int) -> tuple[int, Sequence[AttributedTally]]:
        """What changes seldom, in steps of five minutes, and until when it reaches."""
        until_ms = _minute(now_ms) - WINDOW_MS
        steps: Counter[tuple[int, Facet]] = Counter()
        for tally in self._store.tallies(_minute(now_ms) - LONGEST_MS, until_ms):
            steps[tally.at_ms - tally.at_ms % _STEP_MS, tally.facet] += tally.streams
        tallies = (Tally(at_ms, facet, streams) for (at_ms, facet), streams in steps.items())
        return until_ms, attributed(tallies, self._names())

    def _read_hour(self, now_ms: int) -> dict[str, Answered]:
        since = _minute(now_ms) - HOUR_MS
        return _answered(each for each in self._recent if each.at_ms >= since)

    def _read_before(self, now_ms: int) -> _Before:
        """The hours that this one is compared with."""
        read, until = self._store.tallies, _minute(now_ms)
        yesterday = _answered(read(until - DAY_MS - HOUR_MS, until - DAY_MS))
        return _Before(yesterday, _answered(read(until - 7 * HOUR_MS, until - HOUR_MS)))

    def _endpoints(self, now_ms: int, at_ms: int) -> Iterable[Figure]:
        hour = self._hour.get(now_ms)
        before = self._before.get(now_ms)
        wrong = self._wrong.get(now_ms) if self._refuses(now_ms) else {}
        self.wrong_secrets = wrong
        known = before.yesterday.keys()
        self.shares.look(self._recent, now_ms)
        self._warned |= wrong.keys()
        for endpoint in sorted(hour.keys() | known | self._warned):
            labels = (("endpoint", endpoint),)
            now = hour.get(endpoint, Answered())
            yesterday = before.yesterday.get(endpoint, Answered())
            six = before.six_hours.get(endpoint, Answered())
            moved, cases = self.shares.shift(endpoint)
            if moved is None:
                moved, cases = shift(now, yesterday, six)
            yield Figure("endpoint.a_share", now.share, at_ms, labels, now.cases)
            yield Figure("endpoint.a_share_shift", moved, at_ms, labels, cases)
            yield from self._refused(endpoint, wrong.get(endpoint), now_ms, at_ms)

    def _refuses(self, now_ms: int) -> bool:
        """Whether a wrong secret was met in the last minutes, on any endpoint."""
        counts = self._store.counts(_minute(now_ms) - _LATELY_MS, now_ms + MINUTE_MS)
        return any(count.name in _WRONG_SECRET and count.count for count in counts)

    def _refused(
        self, endpoint: str, wrong: WrongSecrets | None, now_ms: int, at_ms: int
    ) -> Iterable[Figure]:
        labels = (("endpoint", endpoint),)
        name = "endpoint.wrong_secret_share"
        if wrong is None:
            yield Figure("endpoint.wrong_secrets", 0.0, at_ms, labels)
            yield Figure(name, 0.0, at_ms, labels)
            return
        count, since_ms = wrong.count, wrong.first_ms
        yield Figure("endpoint.wrong_secrets", float(count), at_ms, labels, since_ms=since_ms)
        since = self._store.tallies(_minute(since_ms) + MINUTE_MS, now_ms + MINUTE_MS)
        cases = count + sum(each.streams for each in since if each.facet.endpoint == endpoint)
        yield Figure(name, count / cases, at_ms, labels, cases, since_ms=since_ms)

    def _answers(self, now_ms: int, at_ms: int) -> Iterable[Figure]:
        counts: Counter[str] = Counter()
        lately: Counter[str] = Counter()
        for count in self._store.counts(_minute(now_ms) - WINDOW_MS, now_ms + MINUTE_MS):
            counts[count.name] += count.count
            if count.at_ms >= _minute(now_ms) - _LATELY_MS:
                lately[count.name] += count.count

        def going_on(*names: str) -> int:
            """How many there were; 0 once there was none for two minutes."""
            of = sum(counts[name] for name in names)
            return of if any(lately[name] for name in names) else 0

        times = answer_times(counts)
        slow = None if times.p99_ms is None else float(times.p99_ms)
        yield Figure("answer.p99_ms", slow, at_ms, (), times.answers)
        yield Figure("answer.missed_deadlines", float(going_on("deadline before disk")), at_ms)
        yield Figure("answer.one_copy", float(going_on(ANSWERED_ALONE)), at_ms)
        yield Figure("answer.undecided", float(going_on("failed to decide")), at_ms)
        unreadable = going_on(*(name for name in counts if name.startswith(UNREADABLE)))
        asked = unreadable + counts["answered"] - counts[ANSWERED_UNREAD]
        share = unreadable / asked if asked else None
        yield Figure("answer.unreadable_share", share, at_ms, (), asked)
        yield Figure("answer.unread", float(going_on(ANSWERED_UNREAD)), at_ms)
        yield Figure("receipts.lost", float(self._lost.get(now_ms)), at_ms)

    def _read_wrong_secrets(self, now_ms: int) -> dict[str, WrongSecrets]:
        found: dict[str, WrongSecrets] = {}
        seqs = self._store.events(RecordKind.SAMPLE, _MOST_EVENTS)
        placed = self._store.placed(seqs)
        for record in self._journal.get_many(seqs).values():
            came_ms = placed.get(record.seq, moment_of(record))
            if now_ms - came_ms <= HOUR_MS:
                try:
                    endpoint = _decode_sample(record.body).endpoint
                except ValueError:
                    continue  # the store has quarantined it, and says so
                before = found.get(endpoint, WrongSecrets(0, came_ms))
                found[endpoint] = WrongSecrets(before.count + 1, min(before.first_ms, came_ms))
        found.pop("", None)  # what could not be read came for no endpoint that we know
        return found

    def _read_lost(self, now_ms: int) -> int:
        lost = 0
        seqs = self._store.events(RecordKind.LOST, _MOST_EVENTS)
        placed = self._store.placed(seqs)
        for record in self._journal.get_many(seqs).values():
            if now_ms - placed.get(record.seq, moment_of(record)) <= DAY_MS:
                lost += _count_in(record.body)
        return lost


class WrongSecrets(msgspec.Struct, frozen=True):
    """Samples of refused requests in an hour, and when the first came."""

    count: int
    first_ms: int


class _Before(msgspec.Struct, frozen=True):
    """By endpoint: this hour of the day before, and the six hours before it."""

    yesterday: dict[str, Answered]
    six_hours: dict[str, Answered]


def _minute(now_ms: int) -> int:
    return now_ms - now_ms % MINUTE_MS


def _count_in(body: bytes) -> int:
    """How many records a record of lost ones tells of; one where it can't be read."""
    try:
        found = msgspec.json.decode(body)
    except ValueError:
        return 1
    count = found.get("count", 1) if isinstance(found, dict) else found
    return count if isinstance(count, int) else 1


def _answered(tallies: Iterable[Tally | AttributedTally]) -> dict[str, Answered]:
    options: Counter[tuple[str, bool]] = Counter()
    for tally in tallies:
        options[tally.facet.endpoint, tally.facet.option == "A"] += tally.streams
    return {
        endpoint: Answered(
            options[endpoint, True], options[endpoint, True] + options[endpoint, False]
        )
        for endpoint, _ in options
    }


def _counted(recently: Recently, at_ms: int) -> Iterable[Figure]:
    """How many streams there were, and how many their bots failed."""
    streams: Counter[str] = Counter()
    bots: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for each in recently.late:
        streams[each.facet.endpoint] += each.streams
        bots[each.bot] += each.streams
        if each.facet.cause in BOT_FAILED:
            failed[each.bot] += each.streams
    if not streams:
        yield Figure("streams.count", 0.0, at_ms)
    for endpoint, count in sorted(streams.items()):
        yield Figure("streams.count", float(count), at_ms, (("endpoint", endpoint),))
    kept = _busiest(bots)
    totals: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for bot, count in bots.items():
        totals[bot if bot in kept else OTHER] += count
        bad[bot if bot in kept else OTHER] += failed[bot]
    for bot, count in sorted(totals.items()):
        yield Figure("streams.failed", float(bad[bot]), at_ms, (("bot", bot),), count)


def _shares(recently: Recently, at_ms: int) -> Iterable[Figure]:
    """How large a share of their streams bots failed, and limits refused."""
    bots = sorted(recently.bots, key=lambda r: (-r.failed, -r.cases, r.name))
    for recent in bots[:MOST_BOTS]:
        labels = (("bot", recent.name),)
        yield Figure("streams.failed_share", recent.share, at_ms, labels, recent.cases)
    if rest := bots[MOST_BOTS:]:
        failed, cases = sum(r.failed for r in rest), sum(r.cases for r in rest)
        share = failed / cases if cases else None
        yield Figure("streams.failed_share", share, at_ms, (("bot", OTHER),), cases)
    for recent in recently.accounts:
        if recent.late:
            labels = (("account", recent.name),)
            failed, cases = recent.late_failed, recent.late
            yield Figure("streams.throttled", float(failed), at_ms, labels, cases)
            yield Figure("streams.throttled_share", failed / cases, at_ms, labels, cases)


def _busiest(counts: Counter[str]) -> set[str]:
    return {name for name, _ in counts.most_common(MOST_BOTS)}


def _new_failures(uses: Sequence[Use], names: Names, now_ms: int, at_ms: int) -> Iterable[Figure]:
    """Failures of bots, of fingerprints that nobody had seen an hour ago."""
    first: dict[tuple[str, str, str, str], int] = {}
    streams: Counter[tuple[str, str, str, str]] = Counter()
    bots: dict[tuple[str, str, str, str], str] = {}
    for use in uses:
        facet = use.facet
        if facet.cause not in BOT_FAILED:
            continue
        print_ = facet.cause, facet.kind, facet.host, facet.endpoint
        first[print_] = min(first.get(print_, use.first_ms), use.first_ms)
        streams[print_] += use.streams
        bots.setdefault(print_, names.bot_name(facet.host, facet.endpoint, facet.exophone))
    found: Counter[tuple[str, str, str]] = Counter()
    for print_, first_ms in first.items():
        # For a while after its hour it is told as none, so that its alert sees its end.
        if now_ms - first_ms < LONGEST_MS and streams[print_] > 0:
            key = bots[print_], print_[0], print_[1]
            if key not in found and len(found) >= MOST_NEW:
                key = (OTHER, OTHER, OTHER)
            found[key] += streams[print_] if now_ms - first_ms < HOUR_MS else 0
    if not found:
        yield Figure("streams.new_failures", 0.0, at_ms)
    for (bot, cause, kind), count in sorted(found.items()):
        labels = (("bot", bot), ("cause", cause), ("kind", kind))
        yield Figure("streams.new_failures", float(count), at_ms, labels)
