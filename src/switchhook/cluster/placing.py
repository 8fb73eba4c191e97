"""Places in the journal of all nodes: the leader gives each record that was handed over the next.

Of each node in the order of its own journal, up to where it was handed over: there all that it has
can be seen, as one transaction after the other brings it. By a number that all nodes share, what is
committed late would be passed over. Nodes take turns, so that one which was away for long holds up
nobody.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from switchhook.cluster.view import node_text
from switchhook.exotel.times import DAY_MS
from switchhook.journal.receipt import ClockStep, RecordKind
from switchhook.journal.steady_time import SENSIBLE_MS, TOLERANCE_MS, Axis, follow
from switchhook.metrics import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from psycopg import Connection

    from switchhook.postgresql_server import Fence

MOST = 2000

_WAITING = """SELECT h.node, h.seq, p.seq, p.at, p.steady, p.axis, h.clock_ms
FROM cluster_handed h LEFT JOIN cluster_placed p USING (node)
WHERE p.seq IS NULL OR h.seq > p.seq ORDER BY h.node"""
_BASE = "SELECT base_node, base_seq FROM cluster WHERE base_node IS NOT NULL"
_NOW = """SELECT place, (extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM cluster_last_place FOR UPDATE"""
_ROW = f"seq, at, mono, kind, CASE WHEN kind = {RecordKind.CLOCK:d} THEN body END"
_OF_NODE = "node = %(node)s AND seq > %(after)s AND seq <= %(until)s"
_NEXT = f"""SELECT * FROM (
(SELECT {_ROW} FROM cluster_receipt WHERE {_OF_NODE}{{within}} ORDER BY seq LIMIT %(most)s)
UNION ALL
(SELECT {_ROW} FROM cluster_receipt_undated WHERE {_OF_NODE} ORDER BY seq LIMIT %(most)s)
) AS next ORDER BY seq LIMIT %(most)s"""  # noqa: S608 - our words
_WITHIN = " AND (at BETWEEN %(low)s AND %(high)s)"
_PLACES = """INSERT INTO cluster_place (place, node, seq, at, steady)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])"""
_PLACED = """INSERT INTO cluster_placed (node, seq, at, steady, axis) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (node) DO UPDATE SET seq = excluded.seq, at = excluded.at, steady = excluded.steady,
axis = coalesce(excluded.axis, cluster_placed.axis)"""

_decode_step = msgspec.msgpack.Decoder(ClockStep).decode
_decode_axis = msgspec.msgpack.Decoder(Axis).decode
_encode_axis = msgspec.msgpack.Encoder().encode


class Waiting(NamedTuple):
    """A node that has records without a place: it handed over up to `until`.

    `seq`, `at`, `steady` and `axis` are the last that was placed, None where none was. Times are in
    ms, `clock_ms` is how far the node's clock is ahead of the database's.
    """

    node: int
    until: int
    seq: int | None
    at: int | None
    steady: int | None
    axis: bytes | None
    clock_ms: int


class Row(NamedTuple):
    """A record without a place, with its body where it tells of a clock."""

    seq: int
    at: int
    mono: int | None
    kind: int
    body: bytes | None


class Place(NamedTuple):
    """Where a record belongs: in time, then by node and number."""

    steady: int
    node: int
    seq: int
    at: int


class Placed(msgspec.Struct, frozen=True):
    """How many got a place, whether there may be more, and what holds all up, if so."""

    count: int = 0
    more: bool = False
    problem: str | None = None


def steady_times(
    rows: Sequence[Row], waiting: Waiting, now_ms: int
) -> tuple[list[int], Axis | None]:
    """Where in time each of a node's next records belongs, and how its clocks go then.

    By the database's clock: the node's own, mended by what it is ahead of that where it is much,
    and going on by its monotonic one while it steps. Never later than now, never before the record
    before it.
    """
    axis = None if waiting.axis is None else _axis_in(waiting.axis)
    newest, found = waiting.steady or 0, []
    ahead = waiting.clock_ms if abs(waiting.clock_ms) > TOLERANCE_MS else 0
    for place, row in enumerate(rows):
        own = row.at - ahead
        if row.mono is not None:
            axis = follow(axis, own, row.mono, boot=_is_boot(row))
            own = axis.at_ms
        if own < SENSIBLE_MS:  # a clock that was never set
            own = _by_later(rows[place:], ahead, now_ms)
        newest = max(newest, min(own, now_ms))
        found.append(newest)
    return found, axis


def _axis_in(kept: bytes) -> Axis | None:
    """How a node's clocks went; None where another release wrote it otherwise: it begins anew."""
    try:
        return _decode_axis(kept)
    except msgspec.DecodeError:
        return None


def _by_later(rows: Sequence[Row], ahead_ms: int, now_ms: int) -> int:
    """The time of the first record by one after it whose clock was set; else it is now."""
    mono = rows[0].mono
    for row in rows[1:]:
        if mono is None or row.mono is None or _is_boot(row):
            break
        if row.at - ahead_ms >= SENSIBLE_MS:
            return row.at - ahead_ms - (row.mono - mono)
    return now_ms


def _is_boot(row: Row) -> bool:
    if row.kind != RecordKind.CLOCK or row.body is None:
        return False
    try:
        return _decode_step(row.body).boot
    except msgspec.DecodeError:  # another release wrote it otherwise
        return False


def clock_problems(connection: Connection[Any]) -> dict[int, str]:
    """What is said of the nodes whose clocks are off, by their number."""
    asked = "SELECT node, name, clock_ms FROM cluster_node WHERE state <> 'left' AND clock_ms <> 0"
    found = ((node, clock_problem(name, off)) for node, name, off in connection.execute(asked))
    return {node: said for node, said in found if said is not None}


