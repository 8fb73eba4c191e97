"""Whether a database is the nodes': before anything of theirs is read from it, or made in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.errors import ClusterError
from switchhook.postgresql_server import TOLD

if TYPE_CHECKING:
    from psycopg import Connection

    from switchhook.cluster.membership import Membership

FIRST_NODE = (
    "a machine that ran alone joins by `switchhook cluster join` once it is stopped; one with an"
    " empty data folder by `switchhook serve`"
)
"""How a database gets its first node."""
_LOST = (
    "see that cluster.database names the one that it joined; if that was lost, restore it from its"
    " backup: what waits on the nodes' disks comes after it"
)
_OTHER = "set cluster.database to the one that it joined; how it leaves: docs/operations.md"
_MOST_NAMED = 3


def check_whose(connection: Connection[Any], database: str, note: Membership | None) -> str:
    """The id of the cluster that is in a database; `note` is what the data folder says, if any.

    Raises ClusterError where there is none, or another than the folder belongs to; psycopg.Error.
    """
    asked = "SELECT current_schema(), to_regclass('cluster'), to_regclass('cluster_node')"
    row = connection.execute(asked).fetchone()
    assert row is not None, "it gives one row"
    if row[0] is None:
        raise ClusterError(database, *TOLD["3F000"])
    made = None
    if None not in row:
        made = connection.execute("SELECT id FROM cluster").fetchone()
    if made is None:
        raise ClusterError(database, *_nobodys(_others(connection), note))
    refuse_another(database, str(made[0]), note)
    return str(made[0])


def refuse_another(database: str, there: str, note: Membership | None) -> None:
    """A member of one cluster has no business with another, whose id is `there`, empty for none.

    Raises ClusterError.
    """
    if note is None or not note.is_member or note.id == there:
        return
    if not there:
        raise ClusterError(database, *_nobodys((), note))
    problem = f"it is cluster {there}, and this data folder belongs to cluster {note.id}"
    raise ClusterError(database, problem, _OTHER)


def _nobodys(others: tuple[str, ...], note: Membership | None) -> tuple[str, str]:
    """What is said of a database without a cluster, and what to do."""
    has = ""
    if others:
        more = " …" if others[_MOST_NAMED:] else ""
        has = f", only tables of something else ({', '.join(others[:_MOST_NAMED])}{more})"
    if note is None or not note.is_member:
        return f"no node has joined it yet{has}", FIRST_NODE
    return f"no cluster is in it{has}, and this data folder belongs to cluster {note.id}", _LOST


def _others(connection: Connection[Any]) -> tuple[str, ...]:
    """Some of the tables in its schema, where none of them is left of nodes."""
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        " AND to_regclass('ledger_version') IS NULL AND NOT EXISTS (SELECT FROM pg_tables"
        " WHERE schemaname = current_schema() AND starts_with(tablename, 'cluster_'))"
        " ORDER BY tablename LIMIT %s",
        (_MOST_NAMED + 1,),
    ).fetchall()
    return tuple(name for (name,) in rows)
