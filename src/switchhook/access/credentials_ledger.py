"""Sessions and tokens in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, or_, select, update

from switchhook.access import audit_ledger
from switchhook.access.rows_ledger import (
    SESSIONS,
    TOKENS,
    session_of,
    sessions,
    token_of,
    tokens,
    users,
)
from switchhook.access.users import IdentityRow
from switchhook.ledger.sql import add

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Scope
    from switchhook.access.users import Session, Token
    from switchhook.ledger.database import Ledger

_LONGEST_AGENT = 200


class LedgerPasses:
    """`Credentials` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def standing(self, session: bytes | None, token: bytes | None) -> IdentityRow:
        with self._ledger.reading() as connection:
            somebody = select(exists(select(users.c.id)))
            return IdentityRow(
                bool(connection.scalar(somebody)),
                _session(connection, sessions.c.hash == session) if session else None,
                _token(connection, tokens.c.hash == token) if token else None,
            )

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
        with self._ledger.writing() as connection:
            number = add(
                connection,
                sessions,
                hash=hashed,
                user=user_id,
                created_us=now_us,
                used_us=now_us,
                proved_us=now_us if proved_us is None else proved_us,
                origin=origin,
                agent=agent[:_LONGEST_AGENT],
            )
            audit_ledger.append(connection, deed, now_us)
            return session_of(connection.execute(SESSIONS.where(sessions.c.id == number)).one())

    def touch(self, key: str, now_us: int) -> None:
        kind, _, number = key.partition(":")
        table = {"session": sessions, "token": tokens}[kind]
        with self._ledger.writing() as connection:
            used = update(table).where(table.c.id == int(number))
            connection.execute(used.values(used_us=now_us))

    def prove(self, session_id: int, deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as connection:
            proved = update(sessions).where(sessions.c.id == session_id)
            connection.execute(proved.values(proved_us=now_us))
            audit_ledger.append(connection, deed, now_us)

    def sessions(self, user_id: int | None = None) -> list[Session]:
        asked = SESSIONS.order_by(sessions.c.id.desc())
        if user_id is not None:
            asked = asked.where(sessions.c.user == user_id)
        with self._ledger.reading() as connection:
            return [session_of(row) for row in connection.execute(asked)]

    def end_session(self, session_id: int, deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.id == session_id))
            audit_ledger.append(connection, deed, now_us)

    def drop_sessions(self, created_before_us: int, used_before_us: int) -> int:
        old = or_(sessions.c.created_us <= created_before_us, sessions.c.used_us <= used_before_us)
        with self._ledger.writing() as connection:
            return connection.execute(delete(sessions).where(old)).rowcount

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
        with self._ledger.writing() as connection:
            number = add(
                connection,
                tokens,
                hash=hashed,
                name=name,
                scope=scope.value,
                owner=owner_id,
                created_us=now_us,
                expires_us=expires_us,
            )
            audit_ledger.append(connection, deed, now_us)
            return token_of(connection.execute(TOKENS.where(tokens.c.id == number)).one())

    def tokens(self, owner_id: int | None = None) -> list[Token]:
        asked = TOKENS.order_by(tokens.c.id.desc())
        if owner_id is not None:
            asked = asked.where(tokens.c.owner == owner_id)
        with self._ledger.reading() as connection:
            return [token_of(row) for row in connection.execute(asked)]

    def revoke_token(self, token_id: int, deed: Deed, now_us: int) -> bool:
        works = update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_us.is_(None))
        with self._ledger.writing() as connection:
            if not connection.execute(works.values(revoked_us=now_us)).rowcount:
                return False
            audit_ledger.append(connection, deed, now_us)
            return True

    def living(self, keys: Sequence[str]) -> list[Session | Token]:
        found: list[Session | Token | None] = []
        with self._ledger.reading() as connection:
            for key in keys:
                kind, _, number = key.partition(":")
                if kind == "session":
                    found.append(_session(connection, sessions.c.id == int(number)))
                elif kind == "token":
                    found.append(_token(connection, tokens.c.id == int(number)))
        return [each for each in found if each is not None]


def _session(connection: Connection, test: ColumnElement[bool]) -> Session | None:
    row = connection.execute(SESSIONS.where(test)).first()
    return None if row is None else session_of(row)


def _token(connection: Connection, test: ColumnElement[bool]) -> Token | None:
    row = connection.execute(TOKENS.where(test)).first()
    return None if row is None else token_of(row)
