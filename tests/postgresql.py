"""A PostgreSQL for the tests: one that runs already, else one of their own in a new folder."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TypedDict

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from patience import PATIENCE_S
from program import until

NONE = "there is no PostgreSQL here"
"""The reason to skip."""
VARIABLE = "SWITCHHOOK_TEST_POSTGRESQL"


@contextmanager
def database() -> Iterator[URL | None]:
    """A new database, dropped at the end; None where there is no PostgreSQL."""
    with ExitStack() as held:
        server = next((url for url in _named() if _answers(url)), None)
        if server is None and (folder := _binaries()) is not None:
            server = held.enter_context(_own(folder))
        if server is None:
            yield None
            return
        name = f"switchhook_test_{secrets.token_hex(6)}"
        _run(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            # What a test keeps need not outlive the machine.
            lazy = "ALTER DATABASE {} SET synchronous_commit = off"
            _run(server, sql.SQL(lazy).format(sql.Identifier(name)))
            yield server.set(database=name)
        finally:
            _run(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def own_server() -> Iterator[URL | None]:
    """A server that nobody else uses, for what is its whole business; None where there is none."""
    folder = _binaries()
    if folder is None:
        yield None
        return
    with _own(folder) as url:
        yield url


@contextmanager
def schema(url: URL) -> Iterator[URL]:
    """A new schema of a database, as the only one that a connection finds."""
    name = f"s{secrets.token_hex(6)}"
    _run(url, sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield url.update_query_dict({"options": f"-csearch_path={name}"})
    finally:
        _run(url, sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@contextmanager
def role(connection: psycopg.Connection, options: str = "") -> Iterator[str]:
    """A new role's name: a server's are all its databases', so that tests may meet in one."""
    name = f"switchhook_test_{secrets.token_hex(6)}"
    connection.execute(f"CREATE ROLE {name} LOGIN {options}".encode())
    try:
        yield name
    finally:
        connection.execute(f"RESET ROLE; DROP OWNED BY {name}; DROP ROLE {name}".encode())


class _User(TypedDict, total=False):
    """Who a process runs as; empty for who started it."""

    user: int
    group: int
    extra_groups: list[int]


class _Start(_User):
    """How a process is started."""

    stdout: int
    stderr: int
    cwd: str


_LOOKS = """
SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
    SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace
    UNION ALL
    SELECT tgrelid::regclass || tgname || tgenabled::text FROM pg_trigger, pg_class
    WHERE tgrelid = pg_class.oid AND relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT attrelid::regclass || attname || atttypid || attnotnull FROM pg_attribute, pg_class
    WHERE attrelid = pg_class.oid AND relnamespace = current_schema()::regnamespace
) AS all_of_it (line)"""
"""What its tables are like."""
_EMPTY = """
DO $$ DECLARE name text; BEGIN
    SET LOCAL session_replication_role = replica;  -- no trigger has a say
    FOR name IN SELECT tablename FROM pg_tables
        WHERE schemaname = current_schema() AND tablename <> ALL (string_to_array('{kept}', ','))
    LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = current_schema()
    LOOP EXECUTE format('ALTER SEQUENCE %I RESTART', name); END LOOP;
END $$"""
_FILLED = """
SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
AND (xpath('/row/c/text()', query_to_xml(format(
    'SELECT count(*) AS c FROM %I.%I', schemaname, tablename), false, true, '')))[1]::text <> '0'"""


class EmptySchemas:
    """Schemas in which `fill` has put a ledger's tables, each empty again for the next test.

    To empty the tables takes a twentieth of making them; but only one who may do without triggers
    can, and one whose tables a test has changed is made anew.
    """

    def __init__(self, database: URL, fill: Callable[[str], None]) -> None:
        self._database, self._fill = database, fill
        self._held = ExitStack()
        self._url: URL | None = None

    @contextmanager
    def one(self) -> Iterator[URL]:
        """The URL of one."""
        if self._url is None:
            self._url = self._held.enter_context(schema(self._database))
            self._fill(text_of(self._url))
            with closing(connect(self._url)) as connection:
                self._kept = [name for (name,) in connection.execute(_FILLED)]
                self._looks = self._looked(connection)
        yield self._url
        if not self._emptied(self._url):
            self.close()

    def close(self) -> None:
        self._url = None
        self._held.close()

    def _looked(self, connection: psycopg.Connection) -> list[object]:
        """What the tables are like, and what is in those that are never empty."""
        rows = "SELECT * FROM {} ORDER BY 1"
        asked = [sql.SQL(rows).format(sql.Identifier(name)) for name in self._kept]
        found = [connection.execute(each).fetchall() for each in asked]
        return [connection.execute(_LOOKS).fetchone(), *found]

    def _emptied(self, url: URL) -> bool:
        with closing(connect(url)) as connection:
            if self._looked(connection) != self._looks:
                return False
            try:
                connection.execute(_EMPTY.format(kept=",".join(self._kept)).encode())
            except psycopg.errors.InsufficientPrivilege:
                return False
            return True


