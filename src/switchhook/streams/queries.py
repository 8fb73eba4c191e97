"""From the store's pointers to the journal's records to the API's objects."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.times import IST
from switchhook.journal.named import records_named
from switchhook.journal.receipt import (
    ConfigApplied,
    Receipt,
    RecordKind,
    Sample,
    decode_receipt,
    id_of,
)
from switchhook.streams.call_over import says_over
from switchhook.streams.callback_story import callback_story
from switchhook.streams.json import call_json, kept_json, stream_json, unreadable_json
from switchhook.streams.kept_call import KeptCall, KeptReceipt
from switchhook.streams.names import Names
from switchhook.streams.parameters import DEFAULT, LAST_SEQ, cursor_of
from switchhook.streams.parsed_record import PassthruRecord, UnreadableRecord, parse_record
from switchhook.streams.routed_json import beside_json
from switchhook.streams.routed_queries import KINDS, routed_receipts
from switchhook.streams.routed_record import ROUTED_KINDS, read_routed
from switchhook.streams.search.in_words import in_words
from switchhook.streams.search.query import Condition
from switchhook.streams.store import UNMARKED, StreamFilter
from switchhook.streams.story import (
    CallStory,
    StreamKey,
    StreamStory,
    call_story,
    merge_calls,
    merge_streams,
    over,
    stream_story,
)
from switchhook.web.json import Json, text_of, time_of
from switchhook.web.parameters import RefusedParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchhook.exotel.passthru import Passthru
    from switchhook.journal.source import JournalRecord, JournalSource
    from switchhook.streams.search.query import Query
    from switchhook.streams.store import Store

log = logging.getLogger(__name__)

MOST_OF_ONE = 1000
"""Receipts of one call or stream that are shown and folded."""
_NEWEST = 20

_NAMED = (RecordKind.PASSTHRU, RecordKind.TEST, *ROUTED_KINDS)
"""The kinds of record that an id names."""

_CONDITIONS = (
    ("endpoint", "endpoint"),
    ("call_sid", "call"),
    ("stream_sid", "stream"),
    ("status", "status"),
    ("cause", "cause"),
    ("option", "option"),
)
"""Which condition of a search a filter is."""

_take_over = msgspec.msgpack.Decoder(ConfigApplied).decode
_sample = msgspec.msgpack.Decoder(Sample).decode


class StreamQueries:
    """Answers what the API asks; any thread may call it."""

    def __init__(
        self, journal: JournalSource, store: Store, names: Callable[[], Names] = Names
    ) -> None:
        self._journal, self._store, self._names = journal, store, names

    def receipts(self, values: Mapping[str, Any]) -> Json:
        """A page of receipts; `values` are those of `read_filters`."""
        if "q" in values:
            raise RefusedParameter("q", "only streams are searched", "ask /api/v1/streams")
        if values.get("kind") in KINDS:
            return routed_receipts(self._journal, self._store, values)
        wanted = self._wanted(values)
        seqs = self._store.receipts(wanted)
        page = seqs[: wanted.limit - 1]
        more = cursor_of(page[-1]) if len(seqs) > len(page) else None
        return {"receipts": [self._json_of(each) for each in self._kept(page)], "next": more}

    def streams(self, values: Mapping[str, Any]) -> Json:
        """A page of streams."""
        if "q" in values:
            return self._searched(values)
        wanted = self._wanted(values)
        found = self._store.streams(wanted)
        page = found[: wanted.limit - 1]
        more = cursor_of(page[-1][0]) if len(found) > len(page) else None
        read = self._read_many(seq for seq, story in page if story is None)
        stories = []
        for seq, story in page:
            if story is None and seq in read:
                story = stream_story(read[seq].parsed(self._node))
            if story is not None:
                stories.append(stream_json(story))
        return {"streams": stories, "next": more}

    def _searched(self, values: Mapping[str, Any]) -> Json:
        """The same by a search, with the other filters as further conditions."""
        query: Query = values["q"]
        also = tuple(
            Condition(key, (str(values[name]),)) for name, key in _CONDITIONS if name in values
        )
        wanted = self._wanted(values)
        found = self._store.search(
            msgspec.structs.replace(query, conditions=query.conditions + also),
            self._names(),
            after_seq=wanted.from_seq - 1,
            before_seq=wanted.before_seq,
            limit=wanted.limit - 1,
            counted="cursor" not in values and not {"since", "until"} & values.keys(),
        )
        count = found.count
        return {
            "streams": [stream_json(row.story) for row in found.rows],
            "next": None if found.next is None else cursor_of(found.next),
            "understood": in_words(query, IST),
            "count": None if count is None else {"streams": count.count, "more": count.more},
        }

    def receipt(self, name: str) -> Json | None:
        """One receipt; None where there is none of this id."""
        record = self._record_of(name)
        if record is not None and record.kind != RecordKind.PASSTHRU:
            return beside_json(record, self._node, self._store.marks([record.seq]))
        return None if record is None else self._json_of(self._kept([record.seq])[0])

    def call_named(self, name: str) -> str:
        """The CallSid of what an address names: a receipt's id stands for that of its call.

        So a call has an address also where its SID is masked.
        """
        record = self._record_of(name)
        routed = None if record is None else read_routed(record)
        passthru = self._passthru_of(name)
        return (routed and routed.call_sid) or (passthru and passthru.call_sid) or name

    def stream_named(self, name: str) -> str:
        """The StreamSID likewise."""
        passthru = self._passthru_of(name)
        return (passthru and passthru.stream and passthru.stream.sid) or name

    def _passthru_of(self, name: str) -> Passthru | None:
        """What a receipt says, by its id."""
        record = self._record_of(name)
        read = None if record is None else parse_record(record)
        return read.passthru if isinstance(read, PassthruRecord) else None

    def _record_of(self, name: str) -> JournalRecord | None:
        return records_named(self._journal, [name], _NAMED).get(name)

    def stream(self, sid: str) -> Json | None:
        """One stream with the ids of its receipts; of several by one sid, the last one told of.

        A receipt's id does for a SID, here and for calls.
        """
        sid = self.stream_named(sid)
        seqs = self._store.receipts(
            StreamFilter(stream_sid=sid, oldest_first=True, limit=MOST_OF_ONE + 1)
        )
        stories: dict[StreamKey, StreamStory] = {}
        ids: dict[StreamKey, list[str]] = {}
        for read in self._read_many(seqs[:MOST_OF_ONE]).values():
            parsed = read.parsed(self._node)
            story = stream_story(parsed)
            if story is None or story.sid != sid:
                continue
            ids.setdefault(story.key, []).append(parsed.by.id)
            if read.enters_stories:
                before = stories.get(story.key)
                stories[story.key] = merge_streams(before, story) if before else story
        if not stories:
            return None
        newest = max(stories.values(), key=lambda story: (story.last, story.call_sid or ""))
        if (
            newest.runs
            and newest.call_sid
            and _is_over(self._journal, self._store, newest.call_sid)
        ):
            newest = msgspec.structs.replace(newest, call_over=True)
        more = len(seqs) > MOST_OF_ONE
        return {**stream_json(newest), "receipts": ids[newest.key], "more": more}

    def call(self, call_sid: str) -> Json | None:
        """One call with its passthrus and streams, in the journal's order."""
        kept = self.kept_call(self.call_named(call_sid))
        if kept is None:
            return None
        return {
            **call_json(kept.story),
            "passthrus": [self._json_of(each) for each in kept.receipts],
            **_beside(self._journal, self._store, kept.story.call_sid),
            "streams": [stream_json(each) for each in kept.story.streams_in_order],
            "more": kept.more,
        }

    def kept_call(self, call_sid: str) -> KeptCall | None:
        """One call; None where nobody told of it.

        Of one that no passthru after a stream named others tell: status callbacks, what was
        answered before the stream, its bot's reports. It has no receipts.
        """
        seqs = self._store.receipts(
            StreamFilter(call_sid=call_sid, oldest_first=True, limit=MOST_OF_ONE + 1)
        )
        found = self._read_many(seqs[:MOST_OF_ONE])
        read = [each for each in found.values() if each.passthru.call_sid == call_sid]
        if not read:
            return _told_by_callbacks(self._journal, self._store, call_sid)
        story: CallStory | None = None
        for each in read:
            part = call_story(each.parsed(self._node)) if each.enters_stories else None
            if part is not None:
                story = part if story is None else merge_calls(story, part)
        if story is None:  # only HEAD requests name it, which say nothing of their own
            first = read[0].parsed(self._node).by
            story = CallStory(call_sid, first, first, {}, {})
        if any(each.runs for each in story.streams.values()) and _is_over(
            self._journal, self._store, call_sid
        ):
            story = over(story)
        kept = self._kept([each.record.seq for each in read])
        return KeptCall(story, tuple(kept), more=len(seqs) > MOST_OF_ONE)

    def status(self) -> Json:
        """What journal and store say of themselves."""
        journal, store = self._journal, self._store
        count, newest = store.quarantined(_NEWEST)
        return {
            "node": journal.node,
            "journal": {
                "first_seq": journal.first_seq(),
                "last_seq": journal.last_seq(),
                "size_bytes": journal.size_bytes(),
            },
            "counters": store.counters(),
            "quarantine": {
                "count": count,
                "newest": [{"seq": each.seq, "reason": each.reason} for each in newest],
            },
            "takeovers": [
                {"at": time_of(at * 1000), "name": over.name, "hash": over.hash, "by": over.by}
                for at, over in self._events(RecordKind.TAKEOVER, _take_over)
            ],
            "samples": [
                {
                    "at": time_of(at * 1000),
                    "endpoint": sample.endpoint,
                    "reason": sample.reason,
                    "raw": text_of(sample.raw),
                    "peer": sample.peer,
                }
                for at, sample in self._events(RecordKind.SAMPLE, _sample)
            ],
        }

    def _events(self, kind: RecordKind, decode: Any) -> list[tuple[int, Any]]:
        """The newest of a kind, newest first; what another release wrote otherwise is left out."""
        records = self._journal.get_many(self._store.events(kind, _NEWEST))
        found = []
        for seq in sorted(records, reverse=True):
            try:
                found.append((records[seq].at, decode(records[seq].body)))
            except msgspec.DecodeError:
                continue
        return found

    def _wanted(self, values: Mapping[str, Any]) -> StreamFilter:
        """What to ask the store for: one row more than the page has, to know if there are more."""
        before, since = values.get("cursor", LAST_SEQ), 0
        if "since" in values or "until" in values:
            since, until = self._store.seqs_between(values.get("since"), values.get("until"))
            before = before if until is None else min(before, until)
        return StreamFilter(
            endpoint=values.get("endpoint"),
            call_sid=values.get("call_sid"),
            stream_sid=values.get("stream_sid"),
            status=values.get("status"),
            cause=values.get("cause"),
            option=values.get("option"),
            from_seq=since,
            before_seq=before,
            limit=values.get("limit", DEFAULT) + 1,
        )

    @property
    def _node(self) -> int:
        return self._journal.node or 0

    def _kept(self, seqs: Sequence[int]) -> list[KeptReceipt]:
        """Receipts in this order; those no longer in the journal are left out."""
        records, node = self._journal.get_many(seqs), self._node
        marks, placed = self._store.marks(seqs), self._store.placed(seqs)
        read = {seq: _read(record) for seq, record in records.items()}
        firsts = self._firsts(
            each.receipt for each in read.values() if isinstance(each, PassthruRecord)
        )
        return [
            KeptReceipt(
                id=id_of(records[seq], node),
                read=each,
                first=firsts.get(each.receipt.repeat_of or "")
                if isinstance(each, PassthruRecord)
                else None,
                marks=marks.get(seq, UNMARKED),
                placed_ms=placed.get(seq),
            )
            for seq in seqs
            if (each := read.get(seq)) is not None
        ]

    def _json_of(self, kept: KeptReceipt) -> Json:
        try:
            return kept_json(kept)
        except Exception as error:
            # One receipt that a bug can't show must not hide a page of others.
            log.exception("receipt %s can't be shown", kept.id)
            reason = f"can't be shown ({type(error).__name__})"
            return unreadable_json(kept.id, kept.read.record.at, reason)

    def _read_many(self, seqs: Iterable[int]) -> dict[int, PassthruRecord]:
        """The receipts that can be read, by seq, ascending."""
        records = self._journal.get_many(seqs)
        read = {seq: parse_record(records[seq]) for seq in sorted(records)}
        return {seq: each for seq, each in read.items() if isinstance(each, PassthruRecord)}

    def _firsts(self, receipts: Iterable[Receipt]) -> dict[str, Receipt]:
        """The receipts that repeats among these name, by id."""
        named = {each.repeat_of for each in receipts if each.repeat_of is not None}
        found = {}
        for name, record in records_named(self._journal, named, frozenset(RecordKind)).items():
            try:
                found[name] = decode_receipt(record.body)
            except msgspec.DecodeError:
                continue
        return found


