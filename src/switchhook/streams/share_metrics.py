"""By how much the share of Option A moved since an endpoint's rules changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import HOUR_MS, MINUTE_MS
from switchhook.metrics import Cached
from switchhook.streams.applied_queries import RULES, applied_changes
from switchhook.streams.baseline import FEWEST, Answered, shift

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.journal.source import JournalSource
    from switchhook.streams.recent import AttributedTally
    from switchhook.streams.store import Store

_EVENTS_MS = 5_000


class RulesChange(msgspec.Struct, frozen=True):
    """Rules that an endpoint goes by since `at_ms`; until `first_ms` it was as ever."""

    at_ms: int
    first_ms: int
    hash: str
    by: str


class ShareMoved(msgspec.Struct, frozen=True):
    """How Option A's share moved at an endpoint's change of rules."""

    change: RulesChange
    before: Answered
    since: Answered


class ShareWatch:
    """What moved at which change; for one thread. `moved` is by endpoint, as of the last look."""

    def __init__(self, store: Store, journal: JournalSource) -> None:
        self._store, self._journal = store, journal
        self._changes = Cached(_EVENTS_MS, self._read_changes)
        self.moved: Mapping[str, ShareMoved] = {}

    def look(self, recent: Iterable[AttributedTally], now_ms: int) -> None:
        """See what moved, by the streams of the last hours."""
        tallies = tuple(recent)
        self.moved = {
            endpoint: ShareMoved(
                change,
                _answered(tallies, endpoint, change.first_ms - HOUR_MS, _minute(change.first_ms)),
                _answered(tallies, endpoint, _minute(change.at_ms) + MINUTE_MS, now_ms),
            )
            for endpoint, change in self._changes.get(now_ms).items()
        }

    def shift(self, endpoint: str) -> tuple[float | None, int]:
        """By how much it moved beyond chance, and of how many streams that is known."""
        moved = self.moved.get(endpoint)
        if moved is None or moved.since.cases < FEWEST:
            return None, 0
        return shift(moved.since, moved.before, moved.before)

    def _read_changes(self, now_ms: int) -> dict[str, RulesChange]:
        """The last change of each endpoint's rules in an hour; a start changes none."""
        found: dict[str, RulesChange] = {}
        for at_ms, applied in applied_changes(self._journal, self._store):
            if applied.name.startswith(RULES) and now_ms - at_ms <= HOUR_MS:
                endpoint = applied.name.removeprefix(RULES)
                first = found.get(endpoint)
                first_ms = at_ms if first is None else first.first_ms
                found[endpoint] = RulesChange(at_ms, first_ms, applied.hash, applied.by)
        return found


def _minute(at_ms: int) -> int:
    return at_ms - at_ms % MINUTE_MS


def _answered(
    tallies: Iterable[AttributedTally], endpoint: str, begin_ms: int, end_ms: int
) -> Answered:
    a = cases = 0
    for each in tallies:
        if each.facet.endpoint == endpoint and begin_ms <= each.at_ms < end_ms:
            cases += each.streams
            a += each.streams if each.facet.option == "A" else 0
    return Answered(a, cases)
