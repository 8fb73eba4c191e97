"""Apps as second factors, recovery codes; when a session's holder last showed a password.

A secret has to be kept as it is: whoever checks a code needs it. Recovery codes are hashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, update

from switchhook.access import audit_ledger
from switchhook.access.rows_ledger import passkeys, recovery_codes, second_factors, sessions
from switchhook.access.second_factor import SecondFactor
from switchhook.ledger.sql import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger


class LedgerSecondFactors:
    """`SecondFactors` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def of(self, user_id: int) -> SecondFactor | None:
        asked = select(second_factors).where(second_factors.c.user == user_id)
        with self._ledger.reading() as connection:
            row = connection.execute(asked).first()
        if row is None:
            return None
        return SecondFactor(secret=row.secret, last_step=row.last_step, enrolled_us=row.enrolled_us)

    def codes_left(self, user_id: int) -> int:
        unused = select(func.count()).where(
            recovery_codes.c.user == user_id, recovery_codes.c.used_us.is_(None)
        )
        with self._ledger.reading() as connection:
            return connection.execute(unused).scalar_one()

    def enrol(
        self,
        user_id: int,
        secret: bytes,
        step: int,
        codes: Sequence[bytes],
        deed: Deed,
        now_us: int,
        *,
        keep: int | None = None,
    ) -> bool:
        with self._ledger.writing() as connection:
            row = upsert(connection, second_factors).values(
                user=user_id, secret=secret, last_step=step, enrolled_us=now_us
            )
            if not connection.execute(row.on_conflict_do_nothing()).rowcount:
                return False
            set_codes(connection, user_id, codes)
            end_sessions(connection, user_id, keep)
            audit_ledger.append(connection, deed, now_us)
            return True

    def use_step(self, user_id: int, step: int) -> bool:
        newer = update(second_factors).where(
            second_factors.c.user == user_id, second_factors.c.last_step < step
        )
        with self._ledger.writing() as connection:
            return bool(connection.execute(newer.values(last_step=step)).rowcount)

    def use_code(self, user_id: int, hashed: bytes, deed: Deed, now_us: int) -> bool:
        unused = update(recovery_codes).where(
            recovery_codes.c.user == user_id,
            recovery_codes.c.hash == hashed,
            recovery_codes.c.used_us.is_(None),
        )
        with self._ledger.writing() as connection:
            if not connection.execute(unused.values(used_us=now_us)).rowcount:
                return False
            audit_ledger.append(connection, deed, now_us)
            return True

    def renew_codes(self, user_id: int, codes: Sequence[bytes], deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as connection:
            set_codes(connection, user_id, codes)
            audit_ledger.append(connection, deed, now_us)

    def remove_app(self, user_id: int, deed: Deed, now_us: int, *, keep: int | None = None) -> None:
        with self._ledger.writing() as connection:
            connection.execute(delete(second_factors).where(second_factors.c.user == user_id))
            drop_codes_without_factor(connection, user_id)
            end_sessions(connection, user_id, keep)
            audit_ledger.append(connection, deed, now_us)

    def remove(self, user_id: int, deed: Deed, now_us: int, *, keep: int | None = None) -> None:
        with self._ledger.writing() as connection:
            forget(connection, user_id)
            end_sessions(connection, user_id, keep)
            audit_ledger.append(connection, deed, now_us)


def forget(connection: Connection, user_id: int) -> None:
    """Remove a user's app, passkeys and recovery codes."""
    for table in (second_factors, passkeys, recovery_codes):
        connection.execute(delete(table).where(table.c.user == user_id))


def drop_codes_without_factor(connection: Connection, user_id: int) -> None:
    """Remove recovery codes where there is nothing any more that they could stand for."""
    connection.execute(
        delete(recovery_codes).where(
            recovery_codes.c.user == user_id,
            ~exists().where(second_factors.c.user == user_id),
            ~exists().where(passkeys.c.user == user_id),
        )
    )


def set_codes(connection: Connection, user_id: int, codes: Sequence[bytes]) -> None:
    connection.execute(delete(recovery_codes).where(recovery_codes.c.user == user_id))
    for each in codes:
        connection.execute(insert(recovery_codes).values(user=user_id, hash=each))


def end_sessions(connection: Connection, user_id: int, keep: int | None) -> None:
    """End a user's sessions but one."""
    others = sessions.c.id.is_distinct_from(keep)
    connection.execute(delete(sessions).where(sessions.c.user == user_id, others))
