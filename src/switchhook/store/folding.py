"""Folding records into a store's file: the one writer of it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import apsw
import msgspec

from switchhook.errors import DataFolderError, JournalError
from switchhook.receipt import Counters, Kind, Late
from switchhook.store.digest import UNKNOWN, Digest, Facet, digest, facet_of, hash_of
from switchhook.store.files import REBUILD, boot_id, damaged
from switchhook.store.recall import Recall
from switchhook.story import StreamStory, Told, merge_streams, stream_story

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from switchhook.story import JournalRecord, JournalSource

BUCKET_BITS = 16
"""A bucket of the hashed indexes is 65,536 seqs: its pages fit in memory, 153 hold 10 million."""

_PAGE_CACHE_KIB = 24 * 1024
_CHECKPOINT_PAGES = 4000

_late = msgspec.msgpack.Decoder(Late).decode
_counters = msgspec.msgpack.Decoder(Counters).decode
decode_story = msgspec.msgpack.Decoder(StreamStory).decode
_encode_story = msgspec.msgpack.Encoder().encode

_DAMAGE = (apsw.CorruptError, apsw.NotADBError)
# What a disk or another process does to us, whatever is in the records.
_CIRCUMSTANCES = (
    JournalError,
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.FullError,
    apsw.IOError,
    apsw.InterruptError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.ReadOnlyError,
)


class _Batch:
    """The rows that some records become."""

    def __init__(self) -> None:
        self.receipts: list[tuple[int, int]] = []
        self.mentions: list[tuple[int, int, int]] = []
        self.streams: list[tuple[int, int]] = []
        self.keys: list[tuple[int, int, int]] = []
        self.late: list[tuple[int, int]] = []
        self.events: list[tuple[int, int]] = []
        self.quarantine: list[tuple[int, str]] = []
        self.counters: Counter[str] = Counter()
        self.begun: dict[int, int] = {}  # streams new in this batch, hash to seq
        self.told: dict[int, Told] = {}  # by the first receipt of each
        self.more: dict[int, list[tuple[int, Told]]] = {}  # what later ones tell of a stream


class Folding:
    """A store's file, open for folding. `position` is the seq up to which all is in."""

    def __init__(self, connection: apsw.Connection, path: Path, journal: JournalSource) -> None:
        self._connection, self._path, self._journal = connection, path, journal
        connection.pragma("synchronous", "off")
        connection.pragma("cache_size", -_PAGE_CACHE_KIB)
        connection.wal_autocheckpoint(_CHECKPOINT_PAGES)
        self._facets: dict[Facet, int] = {}
        self.node, self.position, _, self.suspect = self._progress()
        self._recall = Recall()
        for (key,) in connection.execute("SELECT key FROM stream_key"):
            self._recall.add(key)

    def _progress(self) -> tuple[int | None, int, int, bool]:
        node, seq, at, boot, closed = self._connection.execute(
            "SELECT node, seq, at, boot, closed FROM progress"
        ).get
        return node, seq, at, bool(seq and not closed and boot != boot_id())

    def check_against(self, journal: JournalSource) -> None:
        """DataFolderError where the store can't have been folded from this journal."""
        node, seq, at, _ = self._progress()
        if not seq:
            return
        name = self._path.name
        if journal.node is None:
            self._mismatch(f"{name} is folded up to seq {seq}, but there is no journal")
        if journal.node != node:
            self._mismatch(f"{name} is folded from node {node}'s journal, this is {journal.node}'s")
        last = journal.last_seq()
        if last < seq:
            self._mismatch(f"{name} is folded up to seq {seq}, but the journal ends at {last}")
        record = journal.get_many([seq]).get(seq)
        if record is not None and record.at != at:
            self._mismatch(f"{name} is folded from another journal: seq {seq} differs")

    def _mismatch(self, problem: str) -> None:
        hint = f"put the journal back that belongs to it; or {REBUILD}"
        raise DataFolderError(str(self._path.parent), problem, hint)

    def begin(self) -> None:
        """Mark the file as open: as it doesn't sync, it must not be trusted after a power cut."""
        self._mark(closed=False)

    def close(self) -> None:
        """Make the file durable and close it."""
        self._connection.pragma("synchronous", "full")
        self._connection.pragma("wal_checkpoint(truncate)")
        self._mark(closed=True)
        self._connection.close()

    def leave(self) -> None:
        """Close the file as it is, not to be trusted."""
        self._connection.close()

    def _mark(self, *, closed: bool) -> None:
        self._connection.execute("UPDATE progress SET boot = ?, closed = ?", (boot_id(), closed))

    def fold(self, records: Sequence[JournalRecord]) -> None:
        """Take records in, in one transaction; what can't be folded is quarantined alone."""
        try:
            try:
                self._fold(records)
            except (*_CIRCUMSTANCES, *_DAMAGE):
                raise
            except Exception:  # noqa: BLE001 - whatever a record makes fail, the others go on
                for record in records:
                    self._fold_alone(record)
        except _DAMAGE as error:
            raise damaged(self._path, error) from error

    def _fold_alone(self, record: JournalRecord) -> None:
        try:
            self._fold([record])
        except (*_CIRCUMSTANCES, *_DAMAGE):
            raise
        except Exception as error:  # noqa: BLE001 - as above; the reason is kept
            batch = _Batch()
            batch.quarantine.append((record.seq, _reason(error)))
            self._write(batch, record)
            self.position = record.seq

    def _fold(self, records: Sequence[JournalRecord]) -> None:
        batch = _Batch()
        try:
            with self._connection:
                for record in records:
                    self._take(batch, record)
                stories = self._stories(batch)
                self._write(batch, records[-1], stories)
        except BaseException:
            self._facets.clear()  # some may have been given numbers in what is undone now
            raise
        self.position = records[-1].seq  # only now is it in: COMMIT may find the disk full

    def _take(self, batch: _Batch, record: JournalRecord) -> None:
        match record.kind:
            case Kind.PASSTHRU:
                try:
                    found = digest(record, self._node_of_journal())
                except Exception as error:  # noqa: BLE001 - a receipt that a bug can't read is
                    # set aside with the reason; no other may suffer for it.
                    batch.quarantine.append((record.seq, _reason(error)))
                else:
                    self._take_receipt(batch, record.seq, found)
            case Kind.LATE:
                late = _late(record.body)
                batch.late.append((late.seq, late.late_ms))
            case Kind.COUNTERS:
                batch.counters.update(_counters(record.body).counts)
            case _:
                batch.events.append((record.kind, record.seq))

    def _take_receipt(self, batch: _Batch, seq: int, found: Digest) -> None:
        facet, bucket = self._facet(found.facet), seq >> BUCKET_BITS
        batch.receipts.append((seq, facet))
        for mention in found.mentions:
            batch.mentions.append((bucket, mention, seq))
        key = found.stream
        if key is None:
            return
        if not found.alone:
            first = batch.begun.get(key)
            if first is None and key in self._recall:
                first = self._find_stream(key, bucket)
            if first is not None:
                batch.more.setdefault(first, []).append((seq, found.told))
                return
            batch.begun[key] = seq
            batch.told[seq] = found.told
            batch.keys.append((bucket, key, seq))
            self._recall.add(key)
        batch.streams.append((seq, facet))

    def _find_stream(self, key: int, newest: int) -> int | None:
        for bucket in range(newest, -1, -1):
            row = self._connection.execute(
                "SELECT seq FROM stream_key WHERE bucket = ? AND key = ?", (bucket, key)
            ).fetchone()
            if row is not None:
                first: int = row[0]
                return first
        return None

    def _stories(self, batch: _Batch) -> dict[int, StreamStory]:
        """The streams of which more was told, as they are now."""
        known = {seq: stream_story(batch.told[seq]) for seq in batch.more if seq in batch.told}
        known |= self._stories_before([seq for seq in batch.more if seq not in known])
        stories: dict[int, StreamStory] = {}
        for first, more in batch.more.items():
            story = known.get(first)
            for seq, told in more:
                addition = stream_story(told)
                if addition is None or (story is not None and story.key != addition.key):
                    # Two streams with the same hash: as good as never, and still not mixed.
                    batch.quarantine.append((seq, "its stream has the hash of another one"))
                else:
                    story = addition if story is None else merge_streams(story, addition)
            if story is not None:
                stories[first] = story
        return stories

    def _stories_before(self, seqs: Iterable[int]) -> dict[int, StreamStory | None]:
        """Streams as an earlier batch left them; what only one receipt told is read from it."""
        found: dict[int, StreamStory | None] = {}
        alone = []
        for seq in seqs:
            blob = self._connection.execute("SELECT story FROM stream WHERE seq = ?", (seq,)).get
            if blob is None:
                alone.append(seq)
            else:
                found[seq] = decode_story(blob)
        for seq, record in (self._journal.get_many(alone) if alone else {}).items():
            found[seq] = stream_story(digest(record, self._node_of_journal()).told)
        return found

    def _write(
        self, batch: _Batch, last: JournalRecord, stories: dict[int, StreamStory] | None = None
    ) -> None:
        with self._connection:
            many = self._connection.executemany
            many("INSERT INTO receipt VALUES (?, ?)", batch.receipts)
            many("INSERT OR IGNORE INTO mention VALUES (?, ?, ?)", sorted(batch.mentions))
            many("INSERT INTO stream VALUES (?, ?, NULL)", batch.streams)
            many("INSERT INTO stream_key VALUES (?, ?, ?)", sorted(batch.keys))
            many("INSERT OR REPLACE INTO late VALUES (?, ?)", batch.late)
            many("INSERT INTO event VALUES (?, ?)", batch.events)
            many("INSERT OR REPLACE INTO quarantine VALUES (?, ?)", batch.quarantine)
            many(
                "INSERT INTO counter VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET count = count + excluded.count",
                batch.counters.items(),
            )
            for seq, story in (stories or {}).items():
                self._write_story(seq, story)
            self._connection.execute(
                "UPDATE progress SET node = ?, seq = ?, at = ?",
                (self._node_of_journal(), last.seq, last.at),
            )

    def _write_story(self, seq: int, story: StreamStory) -> None:
        facet = facet_of(story)
        self._connection.execute(
            "UPDATE stream SET facet = ?, story = ? WHERE seq = ?",
            (self._facet(facet), _encode_story(story), seq),
        )
        if facet[1] == UNKNOWN:
            # By this word the stream is looked for, though its first receipt may not say it.
            word = hash_of("status", (story.stream.status or "").lower())
            self._connection.execute(
                "INSERT OR IGNORE INTO mention VALUES (?, ?, ?)", (seq >> BUCKET_BITS, word, seq)
            )

    def _facet(self, facet: Facet) -> int:
        number = self._facets.get(facet)
        if number is None:
            self._connection.execute(
                "INSERT OR IGNORE INTO facet (endpoint, status, cause, option) VALUES (?, ?, ?, ?)",
                facet,
            )
            number = self._facets[facet] = self._connection.execute(
                "SELECT id FROM facet"
                " WHERE endpoint = ? AND status = ? AND cause = ? AND option = ?",
                facet,
            ).get
        return number

    def _node_of_journal(self) -> int:
        if self.node is None:
            self.node = self._journal.node
        assert self.node is not None, "a journal with records has a node"
        return self.node


def _reason(error: Exception) -> str:
    """Why a record was refused, in a text that any database takes and that names no number."""
    text = f"{type(error).__name__}: {error}"[:300].encode("ascii", "backslashreplace").decode()
    return re.sub(r"[0-9]{5,}", "…", text)
