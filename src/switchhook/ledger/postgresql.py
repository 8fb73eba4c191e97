"""A ledger in PostgreSQL: reached, found again when it was lost, written by one at a time."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    MetaData,
    Table,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from switchhook.errors import LedgerError
from switchhook.ledger.sqlite import APPLICATION_ID, BUSY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine import ExceptionContext

_DRIVER = "postgresql+psycopg"
_DEFAULTS = {
    "application_name": "switchhook",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "tcp_user_timeout": "10000",  # ms: a server that vanished is noticed before a page gives up
}
"""What its URL may say otherwise."""
_RECYCLE_S = 300  # after a fail-over no connection stays for long with the server of before
_MIGRATION_WAIT_MS, _TRIES, _PAUSE_S = 2_000, 15, 1.0
"""A migration gives way to whoever holds a table: who comes after it would wait behind it."""

_LOST = "try again: the next one makes a new connection"
_TOLD = {
    "25006": (
        "it can only be read: that server is a standby, or was made read-only",
        "have its URL name the primary, or all of them with ?target_session_attrs=read-write",
    ),
    "3F000": ("its schema is not there", "create it, or mend the search_path in its URL"),
    "42501": ("its user may not do that", "make the user owner of the schema"),
    "42P07": ("its schema has tables of somebody else", "give the ledger a schema of its own"),
    "53100": ("the disk of its server is full", "make room there"),
    "55P03": ("something else has held it for too long", "look for it in pg_locks, and end it"),
    "XX001": ("it is damaged", "restore its server from a backup"),
    "XX002": ("one of its indexes is damaged", "REINDEX it, or restore its server from a backup"),
}
"""What PostgreSQL's error codes mean here, and what to do."""

_versions = MetaData()
_version = Table(
    "ledger_version",
    _versions,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True),
    Column("version", BigInteger, nullable=False),
)


class PostgresqlServer:
    """A ledger in the first schema of a connection's search path. Raises LedgerError."""

    begins_at_the_head = True
    """An empty schema gets the tables as they are now."""

    def __init__(self, url: str) -> None:
        parsed = _url_of(url)
        self.name = _name_of(parsed)
        with self.explained():
            self.write = self._engine(parsed)
            self.read = self._engine(parsed).execution_options(postgresql_readonly=True)

    def away(self) -> LedgerError | None:
        """None: whether the server is there shows when it is asked."""
        return None

    def take_turn(self, connection: Connection, wait_ms: int = BUSY_MS) -> None:
        """Wait until nobody else writes this ledger; it is ours until the transaction ends."""
        place = func.hashtext(func.current_schema())
        connection.execute(
            select(
                func.set_config("lock_timeout", str(wait_ms), True),
                func.pg_advisory_xact_lock(APPLICATION_ID, place),
            )
        )

    def version(self, connection: Connection) -> int:
        """The version of what is there; 0 of an empty schema."""
        if not inspect(connection).has_table(_version.name):
            return 0
        return connection.scalar(select(_version.c.version)) or 0

    def note_version(self, connection: Connection, version: int) -> None:
        _versions.create_all(connection)
        if not connection.execute(update(_version).values(version=version)).rowcount:
            connection.execute(insert(_version).values(one=1, version=version))

    def migrate(self, work: Callable[[Connection], None]) -> None:
        """Run it in one transaction, again where somebody holds a table. Raises LedgerError."""
        for left in reversed(range(_TRIES)):
            try:
                with self.explained(), self.write.begin() as connection:
                    self.take_turn(connection, _MIGRATION_WAIT_MS)
                    work(connection)
                return
            except LedgerError as error:
                if not left or _code_of(error.__cause__) != "55P03":
                    raise
                time.sleep(_PAUSE_S)

    def keep_note(self) -> None:
        """Nothing is noted of a ledger that more than one data folder may have."""

    def rewrite(self, tables: Sequence[Table]) -> None:
        """Write the tables anew, so that nothing is left of what was deleted. Raises LedgerError.

        What the server keeps beside them (its log, backups) is its keeper's to end.
        """
        with self.explained(), self.write.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            quoted = alone.dialect.identifier_preparer.format_table
            for table in tables:
                alone.execute(text(f"VACUUM FULL {quoted(table)}"))

    def raw(self, tables: Sequence[Table], overlap: int) -> Iterator[bytes]:
        """Nothing, as its files are the server's; but they are written anew."""
        del overlap
        self.rewrite(tables)
        yield from ()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what the server or the way to it refuses into a sentence with what to do."""
        try:
            yield
        except ModuleNotFoundError as error:
            hint = 'pip install "switchhook[postgres]"'
            raise LedgerError(self.name, f"{error.name} is not installed", hint) from error
        except DBAPIError as error:
            told = self._told(error)
            if told is None:
                raise
            raise told from error

    def close(self) -> None:
        self.write.dispose()
        self.read.dispose()

    def _told(self, error: DBAPIError) -> LedgerError | None:
        """What is wrong with the server; None where the fault is the statement's."""
        known = _TOLD.get(_code_of(error) or "")
        if known is not None:
            problem, hint = known
            return LedgerError(self.name, problem, hint)
        said = str(error.orig).strip().partition("\n")[0]
        if error.connection_invalidated:
            return LedgerError(self.name, f"the connection was lost: {said}", _LOST)
        if isinstance(error, OperationalError):
            hint = "check that the server runs, and the address, user and password in its URL"
            return LedgerError(self.name, said, hint)
        return None

    @staticmethod
    def _engine(url: URL) -> Engine:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_S,
            max_overflow=-1,
            execution_options={"preserve_rowcount": True},  # of an INSERT, too
        )
        event.listen(engine, "handle_error", _leave_standby)
        event.listen(engine, "connect", _keep_any_text)
        return engine


def _url_of(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        problem = "its address is no URL"
        raise LedgerError("of PostgreSQL", problem, "postgresql://USER@HOST/DATABASE") from error
    return url.set(drivername=_DRIVER).update_query_dict(
        {name: value for name, value in _DEFAULTS.items() if name not in url.query}
    )


def _name_of(url: URL) -> str:
    """Which database it is, without what is secret."""
    host = url.host or url.query.get("host")
    place = f"{host}:{url.port}" if url.port else host
    return f"postgresql://{url.username or ''}@{place}/{url.database or ''}"


def _code_of(error: BaseException | None) -> str | None:
    """PostgreSQL's code of an error."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return getattr(said, "sqlstate", None)


def _leave_standby(context: ExceptionContext) -> None:
    """A primary of before answers, but writes nothing: find the one of now."""
    if getattr(context.original_exception, "sqlstate", None) == "25006":
        context.is_disconnect = True


def _keep_any_text(connection: object, _: object) -> None:
    from switchhook.ledger import postgresql_text

    postgresql_text.register(connection)
