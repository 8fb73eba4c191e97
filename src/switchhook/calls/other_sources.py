"""What others than its streams' passthrus tell of a call.

That is what was decided before the stream, the bot's reports, status callbacks, call details, and
heartbeats near it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.calls.before_stream import entry_of
from switchhook.calls.source_readers import of_callback, of_details, of_heartbeat
from switchhook.calls.sources import NEAR_US, CallSources, Source, SourceReport, call_sources
from switchhook.calls.story import CALL, CALLBACK, DETAILS, HEARTBEAT
from switchhook.calls.timeline import TimelineEntry
from switchhook.exotel.fields import Unusable, instant
from switchhook.exotel.times import us_of
from switchhook.exotel.wire.status_callback import parse_heartbeat
from switchhook.journal.receipt import HeartbeatReceived, RecordKind
from switchhook.streams.parsed_record import CallbackRecord, parse_record
from switchhook.streams.routed_record import ReportedRecord, read_routed
from switchhook.web.json import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.calls.sources import HeartbeatReport, KeptDetails
    from switchhook.journal.source import JournalSource
    from switchhook.streams.kept_call import KeptCall
    from switchhook.streams.names import Names
    from switchhook.streams.routed_record import RoutedRecord
    from switchhook.streams.store import Store

_BEATS = 300
"""The newest heartbeats that are looked through."""

_heartbeat = msgspec.msgpack.Decoder(HeartbeatReceived).decode


class Note(msgspec.Struct, frozen=True):
    """Something that came, as it came."""

    at_us: int
    title: str
    raw: str


class OtherSources(msgspec.Struct, frozen=True):
    """All of it: entries for the timeline, what came as it came, and one story of all sources."""

    entries: tuple[TimelineEntry, ...]
    notes: tuple[Note, ...]
    sources: CallSources


class SourceGatherer:
    """Gathers it for one call; `details` gives what is kept of what Exotel's API said."""

    def __init__(
        self,
        journal: JournalSource,
        store: Store,
        details: Callable[[str], Sequence[KeptDetails]] | None,
    ) -> None:
        self._journal, self._store, self._details = journal, store, details

    def of(self, call_sid: str, call: KeptCall | None, names: Names) -> OtherSources | None:
        """`call` is None where no passthru named it; gives None if nobody else did either."""
        entries: list[TimelineEntry] = []
        notes: list[Note] = []
        reports = [*_of_passthrus(call)] if call is not None and call.receipts else []
        sources = (self._routed(call_sid), self._callbacks(call_sid), self._kept(call_sid))
        for found in sources:
            for entry, note, report in found:
                entries.append(entry)
                notes.append(note)
                reports += [report] if report is not None else []
        if call is None and not notes:
            return None
        begun, over = _time_of(call, entries)
        beats = []
        for entry, note, beat in self._beats(begun, over, _account(call, names)):
            entries.append(entry)
            notes.append(note)
            beats.append(beat)
        said = map(call.story.text, ("from_", "to")) if call is not None else ()
        numbers = tuple(number for number in said if number)
        story = call_sources(reports, beats, numbers=numbers, begun_us=begun, over_us=over)
        return OtherSources((*entries, *_times(story)), tuple(notes), story)

    def _routed(self, call_sid: str) -> Iterable[tuple[TimelineEntry, Note, SourceReport | None]]:
        """What was decided before the stream, and what the bot reports."""
        records = self._journal.get_many(self._store.notes(call_sid))
        for seq in sorted(records):
            read = read_routed(records[seq])
            if read is None or read.call_sid != call_sid:
                continue
            entry = entry_of(read)
            raw = read.received.raw if isinstance(read, ReportedRecord) else _request(read)
            yield entry, Note(entry.at_us, entry.title, text_of(raw)), None

    def _callbacks(
        self, call_sid: str
    ) -> Iterable[tuple[TimelineEntry, Note, SourceReport | None]]:
        records = self._journal.get_many(self._store.notes(call_sid))
        for seq in sorted(records):
            read = parse_record(records[seq])
            if not isinstance(read, CallbackRecord):
                continue  # of another release
            received, callback = read.received, read.callback
            if callback is None or callback.call_sid != call_sid:
                continue
            event = f" ({callback.event_type})" if callback.event_type else ""
            entry = TimelineEntry(
                at_us=received.received_us,
                lane=CALLBACK,
                title=f"Status {callback.status or 'not said'}{event}",
                detail=received.account,
            )
            note = Note(received.received_us, "status callback", text_of(received.raw))
            yield entry, note, of_callback(callback, received.received_us)

    def _kept(self, call_sid: str) -> Iterable[tuple[TimelineEntry, Note, SourceReport | None]]:
        for kept in self._details(call_sid) if self._details is not None else ():
            report, at = of_details(kept), kept.fetched_ms * 1000
            said = report.fields.get("status", "") if report is not None else ""
            entry = TimelineEntry(
                at_us=at,
                lane=DETAILS,
                title=f"Exotel's API says {said}" if said else "Exotel's API was asked",
                detail=kept.account,
            )
            yield entry, Note(at, f"call details of {kept.account}", kept.body), report

    def _beats(
        self, begun: int | None, over: int | None, account: str
    ) -> Iterable[tuple[TimelineEntry, Note, HeartbeatReport]]:
        """Heartbeats near the call of its account, those that say that something is wrong."""
        if begun is None:
            return
        records = self._journal.get_many(self._store.events(RecordKind.HEARTBEAT, _BEATS))
        for seq in sorted(records):
            try:
                received = _heartbeat(records[seq].body)
            except msgspec.DecodeError:
                continue  # of another release
            at = received.received_us
            near = begun - NEAR_US <= at <= (over or begun) + NEAR_US
            heartbeat = parse_heartbeat(received.body) if near else None
            if heartbeat is None or (account and received.account != account):
                continue
            well = heartbeat.status_type.upper() == "OK"
            title = f"Heartbeat {heartbeat.status_type}"
            entry = TimelineEntry(
                at_us=at,
                lane=HEARTBEAT,
                title=title,
                detail=received.account,
                level="muted" if well else "warn",
            )
            yield entry, Note(at, title, text_of(received.body)), of_heartbeat(heartbeat, at)


