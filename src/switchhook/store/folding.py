"""Folding records into a store's file: the one writer of it."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import apsw
import msgspec

from switchhook.errors import JournalError
from switchhook.exotel.call_words import is_final
from switchhook.exotel.cause import Cause
from switchhook.exotel.times import HOUR_MS, MINUTE_MS
from switchhook.journal.receipt import Counters, Late, RecordKind
from switchhook.sqlite_file import transaction
from switchhook.store.batch import Batch, Facets, Forms
from switchhook.store.digest import (
    NOTE,
    beside_keys,
    digest,
    hash_of,
)
from switchhook.store.files import BUCKET_BITS
from switchhook.store.healing import FAILURES
from switchhook.store.known_streams import KnownStreams
from switchhook.store.placing import Placing, encode_axis, read_axis
from switchhook.store.stories import Stories
from switchhook.streams.call_over import says_over
from switchhook.streams.parsed_record import (
    CallbackRecord,
    OtherRecord,
    PassthruRecord,
    UnreadableRecord,
    reason_of,
)
from switchhook.streams.routed_record import RoutedRecord, read_routed
from switchhook.system.data_folder import boot_id
from switchhook.system.priority import yield_cpu

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from switchhook.exotel.wire.status_callback import StatusCallback
    from switchhook.journal.source import JournalRecord, JournalSource
    from switchhook.streams.parsed_record import ParsedRecord

_LIKE_NUMBER = re.compile(r"[0-9]{7}")
_PAGE_CACHE_KIB = 24 * 1024
_CHECKPOINT_PAGES = 4000
_FEWEST_READ, _READ_A_RECORD = 2_000, 100  # keys: some 3 ms, and more where much is to be folded
_STEPS_A_BREATH = 1000  # of SQLite's virtual machine: about 0.1 ms

_late = msgspec.msgpack.Decoder(Late).decode
_counters = msgspec.msgpack.Decoder(Counters).decode


def read_progress(connection: apsw.Connection) -> tuple[int | None, int, int, bool]:
    """The journal's node, the seq of the last record and its time; whether not to trust it."""
    node, seq, at, boot, closed = connection.execute(
        "SELECT node, seq, at, boot, closed FROM progress"
    ).get
    return node, seq, at, bool(seq and not closed and boot != boot_id())