def dumped(url: URL, file: Path, *options: str) -> Path:
    """What is in a database, as `pg_dump` writes it."""
    _client("pg_dump", url, "--no-owner", f"--file={file}", *options)
    return file


def restore(url: URL, file: Path) -> None:
    """Put what was dumped in the place of a database: beside it first, then by its name."""
    name, beside = url.database or "", f"{url.database}_restored"
    server = url.set(database="postgres")
    _run(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(beside)))
    _client("psql", url.set(database=beside), "--set=ON_ERROR_STOP=1", f"--file={file}")
    closed = "ALTER DATABASE {} ALLOW_CONNECTIONS false"
    _run(server, sql.SQL(closed).format(sql.Identifier(name)))
    _run(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    renamed = "ALTER DATABASE {} RENAME TO {}"
    _run(server, sql.SQL(renamed).format(sql.Identifier(beside), sql.Identifier(name)))


def restore_schema(url: URL, name: str, file: Path) -> None:
    """The same of one schema, in one transaction."""
    drop = f"--command=SET client_min_messages = error; DROP SCHEMA {name} CASCADE"
    alone = "--single-transaction", "--set=ON_ERROR_STOP=1"
    _client("psql", url, *alone, drop, f"--file={file}")


def _client(program: str, url: URL, *options: str) -> None:
    found = text_of(url.set(drivername="postgresql"))
    words = [program, f"--dbname={found}", *options]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def text_of(url: URL) -> str:
    """A URL as a program is given it, password and all."""
    return url.render_as_string(hide_password=False)


def connect(url: URL) -> psycopg.Connection:
    """A connection beside the program's, each of its statements alone."""
    plain = text_of(url.set(drivername="postgresql"))
    return psycopg.connect(plain, autocommit=True, connect_timeout=5)


def _named() -> Iterator[URL]:
    """Where one may run, by the usual variables or at its usual place."""
    for variable in (VARIABLE, "DATABASE_URL"):
        told = os.environ.get(variable, "")
        if told.startswith("postgres"):
            yield make_url(told).set(drivername="postgresql")
    database = os.environ.get("PGDATABASE", "postgres")
    host, port = os.environ.get("PGHOST", "127.0.0.1"), int(os.environ.get("PGPORT", "5432"))
    for user in (os.environ.get("PGUSER"), "postgres"):
        if user:
            password = os.environ.get("PGPASSWORD")
            yield URL.create("postgresql", user, password, host, port, database)


def _answers(url: URL) -> bool:
    """Whether it is there, and lets us make a database."""
    try:
        with closing(connect(url)) as connection:
            asked = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            row = connection.execute(asked).fetchone()
            return row is not None and bool(row[0])
    except psycopg.OperationalError:
        return False


def _run(url: URL, statement: sql.Composed) -> None:
    with closing(connect(url)) as connection:
        connection.execute(statement)


def _binaries() -> Path | None:
    """Where the system has its server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).resolve().parent if on_path else None


@contextmanager
def _own(binaries: Path) -> Iterator[URL]:
    """A server of our own, behind a socket in its folder."""
    with tempfile.TemporaryDirectory(prefix="switchhook-pg-") as folder:
        how: _Start = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "cwd": folder,
            **_another_user(folder),
        }
        data = f"{folder}/data"
        words = [str(binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust"]
        subprocess.run([*words, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], check=True, **how)
        words = [str(binaries / "postgres"), "-D", data, "-k", folder, "-c", "listen_addresses="]
        process = subprocess.Popen([*words, "-c", "fsync=off"], **how)
        url = URL.create(
            "postgresql", "postgres", database="postgres", query={"host": folder, "port": "5432"}
        )
        try:
            until(lambda: process.poll() is not None or _answers(url), "PostgreSQL")
            yield url
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)  # its fast end
            process.wait(PATIENCE_S)


def _another_user(folder: str) -> _User:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    known = {each.pw_name: each for each in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
