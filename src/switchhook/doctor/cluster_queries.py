"""What the database that the nodes share says of itself and of them."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from switchhook.cluster.leaving import standing_of
from switchhook.cluster.room import read_room
from switchhook.cluster.view_queries import read_view
from switchhook.cluster.whose import check_whose
from switchhook.doctor.cluster import Server, judge_nodes, judge_own, judge_server, service_of
from switchhook.doctor.finding import fail, warn
from switchhook.errors import ClusterError
from switchhook.postgresql_server import ASKED_S, connect, explained, name_of

if TYPE_CHECKING:
    from psycopg import Connection

    from switchhook.cluster.membership import Membership
    from switchhook.doctor.finding import Finding

_SETTINGS = (
    *("server_version_num", "fsync", "synchronous_commit", "synchronous_standby_names"),
    *("statement_timeout", "max_slot_wal_keep_size"),
)
_ASKS = 3


def check_cluster(url: str, note: Membership | None) -> list[Finding]:
    """Everything that can be seen of it from here; `note` is what the data folder says, if any."""
    try:
        with (
            explained(url),
            closing(
                connect(url, "doctor", silent_s=ASKED_S, target_session_attrs="any")
            ) as connection,
        ):
            server = look_at_server(connection, url)
            try:
                check_whose(connection, name_of(url), note)
            except ClusterError as error:
                level = warn if note is None else fail  # who has not joined needs no other
                return [
                    *judge_server(server, 0),
                    level("cluster: nodes", error.problem, error.hint),
                ]
            view = read_view(connection, time.time_ns() // 1_000_000)
            found = [*judge_server(server, len(view.here)), *judge_nodes(view)]
            if note is not None and note.is_member:
                found += judge_own(standing_of(connection, note.node, note.member), note.node)
            return found
    except ClusterError as error:
        return [fail("database", f"{name_of(url)}: {error.problem}", error.hint)]


def look_at_server(connection: Connection[Any], url: str) -> Server:
    """The server behind a connection. Raises psycopg.Error."""
    from psycopg.conninfo import conninfo_to_dict

    given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    settings = _settings(connection)
    waiting, longest_s = _waits(connection)
    row = _one(
        connection,
        "SELECT pg_is_in_recovery(), has_schema_privilege(current_schema(), 'CREATE'),"
        " coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class"
        " WHERE oid = to_regclass('cluster_receipt')), true)",
    )
    standby = bool(row[0])
    return Server(
        version=int(settings["server_version_num"]),
        managed=managed_by(connection),
        hosts=given.get("host", "").count(",") + 1,
        attrs=given.get("target_session_attrs", ""),
        standby=standby,
        fsync=settings["fsync"] == "on",
        commit=settings["synchronous_commit"],
        standby_names=settings["synchronous_standby_names"],
        standbys=_standbys(connection),
        waiting=waiting,
        longest_wait_s=longest_s,
        given_pid=connection.info.backend_pid,
        pids=tuple(_one(connection, "SELECT pg_backend_pid()")[0] for _ in range(_ASKS)),
        room=read_room(connection),
        may_create=standby or bool(row[1]),
        owns=bool(row[2]),
        statement_timeout_ms=int(settings["statement_timeout"]),
        slots=() if standby else _idle_slots(connection),
        slots_bounded=settings["max_slot_wal_keep_size"] != "-1",
    )


def managed_by(connection: Connection[Any]) -> str:
    """The service that runs it, as it tells; empty where none is recognised."""
    rows = connection.execute("SELECT DISTINCT name FROM pg_settings").fetchall()
    aurora = _one(connection, "SELECT to_regproc('aurora_version') IS NOT NULL")[0]
    return service_of((name for (name,) in rows), aurora=bool(aurora))


def _settings(connection: Connection[Any]) -> dict[str, str]:
    asked = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
    return dict(connection.execute(asked, (list(_SETTINGS),)).fetchall())


def _standbys(connection: Connection[Any]) -> int | None:
    """Those connected that count for a commit; None where that may not be seen."""
    counted, seen, there = _one(
        connection,
        "SELECT count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')), count(sync_state),"
        " count(*) FROM pg_stat_replication",
    )
    return None if there and not seen else counted


def _waits(connection: Connection[Any]) -> tuple[int, float]:
    row = _one(
        connection,
        "SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - state_change)),"
        " 0)::float8 FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
    )
    return row[0], row[1]


def _idle_slots(connection: Connection[Any]) -> tuple[tuple[str, int], ...]:
    rows = connection.execute(
        "SELECT slot_name, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::int8"
        " FROM pg_replication_slots WHERE NOT active ORDER BY slot_name"
    ).fetchall()
    return tuple((name, size) for name, size in rows)


def _one(connection: Connection[Any], asked: str) -> tuple[Any, ...]:
    row = connection.execute(asked.encode()).fetchone()
    assert row is not None, "it gives one row"
    return tuple(row)
