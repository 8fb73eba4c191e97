"""Whether streams should be heard of and are not: by the days before, and by Exotel's own count.

Of an endpoint it is known how many streams came in the same minutes of the days before. Of an
account that is polled it is known, beside that, how many streams run: where they go on and end
without a passthru, it is not that nobody calls.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.errors import LedgerError
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.metrics import Cached, Figure
from switchhook.streams.baseline import usual
from switchhook.streams.recent import account_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.capacity.readings import Span
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store

LEAST = 50
"""Streams from which it is known how many end of those that run."""
STOPPED = 12.0
"""Passthrus missing from which it is no chance: by Poisson's law it is one in 160,000."""
_PATIENCE = 1.5
"""After so many times the length of a stream those that ran have ended."""
LONGEST_MS = 6 * HOUR_MS
"""So far back the days before are compared with."""
_LEARNED_MS = 6 * HOUR_MS
_HELD_MS = MINUTE_MS
_LEAST_MS = 20_000
_PACE_MS = 10 * MINUTE_MS
"""So many minutes of the days before tell how many came in less of them."""
_EVERY_MS, _LEARN_EVERY_MS = 5_000, 600_000
_DAYS = (1, 2, 3, 7)
_WRONG_SECRET = {"secret wrong", "secret missing"}


class History(Protocol):
    """How many streams ran: `capacity.ledger`. Raises LedgerError."""

    def history(self, account: str, since_ms: int, until_ms: int) -> list[Span]: ...


class Ended(msgspec.Struct, frozen=True):
    """How many streams were told of while streams ran for `stream_ms` in sum."""

    streams: int
    stream_ms: float


class Missing(msgspec.Struct, frozen=True):
    """Nothing was heard since `since_ms`, though `count` streams are usual; None is not known.

    Of an account it is while `active` streams run; of an endpoint that is None.
    """

    name: str
    since_ms: int
    count: float | None
    active: int | None = None


def missing_passthrus(
    ended: Ended, spans: Sequence[Span], since_ms: int, now_ms: int, by_clock: float | None
) -> float:
    """How many passthrus should have come of the streams that ran while nothing was heard.

    Those that ran so lately that they may run still, as where all begin at once, don't count.
    `by_clock` is how many came in these minutes of the days before: where nearly none did, those
    that run are not ours. None is not known.
    """
    if ended.streams < LEAST or not ended.stream_ms:
        return 0.0
    length_ms = ended.stream_ms / ended.streams
    over_ms = now_ms - int(_PATIENCE * length_ms)
    found = stream_ms(spans, since_ms, over_ms) / length_ms if over_ms > since_ms else 0.0
    return 0.0 if by_clock is not None and by_clock < found / 4 else found


def stream_ms(spans: Sequence[Span], since_ms: int, until_ms: int) -> float:
    """For how long streams ran in a time, in sum. A reading holds until the next, or a minute."""
    found = 0.0
    for span in reversed(spans):
        end_ms = min(until_ms, span.at_ms + (span.width_ms or _HELD_MS))
        found += (span.mean or 0.0) * max(0, end_ms - max(span.at_ms, since_ms))
        until_ms = min(until_ms, span.at_ms)
    return found


