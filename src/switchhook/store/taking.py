"""What a record changes: the rows it becomes, and what is counted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.call_words import is_final
from switchhook.exotel.cause import Cause
from switchhook.exotel.times import HOUR_MS, MINUTE_MS
from switchhook.journal.receipt import Counters, Late, RecordKind, decode_one_copy
from switchhook.journal.source import Origin
from switchhook.store.buckets import bucket_of
from switchhook.store.digest import NOTE, Digest, beside_keys, digest, hash_of
from switchhook.streams.call_over import says_over
from switchhook.streams.parsed_record import (
    CallbackRecord,
    OtherRecord,
    ParsedRecord,
    PassthruRecord,
    UnreadableRecord,
    reason_of,
)
from switchhook.streams.routed_record import RoutedRecord, read_routed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.exotel.wire.status_callback import StatusCallback
    from switchhook.journal.source import JournalRecord, JournalSource
    from switchhook.store.batch import Batch
    from switchhook.store.facets import Facets

_LIKE_NUMBER = re.compile(r"[0-9]{7}")

_late = msgspec.msgpack.Decoder(Late).decode
_counters = msgspec.msgpack.Decoder(Counters).decode


class Undigested(msgspec.Struct, frozen=True):
    """A passthru that a bug can't digest, with the reason."""

    reason: str


def digests_of(records: Iterable[ParsedRecord]) -> dict[int, Digest | Undigested]:
    """What to keep of each passthru, by seq; no other may suffer for one that can't be read."""
    found: dict[int, Digest | Undigested] = {}
    for parsed in records:
        if isinstance(parsed, PassthruRecord):
            try:
                found[parsed.record.seq] = digest(parsed)
            except Exception as error:  # noqa: BLE001 - whatever a receipt's texts make fail; the
                # reason is kept, and the passthru set aside
                found[parsed.record.seq] = Undigested(reason_of(error))
    return found


class Taking:
    """Takes records into a batch, in their order.

    `known` are the streams that were seen before, by the hash of each, with their first receipts.
    """

    def __init__(
        self,
        batch: Batch,
        facets: Facets,
        journal: JournalSource,
        digests: Mapping[int, Digest | Undigested],
        known: Mapping[int, int],
    ) -> None:
        self._batch, self._facets, self._journal = batch, facets, journal
        self._digests, self._known = digests, known

    def take(self, parsed: ParsedRecord, at: int, node: int) -> None:
        """Take one record in; `at` is where in time it belongs, `node` the journal's."""
        record, batch = parsed.record, self._batch
        batch.note_time(record.seq, at)
        match parsed:
            case UnreadableRecord(reason=reason):
                batch.quarantine.append((record.seq, reason))
            case PassthruRecord():
                found = self._digests[record.seq]
                if isinstance(found, Undigested):
                    batch.quarantine.append((record.seq, found.reason))
                else:
                    self._take_passthru(parsed, found, at, node)
            case CallbackRecord(callback=callback):
                batch.events.append((record.kind, record.seq, at))
                if callback is not None:
                    self._take_callback(record.seq, callback)
            case OtherRecord():
                self._take_other(record, at)

    def _take_other(self, record: JournalRecord, at: int) -> None:
        match record.kind:
            case RecordKind.LATE:
                late = _late(record.body)
                seq = self._here(record, late.seq)
                if seq is not None:
                    self._batch.late.append((seq, late.late_ms))
            case RecordKind.ONE_COPY:
                seq = self._here(record, decode_one_copy(record.body).seq)
                if seq is not None:
                    self._batch.one_copy.append(seq)
            case RecordKind.COUNTERS:
                self._take_counters(record, at)
            case RecordKind.VOICEBOT | RecordKind.ADMISSION | RecordKind.BOT_REPORT:
                self._batch.events.append((record.kind, record.seq, at))
                self._take_routed(record)
            case _:
                self._batch.events.append((record.kind, record.seq, at))

    def _here(self, record: JournalRecord, seq: int) -> int | None:
        """The number in this journal of the receipt that a record names by its node's own."""
        origin = record.origin
        return seq if origin is None else self._journal.seq_of(Origin(origin.node, seq))

    def _take_routed(self, record: JournalRecord) -> None:
        """Note what was decided before a stream, or what its bot reports, with its call."""
        read, bucket = read_routed(record), bucket_of(record.seq)
        if read is None:
            return
        if read.call_sid is not None:
            self._batch.mentions.append((bucket, hash_of(NOTE, read.call_sid), record.seq))
        if isinstance(read, RoutedRecord):
            passthru = read.passthru
            for key in beside_keys({passthru.from_, passthru.to}, passthru.region):
                self._batch.callers.append((bucket, key, record.seq))

    def _take_counters(self, record: JournalRecord, at: int) -> None:
        found, minute, batch = _counters(record.body), at - at % MINUTE_MS, self._batch
        batch.counters.update(found.counts)
        for name, count in found.counts.items():
            batch.counts[minute, name] += count
        for name, peak in found.peaks.items():
            batch.peaks[minute, name] = max(peak, batch.peaks.get((minute, name), 0))

    def _take_callback(self, seq: int, said: StatusCallback) -> None:
        bucket, batch = bucket_of(seq), self._batch
        if said.call_sid is not None:
            batch.mentions.append((bucket, hash_of(NOTE, said.call_sid), seq))
            if is_final(said.status):
                batch.calls[said.call_sid] = bucket
        legs = [text for leg in said.legs for text in leg.values() if _LIKE_NUMBER.search(text)]
        for key in beside_keys({said.from_, said.to, *legs}, "IN"):
            batch.callers.append((bucket, key, seq))

    def _take_passthru(self, parsed: PassthruRecord, found: Digest, at: int, node: int) -> None:
        batch, seq = self._batch, parsed.record.seq
        batch.forms[at - at % HOUR_MS, found.form] += 1
        batch.hit(parsed.receipt, seq, at)
        facet, bucket = self._facets.number(parsed.facet), bucket_of(seq)
        call_sid = parsed.passthru.call_sid
        if call_sid and (parsed.facet.cause == Cause.RUNNING or says_over(parsed, call_sid)):
            batch.calls[call_sid] = bucket
        batch.receipts.append((seq, facet, at))
        for mention in found.mentions:
            batch.mentions.append((bucket, mention, seq))
        for digits in found.callers:
            batch.callers.append((bucket, digits, seq))
        key = found.stream
        if key is None and not found.alone:
            return
        if key is not None:
            first = batch.begun.get(key)
            if first is None:
                first = self._known.get(key)
            if first is not None:
                batch.more.setdefault(first, []).append((seq, parsed.parsed(node)))
                return
            batch.begun[key] = seq
            batch.first_records[seq] = parsed
            batch.keys.append((bucket, key, seq))
        batch.streams[seq] = facet, at
        batch.count_stream(facet, at, 1)
