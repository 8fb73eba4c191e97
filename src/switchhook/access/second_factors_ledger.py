"""Apps as second factors, recovery codes; when a session's holder last showed a password.

A secret has to be kept as it is: whoever checks a code needs it. Recovery codes are hashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access import audit_ledger
from switchhook.access.second_factor import SecondFactor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger

TABLES = """
CREATE TABLE second_factors (
  user INTEGER PRIMARY KEY REFERENCES users,
  secret BLOB NOT NULL,
  last_step INTEGER NOT NULL,
  enrolled_us INTEGER NOT NULL
) STRICT;
CREATE TABLE recovery_codes (
  user INTEGER NOT NULL REFERENCES users,
  hash BLOB NOT NULL,
  used_us INTEGER,
  PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;
ALTER TABLE sessions ADD COLUMN proved_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN deleted_us INTEGER;
"""


class SqliteSecondFactors:
    """`SecondFactors` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def of(self, user_id: int) -> SecondFactor | None:
        with self._ledger.reading() as c:
            row = c.execute(
                "SELECT secret, last_step, enrolled_us FROM second_factors WHERE user = ?",
                (user_id,),
            ).fetchone()
        if row is None:
            return None
        secret, last_step, enrolled_us = row
        return SecondFactor(secret=secret, last_step=last_step, enrolled_us=enrolled_us)

    def codes_left(self, user_id: int) -> int:
        with self._ledger.reading() as c:
            left: int = c.execute(
                "SELECT count(*) FROM recovery_codes WHERE user = ? AND used_us IS NULL", (user_id,)
            ).get
            return left

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
        with self._ledger.writing() as c:
            c.execute(
                "INSERT OR IGNORE INTO second_factors VALUES (?, ?, ?, ?)",
                (user_id, secret, step, now_us),
            )
            if not c.changes():
                return False
            set_codes(c, user_id, codes)
            end_sessions(c, user_id, keep)
            audit_ledger.append(c, deed, now_us)
            return True

    def use_step(self, user_id: int, step: int) -> bool:
        with self._ledger.writing() as c:
            c.execute(
                "UPDATE second_factors SET last_step = ?1 WHERE user = ?2 AND last_step < ?1",
                (step, user_id),
            )
            return bool(c.changes())

    def use_code(self, user_id: int, hashed: bytes, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as c:
            c.execute(
                "UPDATE recovery_codes SET used_us = ?"
                " WHERE user = ? AND hash = ? AND used_us IS NULL",
                (now_us, user_id, hashed),
            )
            if not c.changes():
                return False
            audit_ledger.append(c, deed, now_us)
            return True

    def renew_codes(self, user_id: int, codes: Sequence[bytes], deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as c:
            set_codes(c, user_id, codes)
            audit_ledger.append(c, deed, now_us)

    def remove_app(self, user_id: int, deed: Deed, now_us: int, *, keep: int | None = None) -> None:
        with self._ledger.writing() as c:
            c.execute("DELETE FROM second_factors WHERE user = ?", (user_id,))
            drop_codes_without_factor(c, user_id)
            end_sessions(c, user_id, keep)
            audit_ledger.append(c, deed, now_us)

    def remove(self, user_id: int, deed: Deed, now_us: int, *, keep: int | None = None) -> None:
        with self._ledger.writing() as c:
            forget(c, user_id)
            end_sessions(c, user_id, keep)
            audit_ledger.append(c, deed, now_us)


def forget(c: apsw.Connection, user_id: int) -> None:
    """Remove a user's app, passkeys and recovery codes."""
    c.execute("DELETE FROM second_factors WHERE user = ?", (user_id,))
    c.execute("DELETE FROM passkeys WHERE user = ?", (user_id,))
    c.execute("DELETE FROM recovery_codes WHERE user = ?", (user_id,))


def drop_codes_without_factor(c: apsw.Connection, user_id: int) -> None:
    """Remove recovery codes where there is nothing any more that they could stand for."""
    c.execute(
        "DELETE FROM recovery_codes WHERE user = ?1"
        " AND NOT EXISTS (SELECT 1 FROM second_factors WHERE user = ?1)"
        " AND NOT EXISTS (SELECT 1 FROM passkeys WHERE user = ?1)",
        (user_id,),
    )


def set_codes(c: apsw.Connection, user_id: int, codes: Sequence[bytes]) -> None:
    c.execute("DELETE FROM recovery_codes WHERE user = ?", (user_id,))
    for each in codes:
        c.execute("INSERT INTO recovery_codes (user, hash) VALUES (?, ?)", (user_id, each))


def end_sessions(c: apsw.Connection, user_id: int, keep: int | None) -> None:
    c.execute("DELETE FROM sessions WHERE user = ? AND id IS NOT ?", (user_id, keep))
