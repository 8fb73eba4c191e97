"""Streams of which several receipts tell: their stories, merged and written down.

Of a stream that one receipt told nothing is written but where that is: it is read from the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from switchhook.store.buckets import bucket_of
from switchhook.store.digest import FLOW, RULE, STATUS, UNKNOWN, caller_keys, hash_of, said_keys
from switchhook.store.tables import StoredStream
from switchhook.streams.call_over import says_over
from switchhook.streams.parsed_record import parse_record, read_parsed
from switchhook.streams.story import StreamStory, facet_of, merge_streams, stream_story

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.store.batch import Batch
    from switchhook.store.facets import Facets
    from switchhook.store.tables import StoryTables
    from switchhook.streams.facet import Facet

decode_story = msgspec.msgpack.Decoder(StreamStory).decode
_encode = msgspec.msgpack.Encoder().encode

_CALLS_AT_ONCE = 200
"""Whose records are read from the journal together."""


class Told(NamedTuple):
    """Streams by the first receipt of each, and what they are counted under now.

    `earlier` are those of earlier batches as they were.
    """

    stories: Mapping[int, tuple[StreamStory, Facet]]
    earlier: Mapping[int, StoredStream]

    @property
    def facets(self) -> list[Facet]:
        """In the streams' order, for beyond the ceiling the order tells who has a number."""
        return [facet for _, facet in self.stories.values()]


class Stories:
    """The stories in the tables that are folded into; `node` is given as that of the journal."""

    def __init__(self, tables: StoryTables, journal: JournalSource, facets: Facets) -> None:
        self._tables, self._journal, self._facets = tables, journal, facets

    def told(self, batch: Batch, node: int) -> Told:
        """The streams of which a batch tells more, as they are now. It only reads."""
        earlier = self._tables.streams([seq for seq in batch.more if seq not in batch.streams])
        known = {
            seq: stream_story(batch.first_records[seq].parsed(node))
            for seq in batch.more
            if seq in batch.streams
        }
        known |= self._told_before(earlier, node)
        stories: dict[int, tuple[StreamStory, Facet]] = {}
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
                stories[first] = story, facet_of(story)
        return Told(stories, earlier)

    def put(self, batch: Batch, told: Told) -> None:
        """Have them written down with the batch."""
        for first, (story, facet) in told.stories.items():
            self._put(batch, first, story, facet, told.earlier)

    def _told_before(
        self, streams: Mapping[int, StoredStream], node: int
    ) -> dict[int, StreamStory | None]:
        """Streams as an earlier batch left them; what only one receipt told is read from it."""
        found: dict[int, StreamStory | None] = {
            seq: decode_story(each.story) for seq, each in streams.items() if each.story is not None
        }
        alone = [seq for seq, each in streams.items() if each.story is None]
        for seq, record in (self._journal.get_many(alone) if alone else {}).items():
            found[seq] = stream_story(read_parsed(record, node))
        return found

    def keep(self, seqs: Sequence[int], node: int) -> None:
        """Write down the stories of streams that one receipt told."""
        told = self._told_before(self._tables.streams(seqs), node)
        self._tables.keep_stories(
            {seq: _encode(story) for seq, story in told.items() if story is not None}
        )

    def end_with_calls(self, batch: Batch, calls: Mapping[str, int], node: int) -> None:
        """Let no stream run on whose call is over, whichever was told first.

        `calls` may be over, each with the bucket to look back from; what is known of them is
        written. The changes go into the batch.
        """
        running = self._tables.running_of(calls) if calls else {}
        over = self._over({call: calls[call] for call, seqs in running.items() if seqs})
        streams = self._tables.streams(sorted({seq for call in over for seq in running[call]}))
        for seq, story in self._told_before(streams, node).items():
            if story is not None and story.call_sid in over:
                ended = msgspec.structs.replace(story, call_over=True)
                self._put(batch, seq, ended, facet_of(ended), streams)

    def _over(self, calls: Mapping[str, int]) -> set[str]:
        """Those of which a receipt or a callback says that they are over."""
        asked = list(calls.items())
        found = set()
        for start in range(0, len(asked), _CALLS_AT_ONCE):
            told = self._tables.told_of(dict(asked[start : start + _CALLS_AT_ONCE]))
            records = self._journal.get_many(sorted({q for seqs in told.values() for q in seqs}))
            for call, seqs in told.items():
                said = (parse_record(records[seq]) for seq in seqs if seq in records)
                if any(says_over(each, call) for each in said):
                    found.add(call)
        return found

    def _put(
        self,
        batch: Batch,
        seq: int,
        story: StreamStory,
        words: Facet,
        earlier: Mapping[int, StoredStream],
    ) -> None:
        """Have one written down, and its stream counted as it stands now."""
        bucket, facet = bucket_of(seq), self._facets.number(words)
        if seq in batch.streams:
            before, at = batch.streams[seq]
            batch.streams[seq] = facet, at
            batch.stories[seq] = _encode(story)
        else:
            before, at, _ = earlier[seq]
            batch.retold[seq] = facet, _encode(story)
        batch.count_stream(before, at, -1)
        batch.count_stream(facet, at, 1)
        # By these the stream is looked for, though its first receipt may not say them.
        flow, mentions = story.said("flow_id"), [hash_of(RULE, story.settled_by.rule)]
        if words.status == UNKNOWN:
            mentions.append(hash_of(STATUS, (story.stream.status or "").lower()))
        if flow is not None:
            mentions.append(hash_of(FLOW, flow))
        mentions += said_keys(story.said("custom_field"), story.said("digits"))
        batch.mentions += [(bucket, key, seq) for key in mentions]
        numbers = story.said("from_"), story.said("to"), story.said("direction")
        batch.callers += [(bucket, digits, seq) for digits in caller_keys(*numbers)]
