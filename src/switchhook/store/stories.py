"""Streams of which several receipts tell: their stories, merged and written down.

Of a stream that one receipt told nothing is written but where that is: it is read from the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.exotel.times import MINUTE_MS
from switchhook.store.digest import (
    CALL,
    FLOW,
    NOTE,
    RULE,
    STATUS,
    UNKNOWN,
    caller_keys,
    hash_of,
    said_keys,
)
from switchhook.store.files import BUCKET_BITS
from switchhook.streams.call_over import says_over
from switchhook.streams.parsed_record import parse_record, read_parsed
from switchhook.streams.story import StreamStory, facet_of, merge_streams, stream_story

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import apsw

    from switchhook.journal.source import JournalSource
    from switchhook.store.batch import Batch, Facets

decode_story = msgspec.msgpack.Decoder(StreamStory).decode
_encode = msgspec.msgpack.Encoder().encode

_BUCKETS = 4
"""How far back a call's records are looked for: some 200,000 records, hours of the busiest site."""


class Stories:
    """The stories in a store's file that is folded into; `node` is given as that of the journal."""

    def __init__(self, connection: apsw.Connection, journal: JournalSource, facets: Facets) -> None:
        self._connection, self._journal, self._facets = connection, journal, facets

    def of(self, batch: Batch, node: int) -> dict[int, StreamStory]:
        """The streams of which more was told, as they are now."""
        begun = [seq for seq in batch.more if seq in batch.first_records]
        known = {seq: stream_story(batch.first_records[seq].parsed(node)) for seq in begun}
        known |= self._before([seq for seq in batch.more if seq not in known], node)
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

    def _before(self, seqs: Iterable[int], node: int) -> dict[int, StreamStory | None]:
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
            found[seq] = stream_story(read_parsed(record, node))
        return found

    def keep(self, seqs: Sequence[int], node: int) -> None:
        """Write down the stories of streams that one receipt told."""
        self._connection.executemany(
            "UPDATE stream SET story = ? WHERE seq = ?",
            [
                (_encode(story), seq)
                for seq, story in self._before(seqs, node).items()
                if story is not None
            ],
        )

    def end_with_calls(self, batch: Batch, node: int) -> None:
        """Let no stream run on whose call is over, whichever was told first."""
        running = [
            str(number)
            for (number,) in self._connection.execute(
                "SELECT id FROM facet WHERE cause = ?", (Cause.RUNNING.value,)
            )
        ]
        if not running:
            return
        for call_sid, bucket in batch.calls.items():
            found = (
                "SELECT s.seq FROM mention m CROSS JOIN stream s ON s.seq = m.seq"  # noqa: S608 - numbers
                f" WHERE m.bucket = ? AND m.key = ? AND s.facet IN ({','.join(running)})"
            )
            seqs = self._of_call(found, CALL, call_sid, bucket)
            if not seqs or not self._is_over(call_sid, bucket):
                continue
            for seq, story in self._before(seqs, node).items():
                if story is not None and story.call_sid == call_sid:
                    self.write(batch, seq, msgspec.structs.replace(story, call_over=True))

    def _is_over(self, call_sid: str, bucket: int) -> bool:
        """Whether a receipt or a callback says so."""
        told = "SELECT seq FROM mention WHERE bucket = ? AND key = ?"
        seqs = {q for kind in (NOTE, CALL) for q in self._of_call(told, kind, call_sid, bucket)}
        records = self._journal.get_many(sorted(seqs))
        return any(says_over(parse_record(each), call_sid) for each in records.values())

    def _of_call(self, sql: str, kind: int, call_sid: str, bucket: int) -> list[int]:
        key, buckets = hash_of(kind, call_sid), range(bucket, max(bucket - _BUCKETS, -1), -1)
        return [seq for at in buckets for (seq,) in self._connection.execute(sql, (at, key))]

    def write(self, batch: Batch, seq: int, story: StreamStory) -> None:
        """Write one down, and count its stream as it stands now."""
        words, bucket = facet_of(story), seq >> BUCKET_BITS
        facet, row = (
            self._facets.number(words),
            self._connection.execute("SELECT facet, at FROM stream WHERE seq = ?", (seq,)),
        )
        before, at = row.get
        minute = at - at % MINUTE_MS
        batch.tallies[minute, before] -= 1
        batch.tallies[minute, facet] += 1
        self._connection.execute(
            "UPDATE stream SET facet = ?, story = ? WHERE seq = ?",
            (facet, _encode(story), seq),
        )
        # By these the stream is looked for, though its first receipt may not say them.
        flow, mentions = story.said("flow_id"), [hash_of(RULE, story.settled_by.rule)]
        if words.status == UNKNOWN:
            mentions.append(hash_of(STATUS, (story.stream.status or "").lower()))
        if flow is not None:
            mentions.append(hash_of(FLOW, flow))
        mentions += said_keys(story.said("custom_field"), story.said("digits"))
        many = self._connection.executemany
        many(
            "INSERT OR IGNORE INTO mention VALUES (?, ?, ?)",
            [(bucket, key, seq) for key in mentions],
        )
        numbers = story.said("from_"), story.said("to"), story.said("direction")
        many(
            "INSERT OR IGNORE INTO caller VALUES (?, ?, ?)",
            [(bucket, digits, seq) for digits in caller_keys(*numbers)],
        )
