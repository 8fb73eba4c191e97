"""A single machine's ledger, copied into the one that all nodes share: whole, or not at all.

One transaction copies every row of every table, sets what counts rows right, compares the counts
and checks the audit log's chain; what it then commits is what the file has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, insert, select, text
from sqlalchemy.schema import sort_tables

from switchhook.access import audit_ledger
from switchhook.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from sqlalchemy import Connection, Table

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger

BEGUN = frozenset({"audit_base", "belonging"})
"""What even an empty ledger has a row of."""
_STEP = 1_000
_AUDIT = "audit"


class Copied(msgspec.Struct, frozen=True):
    """How many rows of each table were copied, and how many entries the audit log has now."""

    rows: Mapping[str, int]
    entries: int


def counts(ledger: Ledger) -> dict[str, int]:
    """The rows of each table that has any, without those that even an empty ledger has.

    Raises LedgerError.
    """
    with ledger.reading() as connection:
        return counted(connection, ledger.tables)


def counted(connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
    """The same within a transaction."""
    found = {table.name: _count(connection, table) for table in tables}
    return {name: count for name, count in found.items() if count and name not in BEGUN}


def take_along(
    source: Ledger,
    target: Ledger,
    enter: Callable[[Any], object],
    deed: Callable[[Mapping[str, int]], Deed],
    now_us: int,
) -> Copied:
    """Copy a ledger into an empty one, and note the deed in it; `enter` does what goes with it.

    It gets psycopg's own connection of the same transaction. Raises ClusterError, LedgerError;
    nothing was copied then.
    """
    tables = sort_tables(source.tables)
    with source.reading() as old, target.writing() as new:
        enter(new.connection.driver_connection)
        _refuse_full(new, tables, target.name)
        rows = {table.name: _copy(old, new, table, target.name) for table in tables}
        _set_sequences(old, new, tables)
        entry = audit_ledger.append(new, deed(rows), now_us)
        if (problem := broken_audit(new)) is not None:
            raise ClusterError(target.name, *problem)
        return Copied(rows, entry.seq)


def broken_audit(connection: Connection) -> tuple[str, str] | None:
    """Why a ledger's audit log keeps it from being taken along, and what to do; None if nothing."""
    found = audit_ledger.verified(connection)
    if not found.problem:
        return None
    hint = "the file has it so: `switchhook users audit --verify` says more; nothing was changed"
    return f"its audit log does not hold: {found.problem}", hint


def _refuse_full(new: Connection, tables: Sequence[Table], name: str) -> None:
    full = [each.name for each in tables if each.name not in BEGUN and _count(new, each)]
    if full:
        problem = f"its ledger is not empty: {', '.join(full[:5])}{' …' if full[5:] else ''}"
        raise ClusterError(name, problem, NOT_EMPTY_HINT)


NOT_EMPTY_HINT = (
    "one machine's ledger can be taken along, the first's; any other joins without:"
    " switchhook cluster join --plan --leave-ledger-behind says what that loses"
)


def _copy(old: Connection, new: Connection, table: Table, name: str) -> int:
    """Copy a table's rows; how many."""
    if table.name in BEGUN:
        new.execute(table.delete())
    columns = [column.name for column in table.columns]
    found = old.execute(select(table)).yield_per(_STEP)
    for some in found.partitions():
        new.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in some])
    before, after = _count(old, table), _count(new, table)
    if before != after:
        problem = f"{after:,} of {before:,} rows of {table.name} arrived"
        raise ClusterError(name, problem, "try again; nothing was changed")
    return after


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _set_sequences(old: Connection, new: Connection, tables: Sequence[Table]) -> None:
    """Have what counts rows go on where it was: no number is given twice, nor one of a row gone."""
    known = old.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_sequence'"))
    given: dict[str, int] = {}
    if known.scalar_one():
        rows = old.execute(text("SELECT name, seq FROM sqlite_sequence"))
        given = {str(row[0]): int(row[1]) for row in rows}
    for table in tables:
        for column in table.primary_key:
            asked = text("SELECT pg_get_serial_sequence(:table, :column)")
            names = {"table": table.name, "column": column.name}
            sequence = new.execute(asked, names).scalar_one()
            if sequence is None:
                continue
            newest = new.execute(select(func.max(column))).scalar_one() or 0
            last = max(newest, given.get(table.name, 0))
            if last:
                new.execute(select(func.setval(sequence, last)))
