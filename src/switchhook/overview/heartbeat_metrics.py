"""What Exotel's heartbeats say of the accounts, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import DAY_MS
from switchhook.exotel.wire.status_callback import parse_heartbeat
from switchhook.journal.receipt import HeartbeatReceived, RecordKind
from switchhook.metrics import Cached, Figure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.journal.source import JournalSource
    from switchhook.streams.store import Store

_EVERY_MS = 2_000
_MOST = 200
_decode = msgspec.msgpack.Decoder(HeartbeatReceived).decode


class AccountBeat(msgspec.Struct, frozen=True):
    """The newest heartbeat of an account, and since when it has said no OK."""

    account: str
    status: str
    numbers: int
    at_ms: int
    since_ms: int

    @property
    def level(self) -> float:
        """0 for OK, 2 for CRITICAL, 1 for whatever else there may be."""
        return {"OK": 0.0, "CRITICAL": 2.0}.get(self.status, 1.0)


class HeartbeatFigures:
    """A source; `beats` are those of its last figures. For one thread."""

    def __init__(self, store: Store, journal: JournalSource) -> None:
        self._store, self._journal = store, journal
        self._kept = Cached(_EVERY_MS, self._read)
        self.beats: tuple[AccountBeat, ...] = ()

    def __call__(self, now_ms: int) -> Iterable[Figure]:
        self.beats = self._kept.get(now_ms)
        for beat in self.beats:
            labels = (("account", beat.account),)
            since_ms = beat.since_ms if beat.level else None
            yield Figure("account.heartbeat", beat.level, beat.at_ms, labels, since_ms=since_ms)

    def _read(self, now_ms: int) -> tuple[AccountBeat, ...]:
        """Of each account the newest within a day; one that can't be read says nothing."""
        seqs = self._store.events(RecordKind.HEARTBEAT, _MOST)
        placed, records = self._store.placed(seqs), self._journal.get_many(seqs)
        found: dict[str, AccountBeat] = {}
        for seq in sorted(records):
            at_ms = placed.get(seq, records[seq].at)
            if now_ms - at_ms > DAY_MS:
                continue
            try:
                received = _decode(records[seq].body)
            except msgspec.DecodeError:
                continue  # of another release
            beat = parse_heartbeat(received.body)
            if beat is None:
                continue
            before = found.get(received.account)
            bad = before is not None and before.level > 0
            found[received.account] = AccountBeat(
                received.account,
                beat.status_type.strip().upper(),
                len({*beat.incoming_affected, *beat.outgoing_affected}),
                at_ms,
                before.since_ms if bad and before is not None else at_ms,
            )
        return tuple(found.values())
