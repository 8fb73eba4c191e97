"""The audit log: appended to, cut at its old end by retention only, never changed.

Other modules of the ledger note a deed in the transaction that does it: `append(connection, …)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.access.audit import AuditEntry, ChainHead, Deed, entry_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import apsw

    from switchhook.access import audit_ledger
    from switchhook.access.audit import AuditFilter, Deed
    from switchhook.ledger.database import Ledger

TABLES = """
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at_us INTEGER NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  subject TEXT NOT NULL,
  origin TEXT NOT NULL,
  details TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_what ON audit (what, seq);
CREATE TABLE audit_base (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;
INSERT INTO audit_base VALUES (1, 0, zeroblob(32));
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
CREATE TRIGGER audit_is_cut_at_its_old_end_only BEFORE DELETE ON audit
  WHEN old.seq > (SELECT seq FROM audit_base)
  BEGIN SELECT raise(ABORT, 'the audit log is cut at its old end only'); END;
"""

_COLUMNS = "seq, at_us, who, what, subject, origin, details, hash"
_STEP = 1_000


def append(connection: apsw.Connection, deed: Deed, now_us: int) -> AuditEntry:
    """Note a deed in a transaction of `Ledger.writing()`."""
    newest = connection.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").get
    if newest is None:
        newest = connection.execute("SELECT seq, hash FROM audit_base").get
    seq, previous = newest
    entry = entry_of(deed, seq + 1, now_us, previous)
    connection.execute(
        f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        msgspec.structs.astuple(entry),
    )
    return entry


def mentions(connection: apsw.Connection, text: str) -> int:
    """How many entries have a text in what they were about, or in their details."""
    asked = "SELECT count(*) FROM audit WHERE instr(subject, ?1) OR instr(details, ?1)"
    count: int = connection.execute(asked, (text,)).get
    return count


class SqliteAudit:
    """`AuditLog` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def note(self, deed: Deed, now_us: int) -> AuditEntry:
        with self._ledger.writing() as connection:
            return append(connection, deed, now_us)

    def entries(self, wanted: AuditFilter, limit: int) -> list[AuditEntry]:
        tests: list[str] = []
        values: list[object] = []
        for column, comparison, value in (
            ("who", "=", wanted.who),
            ("what", "=", wanted.what),
            ("subject", "=", wanted.subject),
            ("at_us", ">=", wanted.since_us),
            ("seq", "<", wanted.before_seq),
        ):
            if value is not None:
                tests.append(f"{column} {comparison} ?")
                values.append(value)
        where = f"WHERE {' AND '.join(tests)}" if tests else ""
        asked = f"SELECT {_COLUMNS} FROM audit {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        with self._ledger.reading() as connection:
            return [_entry(row) for row in connection.execute(asked, (*values, limit))]

    def oldest_first(self, after_seq: int = 0) -> Iterator[AuditEntry]:
        asked = f"SELECT {_COLUMNS} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
        while True:
            with self._ledger.reading() as connection:
                step = [_entry(row) for row in connection.execute(asked, (after_seq, _STEP))]
            yield from step
            if len(step) < _STEP:
                return
            after_seq = step[-1].seq

    def whats(self) -> list[str]:
        with self._ledger.reading() as connection:
            return [row[0] for row in connection.execute("SELECT DISTINCT what FROM audit")]

    def head(self) -> ChainHead:
        with self._ledger.reading() as connection:
            seq, base, newest = connection.execute(
                "SELECT seq, hash, ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'audit'),"
                " seq) FROM audit_base"
            ).get
        return ChainHead(seq, base, newest)

    def trim(self, before_us: int, deed: Deed, now_us: int) -> int:
        with self._ledger.writing() as connection:
            # The clock may have gone back: what is cut is the run of old ones at the beginning.
            last = connection.execute(
                "SELECT seq, hash FROM audit WHERE seq <"
                " ifnull((SELECT min(seq) FROM audit WHERE at_us >= ?), 9223372036854775807)"
                " ORDER BY seq DESC LIMIT 1",
                (before_us,),
            ).get
            if last is None:
                return 0
            details = {**deed.details, "up to entry": str(last[0]), "its hash": last[1].hex()}
            append(connection, msgspec.structs.replace(deed, details=details), now_us)
            connection.execute("UPDATE audit_base SET seq = ?, hash = ?", last)
            connection.execute("DELETE FROM audit WHERE seq <= ?", (last[0],))
            return connection.changes()

    def oldest_us(self) -> int | None:
        with self._ledger.reading() as connection:
            return connection.execute("SELECT at_us FROM audit ORDER BY seq LIMIT 1").get  # type: ignore[no-any-return]


def _entry(row: Any) -> AuditEntry:
    seq, at_us, who, what, subject, origin, details, hashed = row
    return AuditEntry(
        seq=seq,
        at_us=at_us,
        who=who,
        what=what,
        subject=subject,
        origin=origin,
        details=details,
        hash=hashed,
    )


class AuditRows:
    """The audit log, as retention sees it: its old end goes in one step, noted in the log itself.

    Run by `by`, at `now_ms()`.
    """

    def __init__(self, log: audit_ledger.SqliteAudit, now_ms: Callable[[], int]) -> None:
        self._log, self._now_ms = log, now_ms

    def oldest_ms(self) -> int | None:
        found = self._log.oldest_us()
        return None if found is None else found // 1000

    def remove(self, before_ms: int, most: int) -> int:
        deed = Deed(who="switchhook", what="removed old audit entries", origin="retention")
        return self._log.trim(before_ms * 1000, deed, self._now_ms() * 1000)
