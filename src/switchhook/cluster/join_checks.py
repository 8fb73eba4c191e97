"""What keeps a data folder from joining: looked at before, by the plan and by joining alike.

Nothing is changed by looking. What may have changed since, joining finds once more, in its own
transaction.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from switchhook.cluster import tables
from switchhook.cluster.joining import COPIED, EMPTY_FOLDER, IS_IT_BACK
from switchhook.cluster.room import lack, read_room
from switchhook.cluster.view import node_text
from switchhook.errors import ClusterError
from switchhook.postgresql_server import TOLD, connect, explained

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

    from switchhook.cluster.joining import FolderFound
    from switchhook.cluster.settings import ClusterSettings

_RIGHTS = (
    "its user may not make tables in its schema",
    "GRANT CREATE ON SCHEMA … TO its user: each day's receipts get a table of their own",
)
_OTHERS = (TOLD["42P07"][0], "give the nodes a database or a schema of their own")


class Refusal(NamedTuple):
    """Why it can't be done, and what to do."""

    problem: str
    hint: str


class ClusterFound(msgspec.Struct, frozen=True, kw_only=True):
    """The database before somebody joins.

    `full` are those of its ledger's tables that have rows; `node` is the number that `member` has,
    and `left` whether it left; `id` is empty where nobody made a cluster of it. `ledger` is the
    version of its ledger, and the oldest one whose release can use it; None where there is none.
    `refused` are what keeps the folder out, whatever is in it, `warned` what may trouble it there.
    """

    id: str = ""
    nodes: int = 0
    key: bytes | None = None
    full: tuple[str, ...] = ()
    node: int | None = None
    left: bool = False
    ledger: tuple[int, int | None] | None = None
    refused: tuple[Refusal, ...] = ()
    warned: tuple[Refusal, ...] = ()

    def __repr__(self) -> str:
        return f"ClusterFound(nodes={self.nodes}, key=…, full={self.full}, node={self.node})"


def look_at_cluster(
    settings: ClusterSettings, ledger_tables: Sequence[str], found: FolderFound, member: str
) -> ClusterFound:
    """What is there for a folder that `member` is known by, if it is. Raises ClusterError."""
    assert settings.database is not None
    with explained(settings.database), closing(connect(settings.database, "join")) as connection:
        refused = tuple(_of_schema(connection, ledger_tables))
        if refused:
            return ClusterFound(refused=refused)
        full = tuple(each for each in ledger_tables if _has_rows(connection, each))
        ledger = None
        if _is_there(connection, "ledger_version"):
            ledger = connection.execute("SELECT version, oldest FROM ledger_version").fetchone()
        if not _has_rows(connection, "cluster"):
            refused, warned = _of_room(connection, 1)
            return ClusterFound(full=full, ledger=ledger, refused=refused, warned=warned)
        made = connection.execute("SELECT id, key FROM cluster").fetchone()
        asked = "SELECT count(*) FROM cluster_node WHERE state <> 'left'"
        nodes = connection.execute(asked).fetchone()
        asked = "SELECT node, state = 'left' FROM cluster_node WHERE member = %s"
        ours = connection.execute(asked, (member,)).fetchone() if member else None
        assert made is not None
        assert nodes is not None
        key = bytes(made[1])
        number = () if ours else tuple(_of_number(connection, found, own_key=key == found.key))
        is_new = ours is None or ours[1]
        refused, warned = _of_room(connection, nodes[0] + 1) if is_new else ((), ())
        return ClusterFound(
            id=str(made[0]),
            nodes=nodes[0],
            key=key,
            full=full,
            node=ours and int(ours[0]),
            left=bool(ours and ours[1]),
            ledger=ledger,
            refused=number + refused,
            warned=warned,
        )


def _of_room(
    connection: Connection[Any], nodes: int
) -> tuple[tuple[Refusal, ...], tuple[Refusal, ...]]:
    """Whether so many nodes have room for their connections: what refuses it, and what warns."""
    lacks = lack(read_room(connection), nodes)
    if lacks is None:
        return (), ()
    said = (Refusal(lacks.said, lacks.todo),)
    return (said, ()) if lacks.is_short else ((), said)


def _of_schema(connection: Connection[Any], ledger_tables: Sequence[str]) -> Iterator[Refusal]:
    """Whether the tables of this release can be made there, or be used."""
    asked = "SELECT current_schema(), has_schema_privilege(current_schema(), 'CREATE')"
    row = connection.execute(asked).fetchone()
    assert row is not None, "it gives one row"
    if row[0] is None:
        yield Refusal(*TOLD["3F000"])
        return
    if not row[1]:
        yield Refusal(*_RIGHTS)
    ours = tables.names()
    for mark, of_it in (("cluster_version", ours), ("ledger_version", ledger_tables)):
        if not _is_there(connection, mark) and any(_is_there(connection, each) for each in of_it):
            yield Refusal(*_OTHERS)
            return
    try:
        tables.check_release(connection)
    except ClusterError as error:
        yield Refusal(error.problem, error.hint)


def _of_number(
    connection: Connection[Any], found: FolderFound, *, own_key: bool
) -> Iterator[Refusal]:
    """Whether another machine has its number: one with records of its own can't take another."""
    if not found.records:
        return
    asked = f"SELECT {IS_IT_BACK} FROM cluster_node WHERE node = %(node)s"  # noqa: S608 - ours
    row = connection.execute(
        asked.encode(), {"node": found.node, "last": found.last, "own_key": own_key}
    ).fetchone()
    if row == (False,):
        yield Refusal(COPIED.format(node_text(found.node)), EMPTY_FOLDER)


def _is_there(connection: Connection[Any], table: str) -> bool:
    return connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() != (None,)


def _has_rows(connection: Connection[Any], table: str) -> bool:
    if not _is_there(connection, table):
        return False
    from psycopg import sql

    asked = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
    return connection.execute(asked).fetchone() == (True,)
