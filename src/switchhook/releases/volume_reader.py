"""How many callers a subject has had of late, by what was kept: from it follow its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.errors import SwitchhookError
from switchhook.exotel.times import DAY_MS
from switchhook.journal.receipt import RecordKind
from switchhook.releases.stages import Volume
from switchhook.rules.addressing import key_of_caller
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import POOLS, subject_of
from switchhook.streams.routed_record import RoutedRecord, read_routed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.journal.source import JournalSource
    from switchhook.streams.store import Store

_DAYS = 7
_NEWEST = 2_000
"""So many answers before a stream are looked at: some tens of milliseconds."""
_KINDS = {
    EndpointKind.VOICEBOT: RecordKind.VOICEBOT,
    EndpointKind.ADMIT: RecordKind.ADMISSION,
}


def volume_of(
    subject: str,
    endpoints: Mapping[str, EndpointKind],
    store: Store,
    journal: JournalSource,
    now_ms: int,
) -> Volume | None:
    """How many came in the last week or day; None where nobody can tell.

    `endpoints` are all, by name. Requests of passthrus are counted by the store, for a week. Of
    answers before a stream the newest of a day are looked at, at most some thousands.
    """
    name = next((each for each in endpoints if subject_of(each) == subject), None)
    kind = EndpointKind.VOICEBOT if name is None else endpoints[name]
    if name is None and subject != POOLS:
        return None
    try:
        if kind in _KINDS:
            return _answered(_KINDS[kind], name, store, journal, now_ms)
        week_ms = now_ms - _DAYS * DAY_MS
        hits = store.rule_hits(week_ms, now_ms)
        since_ms = max(_began_ms(store, journal, now_ms), week_ms)
    except SwitchhookError:
        return None
    count = sum(each.hits for each in hits if subject_of(each.endpoint) == subject)
    return Volume(count=count, span_ms=now_ms - since_ms, requests=True)


def _answered(
    kind: RecordKind, name: str | None, store: Store, journal: JournalSource, now_ms: int
) -> Volume:
    """Callers who were given an address or asked for room, of one endpoint or of all."""
    records = journal.get_many(store.events(kind, _NEWEST))
    late = [each for each in records.values() if now_ms - each.at < DAY_MS]
    reads = [read for each in late if isinstance(read := read_routed(each), RoutedRecord)]
    callers = {
        key_of_caller(each.passthru)
        for each in reads
        if name is None or each.receipt.endpoint == name
    }
    if len(late) == _NEWEST:  # so many tell how a day is, however short they took
        span_ms = max(1, now_ms - min(each.at for each in late))
        return Volume(count=len(callers), span_ms=span_ms, sure=True)
    span_ms = now_ms - _began_ms(store, journal, now_ms)
    return Volume(count=len(callers), span_ms=min(DAY_MS, span_ms))


def _began_ms(store: Store, journal: JournalSource, now_ms: int) -> int:
    """Since when anything is known of calls: the store knows of streams alone, which not all have.

    Raises SwitchhookError.
    """
    first = (each.at for each in journal.read(journal.first_seq() - 1, 1))
    return min((store.oldest_ms() or now_ms, *first))