class Folding:
    """A store's file, open for folding. `position` is the seq up to which all is in."""

    def __init__(self, connection: apsw.Connection, path: Path, journal: JournalSource) -> None:
        self._connection, self._path, self._journal = connection, path, journal
        connection.pragma("synchronous", "off")
        connection.pragma("cache_size", -_PAGE_CACHE_KIB)
        connection.wal_autocheckpoint(_CHECKPOINT_PAGES)
        connection.set_progress_handler(yield_cpu, _STEPS_A_BREATH)
        connection.pragma("secure_delete", "on")  # what is forgotten must not stay on the disk
        self._facets, self._forms = Facets(connection), Forms(connection)
        self.node, self.position, at, self.suspect = read_progress(connection)
        axis = read_axis(connection)
        self._placing = Placing(axis, at if axis is None else axis.at_ms)
        self._known_streams = KnownStreams(connection, self.position, journal.last_seq())
        self._stories = Stories(connection, journal, self._facets)

    def begin(self) -> None:
        """Mark the file as open: as it doesn't sync, it must not be trusted after a power cut."""
        self._mark(closed=False)

    def close(self) -> None:
        """Make the file durable and close it."""
        self._connection.pragma("synchronous", "full")
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._mark(closed=True)
        self._connection.close()

    def leave(self) -> None:
        """Close the file as it is: it is not to be trusted, or not there any more."""
        with suppress(apsw.Error):
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._connection.close()

    def _mark(self, *, closed: bool) -> None:
        self._connection.execute("UPDATE progress SET boot = ?, closed = ?", (boot_id(), closed))

    def fold(self, records: Sequence[ParsedRecord]) -> None:
        """Take records in, in one transaction; what can't be folded is quarantined alone."""
        try:
            self._fold(records)
        except (JournalError, *FAILURES):
            raise
        except Exception:  # noqa: BLE001 - whatever a record makes fail, the others go on
            for parsed in records:
                self._fold_alone(parsed)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """A transaction; what is remembered of the file is forgotten where it is undone."""
        try:
            with transaction(self._connection):
                yield
        except BaseException:
            self._look_again()
            raise

    def _fold_alone(self, parsed: ParsedRecord) -> None:
        try:
            self._fold([parsed])
        except (JournalError, *FAILURES):
            raise
        except Exception as error:  # noqa: BLE001 - as above; the reason is kept
            batch, record = Batch(), parsed.record
            batch.quarantine.append((record.seq, reason_of(error)))
            with self._changing():
                self._write(batch, record, self._placing)
            self.position = record.seq

    def _fold(self, records: Sequence[ParsedRecord]) -> None:
        self._known_streams.read(max(_FEWEST_READ, _READ_A_RECORD * len(records)))
        batch, placing = Batch(), Placing(self._placing.axis, self._placing.newest_ms)
        last = records[-1].record
        with self._changing():
            for parsed in records:
                record = parsed.record
                at = record.at if record.damage else self._place(batch, record, placing)
                self._take(batch, parsed, at)
                yield_cpu()
            self._write(batch, last, placing)
        # Only now is it in: COMMIT may find the disk full.
        self.position, self._placing = last.seq, placing

    def _place(self, batch: Batch, record: JournalRecord, placing: Placing) -> int:
        placed = placing.place(record)
        if placed.displaced:
            batch.displaced.append((record.seq, placed.at_ms))
        if placed.turn:
            batch.turns.append((record.seq, placed.at_ms))
        return placed.at_ms

    def _look_again(self) -> None:
        """Forget what is remembered of the file: some of it may be undone."""
        self._facets.forget()
        self._forms.forget()

    def _take(self, batch: Batch, parsed: ParsedRecord, at: int) -> None:
        """Take one record in; `at` is where in time it belongs."""
        record = parsed.record
        match parsed:
            case UnreadableRecord(reason=reason):
                batch.quarantine.append((record.seq, reason))
            case PassthruRecord():
                self._take_passthru(batch, parsed, at)
            case CallbackRecord(callback=callback):
                batch.events.append((record.kind, record.seq))
                if callback is not None:
                    self._take_callback(batch, record.seq, callback)
            case OtherRecord():
                self._take_other(batch, record, at)

    def _take_other(self, batch: Batch, record: JournalRecord, at: int) -> None:
        match record.kind:
            case RecordKind.LATE:
                late = _late(record.body)
                batch.late.append((late.seq, late.late_ms))
            case RecordKind.COUNTERS:
                self._take_counters(batch, record, at)
            case RecordKind.VOICEBOT | RecordKind.ADMISSION | RecordKind.BOT_REPORT:
                batch.events.append((record.kind, record.seq))
                self._take_routed(batch, record)
            case _:
                batch.events.append((record.kind, record.seq))

    def _take_routed(self, batch: Batch, record: JournalRecord) -> None:
        """Note what was decided before a stream, or what its bot reports, with its call."""
        read, bucket = read_routed(record), record.seq >> BUCKET_BITS
        if read is None:
            return
        if read.call_sid is not None:
            batch.mentions.append((bucket, hash_of(NOTE, read.call_sid), record.seq))
        if isinstance(read, RoutedRecord):
            passthru = read.passthru
            for key in beside_keys({passthru.from_, passthru.to}, passthru.region):
                batch.callers.append((bucket, key, record.seq))

    def _take_counters(self, batch: Batch, record: JournalRecord, at: int) -> None:
        found, minute = _counters(record.body), at - at % MINUTE_MS
        batch.counters.update(found.counts)
        for name, count in found.counts.items():
            batch.counts[minute, name] += count
        for name, peak in found.peaks.items():
            batch.peaks[minute, name] = max(peak, batch.peaks.get((minute, name), 0))

    def _take_callback(self, batch: Batch, seq: int, said: StatusCallback) -> None:
        bucket = seq >> BUCKET_BITS
        if said.call_sid is not None:
            batch.mentions.append((bucket, hash_of(NOTE, said.call_sid), seq))
            if is_final(said.status):
                batch.calls[said.call_sid] = bucket
        legs = [text for leg in said.legs for text in leg.values() if _LIKE_NUMBER.search(text)]
        for key in beside_keys({said.from_, said.to, *legs}, "IN"):
            batch.callers.append((bucket, key, seq))

    def _take_passthru(self, batch: Batch, parsed: PassthruRecord, at: int) -> None:
        seq = parsed.record.seq
        try:
            found = digest(parsed)
        except Exception as error:  # noqa: BLE001 - a passthru that a bug can't digest is set aside
            # with the reason; no other may suffer for it.
            batch.quarantine.append((seq, reason_of(error)))
            return
        batch.forms[at - at % HOUR_MS, found.form] += 1
        batch.hit(parsed.receipt, seq, at)
        facet, bucket = self._facets.number(parsed.facet), seq >> BUCKET_BITS
        call_sid = parsed.passthru.call_sid
        if call_sid and (parsed.facet.cause == Cause.RUNNING or says_over(parsed, call_sid)):
            batch.calls[call_sid] = bucket
        batch.receipts.append((seq, facet))
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
                first = self._known_streams.find(key, bucket)
            if first is not None:
                told = parsed.parsed(self._node_of_journal())
                batch.more.setdefault(first, []).append((seq, told))
                return
            batch.begun[key] = seq
            batch.first_records[seq] = parsed
            batch.keys.append((bucket, key, seq))
            self._known_streams.add(key)
        batch.streams.append((seq, facet, at))
        batch.tallies[at - at % MINUTE_MS, facet] += 1

    def _write(self, batch: Batch, last: JournalRecord, placing: Placing) -> None:
        self._write_rows(batch)
        axis = None if placing.axis is None else encode_axis(placing.axis)
        self._connection.execute(
            "UPDATE progress SET node = ?, seq = ?, at = ?, axis = ?",
            (self._node_of_journal(), last.seq, last.at, axis),
        )

    def _write_rows(self, batch: Batch) -> None:
        stories = self._stories.of(batch, self._node_of_journal())
        batch.write(self._connection)
        for seq, story in stories.items():
            self._stories.write(batch, seq, story)
        self._stories.end_with_calls(batch, self._node_of_journal())
        batch.write_tallies(self._connection)
        self._forms.write(batch.forms)

    def _node_of_journal(self) -> int:
        if self.node is None:
            self.node = self._journal.node
        assert self.node is not None, "a journal with records has a node"
        return self.node
