"""The samples of refused requests that the journal keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.journal.receipt import RecordKind, Sample
from switchhook.streams.refused import RefusedRequest, refused_request

if TYPE_CHECKING:
    from switchhook.journal.source import JournalSource
    from switchhook.streams.store import Store

MOST_REFUSED = 100
"""So many are shown."""

_decode = msgspec.msgpack.Decoder(Sample).decode


def refused_requests(
    journal: JournalSource, store: Store, limit: int = MOST_REFUSED
) -> list[RefusedRequest]:
    """The newest samples, newest first; what another release wrote otherwise is left out."""
    records = journal.get_many(store.events(RecordKind.SAMPLE, limit))
    placed, found = store.placed(records), []
    for seq in sorted(records, reverse=True):
        try:
            sample = _decode(records[seq].body)
        except msgspec.DecodeError:
            continue
        found.append(refused_request(seq, placed.get(seq, records[seq].at), sample))
    return found