class MissingFigures:
    """A source; `missing` are what its last figures were made of. For one thread.

    `deaf` is whether what comes can't be heard of, as our own answer side does not answer, or
    receipts wait for the disk: that is told by itself.
    """

    def __init__(
        self,
        store: Store,
        history: History,
        names: Callable[[], Names],
        as_of: Callable[[int], int],
        deaf: Callable[[], bool],
    ) -> None:
        self._store, self._history, self._names, self._as_of = store, history, names, as_of
        self._deaf = deaf
        self._found = Cached(_EVERY_MS, self._find)
        self._ended: dict[str, tuple[int, Ended]] = {}
        self.missing: tuple[Missing, ...] = ()

    def __call__(self, now_ms: int) -> Iterable[Figure]:
        return self._found.get(now_ms)

    def _find(self, now_ms: int) -> list[Figure]:
        at_ms = self._as_of(now_ms)
        heard = {} if self._deaf() else self._heard(at_ms)
        accounts = [self._of_account(each.name, heard, at_ms) for each in self._names().accounts]
        stopped = {each.name for each in accounts if (each.count or 0.0) >= STOPPED}
        endpoints = [self._of_endpoint(name, heard[name], at_ms, stopped) for name in sorted(heard)]
        self.missing = tuple(each for each in (*accounts, *endpoints) if each.count)
        return [
            *(_figure("account.missing_passthrus", "account", each, at_ms) for each in accounts),
            *(_figure("streams.missing", "endpoint", each, at_ms) for each in endpoints),
        ]

    def _heard(self, at_ms: int) -> dict[str, int]:
        """When each endpoint was last heard of. Who comes with a wrong secret is heard, too."""
        heard: dict[str, int] = {}
        for use in self._store.uses():
            name = use.facet.endpoint
            heard[name] = max(heard.get(name, 0), use.last_ms)
        refused = [
            count.at_ms + MINUTE_MS
            for count in self._store.counts(at_ms - HOUR_MS, at_ms + MINUTE_MS)
            if count.name in _WRONG_SECRET and count.count
        ]
        refused_ms = min(max(refused, default=0), at_ms)
        return {name: max(last_ms, refused_ms) for name, last_ms in heard.items()}

    def _of_account(self, account: str, heard: dict[str, int], at_ms: int) -> Missing:
        names = self._names()
        of = [name for name in heard if account_of(name, names) == account]
        last_ms = max((heard[name] for name in of), default=0)
        if not of:
            return Missing(account, last_ms, None)
        since_ms = max(last_ms, at_ms - LONGEST_MS)
        silent_ms = at_ms - since_ms
        if silent_ms < _LEAST_MS:
            return Missing(account, last_ms, 0.0)
        try:
            ended = self._learned(account, of, last_ms, at_ms)
            spans = self._history.history(account, since_ms, at_ms)
        except LedgerError:
            return Missing(account, last_ms, None)
        by_clock, looked_ms = None, max(silent_ms, _PACE_MS)
        if (usually := self._by_clock(at_ms - looked_ms, at_ms)) is not None:
            by_clock = sum(usually[name] for name in of) * silent_ms / looked_ms
        missing = missing_passthrus(ended, spans, since_ms, at_ms, by_clock)
        active = next((each.highest for each in reversed(spans) if each.readings), None)
        return Missing(account, last_ms, missing, active or 0)

    def _of_endpoint(self, name: str, last_ms: int, at_ms: int, stopped: set[str]) -> Missing:
        if account_of(name, self._names()) in stopped:
            return Missing(name, last_ms, None)  # it is told of its account
        usually = self._by_clock(max(last_ms, at_ms - LONGEST_MS), at_ms)
        return Missing(name, last_ms, None if usually is None else float(usually[name]))

    def _learned(self, account: str, of: Sequence[str], last_ms: int, at_ms: int) -> Ended:
        """How many streams ended while how many ran, in the hours before the last was heard of."""
        read_ms, ended = self._ended.get(account, (0, Ended(0, 0.0)))
        if at_ms - read_ms >= _LEARN_EVERY_MS:
            until_ms = last_ms - last_ms % MINUTE_MS
            since_ms = until_ms - _LEARNED_MS
            spans = self._history.history(account, since_ms, until_ms)
            polled = {each.at_ms for each in spans if each.readings}
            streams = sum(
                tally.streams
                for tally in self._store.tallies(since_ms, until_ms)
                if tally.at_ms in polled and tally.facet.endpoint in of
            )
            ended = Ended(streams, stream_ms(spans, since_ms, until_ms))
            self._ended[account] = at_ms, ended
        return ended

    def _by_clock(self, since_ms: int, until_ms: int) -> Counter[str] | None:
        """How many streams of each endpoint usually come in these minutes of the day.

        None where nothing is kept that is as old.
        """
        begin = since_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS
        end = until_ms - until_ms % MINUTE_MS
        if end <= begin:
            return Counter()
        oldest_ms = self._store.oldest_ms()
        days: list[Counter[str] | None] = []
        for day_ms in (day * DAY_MS for day in _DAYS):
            counts = None
            if oldest_ms is not None and oldest_ms <= begin - day_ms:
                counts = Counter[str]()
                for tally in self._store.tallies(begin - day_ms, end - day_ms):
                    counts[tally.facet.endpoint] += tally.streams
            days.append(counts)
        names = {name for counts in days for name in counts or ()}
        if all(counts is None for counts in days):
            return None
        return Counter({name: usual_of(name, days) for name in names})


def usual_of(name: str, days: Sequence[Counter[str] | None]) -> int:
    """How many streams of an endpoint are usual, by those of 1, 2, 3 and 7 days before."""
    counts = [None if each is None else each[name] for each in days]
    return usual(counts[:3], counts[3]) or 0


def _figure(name: str, label: str, found: Missing, at_ms: int) -> Figure:
    labels = ((label, found.name),)
    if found.count is None:
        return Figure(name, None, at_ms, labels, 0)
    return Figure(
        name, found.count, at_ms, labels, since_ms=found.since_ms if found.count else None
    )
