"""Where in time records belong: steady time, by the clocks that the journal kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.journal.receipt import ClockStep, RecordKind
from switchhook.journal.steady_time import TOLERANCE_MS, Axis, follow

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

    from switchhook.journal.source import JournalRecord, JournalSource

_decode = msgspec.msgpack.Decoder(ClockStep).decode
_decode_axis = msgspec.msgpack.Decoder(Axis).decode
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
        """Where the next record belongs; what an older release kept has its own time."""
        at_ms = record.at
        if record.mono is not None:
            boot = record.kind == RecordKind.CLOCK and _decode(record.body).boot
            self.axis = follow(self.axis, record.at, record.mono, boot=boot)
            at_ms = self.axis.at_ms
        turn = at_ms < self.newest_ms - TOLERANCE_MS
        self.newest_ms = at_ms
        return Placed(at_ms, abs(at_ms - record.at) > TOLERANCE_MS, turn)


def read_axis(connection: apsw.Connection) -> Axis | None:
    """The axis of what is folded; None before there is one."""
    blob = connection.execute("SELECT axis FROM progress").get
    return None if blob is None else _decode_axis(blob)


def times_of(connection: apsw.Connection) -> Callable[[int, int], int]:
    """A function from a record's seq and its own time to where it belongs."""

    def placed(seq: int, at: int) -> int:
        row = connection.execute("SELECT at FROM displaced WHERE seq = ?", (seq,)).fetchone()
        return at if row is None else row[0]

    return placed


def seqs_between(
    connection: apsw.Connection, journal: JournalSource, since_ms: int | None, until_ms: int | None
) -> tuple[int, int | None]:
    """Seqs among which are all records from a time on and before another: from, and to before.

    Times ascend from one turn to the next, so each stretch is searched by itself; where there are
    turns some of the records between the two seqs may be of other times.
    """
    turns = [seq for (seq,) in connection.execute("SELECT seq FROM turn ORDER BY seq")]
    time_of = times_of(connection)
    end = journal.last_seq() + 1
    stretches = list(zip([1, *turns], [*turns, end], strict=True))
    low, high = 0, None
    if since_ms is not None:
        found = (
            (a, z, journal.seek(since_ms, low=a, high=z, time_of=time_of)) for a, z in stretches
        )
        low = next((seq for a, z, seq in found if seq < z), end)
    if until_ms is not None:
        found = (
            (a, z, journal.seek(until_ms, low=a, high=z, time_of=time_of))
            for a, z in reversed(stretches)
        )
        high = next((seq for a, z, seq in found if seq > a), 1)
    return low, high