def _request(read: RoutedRecord) -> bytes:
    receipt = read.receipt
    return receipt.raw + (b"\n\n" + receipt.body if receipt.body else b"")


def _of_passthrus(call: KeptCall) -> Iterable[SourceReport]:
    text = call.story.text
    fields = {
        "status": text("call_status"),
        "direction": text("direction_raw"),
        "from": text("from_raw"),
        "to": text("to_raw"),
        "started": text("started_raw"),
        "custom_field": text("custom_field"),
        "recording_url": text("recording_url"),
    }
    said = {name: text for name, text in fields.items() if text}
    yield SourceReport(Source.PASSTHRU, call.story.last.received_us, said)


def _time_of(
    call: KeptCall | None, entries: Sequence[TimelineEntry]
) -> tuple[int | None, int | None]:
    """From when to when the call is known to have been."""
    times = [entry.at_us for entry in entries if entry.lane == CALLBACK]
    if call is not None:
        times += [call.story.first.received_us, call.story.last.received_us]
    return (min(times), max(times)) if times else (None, None)


def _account(call: KeptCall | None, names: Names) -> str:
    receipt = call.receipts[0].receipt if call is not None and call.receipts else None
    return "" if receipt is None else names.accounts_of.get(receipt.endpoint, "")


def _times(sources: CallSources) -> Iterable[TimelineEntry]:
    """When the call began and ended, where callbacks or call details say so."""
    for name, word in (("started", "began"), ("ended", "ended")):
        field = sources.field(name)
        if field is None or field.source is Source.PASSTHRU:
            continue
        at = instant(field.text)
        if at is not None and not isinstance(at, Unusable):
            yield TimelineEntry(
                at_us=us_of(at),
                lane=CALL,
                title=f"The call {word}",
                detail=f"by {field.source.value}, to the second",
                about=True,
            )
