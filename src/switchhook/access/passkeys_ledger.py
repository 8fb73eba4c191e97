"""Passkeys: public keys, and how often each has signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.access import audit_ledger
from switchhook.access.passkeys import MOST_PASSKEYS, Passkey
from switchhook.access.second_factors_ledger import (
    drop_codes_without_factor,
    end_sessions,
    set_codes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.access.audit import Deed
    from switchhook.access.passkeys import NewPasskey
    from switchhook.ledger.database import Ledger

TABLES = """
CREATE TABLE passkeys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user INTEGER NOT NULL REFERENCES users,
  credential BLOB NOT NULL UNIQUE,
  public_key BLOB NOT NULL,
  sign_count INTEGER NOT NULL,
  rp_id TEXT NOT NULL,
  name TEXT NOT NULL,
  made_us INTEGER NOT NULL,
  used_us INTEGER
) STRICT;
CREATE INDEX passkeys_of_user ON passkeys (user);
"""


class SqlitePasskeys:
    """`Passkeys` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def of(self, user_id: int) -> list[Passkey]:
        with self._ledger.reading() as c:
            rows: list[Any] = c.execute(
                "SELECT id, credential, public_key, sign_count, rp_id, name, made_us, used_us"
                " FROM passkeys WHERE user = ? ORDER BY id",
                (user_id,),
            ).fetchall()
        return [_passkey_of(row) for row in rows]

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
        with self._ledger.writing() as c:
            c.execute(
                "INSERT OR IGNORE INTO passkeys"
                " (user, credential, public_key, sign_count, rp_id, name, made_us)"
                " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
                " WHERE (SELECT count(*) FROM passkeys WHERE user = ?1) < ?8",
                (
                    user_id,
                    new.credential,
                    new.public_key,
                    new.sign_count,
                    new.rp_id,
                    name,
                    now_us,
                    MOST_PASSKEYS,
                ),
            )
            if not c.changes():
                return False
            if codes:
                set_codes(c, user_id, codes)
            end_sessions(c, user_id, keep)
            audit_ledger.append(c, deed, now_us)
            return True

    def use(self, passkey_id: int, sign_count: int, now_us: int) -> bool:
        with self._ledger.writing() as c:
            c.execute(
                "UPDATE passkeys SET sign_count = ?2, used_us = ?3 WHERE id = ?1"
                " AND (sign_count < ?2 OR (sign_count = 0 AND ?2 = 0))",
                (passkey_id, sign_count, now_us),
            )
            return bool(c.changes())

    def remove(
        self, user_id: int, passkey_id: int, deed: Deed, now_us: int, *, keep: int | None = None
    ) -> bool:
        with self._ledger.writing() as c:
            c.execute("DELETE FROM passkeys WHERE id = ? AND user = ?", (passkey_id, user_id))
            if not c.changes():
                return False
            drop_codes_without_factor(c, user_id)
            end_sessions(c, user_id, keep)
            audit_ledger.append(c, deed, now_us)
            return True


def _passkey_of(row: Any) -> Passkey:
    number, credential, public_key, sign_count, rp_id, name, made_us, used_us = row
    return Passkey(
        id=number,
        credential=credential,
        public_key=public_key,
        sign_count=sign_count,
        rp_id=rp_id,
        name=name,
        made_us=made_us,
        used_us=used_us,
    )
