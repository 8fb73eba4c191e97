"""The changes of flags, kept: each with its entry in the audit log; and when each flag was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Column, Index, MetaData, Table, delete, func, or_, select

from switchhook.access.audit_ledger import append
from switchhook.flags.changes import FlagChange, settings_then
from switchhook.flags.view import FlagRead
from switchhook.ledger.sql import COUNTED, KEYED, Blob, Number, Text, add, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger
    from switchhook.rules.flags import SettingsThen

TABLES = MetaData()
_changes = Table(
    "flag_changes",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("flag", Text, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("body", Blob, nullable=False),
    Index("flag_changes_of_flag", "flag", "id"),
    **COUNTED,
)
_reads = Table(
    "flag_reads",
    TABLES,
    Column("flag", Text, primary_key=True),
    Column("known_ms", Number, nullable=False),
    Column("rules_ms", Number),
    Column("bots_ms", Number),
    **KEYED,
)

MOST_KEPT = 10_000
"""Changes beyond so many are forgotten, the oldest first, but no flag's last one."""

_encode = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(FlagChange).decode


class LedgerFlags:
    """The flags in the ledger. Any thread, and commands beside the console. Raises LedgerError.

    What is decided by what is in force is decided within the transaction that changes it, which
    `tell` is called in with the last changes then, by name.
    """

    def __init__(
        self,
        ledger: Ledger,
        tell: Callable[[Connection, Mapping[str, FlagChange]], None] = lambda _connection, _held: (
            None
        ),
    ) -> None:
        self._ledger, self._tell = ledger, tell

    def held(self) -> dict[str, FlagChange]:
        """The last change of each flag that was ever changed, by name."""
        with self._ledger.reading() as connection:
            return _held(connection)

    def change(
        self,
        decide: Callable[
            [Mapping[str, FlagChange], Callable[[int], FlagChange | None]], FlagChange
        ],
        deed: Callable[[FlagChange], Deed],
        now_ms: int,
    ) -> FlagChange:
        """Keep the change that `decide` makes of what is in force; it is given back with its id.

        `decide` is given the last changes by name, and what finds a change by its id. What it
        raises ends it, and nothing is changed.
        """
        with self._ledger.writing() as connection:
            change = decide(_held(connection), lambda id: _named(connection, id))
            number = add(
                connection, _changes, flag=change.flag, at_ms=change.at_ms, body=_encode(change)
            )
            append(connection, deed(change), now_ms * 1000)
            _forget(connection)
            self._tell(connection, _held(connection))
            return msgspec.structs.replace(change, id=number)

    def history(self, flag: str | None, limit: int) -> list[FlagChange]:
        """Changes of one flag, or of all, the newest first."""
        asked = select(_changes.c.id, _changes.c.body).order_by(_changes.c.id.desc()).limit(limit)
        if flag is not None:
            asked = asked.where(_changes.c.flag == flag)
        with self._ledger.reading() as connection:
            return [_with_id(id, body) for id, body in connection.execute(asked)]

    def since(self, since_ms: int) -> SettingsThen:
        """What flags were set to at any moment since then, for deciding receipts of then again."""
        before = select(func.max(_changes.c.id)).where(_changes.c.at_ms <= since_ms)
        last = before.group_by(_changes.c.flag)
        wanted = or_(_changes.c.at_ms > since_ms, _changes.c.id.in_(last))
        asked = select(_changes.c.id, _changes.c.body).where(wanted).order_by(_changes.c.id)
        with self._ledger.reading() as connection:
            return settings_then(_with_id(id, body) for id, body in connection.execute(asked))

    def reads(self) -> dict[str, FlagRead]:
        """When each flag was read, by name."""
        with self._ledger.reading() as connection:
            return {row.flag: FlagRead(*row) for row in connection.execute(select(_reads))}

    def note_reads(self, reads: Iterable[FlagRead], declared: Iterable[str]) -> None:
        """Keep when flags were read; those that are not declared any more are forgotten."""
        with self._ledger.writing() as connection:
            for each in reads:
                put(connection, _reads, **msgspec.structs.asdict(each))
            connection.execute(delete(_reads).where(_reads.c.flag.not_in(list(declared))))


def _held(connection: Connection) -> dict[str, FlagChange]:
    last = select(func.max(_changes.c.id)).group_by(_changes.c.flag)
    asked = select(_changes.c.id, _changes.c.body).where(_changes.c.id.in_(last))
    changes = (_with_id(id, body) for id, body in connection.execute(asked))
    return {each.flag: each for each in changes}


def _named(connection: Connection, id: int) -> FlagChange | None:
    asked = select(_changes.c.body).where(_changes.c.id == id)
    body = connection.execute(asked).scalar()
    return None if body is None else _with_id(id, body)


def _with_id(id: int, body: bytes) -> FlagChange:
    return msgspec.structs.replace(_read(body), id=id)


def _forget(connection: Connection) -> None:
    newest = select(_changes.c.id).order_by(_changes.c.id.desc()).limit(1).offset(MOST_KEPT)
    last = select(func.max(_changes.c.id)).group_by(_changes.c.flag)
    old = _changes.c.id <= newest.scalar_subquery()
    connection.execute(delete(_changes).where(old, _changes.c.id.not_in(last)))
