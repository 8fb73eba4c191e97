"""What others than passthrus tell of a call: status callbacks, call details, heartbeats near it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.calls.source_readers import of_callback, of_details, of_heartbeat
from switchhook.calls.sources import NEAR_US, CallSources, Source, SourceReport, call_sources
from switchhook.calls.story import CALL, CALLBACK, DETAILS, HEARTBEAT, us_of
from switchhook.calls.timeline import TimelineEntry
from switchhook.exotel.fields import Unusable, instant
from switchhook.exotel.wire.status_callback import parse_heartbeat
from switchhook.journal.kept import read_callback
from switchhook.journal.receipt import HeartbeatReceived, RecordKind, decode_status
from switchhook.web.json import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.calls.sources import HeartbeatReport, KeptDetails
    from switchhook.journal.source import JournalSource
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store

Json = dict[str, Any]

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

    def of(self, call_sid: str, call: Json | None, names: Names) -> OtherSources | None:
        """`call` is the API's object, None where no passthru named it; None if nobody else did."""
        entries: list[TimelineEntry] = []
        notes: list[Note] = []
        tellings = [*_of_passthrus(call)] if call is not None else []
        for found in (self._callbacks(call_sid), self._kept(call_sid)):
            for entry, note, telling in found:
                entries.append(entry)
                notes.append(note)
                tellings += [telling] if telling is not None else []
        if call is None and not notes:
            return None
        begun, over = _time_of(call, entries)
        beats = []
        for entry, note, beat in self._beats(begun, over, _account(call, names)):
            entries.append(entry)
            notes.append(note)
            beats.append(beat)
        numbers = tuple(call[name] for name in ("from", "to") if call[name]) if call else ()
        sources = call_sources(tellings, beats, numbers=numbers, begun_us=begun, over_us=over)
        return OtherSources((*entries, *_times(sources)), tuple(notes), sources)

    def _callbacks(
        self, call_sid: str
    ) -> Iterable[tuple[TimelineEntry, Note, SourceReport | None]]:
        records = self._journal.get_many(self._store.notes(call_sid))
        for seq in sorted(records):
            try:
                received = decode_status(records[seq].body)
            except msgspec.DecodeError:
                continue  # of another release
            callback = read_callback(received)
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
            telling, at = of_details(kept), kept.fetched_ms * 1000
            said = telling.fields.get("status", "") if telling is not None else ""
            entry = TimelineEntry(
                at_us=at,
                lane=DETAILS,
                title=f"Exotel's API says {said}" if said else "Exotel's API was asked",
                detail=kept.account,
            )
            yield entry, Note(at, f"call details of {kept.account}", kept.body), telling

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


def _of_passthrus(call: Json) -> Iterable[SourceReport]:
    at = us_of(call["last_received_at"])
    started = [
        text for each in call["passthrus"] if (text := (each["call"] or {}).get("started_at_raw"))
    ]
    fields = {
        "status": call["status"],
        "direction": call["direction_raw"],
        "from": call["from_raw"],
        "to": call["to_raw"],
        "started": started[-1] if started else None,
        "custom_field": call["custom_field"],
        "recording_url": call["recording_url"],
    }
    said = {name: text for name, text in fields.items() if text}
    yield SourceReport(Source.PASSTHRU, at or 0, said)


def _time_of(call: Json | None, entries: Sequence[TimelineEntry]) -> tuple[int | None, int | None]:
    """From when to when the call is known to have been."""
    times = [entry.at_us for entry in entries if entry.lane == CALLBACK]
    if call is not None:
        times += [
            at
            for name in ("first_received_at", "last_received_at")
            if (at := us_of(call[name])) is not None
        ]
    return (min(times), max(times)) if times else (None, None)


def _account(call: Json | None, names: Names) -> str:
    endpoint = next((each["endpoint"] for each in call["passthrus"]), "") if call else ""
    return names.accounts_of.get(endpoint, "")


def _times(sources: CallSources) -> Iterable[TimelineEntry]:
    """When the call began and ended, where callbacks or call details say so."""
    for name, word in (("started", "began"), ("ended", "ended")):
        field = sources.field(name)
        if field is None or field.source is Source.PASSTHRU:
            continue
        at = instant(field.text)
        if at is not None and not isinstance(at, Unusable):
            yield TimelineEntry(
                at_us=int(at.timestamp() * 1_000_000),
                lane=CALL,
                title=f"The call {word}",
                detail=f"by {field.source.value}, to the second",
                about=True,
            )
