"""Retention and erasure in the ledger: what was removed, erasures on their way, numbers masked.

A number is looked for in every text and blob of every table, so that no table is forgotten when a
new one comes. The audit log is never changed, and an account's name is what its owner signs in by:
there a number stays on purpose, and is counted as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.access import audit_ledger
from switchhook.access.audit import Deed
from switchhook.retention import texts_ledger
from switchhook.retention.erasure import Erasure, Phase, SearchedPlace
from switchhook.retention.policy import Matter, Removed
from switchhook.retention.trusted_time import Trusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import apsw

    from switchhook.exotel.spellings import Traces
    from switchhook.ledger.database import Ledger

TABLES = """
CREATE TABLE erasures (
  id TEXT PRIMARY KEY,
  asked_ms INTEGER NOT NULL,
  done INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT;
CREATE INDEX erasures_running ON erasures (asked_ms) WHERE done = 0;
CREATE TABLE removed (
  matter TEXT PRIMARY KEY, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
"""

TRUSTED_TABLE = """
CREATE TABLE trusted (
  one INTEGER PRIMARY KEY CHECK (one = 1), now_ms INTEGER NOT NULL, waited_ms INTEGER NOT NULL
) STRICT;
"""
"""The time that retention trusts, and for how long the clock has been far from it."""

_OVERLAP = 256


class SqliteErasures:
    """`ErasureBook` over the ledger, and what retention removed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

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
        with self._ledger.reading() as connection:
            rows = connection.execute("SELECT state FROM erasures ORDER BY asked_ms DESC, id")
            return [msgspec.json.decode(state, type=Erasure) for (state,) in rows]

    def running(self) -> list[Erasure]:
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT state FROM erasures WHERE done = 0 ORDER BY asked_ms, id"
            )
            return [msgspec.json.decode(state, type=Erasure) for (state,) in rows]

    def mask_some(self, erasure: Erasure, traces: Traces) -> Erasure:
        with self._ledger.writing() as connection:
            tables = [
                name for name in texts_ledger.tables(connection) if name not in texts_ledger.STAYS
            ]
            name, after = _bookmark(erasure.cursor, tables)
            if name is None:
                moved = erasure.on(Phase.CHECK)
            else:
                places, last = texts_ledger.mask_batch(connection, name, after, erasure, traces)
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
            return texts_ledger.count_left(connection, traces)

    def texts(self) -> Iterator[bytes]:
        """Every text and blob of every table."""
        with self._ledger.reading() as connection:
            yield from texts_ledger.all_texts(connection)

    def audit_mentions(self, masked: str) -> int:
        """How many entries of the audit log name somebody by a masked number."""
        return audit_ledger.LedgerAudit(self._ledger).mentions(masked)

    def rows_with(self, traces: Traces) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rows that hold what is looked for, each with its table's name."""
        with self._ledger.reading() as connection:
            yield from texts_ledger.rows_with(connection, traces)

    def file_left(self, traces: Traces) -> int:
        return sum(map(traces.count, self._ledger.raw(_OVERLAP)))

    def rewrite(self) -> None:
        self._ledger.rewrite()

    def removed(self) -> dict[Matter, Removed]:
        """What retention removed so far, by class."""
        with self._ledger.reading() as connection:
            rows = connection.execute("SELECT matter, rows, bytes, at_ms FROM removed")
            known = {each.value for each in Matter}
            return {
                Matter(row[0]): Removed(Matter(row[0]), *row[1:]) for row in rows if row[0] in known
            }

    def add_removed(self, removed: Removed) -> None:
        """Count what was removed just now."""
        with self._ledger.writing() as connection:
            connection.execute(
                "INSERT INTO removed VALUES (?, ?, ?, ?) ON CONFLICT (matter) DO UPDATE SET"
                " rows = rows + excluded.rows, bytes = bytes + excluded.bytes,"
                " at_ms = excluded.at_ms",
                (removed.matter.value, removed.rows, removed.bytes, removed.at_ms),
            )

    def trusted(self) -> Trusted | None:
        """The time that retention trusted last; None before it ran."""
        with self._ledger.reading() as connection:
            row = connection.execute("SELECT now_ms, waited_ms FROM trusted").fetchone()
            return None if row is None else Trusted(*row)

    def note_trusted(self, trusted: Trusted) -> None:
        """Keep it for the next start."""
        with self._ledger.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO trusted VALUES (1, ?, ?)",
                (trusted.now_ms, trusted.waited_ms),
            )


def _save(connection: apsw.Connection, erasure: Erasure) -> None:
    connection.execute(
        "INSERT INTO erasures VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET done = excluded.done, state = excluded.state",
        (
            erasure.id,
            erasure.asked_ms,
            erasure.phase is Phase.DONE,
            msgspec.json.encode(erasure).decode(),
        ),
    )


def _bookmark(cursor: str, tables: Sequence[str]) -> tuple[str | None, list[Any] | None]:
    """The table to go on with, and the key to go on after; no table where all are done."""
    if not cursor:
        return (tables[0] if tables else None), None
    name, after = msgspec.json.decode(cursor)
    return (name if name in tables else None), after
