"""Retention and erasure in the ledger: what was removed, erasures on their way, numbers masked.

A number is looked for in every text and blob of every table, so that no table is forgotten when a
new one comes. The audit log is never changed, and accounts are their owners' affair: there a number
is only counted.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from switchhook.audit import Deed
from switchhook.erasure import Erasure, Phase, Place
from switchhook.errors import LedgerError
from switchhook.keep import Matter, Removed
from switchhook.ledger import audit
from switchhook.ledger.calls import SqliteCalls
from switchhook.ledger.capacity import SqliteCapacity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.erasure import Spellings
    from switchhook.keep import Rows
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

_ONLY_COUNTED = frozenset(
    {"audit", "audit_base", "users", "sessions", "tokens", "links"}
    | {"second_factors", "recovery_codes"}  # bytes at random, which may look like digits
)
_LEFT_OUT = frozenset({"erasures", "removed"})
_BATCH = 200
_OVERLAP = 256
_CHUNK = 1 << 20
_LOG = apsw.SQLITE_OPEN_WAL
_TRIES, _PAUSE_S = 20, 0.05


class AlertRows:
    """Alerts that are over and messages that were sent, as retention sees them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def oldest_ms(self) -> int | None:
        with self._ledger.reading() as connection:
            found: int | None = connection.execute(
                "SELECT min(at_ms) FROM (SELECT min(resolved_ms) AS at_ms FROM alerts"
                " WHERE fired_ms IS NOT NULL UNION ALL SELECT min(at_ms) FROM messages"
                " UNION ALL SELECT min(until_ms) FROM silences)"
            ).get
            return found

    def remove(self, before_ms: int, most: int) -> int:
        with self._ledger.writing() as connection:
            removed = 0
            for sql in (
                "DELETE FROM alerts WHERE (key, since_ms) IN (SELECT key, since_ms FROM alerts"
                " WHERE fired_ms IS NOT NULL AND resolved_ms < ? LIMIT ?)",
                "DELETE FROM messages WHERE id IN"
                " (SELECT id FROM messages WHERE at_ms < ? LIMIT ?)",
                "DELETE FROM silences WHERE id IN"
                " (SELECT id FROM silences WHERE until_ms < ? LIMIT ?)",
            ):
                connection.execute(sql, (before_ms, most))
                removed += connection.changes()
            return removed


class ThinnedRows:
    """The history of capacity, or call details, as retention sees them."""

    def __init__(self, table: SqliteCapacity | SqliteCalls) -> None:
        self.oldest_ms, self.remove = table.oldest_ms, table.thin


class AuditRows:
    """The audit log, as retention sees it: its old end goes in one step, noted in the log itself.

    Run by `by`, at `now_ms()`.
    """

    def __init__(self, log: audit.SqliteAudit, now_ms: Callable[[], int]) -> None:
        self._log, self._now_ms = log, now_ms

    def oldest_ms(self) -> int | None:
        found = self._log.oldest_us()
        return None if found is None else found // 1000

    def remove(self, before_ms: int, most: int) -> int:
        deed = Deed(who="switchhook", what="removed old audit entries", origin="retention")
        return self._log.trim(before_ms * 1000, deed, self._now_ms() * 1000)


def rows_of(ledger: Ledger, now_ms: Callable[[], int]) -> dict[Matter, Rows]:
    """What retention removes from the ledger, by class."""
    return {
        Matter.CALLS: ThinnedRows(SqliteCalls(ledger)),
        Matter.ALERTS: AlertRows(ledger),
        Matter.CAPACITY: ThinnedRows(SqliteCapacity(ledger)),
        Matter.AUDIT: AuditRows(audit.SqliteAudit(ledger), now_ms),
    }


