"""Whether the database that the nodes share keeps what it promises. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.cluster.leaving import ALONE_AGAIN, JOIN_AGAIN, moment_text, unknown_text
from switchhook.cluster.room import Room, lack, needed
from switchhook.cluster.view import node_text
from switchhook.doctor.finding import fail, ok, unchecked, warn
from switchhook.metrics import count_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.cluster.leaving import Standing
    from switchhook.cluster.view import ClusterView
    from switchhook.doctor.finding import Finding

OLDEST, NEWEST = 15, 18
"""The major versions that are tested."""
LARGE_SLOT = 10_000_000_000
SLOW_S, CLOCK_S, FEW_DAYS = 5.0, 2.0, 2
_NOT_WAITING = ("off", "local")
_AURORA = "Amazon Aurora"
_SERVICES = {
    "rds.": "Amazon RDS",
    "cloudsql.": "Google Cloud SQL",
    "alloydb": "Google AlloyDB",
    "azure.": "Azure Database for PostgreSQL",
}
"""By what the names of their own settings begin with; the last that is there counts."""
_SOON_MS = 60_000


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself.

    `managed` names the service that runs it, empty where nobody is recognised; `hosts` are those of
    the URL, `attrs` its target_session_attrs, empty where it says none. `standbys` are those
    connected that count for a commit, None where that may not be seen. `given_pid` is the process
    by the connection, `pids` those that answered on it: a pooler's differ. `slots` are idle
    replication slots with the bytes that they hold back.
    """

    version: int
    managed: str = ""
    hosts: int = 1
    attrs: str = ""
    standby: bool = False
    fsync: bool = True
    commit: str = "on"
    standby_names: str = ""
    standbys: int | None = 0
    waiting: int = 0
    longest_wait_s: float = 0.0
    given_pid: int = 0
    pids: tuple[int, ...] = ()
    room: Room = Room()
    may_create: bool = True
    owns: bool = True
    statement_timeout_ms: int = 0
    slots: tuple[tuple[str, int], ...] = ()
    slots_bounded: bool = False


def service_of(settings: Iterable[str], *, aurora: bool) -> str:
    """The service that runs a server, by its settings' names; empty where none is recognised.

    `aurora` is whether it has Aurora's own function.
    """
    if aurora:
        return _AURORA
    names = tuple(settings)
    found = [
        service
        for start, service in _SERVICES.items()
        if any(name.startswith(start) for name in names)
    ]
    return found[-1] if found else ""


def judge_server(server: Server, nodes: int) -> Iterable[Finding]:
    """All that can be said of it, for so many nodes."""
    yield judge_version(server)
    yield judge_way(server)
    yield judge_durable(server)
    yield judge_waiting(server)
    yield judge_pooler(server)
    yield judge_connections(server, nodes)
    yield judge_rights(server)
    yield judge_timeouts(server)
    yield judge_slots(server)


def judge_version(server: Server) -> Finding:
    check, major = "database: version", server.version // 10_000
    said = f"PostgreSQL {major}" + (f", {server.managed}" if server.managed else "")
    if major < OLDEST:
        return fail(check, said, f"upgrade it to {OLDEST} or newer: older ones are not tested")
    if major > NEWEST:
        return warn(check, said, f"it is newer than {NEWEST}, which is the newest that was tested")
    return ok(check, said)


def judge_way(server: Server) -> Finding:
    """Whether the primary is found again after a fail-over."""
    check = "database: way to it"
    if server.standby:
        todo = "name the primary in cluster.database, or all hosts: the primary is found"
        return fail(check, "it is a standby, and can only be read", todo)
    if server.attrs not in ("", "read-write", "primary"):
        todo = "leave target_session_attrs out of cluster.database"
        return fail(check, f"target_session_attrs is {server.attrs}: it may find a standby", todo)
    if server.hosts == 1 and not server.managed:
        todo = (
            "if there are standbys, name all hosts: postgresql://USER@db1,db2,db3/NAME; behind one"
            " address that moves, nothing is to be done"
        )
        return warn(check, "one host: who becomes primary elsewhere is not found", todo)
    many = f"{server.hosts} hosts" if server.hosts > 1 else "the service moves its address"
    return ok(check, f"{many}; the primary is found")