def _read(record: JournalRecord) -> PassthruRecord | UnreadableRecord:
    read = parse_record(record)
    if isinstance(read, PassthruRecord | UnreadableRecord):
        return read
    return UnreadableRecord(record, "no passthru")


def _beside(journal: JournalSource, store: Store, call_sid: str) -> Json:
    """What was answered before a call's streams, and what its bots report; in order."""
    records = journal.get_many(store.notes(call_sid))
    read = [read_routed(records[seq]) for seq in sorted(records)]
    found = [each for each in read if each is not None and each.call_sid == call_sid]
    node, marks = journal.node or 0, store.marks(each.record.seq for each in found)
    return {
        "before": [beside_json(each.record, node, marks) for each in found if each.is_receipt],
        "reports": [beside_json(each.record, node, marks) for each in found if not each.is_receipt],
    }


def _is_over(journal: JournalSource, store: Store, call_sid: str) -> bool:
    """Whether a passthru or a status callback says that a call has ended."""
    receipts = store.receipts(StreamFilter(call_sid=call_sid, limit=MOST_OF_ONE))
    records = journal.get_many({*receipts, *store.notes(call_sid)})
    return any(says_over(parse_record(each), call_sid) for each in records.values())


def _told_by_callbacks(journal: JournalSource, store: Store, call_sid: str) -> KeptCall | None:
    records = journal.get_many(store.notes(call_sid))
    read = [parse_record(records[seq]) for seq in sorted(records)]
    story = callback_story(call_sid, read, journal.node or 0)
    return None if story is None else KeptCall(story, ())
