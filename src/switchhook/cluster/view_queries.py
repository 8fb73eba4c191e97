"""Reads the cluster as it is shown, from the tables that all nodes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.cluster.view import (
    UNKNOWN_DAYS,
    ClusterView,
    Conflict,
    ErasedAgain,
    Lead,
    Leader,
    NodeState,
    NodeView,
)
from switchhook.system.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

_NODES = """
SELECT n.node, n.name, n.address, n.release, n.state,
  (extract(epoch FROM n.joined_at) * 1000)::int8,
  greatest(extract(epoch FROM clock_timestamp() - n.seen_at)::float8, 0),
  n.clock_ms, n.last_seq, coalesce(h.seq, 0),
  CASE WHEN h.at IS NOT NULL
    THEN greatest(extract(epoch FROM clock_timestamp() - h.at)::float8, 0) END,
  n.segments, n.waiting_bytes, coalesce(h.one_copy, 0) + n.one_copy,
  n.told_version, n.runs, n.problems, n.machine,
  (extract(epoch FROM n.left_at) * 1000)::int8,
  coalesce(greatest(extract(epoch FROM clock_timestamp() - n.left_at)::float8, 0), 0),
  n.state <> 'left' OR coalesce(h.seq > coalesce(p.seq, 0), false)
    OR EXISTS (SELECT FROM cluster_place WHERE cluster_place.node = n.node)
FROM cluster_node n LEFT JOIN cluster_handed h ON h.node = n.node
LEFT JOIN cluster_placed p ON p.node = n.node
ORDER BY (n.state = 'left'), n.name, n.node"""
_LEASE = """
SELECT epoch, node, (extract(epoch FROM since) * 1000)::int8,
  extract(epoch FROM expires_at - clock_timestamp())::float8, wanted
FROM cluster_lease ORDER BY epoch DESC LIMIT 1"""
_LED = """
SELECT epoch, node, (extract(epoch FROM since) * 1000)::int8 FROM cluster_led
WHERE since > clock_timestamp() - interval '1 hour' ORDER BY epoch DESC"""
_CONFLICTS = """
SELECT node, count(*), greatest(min(extract(epoch FROM clock_timestamp() - at))::float8, 0)
FROM cluster_conflict WHERE at > clock_timestamp() - interval '1 day' GROUP BY node ORDER BY node"""
_DAYS = """
SELECT max(to_date(right(relname, 8), 'YYYYMMDD')) - (clock_timestamp() AT TIME ZONE 'UTC')::date
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'cluster_receipt'::regclass AND relname ~ '_[0-9]{8}$'"""
_REST = """
SELECT (SELECT id FROM cluster), (SELECT coalesce(max(version), 0) FROM cluster_told),
  (SELECT count(*) FROM
    (SELECT 1 FROM cluster_receipt_undated WHERE kind >= 0 LIMIT 10000) AS found),
  ARRAY(SELECT DISTINCT node FROM cluster_erasure WHERE state <> 'done' AND wish <> '')"""
_WAITS = """
SELECT count(*),
  coalesce(max(extract(epoch FROM clock_timestamp() - state_change)), 0)::float8
FROM pg_stat_activity
WHERE datname = current_database() AND wait_event = 'SyncRep'"""
_REMEMBERED = """
SELECT erasure, max(at) > clock_timestamp() - interval '1 day' FROM cluster_erasure
WHERE remembered <> '' GROUP BY erasure"""
_DONE = "SELECT id FROM erasures WHERE done AND id = ANY(%s)"
"""Asked only where there is one: who told it has seen the ledger's tables."""


def read_view(connection: Connection[Any], now_ms: int) -> ClusterView:
    """The cluster as it is now. Raises psycopg.Error."""
    nodes = connection.execute(_NODES).fetchall()
    lease = connection.execute(_LEASE).fetchone()
    led = connection.execute(_LED).fetchall()
    conflicts = connection.execute(_CONFLICTS).fetchall()
    days = connection.execute(_DAYS).fetchone()
    rest = connection.execute(_REST).fetchone()
    waits = connection.execute(_WAITS).fetchone()
    assert days is not None
    assert rest is not None
    assert waits is not None
    return ClusterView(
        id=rest[0] or "",
        read_ms=now_ms,
        leader=None if lease is None else Leader(*lease),
        led=tuple(Lead(*each) for each in led),
        nodes=tuple(map(_node, nodes)),
        conflicts=tuple(Conflict(*each) for each in conflicts),
        told_version=rest[1],
        days_ahead=UNKNOWN_DAYS if days[0] is None else days[0],
        undated=rest[2],
        erasing=frozenset(rest[3]),
        commits_waiting=waits[0],
        longest_wait_s=waits[1],
        erased_again=_erased_again(connection),
    )


def _erased_again(connection: Connection[Any]) -> ErasedAgain:
    lately = dict(connection.execute(_REMEMBERED).fetchall())
    if not lately:
        return ErasedAgain()
    done = {id for (id,) in connection.execute(_DONE, (list(lately),))}
    told = [id for id, is_new in lately.items() if is_new or id not in done]
    return ErasedAgain(len(told), len(done.intersection(told)))


def _node(row: Sequence[Any]) -> NodeView:
    return NodeView(
        node=row[0],
        name=row[1],
        address=row[2],
        release=row[3],
        state=NodeState(row[4]),
        joined_ms=row[5],
        seen_ago_s=row[6],
        clock_ms=row[7],
        last_seq=row[8],
        handed_seq=row[9],
        handed_ago_s=row[10],
        segments=row[11],
        waiting_bytes=row[12],
        one_copy=row[13],
        told_version=row[14],
        runs=bytes(row[15]),
        problems=tuple(row[16]),
        machine=_machine(row[17]),
        left_ms=row[18],
        left_ago_s=row[19],
        kept=row[20],
    )


def _machine(said: bytes) -> Machine:
    """What a node of another release tells otherwise is not known."""
    try:
        return msgspec.json.decode(said, type=Machine)
    except msgspec.DecodeError:
        return Machine()