def judge_durable(server: Server) -> Finding:
    """What a commit means: on how many disks it is."""
    check = "database: commits"
    if not server.fsync:
        return fail(check, "fsync is off: a power cut damages it", "turn fsync on")
    if server.managed:
        said = f"{server.managed} keeps several copies by itself; its settings don't show it"
        if server.commit in ("off",):
            return fail(check, "synchronous_commit is off", "set it to on")
        return ok(check, said)
    if server.commit in _NOT_WAITING:
        todo = "set synchronous_commit to on for this user and database"
        word = "loses its last commits" if server.commit == "off" else "waits for no standby"
        return fail(check, f"synchronous_commit is {server.commit}: it {word}", todo)
    if not server.standby_names:
        todo = (
            "two-copies are then the node's disk and the primary's; set synchronous_standby_names,"
            " such as 'ANY 1 (db2, db3)', so that a standby has it, too"
        )
        return warn(check, "no standby has to have what is committed", todo)
    if server.standbys is None:
        todo = "GRANT pg_monitor TO its user"
        return unchecked(check, f"which of {server.standby_names} are there may not be seen", todo)
    if not server.standbys:
        todo = "bring a standby back: until then each commit waits, and receipts have one copy"
        return fail(check, f"none is connected of {server.standby_names}", todo)
    if server.standby_names.strip() == "*":
        todo = "name them: any program that connects as a standby counts as one"
        return warn(check, "synchronous_standby_names is *", todo)
    said = f"{server.standby_names}: {server.standbys} connected"
    if server.standbys == 1:
        todo = "bring another one back: the next that fails has commits wait"
        return warn(check, f"{said}, which is the last", todo)
    return ok(check, f"{said}; a commit is on the primary and a standby")


def judge_waiting(server: Server) -> Finding:
    check = "database: waits"
    if server.waiting and server.longest_wait_s >= SLOW_S:
        said = f"{server.waiting} sessions wait for a standby, for"
        said += f" {duration_text(server.longest_wait_s)}"
        todo = "bring a standby back. Don't cancel them: what waits would count as kept, and is not"
        return fail(check, said, todo)
    return ok(check, "no commit waits for a standby")


def judge_pooler(server: Server) -> Finding:
    check = "database: pooler"
    if not server.pids:
        return unchecked(check, "whether there is one could not be seen")
    if len(set(server.pids)) > 1:
        todo = "have the pooler give each client a session (pool_mode = session), or leave it out"
        said = "a pooler changes the session within one connection: LISTEN and settings are lost"
        return fail(check, said, todo)
    if server.given_pid not in server.pids:
        todo = "see that its pool_mode is session; each node needs its own connections anyway"
        return warn(check, "a pooler is in between", todo)
    return ok(check, "none in between")


def judge_connections(server: Server, nodes: int) -> Finding:
    """Whether there is room for the nodes, also while the lead changes."""
    check, nodes = "database: connections", max(nodes, 1)
    lacks = lack(server.room, nodes)
    if lacks is None:
        said = f"room for {server.room.free}; {count_text(nodes, 'node')} may take {needed(nodes)}"
        return ok(check, said)
    return (fail if lacks.is_short else warn)(check, lacks.said, lacks.todo)


def judge_rights(server: Server) -> Finding:
    check = "database: rights"
    if not server.may_create:
        todo = "GRANT CREATE ON SCHEMA … TO its user: each day's receipts get a table of their own"
        return fail(check, "its user may not make tables in its schema", todo)
    if not server.owns:
        todo = "let one user own all of its tables, the one in cluster.database"
        return fail(check, "its user does not own the tables: no day can be added to them", todo)
    return ok(check, "its user owns the tables, and may make more")


