"""Retention and erasure in the ledger: what was removed, erasures on their way, numbers masked.

A number is looked for in every text and blob of every table, so that no table is forgotten when a
new one comes. The audit log is never changed, an account's name is what its owner signs in by, and
the do-not-call list keeps people from being called: there a number stays on purpose, and is counted
as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import CheckConstraint, Column, Index, MetaData, Table, false, select

from switchhook.access import audit_ledger
from switchhook.ledger.sql import STRICT, Flag, Number, Text, put, upsert
from switchhook.retention import texts_ledger
from switchhook.retention.erasure import Erasure, Phase, SearchedPlace
from switchhook.retention.policy import Matter, Removed
from switchhook.retention.trusted_time import Trusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from switchhook.access.audit import Deed
    from switchhook.exotel.spellings import Traces
    from switchhook.ledger.database import Ledger

TABLES = MetaData()
_erasures = Table(
    "erasures",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("asked_ms", Number, nullable=False),
    Column("done", Flag, nullable=False),
    Column("state", Text, nullable=False),
    **STRICT,
)
_running = _erasures.c.done == false()
Index("erasures_running", _erasures.c.asked_ms, sqlite_where=_running, postgresql_where=_running)
_removed = Table(
    "removed",
    TABLES,
    Column("matter", Text, primary_key=True),
    Column("rows", Number, nullable=False),
    Column("bytes", Number, nullable=False),
    Column("at_ms", Number, nullable=False),
    **STRICT,
)
_trusted = Table(
    "trusted",
    TABLES,
    Column("one", Number, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("now_ms", Number, nullable=False),
    Column("waited_ms", Number, nullable=False),
    **STRICT,
)
"""The time that retention trusts, and for how long the clock has been far from it."""

_OVERLAP = 256


class LedgerErasures:
    """`ErasureBook` over the ledger, and what retention removed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ours = TABLES.tables.values()
        self._searched = [
            each for each in ledger.tables if texts_ledger.texts_of(each) and each not in ours
        ]

    def begin(self, erasure: Erasure, deed: Deed) -> None:
        with self._ledger.writing() as connection:
            _save(connection, erasure)
            audit_ledger.append(connection, deed, erasure.asked_ms * 1000)

    def note(self, deed: Deed, now_ms: int) -> None:
        """Note in the audit log what somebody wished for."""
        with self._ledger.writing() as connection:
            audit_ledger.append(connection, deed, now_ms * 1000)

    def save(self, erasure: Erasure) -> None:
        with self._ledger.writing() as connection:
            _save(connection, erasure)

    def finish(self, erasure: Erasure, deed: Deed) -> None:
        with self._ledger.writing() as connection:
            _save(connection, erasure)
            audit_ledger.append(connection, deed, (erasure.done_ms or erasure.asked_ms) * 1000)

    def all(self) -> list[Erasure]:
        asked = select(_erasures.c.state).order_by(_erasures.c.asked_ms.desc(), _erasures.c.id)
        with self._ledger.reading() as connection:
            return list(map(_read, connection.scalars(asked)))

    def running(self) -> list[Erasure]:
        asked = select(_erasures.c.state).where(_running)
        with self._ledger.reading() as connection:
            rows = connection.scalars(asked.order_by(_erasures.c.asked_ms, _erasures.c.id))
            return list(map(_read, rows))

    def mask_some(self, erasure: Erasure, traces: Traces) -> Erasure:
        tables = {
            str(each.name): each for each in self._searched if each.name not in texts_ledger.STAYS
        }
        with self._ledger.writing() as connection:
            name, after = _bookmark(erasure.cursor, list(tables))
            if name is None:
                moved = erasure.on(Phase.CHECK)
            else:
                places, last = texts_ledger.mask_batch(
                    connection, tables[name], after, erasure, traces
                )
                following = [each for each in tables if each > name][:1]
                cursor = [name, last] if last is not None else [*following, None]
                cursor = cursor if cursor[0] is not None else ["", None]
                moved = msgspec.structs.replace(
                    erasure, places=places, cursor=msgspec.json.encode(cursor).decode()
                )
            _save(connection, moved)
        return moved

    def count_left(self, traces: Traces) -> list[SearchedPlace]:
        with self._ledger.reading() as connection:
            return texts_ledger.count_left(connection, self._searched, traces)

    def texts(self) -> Iterator[bytes]:
        """Every text and blob of every table."""
        with self._ledger.reading() as connection:
            yield from texts_ledger.all_texts(connection, self._searched)

    def audit_mentions(self, masked: str) -> int:
        """How many entries of the audit log name somebody by a masked number."""
        return audit_ledger.LedgerAudit(self._ledger).mentions(masked)

    def rows_with(self, traces: Traces) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rows that hold what is looked for, each with its table's name."""
        with self._ledger.reading() as connection:
            yield from texts_ledger.rows_with(connection, self._searched, traces)

    def file_left(self, traces: Traces) -> int:
        return sum(map(traces.count, self._ledger.raw(_OVERLAP)))

    def rewrite(self) -> None:
        self._ledger.rewrite()

    def removed(self) -> dict[Matter, Removed]:
        """What retention removed so far, by class."""
        known = {each.value: each for each in Matter}
        with self._ledger.reading() as connection:
            return {
                known[matter]: Removed(known[matter], *counts)
                for matter, *counts in connection.execute(select(_removed))
                if matter in known
            }

    def add_removed(self, removed: Removed) -> None:
        """Count what was removed just now."""
        with self._ledger.writing() as connection:
            row = upsert(connection, _removed).values(
                matter=removed.matter.value,
                rows=removed.rows,
                bytes=removed.bytes,
                at_ms=removed.at_ms,
            )
            change = {
                "rows": _removed.c.rows + row.excluded.rows,
                "bytes": _removed.c.bytes + row.excluded.bytes,
                "at_ms": row.excluded.at_ms,
            }
            connection.execute(row.on_conflict_do_update(index_elements=["matter"], set_=change))

    def trusted(self) -> Trusted | None:
        """The time that retention trusted last; None before it ran."""
        with self._ledger.reading() as connection:
            row = connection.execute(select(_trusted.c.now_ms, _trusted.c.waited_ms)).first()
            return None if row is None else Trusted(*row)

    def note_trusted(self, trusted: Trusted) -> None:
        """Keep it for the next start."""
        with self._ledger.writing() as connection:
            put(connection, _trusted, one=1, now_ms=trusted.now_ms, waited_ms=trusted.waited_ms)


def _read(state: str) -> Erasure:
    return msgspec.json.decode(state, type=Erasure)


def _save(connection: Connection, erasure: Erasure) -> None:
    put(
        connection,
        _erasures,
        id=erasure.id,
        asked_ms=erasure.asked_ms,
        done=erasure.phase is Phase.DONE,
        state=msgspec.json.encode(erasure).decode(),
    )


def _bookmark(cursor: str, tables: Sequence[str]) -> tuple[str | None, list[Any] | None]:
    """The table to go on with, and the key to go on after; no table where all are done."""
    if not cursor:
        return (tables[0] if tables else None), None
    name, after = msgspec.json.decode(cursor)
    return (name if name in tables else None), after