def clock_problem(name: str, clock_ms: int) -> str | None:
    """What is said of a node whose clock is off; None where it is right."""
    if abs(clock_ms) <= TOLERANCE_MS:
        return None
    way = "ahead of" if clock_ms > 0 else "behind"
    off = duration_text(abs(clock_ms) / 1000)
    return f"the clock of {name} is {off} {way} the database's, which its receipts are ordered by"


def without_gap(rows: Iterable[Row], after: int) -> list[Row]:
    """The records up to the first that doesn't follow on the one before it."""
    found: list[Row] = []
    for row in rows:
        if row.seq != after + 1:
            break
        found.append(row)
        after = row.seq
    return found


def place_some(connection: Connection[Any], fence: Fence, most: int = MOST) -> Placed:
    """Give about `most` records their places, in one transaction.

    Raises psycopg.Error, and NotLeaderError where another node leads.
    """
    if not _all_waiting(connection):
        return Placed()
    with connection.transaction():
        fence.hold(connection)
        last, now_ms = _row(connection, _NOW)
        waiting = _all_waiting(connection)
        base = connection.execute(_BASE).fetchone()
        if base is not None:
            known = _row(
                connection, "SELECT max(seq) FROM cluster_placed WHERE node = %s", base[:1]
            )
            if (known[0] or 0) < base[1]:
                return _keep_numbers(connection, waiting, base, now_ms, most)
            last = max(last, base[1])
        return _in_turn(connection, waiting, last, now_ms, most)


def _in_turn(
    connection: Connection[Any], waiting: Sequence[Waiting], last: int, now_ms: int, most: int
) -> Placed:
    """Give the next places, above `last`, to all nodes' records as they belong in time."""
    share, some, more = max(most // max(len(waiting), 1), 1), list[list[Place]](), False
    for each in waiting:
        rows = _next_rows(connection, each, each.until, now_ms, share)
        if not rows:
            _note(
                connection, each.node, Place(each.steady or 0, each.node, each.until, each.at or 0)
            )
            continue
        times, axis = steady_times(rows, each, now_ms)
        some.append(
            [Place(at, each.node, row.seq, row.at) for at, row in zip(times, rows, strict=True)]
        )
        _note(connection, each.node, some[-1][-1], axis)
        more = more or rows[-1].seq < each.until
    places = list(heapq.merge(*some))
    _write(connection, range(last + 1, last + 1 + len(places)), places)
    return Placed(len(places), more)


def _keep_numbers(
    connection: Connection[Any],
    waiting: Sequence[Waiting],
    base: tuple[int, int],
    now_ms: int,
    most: int,
) -> Placed:
    """Records of a machine whose ledger was taken along: their own numbers are their places."""
    node, base_seq = base
    each = next((each for each in waiting if each.node == node), None)
    if each is None:
        said = (
            f"the records of {node_text(node)} up to record {base_seq:,} come first, and were not"
        )
        said += " handed over"
        return Placed(problem=said)
    until = min(each.until, base_seq)
    rows = _next_rows(connection, each, until, now_ms, most)
    if not rows:
        _note(connection, node, Place(each.steady or 0, node, until, each.at or 0))
        return Placed(more=True)
    times, axis = steady_times(rows, each, now_ms)
    places = [Place(at, node, row.seq, row.at) for at, row in zip(times, rows, strict=True)]
    _note(connection, node, places[-1], axis)
    _write(connection, [each.seq for each in places], places)
    return Placed(len(places), more=True)


def _next_rows(
    connection: Connection[Any], each: Waiting, until: int, now_ms: int, most: int
) -> list[Row]:
    """A node's next records, at most `most`; none where there are none any more.

    Most often they are of the days around the last one's, or of today: only where one doesn't
    follow on the other there does it look into every day's partition. A record that was refused
    leaves a hole, and so may what was removed.
    """
    asked = {"node": each.node, "after": each.seq or 0, "until": until, "most": most}
    if each.seq is not None and each.at is not None:
        low, high = sorted((each.at, now_ms))
        if high - low > 3 * DAY_MS:
            low, high = each.at, each.at
        window = {"low": low - DAY_MS, "high": high + DAY_MS}
        found = without_gap(_rows(connection, _WITHIN, {**asked, **window}), each.seq)
        if found:
            return found
    return list(_rows(connection, "", asked))


def _note(connection: Connection[Any], node: int, last: Place, axis: Axis | None = None) -> None:
    kept = None if axis is None else _encode_axis(axis)
    connection.execute(_PLACED, (node, last.seq, last.at, last.steady, kept))


def _write(connection: Connection[Any], numbers: Sequence[int], places: Sequence[Place]) -> None:
    if not places:
        return
    columns = ([each[at] for each in places] for at in (1, 2, 3, 0))
    connection.execute(_PLACES, (list(numbers), *columns))
    connection.execute("UPDATE cluster_last_place SET place = %s", (numbers[-1],))


def _all_waiting(connection: Connection[Any]) -> list[Waiting]:
    return [Waiting(*row) for row in connection.execute(_WAITING)]


def _rows(connection: Connection[Any], within: str, asked: dict[str, Any]) -> Iterator[Row]:
    sql = _NEXT.format(within=within).encode()
    return (Row(*row) for row in connection.execute(sql, asked, prepare=False))


def _row(connection: Connection[Any], sql: str, asked: tuple[Any, ...] = ()) -> Any:
    return connection.execute(sql.encode(), asked).fetchone()
