"""The rows that some records become, as values: an engine writes them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from switchhook.exotel.times import HOUR_MS, MINUTE_MS
from switchhook.store.buckets import stretch_of

if TYPE_CHECKING:
    from switchhook.journal.receipt import Receipt
    from switchhook.store.digest import Form
    from switchhook.streams.parsed_record import PassthruRecord
    from switchhook.streams.story import ParsedReceipt

RuleKey = tuple[str, str, str, str]
"""Endpoint, release, rule and option."""


class Batch:
    """Rows by table, and what is told of streams before it is written."""

    def __init__(self) -> None:
        self.receipts: list[tuple[int, int, int]] = []  # seq, facet, steady time
        self.mentions: list[tuple[int, int, int]] = []
        self.callers: list[tuple[int, str, int]] = []
        self.streams: dict[int, tuple[int, int]] = {}  # new ones, by seq: facet, steady time
        self.stories: dict[int, bytes] = {}  # of the new ones of which several receipts tell
        self.retold: dict[int, tuple[int, bytes]] = {}  # facet and story of earlier ones
        self.keys: list[tuple[int, int, int]] = []
        self.late: list[tuple[int, int]] = []
        self.one_copy: list[int] = []
        self.displaced: list[tuple[int, int]] = []
        self.turns: list[tuple[int, int]] = []
        self.events: list[tuple[int, int, int]] = []  # kind, seq, steady time
        self.times: dict[int, tuple[int, int]] = {}  # first and last, by stretch of records
        self.quarantine: list[tuple[int, str]] = []
        self.counters: Counter[str] = Counter()
        self.counts: Counter[tuple[int, str]] = Counter()  # by minute
        self.peaks: dict[tuple[int, str], int] = {}
        self.forms: Counter[tuple[int, Form]] = Counter()  # by hour
        self.hits: Counter[tuple[int, RuleKey]] = Counter()  # by hour
        self.last_hits: dict[RuleKey, tuple[int, int]] = {}  # when, and by which record
        self.tallies: Counter[tuple[int, int]] = Counter()  # minute and facet: streams more or less
        self.begun: dict[int, int] = {}  # streams new in this batch, hash to seq
        self.first_records: dict[int, PassthruRecord] = {}  # by the first receipt of each
        self.calls: dict[str, int] = {}  # that may be over while a stream of theirs runs, to bucket
        self.more: dict[
            int, list[tuple[int, ParsedReceipt]]
        ] = {}  # what later ones tell of a stream

    def hit(self, receipt: Receipt, seq: int, at: int) -> None:
        """Count a passthru for the rule that decided it; records come in their order."""
        decision = receipt.decision
        key = (receipt.endpoint, decision.release, decision.rule, str(decision.option))
        self.hits[at - at % HOUR_MS, key] += 1
        self.last_hits[key] = (at, seq)

    def count_stream(self, facet: int, at: int, more: int) -> None:
        """Count a stream first told of at a time, or one less."""
        self.tallies[at - at % MINUTE_MS, facet] += more

    def note_time(self, seq: int, at: int) -> None:
        """Note that a record belongs at a time."""
        stretch = stretch_of(seq)
        low, high = self.times.get(stretch, (at, at))
        self.times[stretch] = min(low, at), max(high, at)


def by_hour_and_facet(
    tallies: Counter[tuple[int, int]],
) -> tuple[Counter[tuple[int, int]], Counter[int]]:
    """Tallies by the minute as they are by the hour, and over all time."""
    hours: Counter[tuple[int, int]] = Counter()
    facets: Counter[int] = Counter()
    for (at, facet), streams in tallies.items():
        hours[at - at % HOUR_MS, facet] += streams
        facets[facet] += streams
    return hours, facets
