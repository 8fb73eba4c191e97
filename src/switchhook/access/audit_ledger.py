"""The audit log: appended to, cut at its old end by retention only, never changed.

Other modules of the ledger note a deed in the transaction that does it: `append(connection, …)`.
"""

from __future__ import annotations

from operator import eq, ge, lt
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Index,
    MetaData,
    Table,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from switchhook.access.audit import (
    AuditEntry,
    ChainHead,
    ChainResult,
    Deed,
    entry_of,
    verify_chain,
)
from switchhook.ledger.sql import COUNTED, STRICT, Blob, Number, Text, has

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.access.audit import AuditFilter
    from switchhook.ledger.database import Ledger

TABLES = MetaData()
_audit = Table(
    "audit",
    TABLES,
    Column("seq", Number, primary_key=True),
    Column("at_us", Number, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("hash", Blob, nullable=False),
    Index("audit_what", "what", "seq"),
    **COUNTED,
)
_base = Table(
    "audit_base",
    TABLES,
    Column("one", Number, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("seq", Number, nullable=False),
    Column("hash", Blob, nullable=False),
    Column("newest", Number, nullable=False, server_default=text("0")),
    **STRICT,
)
"""Where the log begins: the entry before its first; and the newest that there ever was."""

_GUARDS = {
    "sqlite": """
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
CREATE TRIGGER audit_is_cut_at_its_old_end_only BEFORE DELETE ON audit
  WHEN old.seq > (SELECT seq FROM audit_base)
  BEGIN SELECT raise(ABORT, 'the audit log is cut at its old end only'); END;
""",
    "postgresql": """
CREATE FUNCTION audit_is_not_changed() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE integrity_constraint_violation USING MESSAGE = 'the audit log is never changed';
  END $$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR TRUNCATE ON audit
  EXECUTE FUNCTION audit_is_not_changed();
CREATE FUNCTION audit_is_cut_at_its_old_end_only() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF old.seq > (SELECT seq FROM audit_base) THEN
      RAISE integrity_constraint_violation
        USING MESSAGE = 'the audit log is cut at its old end only';
    END IF;
    RETURN old;
  END $$;
CREATE TRIGGER audit_is_cut_at_its_old_end_only BEFORE DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION audit_is_cut_at_its_old_end_only();
""",
}


@event.listens_for(TABLES, "after_create")
def _begin(_: MetaData, connection: Connection, **__: object) -> None:
    """Begin an empty log, and guard it."""
    connection.execute(insert(_base).values(one=1, seq=0, hash=bytes(32)))
    connection.exec_driver_sql(_GUARDS[connection.dialect.name])


_ENTRY = (
    *(_audit.c.seq, _audit.c.at_us, _audit.c.who, _audit.c.what, _audit.c.subject),
    *(_audit.c.origin, _audit.c.details, _audit.c.hash),
)
_STEP = 1_000


def append(connection: Connection, deed: Deed, now_us: int) -> AuditEntry:
    """Note a deed in a transaction of `Ledger.writing()`."""
    last = select(_audit.c.seq, _audit.c.hash).order_by(_audit.c.seq.desc()).limit(1)
    found = connection.execute(last).first()
    seq, previous = found or connection.execute(select(_base.c.seq, _base.c.hash)).one()
    entry = entry_of(deed, seq + 1, now_us, previous)
    connection.execute(insert(_audit).values(msgspec.structs.asdict(entry)))
    connection.execute(update(_base).values(newest=entry.seq))
    return entry


def verified(connection: Connection) -> ChainResult:
    """Whether the log holds, as a transaction that may be undone still sees it."""
    head = ChainHead(*connection.execute(select(_base.c.seq, _base.c.hash, _base.c.newest)).one())
    rows = connection.execute(select(*_ENTRY).order_by(_audit.c.seq))
    return verify_chain((AuditEntry(**row._asdict()) for row in rows.yield_per(_STEP)), head)


class LedgerAudit:
    """`AuditLog` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def note(self, deed: Deed, now_us: int) -> AuditEntry:
        with self._ledger.writing() as connection:
            return append(connection, deed, now_us)

    def entries(self, wanted: AuditFilter, limit: int) -> list[AuditEntry]:
        tests = (
            (_audit.c.who, eq, wanted.who),
            (_audit.c.what, eq, wanted.what),
            (_audit.c.subject, eq, wanted.subject),
            (_audit.c.at_us, ge, wanted.since_us),
            (_audit.c.seq, lt, wanted.before_seq),
        )
        asked = (
            select(*_ENTRY)
            .where(*(test(column, value) for column, test, value in tests if value is not None))
            .order_by(_audit.c.seq.desc())
            .limit(limit)
        )
        with self._ledger.reading() as connection:
            return [AuditEntry(**row._asdict()) for row in connection.execute(asked)]

    def oldest_first(self, after_seq: int = 0) -> Iterator[AuditEntry]:
        while True:
            asked = select(*_ENTRY).where(_audit.c.seq > after_seq).order_by(_audit.c.seq)
            with self._ledger.reading() as connection:
                step = [
                    AuditEntry(**row._asdict()) for row in connection.execute(asked.limit(_STEP))
                ]
            yield from step
            if len(step) < _STEP:
                return
            after_seq = step[-1].seq

    def mentions(self, text: str) -> int:
        """How many entries have a text in what they were about, or in their details."""
        found = or_(has(_audit.c.subject, text), has(_audit.c.details, text))
        with self._ledger.reading() as connection:
            return connection.execute(select(func.count()).where(found)).scalar_one()

    def whats(self) -> list[str]:
        with self._ledger.reading() as connection:
            return list(connection.scalars(select(_audit.c.what).distinct()))

    def head(self) -> ChainHead:
        with self._ledger.reading() as connection:
            asked = select(_base.c.seq, _base.c.hash, _base.c.newest)
            return ChainHead(*connection.execute(asked).one())

    def trim(self, before_us: int, deed: Deed, now_us: int) -> int:
        # The clock may have gone back: what is cut is the run of old ones at the beginning.
        first_kept = select(func.min(_audit.c.seq)).where(_audit.c.at_us >= before_us)
        with self._ledger.writing() as connection:
            end = connection.scalar(first_kept)
            asked = select(_audit.c.seq, _audit.c.hash).order_by(_audit.c.seq.desc()).limit(1)
            last = connection.execute(
                asked if end is None else asked.where(_audit.c.seq < end)
            ).first()
            if last is None:
                return 0
            details = {**deed.details, "up to entry": str(last.seq), "its hash": last.hash.hex()}
            append(connection, msgspec.structs.replace(deed, details=details), now_us)
            connection.execute(update(_base).values(seq=last.seq, hash=last.hash))
            return connection.execute(delete(_audit).where(_audit.c.seq <= last.seq)).rowcount

    def oldest_us(self) -> int | None:
        with self._ledger.reading() as connection:
            asked = select(_audit.c.at_us).order_by(_audit.c.seq).limit(1)
            return connection.scalar(asked)


class AuditRows:
    """The audit log, as retention sees it: its old end goes in one step, noted in the log itself.

    Run by `by`, at `now_ms()`.
    """

    def __init__(self, log: LedgerAudit, now_ms: Callable[[], int]) -> None:
        self._log, self._now_ms = log, now_ms

    def oldest_ms(self) -> int | None:
        found = self._log.oldest_us()
        return None if found is None else found // 1000

    def remove(self, before_ms: int, most: int) -> int:
        deed = Deed(who="switchhook", what="removed old audit entries", origin="retention")
        return self._log.trim(before_ms * 1000, deed, self._now_ms() * 1000)
