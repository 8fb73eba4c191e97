"""Sessions and tokens in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access import audit_ledger
from switchhook.access.rows_ledger import SESSIONS, TOKENS, session_of, token_of
from switchhook.access.users import IdentityRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Scope
    from switchhook.access.users import Session, Token
    from switchhook.ledger.database import Ledger

_LONGEST_AGENT = 200


class SqlitePasses:
    """`Credentials` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def standing(self, session: bytes | None, token: bytes | None) -> IdentityRow:
        with self._ledger.reading() as c:
            accounts = bool(c.execute("SELECT EXISTS (SELECT 1 FROM users)").get)
            row = session and c.execute(f"{SESSIONS} WHERE s.hash = ?", (session,)).fetchone()
            found = session_of(row) if row else None
            row = token and c.execute(f"{TOKENS} WHERE t.hash = ?", (token,)).fetchone()
            return IdentityRow(accounts, found, token_of(row) if row else None)

    def open_session(
        self,
        user_id: int,
        hashed: bytes,
        origin: str,
        agent: str,
        deed: Deed,
        now_us: int,
        *,
        proved_us: int | None = None,
    ) -> Session:
        with self._ledger.writing() as c:
            c.execute(
                "INSERT INTO sessions (hash, user, created_us, used_us, proved_us, origin, agent)"
                " VALUES (?1, ?2, ?3, ?3, ifnull(?4, ?3), ?5, ?6)",
                (hashed, user_id, now_us, proved_us, origin, agent[:_LONGEST_AGENT]),
            )
            row = c.execute(f"{SESSIONS} WHERE s.id = ?", (c.last_insert_rowid(),)).fetchone()
            audit_ledger.append(c, deed, now_us)
            return session_of(row)

    def touch(self, key: str, now_us: int) -> None:
        kind, _, number = key.partition(":")
        table = {"session": "sessions", "token": "tokens"}[kind]
        with self._ledger.writing() as c:
            c.execute(f"UPDATE {table} SET used_us = ? WHERE id = ?", (now_us, int(number)))  # noqa: S608

    def prove(self, session_id: int, deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as c:
            c.execute("UPDATE sessions SET proved_us = ? WHERE id = ?", (now_us, session_id))
            audit_ledger.append(c, deed, now_us)

    def sessions(self, user_id: int | None = None) -> list[Session]:
        asked = f"{SESSIONS} WHERE ?1 IS NULL OR s.user = ?1 ORDER BY s.id DESC"
        with self._ledger.reading() as c:
            return [session_of(row) for row in c.execute(asked, (user_id,))]

    def end_session(self, session_id: int, deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as c:
            c.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
            audit_ledger.append(c, deed, now_us)

    def drop_sessions(self, created_before_us: int, used_before_us: int) -> int:
        with self._ledger.writing() as c:
            c.execute(
                "DELETE FROM sessions WHERE created_us <= ? OR used_us <= ?",
                (created_before_us, used_before_us),
            )
            return c.changes()

    def make_token(
        self,
        name: str,
        scope: Scope,
        owner_id: int | None,
        hashed: bytes,
        expires_us: int,
        deed: Deed,
        now_us: int,
    ) -> Token:
        with self._ledger.writing() as c:
            c.execute(
                "INSERT INTO tokens (hash, name, scope, owner, created_us, expires_us)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (hashed, name, scope.value, owner_id, now_us, expires_us),
            )
            row = c.execute(f"{TOKENS} WHERE t.id = ?", (c.last_insert_rowid(),)).fetchone()
            audit_ledger.append(c, deed, now_us)
            return token_of(row)

    def tokens(self, owner_id: int | None = None) -> list[Token]:
        asked = f"{TOKENS} WHERE ?1 IS NULL OR t.owner = ?1 ORDER BY t.id DESC"
        with self._ledger.reading() as c:
            return [token_of(row) for row in c.execute(asked, (owner_id,))]

    def revoke_token(self, token_id: int, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as c:
            c.execute(
                "UPDATE tokens SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL",
                (now_us, token_id),
            )
            if not c.changes():
                return False
            audit_ledger.append(c, deed, now_us)
            return True

    def living(self, keys: Sequence[str]) -> list[Session | Token]:
        found: list[Session | Token] = []
        with self._ledger.reading() as c:
            for key in keys:
                kind, _, number = key.partition(":")
                if kind == "session":
                    row = c.execute(f"{SESSIONS} WHERE s.id = ?", (int(number),)).fetchone()
                    found += [session_of(row)] if row else []
                elif kind == "token":
                    row = c.execute(f"{TOKENS} WHERE t.id = ?", (int(number),)).fetchone()
                    found += [token_of(row)] if row else []
        return found
