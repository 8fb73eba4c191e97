"""Where in time records belong: steady time, by the clocks that the journal kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.journal.receipt import ClockStep, RecordKind
from switchhook.journal.steady_time import TOLERANCE_MS, Axis, follow

if TYPE_CHECKING:
    from switchhook.journal.source import JournalRecord

_decode = msgspec.msgpack.Decoder(ClockStep).decode
decode_axis = msgspec.msgpack.Decoder(Axis).decode
encode_axis = msgspec.msgpack.Encoder().encode


class Placed(msgspec.Struct, frozen=True):
    """A record's steady time in ms; whether its own is another, and whether times go back here."""

    at_ms: int
    displaced: bool = False
    turn: bool = False


class Placing:
    """Places records in the journal's order; `axis` and `newest_ms` are where it stands."""

    def __init__(self, axis: Axis | None, newest_ms: int) -> None:
        self.axis, self.newest_ms = axis, newest_ms

    def place(self, record: JournalRecord) -> Placed:
        """Where the next record belongs; what an older release kept has its own time.

        In a journal of many nodes each record says it, and some come when later ones have come.
        """
        if record.steady is not None:
            self.newest_ms = max(self.newest_ms, record.steady)
            return Placed(record.steady, abs(record.steady - record.at) > TOLERANCE_MS)
        at_ms = record.at
        if record.mono is not None:
            boot = record.kind == RecordKind.CLOCK and _decode(record.body).boot
            self.axis = follow(self.axis, record.at, record.mono, boot=boot)
            at_ms = self.axis.at_ms
        turn = at_ms < self.newest_ms - TOLERANCE_MS
        self.newest_ms = at_ms
        return Placed(at_ms, abs(at_ms - record.at) > TOLERANCE_MS, turn)
