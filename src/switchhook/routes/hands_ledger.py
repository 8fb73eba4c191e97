"""What people set by hand, kept: each change with its entry in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Column, MetaData, Table, and_, delete, or_, select, update

from switchhook.access.audit_ledger import append
from switchhook.ledger.sql import COUNTED, Blob, Number, Text, add
from switchhook.rules.routing import HandSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Connection

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger
    from switchhook.routes.hands import HandChange

TABLES = MetaData()
_hands = Table(
    "hand_settings",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("since_ms", Number, nullable=False),
    Column("until_ms", Number),
    Column("ended_ms", Number),
    Column("ended_by", Text, nullable=False),
    Column("body", Blob, nullable=False),
    **COUNTED,
)

MOST_KEPT = 5_000
"""Settings that are over beyond so many are forgotten, the oldest first."""

_encode = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(HandSetting).decode


class PastSetting(msgspec.Struct, frozen=True):
    """A setting that is over: since `ended_ms`, by whom; `ended_by` is empty at its own end."""

    setting: HandSetting
    ended_ms: int
    ended_by: str


class LedgerHands:
    """The settings in the ledger. Any thread, and commands beside the console. Raises LedgerError.

    What is decided by what is in force is decided within the transaction that changes it, which
    `tell` is called in with what is in force then.
    """

    def __init__(
        self,
        ledger: Ledger,
        tell: Callable[[Connection, Sequence[HandSetting]], None] = lambda _connection, _held: None,
    ) -> None:
        self._ledger, self._tell = ledger, tell

    def held(self, now_ms: int) -> tuple[HandSetting, ...]:
        """Those in force, oldest first."""
        with self._ledger.reading() as connection:
            return _held(connection, now_ms)

    def change(
        self,
        decide: Callable[[Sequence[HandSetting]], HandChange],
        deed: Callable[[HandChange], Deed],
        now_ms: int,
    ) -> HandChange:
        """Do what `decide` says of what is in force; what begins has its id in what is given back.

        What `decide` raises ends it, and nothing is changed.
        """
        with self._ledger.writing() as connection:
            change = decide(_held(connection, now_ms))
            done = deed(change)
            _end(connection, change.ends, now_ms, done.who)
            begins = change.begins
            if begins is not None:
                number = add(
                    connection,
                    _hands,
                    since_ms=begins.since_ms,
                    until_ms=begins.until_ms,
                    ended_ms=None,
                    ended_by="",
                    body=_encode(begins),
                )
                begins = msgspec.structs.replace(begins, id=number)
            append(connection, done, now_ms * 1000)
            _forget(connection, now_ms)
            self._tell(connection, _held(connection, now_ms))
            return msgspec.structs.replace(change, begins=begins)

    def undo(
        self,
        choose: Callable[[Sequence[HandSetting]], HandSetting],
        deed: Callable[[HandSetting], Deed],
        now_ms: int,
    ) -> HandSetting:
        """End the setting that `choose` picks of those in force; what it raises ends it."""
        with self._ledger.writing() as connection:
            setting = choose(_held(connection, now_ms))
            done = deed(setting)
            _end(connection, (setting.id,), now_ms, done.who)
            append(connection, done, now_ms * 1000)
            self._tell(connection, _held(connection, now_ms))
            return setting

    def past(self, now_ms: int, limit: int) -> list[PastSetting]:
        """Those that are over, the newest first."""
        asked = select(_hands).where(_over(now_ms)).order_by(_hands.c.id.desc()).limit(limit)
        with self._ledger.reading() as connection:
            return [
                PastSetting(_with_id(row.id, row.body), row.ended_ms or row.until_ms, row.ended_by)
                for row in connection.execute(asked)
            ]


def _held(connection: Connection, now_ms: int) -> tuple[HandSetting, ...]:
    lasts = and_(
        _hands.c.ended_ms.is_(None),
        or_(_hands.c.until_ms.is_(None), _hands.c.until_ms > now_ms),
    )
    asked = select(_hands.c.id, _hands.c.body).where(lasts).order_by(_hands.c.id)
    return tuple(_with_id(id, body) for id, body in connection.execute(asked))


def _with_id(id: int, body: bytes) -> HandSetting:
    return msgspec.structs.replace(_read(body), id=id)


def _over(now_ms: int) -> ColumnElement[bool]:
    return or_(_hands.c.ended_ms.is_not(None), _hands.c.until_ms <= now_ms)


def _end(connection: Connection, ids: Sequence[int], now_ms: int, by: str) -> None:
    if ids:
        chosen = _hands.c.id.in_(ids)
        connection.execute(update(_hands).where(chosen).values(ended_ms=now_ms, ended_by=by))


def _forget(connection: Connection, now_ms: int) -> None:
    over = select(_hands.c.id).where(_over(now_ms))
    bound = over.order_by(_hands.c.id.desc()).limit(1).offset(MOST_KEPT).scalar_subquery()
    connection.execute(delete(_hands).where(_over(now_ms), _hands.c.id <= bound))
