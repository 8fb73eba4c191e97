"""Users, sessions, tokens and one-time links.

What opens something is kept as its SHA-256. Each change and its entry in the audit log are one
transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access import audit_ledger
from switchhook.access.credentials_ledger import SqlitePasses
from switchhook.access.passkeys_ledger import SqlitePasskeys
from switchhook.access.roles import Role
from switchhook.access.rows_ledger import LINKS, USER, find_user, link_of, name_key, user_of
from switchhook.access.second_factors_ledger import SqliteSecondFactors, forget
from switchhook.access.users import LinkKind, OneTimeLink

if TYPE_CHECKING:
    import apsw

    from switchhook.access.audit import Deed
    from switchhook.access.users import User
    from switchhook.ledger.database import Ledger

TABLES = """
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


MAKER_COLUMN = """
ALTER TABLE links ADD COLUMN by INTEGER REFERENCES users;
CREATE INDEX links_of_maker ON links (by);
UPDATE links SET used_us = created_us WHERE used_us IS NULL;
"""
"""Who made a link, NULL is this machine. Whose those of before are nobody knows: they are void."""


class SqliteUsers:
    """`Users` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def all(self) -> list[User]:
        with self._ledger.reading() as c:
            asked = f"SELECT {USER} FROM users u WHERE u.deleted_us IS NULL ORDER BY u.id"  # noqa: S608
            return [user_of(row) for row in c.execute(asked)]

    def named(self, name: str) -> User | None:
        with self._ledger.reading() as c:
            return find_user(c, "u.name_key = ?", name_key(name))

    def by_subject(self, oidc_subject: str) -> User | None:
        with self._ledger.reading() as c:
            return find_user(c, "u.oidc_subject = ?", oidc_subject)

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
                audit_ledger.append(c, deed, now_us)
            return user

    def set_role(self, user_id: int, role: Role, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as c:
            if role < Role.ADMINISTRATOR and _is_last_administrator(c, user_id):
                return False
            c.execute("UPDATE users SET role = ?1 WHERE id = ?2 AND role <> ?1", (role, user_id))
            if c.changes():
                _end_all(c, user_id, now_us)
            audit_ledger.append(c, deed, now_us)
            return True

    def set_disabled(self, user_id: int, disabled: bool, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as c:
            if disabled and _is_last_administrator(c, user_id):
                return False
            c.execute("UPDATE users SET disabled = ? WHERE id = ?", (int(disabled), user_id))
            if disabled:
                _end_all(c, user_id, now_us)
            audit_ledger.append(c, deed, now_us)
            return True

    def delete(self, user_id: int, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as c:
            user = find_user(c, "u.id = ? AND u.deleted_us IS NULL", user_id)
            if user is None or _is_last_administrator(c, user_id):
                return False
            _end_all(c, user_id, now_us)
            forget(c, user_id)
            _make_nobody(c, user, now_us)
            audit_ledger.append(c, deed, now_us)
            return True

    def set_password(
        self, user_id: int, password_hash: str, deed: Deed, now_us: int, *, keep: int | None = None
    ) -> None:
        with self._ledger.writing() as c:
            _set_password(c, user_id, password_hash, now_us, keep)
            audit_ledger.append(c, deed, now_us)

    def make_link(
        self,
        kind: LinkKind,
        name: str,
        role: Role,
        by: int | None,
        hashed: bytes,
        deed: Deed,
        now_us: int,
    ) -> OneTimeLink | None:
        with self._ledger.writing() as c:
            if by is not None and not _administers(c, by):
                return None
            c.execute(
                "UPDATE links SET used_us = ? WHERE kind = ? AND name = ? AND used_us IS NULL",
                (now_us, kind.value, name),
            )
            c.execute(
                "INSERT INTO links (hash, kind, name, role, by, created_us)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (hashed, kind.value, name, int(role), by, now_us),
            )
            audit_ledger.append(c, deed, now_us)
            return OneTimeLink(
                id=c.last_insert_rowid(), kind=kind, name=name, role=role, created_us=now_us
            )

    def link(self, hashed: bytes) -> OneTimeLink | None:
        with self._ledger.reading() as c:
            row = c.execute(f"{LINKS} WHERE hash = ?", (hashed,)).fetchone()
            return None if row is None else link_of(row)

    def links(self, now_us: int) -> list[OneTimeLink]:
        with self._ledger.reading() as c:
            found = [
                link_of(row) for row in c.execute(f"{LINKS} WHERE used_us IS NULL ORDER BY id")
            ]
        return [link for link in found if link.works(now_us) or link.kind is LinkKind.INVITE]

    def void_link(self, link_id: int, deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as c:
            c.execute(
                "UPDATE links SET used_us = ? WHERE id = ? AND used_us IS NULL", (now_us, link_id)
            )
            audit_ledger.append(c, deed, now_us)

    def use_link(
        self, hashed: bytes, name: str, password_hash: str, deed: Deed, now_us: int
    ) -> User | None:
        with self._ledger.writing() as c:
            row = c.execute(f"{LINKS} WHERE hash = ?", (hashed,)).fetchone()
            link = None if row is None else link_of(row)
            if link is None or not link.works(now_us):
                return None
            if link.kind is LinkKind.RESET:
                user = find_user(c, "u.name_key = ? AND NOT u.disabled", name_key(link.name))
                if user is not None:
                    _set_password(c, user.id, password_hash, now_us, None)
                    user = find_user(c, "u.id = ?", user.id)
            else:
                chosen = name if link.kind is LinkKind.FIRST else link.name
                user = _add(c, chosen, link.role, now_us, password_hash, None)
            if user is not None:
                c.execute("UPDATE links SET used_us = ? WHERE id = ?", (now_us, link.id))
                audit_ledger.append(c, deed, now_us)
            return user


class SqliteAccess:
    """`AccessLedger` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.users = SqliteUsers(ledger)
        self.passes = SqlitePasses(ledger)
        self.second_factors = SqliteSecondFactors(ledger)
        self.passkeys = SqlitePasskeys(ledger)
        self.audit = audit_ledger.LedgerAudit(ledger)


