"""The list of receipts from before the stream: those of one kind, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.journal.receipt import RecordKind, id_of
from switchhook.streams.parameters import DEFAULT, LAST_SEQ, cursor_of
from switchhook.streams.routed_json import routed_json
from switchhook.streams.routed_record import RoutedRecord, read_routed
from switchhook.web.parameters import RefusedParameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchhook.journal.source import JournalSource
    from switchhook.streams.store import Store
    from switchhook.web.json import Json

KINDS = {"admit": RecordKind.ADMISSION, "voicebot": RecordKind.VOICEBOT}
"""What a list may be of beside passthrus."""
_READ_AT_ONCE = 500
_MOST_READ = 10_000
"""Records that are looked through for one page: there is no index of them but by kind."""
_OF_STREAMS = ("stream_sid", "status", "cause")


def routed_receipts(journal: JournalSource, store: Store, values: Mapping[str, Any]) -> Json:
    """A page of receipts of the kind in `values`, which are those of `read_filters`.

    A page is given up after so many records as are read in a second or so, and says where to go
    on. Raises RefusedParameter for what is known of streams only.
    """
    for name in _OF_STREAMS:
        if name in values:
            raise RefusedParameter(name, "before a stream nothing is known of it", "leave it out")
    first, before = 0, values.get("cursor", LAST_SEQ)
    if "since" in values or "until" in values:
        first, until = store.seqs_between(values.get("since"), values.get("until"))
        before = before if until is None else min(before, until)
    found: list[Json] = []
    node, limit = journal.node or 0, values.get("limit", DEFAULT)
    for looked, (seq, read) in enumerate(
        _newest(journal, store, KINDS[values["kind"]], first, before), 1
    ):
        if read is not None and _fits(read, values):
            name = id_of(read.record, node)
            found.append(routed_json(name, read, store.marks([seq])))
        if len(found) == limit or looked == _MOST_READ:
            return {"receipts": found, "next": cursor_of(seq)}
    return {"receipts": found, "next": None}


def _newest(
    journal: JournalSource, store: Store, kind: RecordKind, first: int, before: int
) -> Iterator[tuple[int, RoutedRecord | None]]:
    """Records of a kind, newest first; None for one that can't be read or was moved away."""
    while seqs := store.events(kind, _READ_AT_ONCE, before):
        records = journal.get_many(seqs)
        for seq in seqs:
            if seq < first:
                return
            read = read_routed(records[seq]) if seq in records else None
            yield seq, read if isinstance(read, RoutedRecord) else None
        before = seqs[-1]


def _fits(read: RoutedRecord, values: Mapping[str, Any]) -> bool:
    receipt = read.receipt
    said = {
        "endpoint": receipt.endpoint,
        "call_sid": read.call_sid,
        "option": receipt.decision.option.value,
    }
    return all(values.get(name, text) == text for name, text in said.items())
