"""Passkeys: public keys, and how often each has signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from switchhook.access import audit_ledger
from switchhook.access.passkeys import MOST_PASSKEYS, Passkey
from switchhook.access.rows_ledger import passkeys
from switchhook.access.second_factors_ledger import (
    drop_codes_without_factor,
    end_sessions,
    set_codes,
)
from switchhook.ledger.sql import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from switchhook.access.audit import Deed
    from switchhook.access.passkeys import NewPasskey
    from switchhook.ledger.database import Ledger

_count = select(func.count()).select_from(passkeys)


class LedgerPasskeys:
    """`Passkeys` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def of(self, user_id: int) -> list[Passkey]:
        asked = select(passkeys).where(passkeys.c.user == user_id).order_by(passkeys.c.id)
        with self._ledger.reading() as connection:
            return [_passkey_of(row) for row in connection.execute(asked)]

    def add(
        self,
        user_id: int,
        new: NewPasskey,
        name: str,
        codes: Sequence[bytes],
        deed: Deed,
        now_us: int,
        *,
        keep: int | None = None,
    ) -> bool:
        with self._ledger.writing() as connection:
            of_user = _count.where(passkeys.c.user == user_id)
            if connection.execute(of_user).scalar_one() >= MOST_PASSKEYS:
                return False
            row = upsert(connection, passkeys).values(
                user=user_id,
                credential=new.credential,
                public_key=new.public_key,
                sign_count=new.sign_count,
                rp_id=new.rp_id,
                name=name,
                made_us=now_us,
            )
            if not connection.execute(row.on_conflict_do_nothing()).rowcount:
                return False
            if codes:
                set_codes(connection, user_id, codes)
            end_sessions(connection, user_id, keep)
            audit_ledger.append(connection, deed, now_us)
            return True

    def use(self, passkey_id: int, sign_count: int, now_us: int) -> bool:
        grows = passkeys.c.sign_count < sign_count
        if sign_count == 0:  # a key that never counts
            grows = passkeys.c.sign_count == 0
        used = update(passkeys).where(passkeys.c.id == passkey_id, grows)
        with self._ledger.writing() as connection:
            done = connection.execute(used.values(sign_count=sign_count, used_us=now_us))
            return bool(done.rowcount)

    def remove(
        self, user_id: int, passkey_id: int, deed: Deed, now_us: int, *, keep: int | None = None
    ) -> bool:
        removed = delete(passkeys).where(passkeys.c.id == passkey_id, passkeys.c.user == user_id)
        with self._ledger.writing() as connection:
            if not connection.execute(removed).rowcount:
                return False
            drop_codes_without_factor(connection, user_id)
            end_sessions(connection, user_id, keep)
            audit_ledger.append(connection, deed, now_us)
            return True


def _passkey_of(row: Row[Any]) -> Passkey:
    return Passkey(
        id=row.id,
        credential=row.credential,
        public_key=row.public_key,
        sign_count=row.sign_count,
        rp_id=row.rp_id,
        name=row.name,
        made_us=row.made_us,
        used_us=row.used_us,
    )