def _add(
    c: apsw.Connection,
    name: str,
    role: Role,
    now_us: int,
    password_hash: str | None,
    oidc_subject: str | None,
) -> User | None:
    if c.execute("SELECT 1 FROM users WHERE name_key = ?", (name_key(name),)).get:
        return None
    c.execute(
        "INSERT INTO users (name, name_key, role, password_hash, oidc_subject, created_us)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (name, name_key(name), int(role), password_hash, oidc_subject, now_us),
    )
    return find_user(c, "u.id = ?", c.last_insert_rowid())


def _set_password(
    c: apsw.Connection, user_id: int, password_hash: str, now_us: int, keep: int | None
) -> None:
    c.execute("UPDATE users SET password_hash = ? WHERE id = ?", (password_hash, user_id))
    _end_all(c, user_id, now_us, keep)


def _end_all(c: apsw.Connection, user_id: int, now_us: int, keep: int | None = None) -> None:
    """End a user's sessions but one, their tokens, and the links that they made or could use."""
    c.execute("DELETE FROM sessions WHERE user = ? AND id IS NOT ?", (user_id, keep))
    c.execute(
        "UPDATE tokens SET revoked_us = ? WHERE owner = ? AND revoked_us IS NULL",
        (now_us, user_id),
    )
    c.execute(
        "UPDATE links SET used_us = ?1 WHERE used_us IS NULL AND"
        " (by = ?2 OR kind = ?3 AND name = (SELECT name FROM users WHERE id = ?2))",
        (now_us, user_id, LinkKind.RESET.value),
    )


def _make_nobody(c: apsw.Connection, user: User, now_us: int) -> None:
    """Leave a row that names nobody: tokens and the audit log tell of its number.

    Its key holds a character that no name can have, so nobody can take it.
    """
    pseudonym = f"deleted user {user.id}"
    c.execute(
        "UPDATE users SET name = ?, name_key = ?, password_hash = NULL, oidc_subject = NULL,"
        " disabled = 1, deleted_us = ? WHERE id = ?",
        (pseudonym, f"\0{pseudonym}", now_us, user.id),
    )
    c.execute("DELETE FROM links WHERE name = ?", (user.name,))
    # Whoever gets the name next must not find the views of the one before.
    c.execute("DELETE FROM saved_views WHERE by = ? AND NOT shared", (user.name,))
    c.execute("UPDATE saved_views SET by = ? WHERE by = ?", (pseudonym, user.name))


def _administers(c: apsw.Connection, user_id: int) -> bool:
    asked = "SELECT role FROM users WHERE id = ? AND NOT disabled"
    return bool(c.execute(asked, (user_id,)).get == Role.ADMINISTRATOR)


def _is_last_administrator(c: apsw.Connection, user_id: int) -> bool:
    """Whether nobody else can administer: somebody with a way to sign in who is not disabled."""
    others = c.execute(
        "SELECT count(*) FROM users WHERE role = ? AND NOT disabled AND id <> ?"
        " AND (password_hash IS NOT NULL OR oidc_subject IS NOT NULL)",
        (int(Role.ADMINISTRATOR), user_id),
    ).get
    return not others and _administers(c, user_id)