def judge_timeouts(server: Server) -> Finding:
    check = "database: timeouts"
    limit = server.statement_timeout_ms
    if 0 < limit < _SOON_MS:
        todo = (
            "ALTER ROLE … SET statement_timeout = 0: making a search or a day's table takes longer"
        )
        return warn(check, f"statement_timeout is {duration_text(limit / 1000)}", todo)
    return ok(check, "none that would cut off its work")


def judge_slots(server: Server) -> Finding:
    check = "database: disk"
    held = [(name, size) for name, size in server.slots if size >= LARGE_SLOT]
    if held:
        named = ", ".join(f"{name} ({size / 1e9:.0f} GB)" for name, size in held)
        todo = "drop slots that nobody reads: SELECT pg_drop_replication_slot('…')"
        return fail(check, f"idle replication slots hold the log back: {named}", todo)
    if server.slots and not server.slots_bounded:
        named = ", ".join(name for name, _ in server.slots)
        todo = "set max_slot_wal_keep_size, so that a standby that is gone can't fill the disk"
        return warn(check, f"idle replication slots: {named}, without a bound", todo)
    return ok(check, "nothing holds its log back")


def judge_nodes(view: ClusterView) -> Iterable[Finding]:
    """The nodes, by what they said last."""
    yield _leader(view)
    yield from _left(view)
    yield _days(view)
    yield from _clocks(view)
    if view.undated:
        todo = "see which node's clock was wrong: the page Nodes, and `switchhook cluster nodes`"
        receipts = count_text(view.undated, "receipt")
        said = f"{receipts} came with a clock that was far off, and stand apart from the others"
        yield warn("cluster: clocks", said, todo)


def _leader(view: ClusterView) -> Finding:
    check = "cluster: leader"
    if view.leads is None:
        return fail(check, "nobody leads", "start a node; its log says why it can't lead")
    if not view.leads.address and len(view.here) > 1:
        todo = "set cluster.address on each node: the others' pages come from there"
        return warn(check, f"{view.leads.name} leads, and says no address of its console", todo)
    return ok(check, f"{view.label(view.leads.node)} leads")


def _left(view: ClusterView) -> Iterable[Finding]:
    """Those that run though they left."""
    for each in view.here:
        if each.left_and_runs:
            when = "" if each.left_ms is None else f" on {moment_text(each.left_ms)}"
            said = f"{view.label(each.node)} still runs, and it left the cluster{when}"
            todo = f"stop it, or take it back: `switchhook cluster drain {view.typed(each.node)}"
            yield warn("cluster: nodes", said, f"{todo} --back`")


def judge_own(standing: Standing, node: int) -> Iterable[Finding]:
    """How the cluster knows the node of the data folder on this machine, where that is odd."""
    back = f"take it back: `{JOIN_AGAIN}`"
    if not standing.known:
        yield warn("cluster: this node", unknown_text(node_text(node)), back)
    elif standing.left_ms is not None:
        left = f"it left the cluster on {moment_text(standing.left_ms)}"
        todo = f"{back}; or have it go on alone: {ALONE_AGAIN}"
        yield warn("cluster: this node", left, todo)


def _days(view: ClusterView) -> Finding:
    check = "cluster: partitions"
    if view.leader is None:
        return ok(check, "none are missing yet: the first node that runs makes them")
    if view.days_ahead < FEW_DAYS:
        todo = "each node makes them a week ahead; see its rights above, and its log"
        days = count_text(max(view.days_ahead, 0), "day")
        return fail(check, f"there are tables for the receipts of {days} after today", todo)
    return ok(check, f"for {view.days_ahead} days to come")


def _clocks(view: ClusterView) -> Iterable[Finding]:
    there = [each for each in view.here if not each.away]
    off = [each for each in there if each.clock_off_s >= CLOCK_S]
    for each in off:
        way = "ahead of" if each.clock_ms > 0 else "behind"
        off_by = duration_text(each.clock_off_s)
        said = f"the clock of {view.label(each.node)} is {off_by} {way} the database's"
        yield warn("cluster: clocks", said, "let NTP set it, there and on the database's machine")
    if there and not off:
        nodes = count_text(len(there), "node")
        yield ok("cluster: clocks", f"those of {nodes} agree with the database's")
