"""A ledger in PostgreSQL: reached, found again when it was lost, written by one at a time."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
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
from sqlalchemy import Text as AnyText
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from switchhook.errors import LedgerError
from switchhook.ledger.sqlite import APPLICATION_ID, BUSY_MS
from switchhook.postgresql_server import (
    TOLD,
    UNREACHED_HINT,
    code_of,
    load,
    not_loaded,
    opened,
    url_of,
)
from switchhook.shared_connections import Sharing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psycopg
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine import Dialect, ExceptionContext

    from switchhook.postgresql_server import Url

_DRIVER = "postgresql+psycopg"
_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",  # ms: a server that vanished is noticed before a page gives up
}
"""What its URL may say otherwise."""
_OF_SEVERAL = {
    "target_session_attrs": "read-write",  # the primary among them; a standby is refused
    "connect_timeout": "2",  # for each of them
    "keepalives_idle": "1",
    "tcp_user_timeout": "3000",
}
"""The same, where it names several hosts: the next one may have taken over."""
_RECYCLE_S = 300  # after a fail-over no connection stays for long with the server of before
_SILENT_S = 60.0
"""A statement that takes so long is given up, but those that change or write whole tables."""
_MIGRATION_WAIT_MS, _TRIES, _PAUSE_S = 2_000, 15, 1.0
"""A migration gives way to whoever holds a table: who comes after it would wait behind it."""

_LOST = "try again: the next one makes a new connection"
_TOLD = {
    **{code: told for code, told in TOLD.items() if code != "57P01"},  # told as lost, below
    "XX002": ("one of its indexes is damaged", "REINDEX it, or restore its server from a backup"),
}
"""What PostgreSQL's error codes mean here, and what to do."""

_versions = MetaData()
_version = Table(
    "ledger_version",
    _versions,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("oldest", BigInteger),
)


class PostgresqlServer:
    """A ledger in the first schema of a connection's search path. Raises LedgerError."""

    begins_at_the_head = True
    """An empty schema gets the tables as they are now."""

    def __init__(self, url: Url) -> None:
        parsed = _url_of(url_of(url))
        self.name = _name_of(parsed)
        self._url = url
        self._sharing = Sharing()
        with self.explained():
            self.write = self._engine(parsed)
            self.read = self.write.execution_options(postgresql_readonly=True)

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

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """A place for a connection; those that nobody needs any more are closed after it."""
        with self._sharing.one():
            yield
        pool = self.write.pool
        if isinstance(pool, QueuePool) and pool.checkedin() > self._sharing.open:
            pool.dispose()

    def version(self, connection: Connection) -> int:
        """The version of what is there; 0 of an empty schema."""
        if not inspect(connection).has_table(_version.name):
            return 0
        return connection.scalar(select(_version.c.version)) or 0

    def oldest(self, connection: Connection) -> int | None:
        """The oldest version whose release can use what is there; None is no older one."""
        return connection.scalar(select(_version.c.oldest))

    def note_version(self, connection: Connection, version: int, oldest: int) -> None:
        _versions.create_all(connection)
        noted = {"version": version, "oldest": oldest}
        if not connection.execute(update(_version).values(noted)).rowcount:
            connection.execute(insert(_version).values(one=1, **noted))

    def sample_no_text(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Have the server keep no statistics of texts and blobs.

        They are samples of the rows, in which a number would outlive its erasure; and any of them
        may hold one.
        """
        prepared = connection.dialect.identifier_preparer
        for table in tables:
            texts = (each for each in table.columns if isinstance(each.type, AnyText | LargeBinary))
            acts = [f"ALTER COLUMN {prepared.quote(each.name)} SET STATISTICS 0" for each in texts]
            if acts:
                name = prepared.format_table(table)
                connection.exec_driver_sql(f"ALTER TABLE {name} {', '.join(acts)}")

    def migrate(self, work: Callable[[Connection], None]) -> None:
        """Run it in one transaction, again where somebody holds a table. Raises LedgerError."""
        for left in reversed(range(_TRIES)):
            try:
                with self.explained(), self.write.begin() as connection, _patient(connection):
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
        with self.explained(), self.write.connect() as connection, _patient(connection):
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
        except ImportError as error:
            problem, hint = not_loaded(error)
            raise LedgerError(self.name, problem, hint) from error
        except DBAPIError as error:
            told = self._told(error)
            if told is None:
                raise
            raise told from error

    def close(self) -> None:
        self.write.dispose()

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
            hint = getattr(error.orig, "hint", None) or UNREACHED_HINT
            return LedgerError(self.name, said, hint)
        return None

    def _engine(self, url: URL) -> Engine:
        load()  # SQLAlchemy would do it without its lock
        engine = create_engine(
            url,
            # Who waited for the turn sees what was done meanwhile, whatever the default.
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_S,
            pool_use_lifo=True,
            max_overflow=-1,
            execution_options={"preserve_rowcount": True},  # of an INSERT, too
        )
        event.listen(engine, "do_connect", self._connected)
        event.listen(engine, "handle_error", _leave_standby)
        event.listen(engine, "connect", _keep_any_text)
        return engine

    def _connected(self, dialect: Dialect, *_: object) -> psycopg.Connection[Any]:
        """A new connection, by the URL of now."""
        given = dialect.create_connect_args(_url_of(url_of(self._url)))[1]
        return opened(self._url, "ledger", silent_s=_SILENT_S, **given)


def _url_of(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        problem = "its address is no URL"
        raise LedgerError("of PostgreSQL", problem, "postgresql://USER@HOST/DATABASE") from error
    several = "," in (url.host or "") or "," in str(url.query.get("host", ""))
    defaults = {**_DEFAULTS, **(_OF_SEVERAL if several else {})}
    return url.set(drivername=_DRIVER).update_query_dict(
        {name: value for name, value in defaults.items() if name not in url.query}
    )


def _name_of(url: URL) -> str:
    """Which database it is, without what is secret; several hosts stand apart, as addresses do."""
    host = str(url.host or url.query.get("host")).replace(",", ", ")
    place = f"{host}:{url.port}" if url.port else host
    return f"postgresql://{url.username or ''}@{place}/{url.database or ''}"


def _code_of(error: BaseException | None) -> str | None:
    """PostgreSQL's code of an error."""
    return code_of(error.orig if isinstance(error, DBAPIError) else error)


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """Wait for as long as a statement takes."""
    driver = connection.connection.driver_connection
    assert driver is not None, "it is connected"
    driver.silent_s = None
    try:
        yield
    finally:
        driver.silent_s = _SILENT_S


def _leave_standby(context: ExceptionContext) -> None:
    """A primary of before answers, but writes nothing: find the one of now."""
    if getattr(context.original_exception, "sqlstate", None) == "25006":
        context.is_disconnect = True


def _keep_any_text(connection: object, _: object) -> None:
    from switchhook.ledger import postgresql_text

    postgresql_text.register(connection)
