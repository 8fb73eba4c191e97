"""Where records are in time, as the store's file says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.store.placing import decode_axis

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

    from switchhook.journal.source import JournalSource
    from switchhook.journal.steady_time import Axis


def read_axis(connection: apsw.Connection) -> Axis | None:
    """The axis of what is folded; None before there is one."""
    blob = connection.execute("SELECT axis FROM progress").get
    return None if blob is None else decode_axis(blob)


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
