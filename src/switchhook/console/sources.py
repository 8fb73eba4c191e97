"""Everything that four sources said of one call, read from where each is kept.

told = SourcesOfCall(store, journal, SqliteCalls(ledger)).of(call_sid)
told.sources.fields           # each field: what is believed, and who said what
told.sources.disagreements    # ("status: completed by callback, failed by call details",)
told.callbacks                # for the timeline: when received, what it said, its raw body
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.call_sources import CallSources, KeptDetails, Telling, call_sources
from switchhook.console.tellings import of_callback, of_heartbeat, of_record, of_story
from switchhook.receipt import (
    HeartbeatReceived,
    Kind,
    StatusReceived,
    decode_receipt,
    receipt_id,
)
from switchhook.story import (
    CallStory,
    Mention,
    Told,
    Wanted,
    call_story,
    enters_stories,
    merge_calls,
)
from switchhook.wire.calls import CallRecord, parse_call
from switchhook.wire.kept import read_passthru
from switchhook.wire.request import Request
from switchhook.wire.status_callback import Heartbeat, StatusCallback, parse, parse_heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.story import JournalSource, Store

MOST_RECEIPTS, MOST_BEATS = 200, 500

_status = msgspec.msgpack.Decoder(StatusReceived).decode
_heartbeat = msgspec.msgpack.Decoder(HeartbeatReceived).decode


class KeptCalls(Protocol):
    """Call details as they are kept. Raises LedgerError."""

    def details(self, call_sid: str) -> list[KeptDetails]: ...


class ToldCallback(msgspec.Struct, frozen=True):
    """One StatusCallback: `seq` is its record's, `callback` None where it can't be read."""

    seq: int
    received: StatusReceived
    callback: StatusCallback | None


class ToldDetails(msgspec.Struct, frozen=True):
    """Call details as they were kept; `record` is None where they can't be read."""

    kept: KeptDetails
    record: CallRecord | None


class ToldBeat(msgspec.Struct, frozen=True):
    """One Heartbeat near the call's time."""

    seq: int
    received: HeartbeatReceived
    heartbeat: Heartbeat


class ToldOfCall(msgspec.Struct, frozen=True):
    """All of it. `beats` are those that say anything but OK."""

    sources: CallSources
    callbacks: tuple[ToldCallback, ...] = ()
    details: tuple[ToldDetails, ...] = ()
    beats: tuple[ToldBeat, ...] = ()


class SourcesOfCall:
    """Reads them; any thread may use it. Without a ledger there are no call details."""

    def __init__(
        self, store: Store, journal: JournalSource, calls: KeptCalls | None = None
    ) -> None:
        self._store, self._journal, self._calls = store, journal, calls

    def of(self, call_sid: str, region: str = "IN") -> ToldOfCall | None:
        """What is known of a call; None where nobody told of it. `region` is that of its numbers.

        Raises LedgerError, DataFolderError, JournalError.
        """
        story = self._story(call_sid)
        callbacks = self._callbacks(call_sid)
        kept = self._calls.details(call_sid) if self._calls is not None else []
        details = tuple(ToldDetails(each, _record(each)) for each in kept)
        if story is None and not callbacks and not details:
            return None
        tellings = [] if story is None else [of_story(story)]
        tellings += [
            of_callback(each.callback, each.received.received_us)
            for each in callbacks
            if each.callback is not None
        ]
        tellings += [
            of_record(each.record, each.kept.fetched_ms * 1000)
            for each in details
            if each.record is not None
        ]
        begun, over = _time_of(story, tellings)
        beats = self._beats()
        sources = call_sources(
            tellings,
            [of_heartbeat(each.heartbeat, each.received.received_us) for each in beats],
            numbers=_numbers(tellings),
            begun_us=begun,
            over_us=over,
            region=region,
        )
        return ToldOfCall(sources, callbacks, details, beats if sources.troubles else ())

    def _story(self, call_sid: str) -> CallStory | None:
        seqs = self._store.receipts(
            Wanted(call_sid=call_sid, oldest_first=True, limit=MOST_RECEIPTS)
        )
        story: CallStory | None = None
        for seq, record in sorted(self._journal.get_many(seqs).items()):
            try:
                receipt = decode_receipt(record.body)
            except msgspec.DecodeError:
                continue  # another release wrote it otherwise, and a fold would leave it out too
            if not enters_stories(receipt):
                continue
            name = receipt_id(record.at, self._journal.node or 0, seq)
            by = Mention(name, receipt.received_us, receipt.endpoint, receipt.decision.option)
            told = call_story(Told(by, read_passthru(receipt)))
            if told is not None and told.call_sid == call_sid:
                story = told if story is None else merge_calls(story, told)
        return story

    def _callbacks(self, call_sid: str) -> tuple[ToldCallback, ...]:
        found = []
        for seq, record in sorted(self._journal.get_many(self._store.notes(call_sid)).items()):
            try:
                received = _status(record.body)
            except msgspec.DecodeError:
                continue
            request = Request(received.query, "POST", received.content_type, received.raw)
            callback = parse(request)
            if callback is None or callback.call_sid == call_sid:
                found.append(ToldCallback(seq, received, callback))
        return tuple(found)

    def _beats(self) -> tuple[ToldBeat, ...]:
        seqs = self._store.events(Kind.HEARTBEAT, MOST_BEATS)
        found = []
        for seq, record in sorted(self._journal.get_many(seqs).items()):
            try:
                received = _heartbeat(record.body)
            except msgspec.DecodeError:
                continue
            beat = parse_heartbeat(received.body)
            if beat is not None and beat.status_type.upper() != "OK":
                found.append(ToldBeat(seq, received, beat))
        return tuple(found)


def _record(kept: KeptDetails) -> CallRecord | None:
    record = parse_call(kept.body.encode())
    return record if isinstance(record, CallRecord) else None


def _time_of(story: CallStory | None, tellings: Iterable[Telling]) -> tuple[int | None, int | None]:
    """When the call was, as far as anybody's telling shows."""
    if story is not None:
        return story.first.received_us, story.last.received_us
    times = [telling.at_us for telling in tellings]
    return (min(times), max(times)) if times else (None, None)


def _numbers(tellings: Iterable[Telling]) -> tuple[str, ...]:
    found = (telling.fields.get(name) for telling in tellings for name in ("from", "to"))
    return tuple(dict.fromkeys(each for each in found if each))