class SqliteErasures:
    """`ErasureBook` over the ledger, and what retention removed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def begin(self, erasure: Erasure, deed: Deed) -> None:
        with self._ledger.writing() as connection:
            _save(connection, erasure)
            audit.append(connection, deed, erasure.asked_ms * 1000)

    def save(self, erasure: Erasure) -> None:
        with self._ledger.writing() as connection:
            _save(connection, erasure)

    def finish(self, erasure: Erasure, deed: Deed) -> None:
        with self._ledger.writing() as connection:
            _save(connection, erasure)
            audit.append(connection, deed, (erasure.done_ms or erasure.asked_ms) * 1000)

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

    def mask_some(self, erasure: Erasure, spellings: Spellings) -> Erasure:
        with self._ledger.writing() as connection:
            tables = [name for name in _tables(connection) if name not in _ONLY_COUNTED]
            name, after = _bookmark(erasure.cursor, tables)
            if name is None:
                moved = erasure.on(Phase.CHECK)
            else:
                places, last = _mask_batch(connection, name, after, erasure, spellings)
                following = [each for each in tables if each > name][:1]
                cursor = [name, last] if last is not None else [*following, None]
                cursor = cursor if cursor[0] is not None else ["", None]
                moved = msgspec.structs.replace(
                    erasure, places=places, cursor=msgspec.json.encode(cursor).decode()
                )
            _save(connection, moved)
        return moved

    def count_left(self, spellings: Spellings) -> list[Place]:
        found = []
        with self._ledger.reading() as connection:
            for name in _tables(connection):
                keys, columns = _columns(connection, name)
                rows = connection.execute(_select(name, keys, columns, after=False))
                searched = left = 0
                for row in rows:
                    searched += 1
                    left += any(spellings.count(_bytes(value)) for value in row[len(keys) :])
                found.append(Place(f"ledger.{name}", searched=searched, left=left))
        return found

    def file_left(self, spellings: Spellings) -> int:
        self._empty_log()
        return self._leftovers(spellings)

    def rewrite(self) -> None:
        with self._ledger.explained(), closing(self._alone()) as connection:
            connection.execute("VACUUM")
        self._empty_log()

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

    def _alone(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._ledger.path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(5_000)
        connection.pragma("secure_delete", 1)
        return connection

    def _empty_log(self) -> None:
        """Copy the log into the file, so that old pages are in neither.

        LedgerError where somebody reads for so long that it can't be done now.
        """
        path = str(self._ledger.path)
        with self._ledger.explained(), closing(self._alone()) as connection:
            connection.execute("SELECT 1 FROM sqlite_master")  # else it knows of no log
            for _ in range(_TRIES):
                with suppress(apsw.BusyError):
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                log = Path(f"{path}-wal")
                if not log.exists() or not log.stat().st_size:
                    return
                time.sleep(_PAUSE_S)
        problem = "its log can't be emptied: something reads it all the time"
        raise LedgerError(path, problem, "end what reads the ledger beside switchhook")

    def _leftovers(self, spellings: Spellings) -> int:
        """How often the number is in the bytes of the file and its log."""
        path, found = str(self._ledger.path.absolute()), 0
        with self._ledger.explained():
            for name, kind in ((path, apsw.SQLITE_OPEN_MAIN_DB), (f"{path}-wal", _LOG)):
                if not Path(name).exists():
                    continue
                # Through SQLite, as closing a descriptor of our own would drop all its locks.
                raw = apsw.VFSFile("", name, [apsw.SQLITE_OPEN_READWRITE | kind, 0])
                try:
                    size = raw.xFileSize()
                    for start in range(0, size, _CHUNK):
                        length = min(_CHUNK + _OVERLAP, size - start)
                        found += spellings.count(raw.xRead(length, start))
                finally:
                    raw.xClose()
        return found


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


def _tables(connection: apsw.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        " ORDER BY name"
    )
    return [name for (name,) in rows if name not in _LEFT_OUT]


def _columns(connection: apsw.Connection, table: str) -> tuple[list[str], list[str]]:
    """The columns that name a row, and those that could hold a number."""
    info: list[Any] = connection.execute(
        "SELECT name, type, pk FROM pragma_table_info(?) ORDER BY pk", (table,)
    ).fetchall()
    without_rowid = connection.execute(
        "SELECT wr FROM pragma_table_list WHERE name = ?", (table,)
    ).get
    keys = [name for name, _, pk in info if pk]
    texts = [name for name, kind, _ in info if kind.upper() in ("TEXT", "BLOB", "ANY", "")]
    return keys if without_rowid else ["rowid"], texts


def _select(table: str, keys: Sequence[str], columns: Sequence[str], *, after: bool) -> str:
    key = ", ".join(keys)
    where = f" WHERE ({key}) > ({', '.join('?' * len(keys))})" if after else ""
    return f"SELECT {', '.join([*keys, *columns])} FROM {table}{where} ORDER BY {key}"  # noqa: S608 - names of our schema


def _bookmark(cursor: str, tables: Sequence[str]) -> tuple[str | None, list[Any] | None]:
    """The table to go on with, and the key to go on after; no table where all are done."""
    if not cursor:
        return (tables[0] if tables else None), None
    name, after = msgspec.json.decode(cursor)
    return (name if name in tables else None), after


def _mask_batch(
    connection: apsw.Connection,
    table: str,
    after: list[Any] | None,
    erasure: Erasure,
    spellings: Spellings,
) -> tuple[tuple[Place, ...], list[Any] | None]:
    """Mask some rows of a table; the counts, and the key to go on after, None at its end."""
    keys, columns = _columns(connection, table)
    rows = connection.execute(
        _select(table, keys, columns, after=after is not None) + " LIMIT ?",
        (*(after or ()), _BATCH),
    ).fetchall()
    found = struck = 0
    for row in rows:
        masked = [_masked(value, spellings) for value in row[len(keys) :]]
        times = sum(count for _, count in masked)
        if times:
            found += 1
            struck += times
            _replace(
                connection,
                table,
                dict(zip(keys, row, strict=False)),
                dict(zip(columns, (value for value, _ in masked), strict=True)),
            )
    places = erasure.noted(f"ledger.{table}", searched=len(rows), found=found, spellings=struck)
    last = list(rows[-1][: len(keys)]) if len(rows) == _BATCH else None
    return places, last


def _replace(
    connection: apsw.Connection, table: str, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    which = " AND ".join(f"{name} IS ?" for name in key)
    try:
        connection.execute(
            f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in values)} WHERE {which}",  # noqa: S608 - names of our schema
            (*values.values(), *key.values()),
        )
    except apsw.ConstraintError:
        # Another row says the same already: this one would be its double.
        connection.execute(f"DELETE FROM {table} WHERE {which}", tuple(key.values()))  # noqa: S608 - as above


def _masked(value: Any, spellings: Spellings) -> tuple[Any, int]:
    if isinstance(value, str):
        return spellings.mask_text(value)
    if isinstance(value, bytes):
        return spellings.mask(value)
    return value, 0


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return value if isinstance(value, bytes) else b""
