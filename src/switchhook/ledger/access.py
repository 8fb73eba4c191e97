"""Users, sessions, tokens and one-time links.

What opens something is kept as its SHA-256. Each change and its entry in the audit log are one
transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.access import Role, Scope
from switchhook.ledger import audit
from switchhook.users import Link, LinkKind, Session, Standing, Token, User

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from switchhook.audit import Deed
    from switchhook.ledger.database import Ledger

TABLES = (
    audit.TABLES
    + """
CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  role INTEGER NOT NULL,
  password_hash TEXT,
  oidc_subject TEXT UNIQUE,
  created_us INTEGER NOT NULL,
  disabled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL UNIQUE,
  user INTEGER NOT NULL REFERENCES users,
  created_us INTEGER NOT NULL,
  used_us INTEGER NOT NULL,
  origin TEXT NOT NULL,
  agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user);
CREATE TABLE tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  owner INTEGER REFERENCES users,
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  used_us INTEGER,
  revoked_us INTEGER
) STRICT;
CREATE TABLE links (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  role INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  used_us INTEGER
) STRICT;
"""
)

_USER = "u.id, u.name, u.role, u.password_hash, u.oidc_subject, u.created_us, u.disabled"
_SESSION = f"s.id, s.created_us, s.used_us, s.origin, s.agent, {_USER}"
_SESSIONS = f"SELECT {_SESSION} FROM sessions s JOIN users u ON u.id = s.user"  # noqa: S608
_TOKEN = f"t.id, t.name, t.scope, t.created_us, t.expires_us, t.used_us, t.revoked_us, {_USER}"
_TOKENS = f"SELECT {_TOKEN} FROM tokens t LEFT JOIN users u ON u.id = t.owner"  # noqa: S608
_LINKS = "SELECT id, kind, name, role, created_us, used_us FROM links"
_LONGEST_AGENT = 200


class SqliteUsers:
    """`Users` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def all(self) -> list[User]:
        with self._ledger.reading() as c:
            return [_user(row) for row in c.execute(f"SELECT {_USER} FROM users u ORDER BY u.id")]  # noqa: S608

    def named(self, name: str) -> User | None:
        with self._ledger.reading() as c:
            return _find(c, "u.name_key = ?", _key(name))

    def by_subject(self, oidc_subject: str) -> User | None:
        with self._ledger.reading() as c:
            return _find(c, "u.oidc_subject = ?", oidc_subject)

    def add(
        self,
        name: str,
        role: Role,
        deed: Deed,
        now_us: int,
        *,
        password_hash: str | None = None,
        oidc_subject: str | None = None,
    ) -> User | None:
        with self._ledger.writing() as c:
            user = _add(c, name, role, now_us, password_hash, oidc_subject)
            if user is not None:
                audit.append(c, deed, now_us)
            return user

    def set_role(self, user_id: int, role: Role, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as c:
            if role < Role.ADMINISTRATOR and _is_last_administrator(c, user_id):
                return False
            c.execute("UPDATE users SET role = ? WHERE id = ?", (int(role), user_id))
            audit.append(c, deed, now_us)
            return True

    def set_disabled(self, user_id: int, disabled: bool, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as c:
            if disabled and _is_last_administrator(c, user_id):
                return False
            c.execute("UPDATE users SET disabled = ? WHERE id = ?", (int(disabled), user_id))
            if disabled:
                c.execute("DELETE FROM sessions WHERE user = ?", (user_id,))
            audit.append(c, deed, now_us)
            return True

    def set_password(
        self, user_id: int, password_hash: str, deed: Deed, now_us: int, *, keep: int | None = None
    ) -> None:
        with self._ledger.writing() as c:
            _set_password(c, user_id, password_hash, keep)
            _end_tokens(c, user_id, now_us)
            audit.append(c, deed, now_us)

    def make_link(
        self, kind: LinkKind, name: str, role: Role, hashed: bytes, deed: Deed, now_us: int
    ) -> Link:
        with self._ledger.writing() as c:
            c.execute(
                "UPDATE links SET used_us = ? WHERE kind = ? AND name = ? AND used_us IS NULL",
                (now_us, kind.value, name),
            )
            c.execute(
                "INSERT INTO links (hash, kind, name, role, created_us) VALUES (?, ?, ?, ?, ?)",
                (hashed, kind.value, name, int(role), now_us),
            )
            audit.append(c, deed, now_us)
            return Link(
                id=c.last_insert_rowid(), kind=kind, name=name, role=role, created_us=now_us
            )

    def link(self, hashed: bytes) -> Link | None:
        with self._ledger.reading() as c:
            row = c.execute(f"{_LINKS} WHERE hash = ?", (hashed,)).fetchone()
            return None if row is None else _link(row)

    def links(self, now_us: int) -> list[Link]:
        with self._ledger.reading() as c:
            found = [_link(row) for row in c.execute(f"{_LINKS} WHERE used_us IS NULL ORDER BY id")]
        return [link for link in found if link.works(now_us)]

    def void_link(self, link_id: int, deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as c:
            c.execute(
                "UPDATE links SET used_us = ? WHERE id = ? AND used_us IS NULL", (now_us, link_id)
            )
            audit.append(c, deed, now_us)

    def use_link(
        self, hashed: bytes, name: str, password_hash: str, deed: Deed, now_us: int
    ) -> User | None:
        with self._ledger.writing() as c:
            row = c.execute(f"{_LINKS} WHERE hash = ?", (hashed,)).fetchone()
            link = None if row is None else _link(row)
            if link is None or not link.works(now_us):
                return None
            if link.kind is LinkKind.RESET:
                user = _find(c, "u.name_key = ? AND NOT u.disabled", _key(link.name))
                if user is not None:
                    _set_password(c, user.id, password_hash, None)
                    _end_tokens(c, user.id, now_us)
            else:
                chosen = name if link.kind is LinkKind.FIRST else link.name
                user = _add(c, chosen, link.role, now_us, password_hash, None)
            if user is not None:
                c.execute("UPDATE links SET used_us = ? WHERE id = ?", (now_us, link.id))
                audit.append(c, deed, now_us)
            return user


class SqlitePasses:
    """`Passes` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def standing(self, session: bytes | None, token: bytes | None) -> Standing:
        with self._ledger.reading() as c:
            accounts = bool(c.execute("SELECT EXISTS (SELECT 1 FROM users)").get)
            row = session and c.execute(f"{_SESSIONS} WHERE s.hash = ?", (session,)).fetchone()
            found = _session(row) if row else None
            row = token and c.execute(f"{_TOKENS} WHERE t.hash = ?", (token,)).fetchone()
            return Standing(accounts, found, _token(row) if row else None)

    def open_session(
        self, user_id: int, hashed: bytes, origin: str, agent: str, deed: Deed, now_us: int
    ) -> Session:
        with self._ledger.writing() as c:
            c.execute(
                "INSERT INTO sessions (hash, user, created_us, used_us, origin, agent)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (hashed, user_id, now_us, now_us, origin, agent[:_LONGEST_AGENT]),
            )
            row = c.execute(f"{_SESSIONS} WHERE s.id = ?", (c.last_insert_rowid(),)).fetchone()
            audit.append(c, deed, now_us)
            return _session(row)

    def touch(self, key: str, now_us: int) -> None:
        kind, _, number = key.partition(":")
        table = {"session": "sessions", "token": "tokens"}[kind]
        with self._ledger.writing() as c:
            c.execute(f"UPDATE {table} SET used_us = ? WHERE id = ?", (now_us, int(number)))  # noqa: S608

    def sessions(self, user_id: int | None = None) -> list[Session]:
        asked = f"{_SESSIONS} WHERE ?1 IS NULL OR s.user = ?1 ORDER BY s.id DESC"
        with self._ledger.reading() as c:
            return [_session(row) for row in c.execute(asked, (user_id,))]

    def end_session(self, session_id: int, deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as c:
            c.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
            audit.append(c, deed, now_us)

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
            row = c.execute(f"{_TOKENS} WHERE t.id = ?", (c.last_insert_rowid(),)).fetchone()
            audit.append(c, deed, now_us)
            return _token(row)

    def tokens(self, owner_id: int | None = None) -> list[Token]:
        asked = f"{_TOKENS} WHERE ?1 IS NULL OR t.owner = ?1 ORDER BY t.id DESC"
        with self._ledger.reading() as c:
            return [_token(row) for row in c.execute(asked, (owner_id,))]

    def revoke_token(self, token_id: int, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as c:
            c.execute(
                "UPDATE tokens SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL",
                (now_us, token_id),
            )
            if not c.changes():
                return False
            audit.append(c, deed, now_us)
            return True

    def living(self, keys: Sequence[str]) -> list[Session | Token]:
        found: list[Session | Token] = []
        with self._ledger.reading() as c:
            for key in keys:
                kind, _, number = key.partition(":")
                if kind == "session":
                    row = c.execute(f"{_SESSIONS} WHERE s.id = ?", (int(number),)).fetchone()
                    found += [_session(row)] if row else []
                elif kind == "token":
                    row = c.execute(f"{_TOKENS} WHERE t.id = ?", (int(number),)).fetchone()
                    found += [_token(row)] if row else []
        return found


class SqliteAccess:
    """`AccessLedger` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.users = SqliteUsers(ledger)
        self.passes = SqlitePasses(ledger)
        self.audit = audit.SqliteAudit(ledger)


def _find(c: apsw.Connection, test: str, value: object) -> User | None:
    row = c.execute(f"SELECT {_USER} FROM users u WHERE {test}", (value,)).fetchone()  # noqa: S608
    return None if row is None else _user(row)


def _add(
    c: apsw.Connection,
    name: str,
    role: Role,
    now_us: int,
    password_hash: str | None,
    oidc_subject: str | None,
) -> User | None:
    if c.execute("SELECT 1 FROM users WHERE name_key = ?", (_key(name),)).get:
        return None
    c.execute(
        "INSERT INTO users (name, name_key, role, password_hash, oidc_subject, created_us)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (name, _key(name), int(role), password_hash, oidc_subject, now_us),
    )
    return _find(c, "u.id = ?", c.last_insert_rowid())


def _set_password(c: apsw.Connection, user_id: int, password_hash: str, keep: int | None) -> None:
    c.execute("UPDATE users SET password_hash = ? WHERE id = ?", (password_hash, user_id))
    c.execute("DELETE FROM sessions WHERE user = ? AND id IS NOT ?", (user_id, keep))


def _end_tokens(c: apsw.Connection, user_id: int, now_us: int) -> None:
    """Who knew the password before may have made some."""
    c.execute(
        "UPDATE tokens SET revoked_us = ? WHERE owner = ? AND revoked_us IS NULL",
        (now_us, user_id),
    )


def _is_last_administrator(c: apsw.Connection, user_id: int) -> bool:
    """Whether nobody else can administer: somebody with a way to sign in who is not disabled."""
    others = c.execute(
        "SELECT count(*) FROM users WHERE role = ? AND NOT disabled AND id <> ?"
        " AND (password_hash IS NOT NULL OR oidc_subject IS NOT NULL)",
        (int(Role.ADMINISTRATOR), user_id),
    ).get
    mine = c.execute("SELECT role FROM users WHERE id = ? AND NOT disabled", (user_id,)).get
    return not others and mine == Role.ADMINISTRATOR


def _key(name: str) -> str:
    return name.casefold()


def _user(row: Any) -> User:
    number, name, role, password_hash, oidc_subject, created_us, disabled = row
    return User(
        id=number,
        name=name,
        role=Role(role),
        password_hash=password_hash,
        oidc_subject=oidc_subject,
        created_us=created_us,
        disabled=bool(disabled),
    )


def _session(row: Any) -> Session:
    number, created_us, used_us, origin, agent, *user = row
    return Session(
        id=number,
        user=_user(user),
        created_us=created_us,
        used_us=used_us,
        origin=origin,
        agent=agent,
    )


def _token(row: Any) -> Token:
    number, name, scope, created_us, expires_us, used_us, revoked_us, *owner = row
    return Token(
        id=number,
        name=name,
        scope=Scope(scope),
        owner=None if owner[0] is None else _user(owner),
        created_us=created_us,
        expires_us=expires_us,
        used_us=used_us,
        revoked_us=revoked_us,
    )


def _link(row: Any) -> Link:
    number, kind, name, role, created_us, used_us = row
    return Link(
        id=number,
        kind=LinkKind(kind),
        name=name,
        role=Role(role),
        created_us=created_us,
        used_us=used_us,
    )
