"""A PostgreSQL server, reached by psycopg: how we connect, what its errors mean, and the fence.

The ledger reaches it by SQLAlchemy (`ledger/postgresql.py`); what ships, folds and reads receipts
uses this, as COPY, notices and libpq's several hosts are psycopg's own. psycopg is loaded by the
first that connects: who runs on one machine never does.

    connector = Connector(url)
    connect(connector)     # by the URL as it is then
    connector.use(other)   # for whoever connects next
    connector.silent()     # whoever waits is told at once, in any thread, and who comes next
    connector.answers()    # and may connect again
    connector.close()      # nobody connects any more
"""

from __future__ import annotations

import select
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from switchhook.errors import ClusterError, NotLeaderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from switchhook.errors import DataFolderError, JournalError, LedgerError, SwitchhookError

DEFAULTS = {
    "connect_timeout": "2",
    "keepalives_idle": "1",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "3000",  # ms: a primary that vanished is noticed before the next one is up
    "target_session_attrs": "read-write",  # of several hosts the primary; a standby is refused
}
"""What its URL may say otherwise."""

SILENT_S = 65.0
"""A connection on which nothing comes for so long is given up: statements may take a minute."""

_LONGEST_NAME = 63

ASKED_S = 5.0
"""The same where somebody waits at a terminal, for what is read in a moment."""

LOST = ("25006", "57P01", "57P02", "57P03")
"""Codes after which a connection is of no use: its server is a standby now, or goes down."""

_OTHER = "see that cluster.database names the database that the nodes share"
TOLD = {
    "25006": (
        "it can only be read: that server is a standby, or was made read-only",
        "have its URL name all hosts; the primary among them is found",
    ),
    "3F000": ("its schema is not there", "create it, or mend the search_path in its URL"),
    "42501": ("its user may not do that", "make the user owner of the schema"),
    "42703": (
        "its tables are none that this release knows: another release's, or something else's",
        f"{_OTHER}, and that their releases are at most one version apart",
    ),
    "42P01": (
        "a table of the nodes is missing in it: it is empty, something else's, or not whole",
        f"{_OTHER}; what was lost there comes back from its backup",
    ),
    "42P07": ("its schema has tables of somebody else", "give the nodes a schema of their own"),
    "53100": ("the disk of its server is full", "make room there"),
    "53300": (
        "its server has no connection left for this node",
        "raise max_connections there, or the limit of its user or database: `switchhook doctor`"
        " says how many the nodes need",
    ),
    "55P03": ("something else has held it for too long", "look for it in pg_locks, and end it"),
    "57P01": ("the connection was ended by its server", "nothing: the next one is a new one"),
    "XX001": ("it is damaged", "restore its server from a backup"),
}
"""What PostgreSQL's error codes mean here, and what to do."""


_NO_ROOM = (
    *("too many clients already", "too many connections for "),
    "remaining connection slots are reserved",
)
"""By what a server says that it has no connection left: libpq passes no code of that on."""

_loading = threading.Lock()


def load() -> None:
    """Load psycopg; a program with threads does so before it starts them.

    Threads that load it at once get half of it each: its modules import each other.
    Raises ImportError.
    """
    with _loading:
        import psycopg
        import psycopg.conninfo
        import psycopg.sql  # noqa: F401


class Connector:
    """What a program connects by that outlives the password of its database. Any thread.

    One that is made `of` another goes by its URL, and ends with it. `node` is the name of the node
    that connects, as the server shows it.
    """

    def __init__(self, url: str = "", *, node: str = "", of: Connector | None = None) -> None:
        self._url, self._of = url, of
        self.node: str = node if of is None else of.node
        self._cuts = 0
        self._is_silent = self._closed = False

    @property
    def url(self) -> str:
        """The URL to connect by now."""
        return self._url if self._of is None else self._of.url

    @property
    def closed(self) -> bool:
        return self._closed or (self._of is not None and self._of.closed)

    @property
    def is_silent(self) -> bool:
        """Whether the database is known to answer nothing."""
        return self._is_silent or (self._of is not None and self._of.is_silent)

    @property
    def cuts(self) -> int:
        """How often its connections were ended."""
        return self._cuts + (0 if self._of is None else self._of.cuts)

    def use(self, url: str) -> None:
        """Have whoever connects next do so by another URL of the same database."""
        self._url = url

    def silent(self) -> None:
        """End the connections, and make none but to probe: the database answers nothing."""
        self._is_silent = True
        self._cuts += 1

    def answers(self) -> None:
        """Make connections again: it does."""
        self._is_silent = False

    def close(self) -> None:
        """End the connections, and make no more."""
        self._closed = True
        self._cuts += 1


Url = str | Connector
"""How a database is reached: by a URL for good, or by the one of now."""


def url_of(url: Url) -> str:
    """The URL of now."""
    return url if isinstance(url, str) else url.url


def application_name(url: Url, part: str) -> str:
    """What the server shows of a connection: "switchhook NODE PART"; a command has no node.

    The server keeps 63 bytes of it, in printable ASCII: the node's name gives way.
    """
    name = "" if isinstance(url, str) else url.node
    node = "".join(each if " " <= each <= "~" else "?" for each in name)
    room = _LONGEST_NAME - len(f"switchhook  {part}")
    return " ".join(filter(None, ("switchhook", node[:room].strip(), part)))


def connect(
    url: Url,
    part: str = "command",
    *,
    silent_s: float | None = SILENT_S,
    probe: bool = False,
    **changed: str,
) -> psycopg.Connection[Any]:
    """A connection that commits each statement by itself, unless within `transaction()`.

    `part` is what of the node it is for, in one word, as `pg_stat_activity` shows it.
    Where nothing comes for `silent_s` while it waits for an answer, it is closed. To `probe` is to
    try also where nothing was answered. `changed` are parameters that stand above the URL's.
    Raises ClusterError.
    """
    with explained(url):
        load()
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        given = {name: str(value) for name, value in conninfo_to_dict(url_of(url)).items()}
        conninfo = make_conninfo(**{**DEFAULTS, **given, **changed})
        return opened(url, part, conninfo, silent_s=silent_s, probe=probe, autocommit=True)


def opened(
    url: Url,
    part: str,
    conninfo: str = "",
    *,
    silent_s: float | None,
    probe: bool = False,
    **given: Any,
) -> psycopg.Connection[Any]:
    """What psycopg's own `connect` opens, bounded as above, and ended with the connector.

    Raises psycopg.Error.
    """
    from switchhook.bounded_connection import BoundedConnection, EndedError, SilentError

    given["application_name"] = application_name(url, part)
    if isinstance(url, str):
        connection = BoundedConnection.connect(conninfo, **given)
    else:
        if url.closed:
            raise EndedError
        if url.is_silent and not probe:
            raise SilentError
        cuts = url.cuts
        connection = BoundedConnection.connect(conninfo, **given)
        connection.ended = lambda: (
            None if url.cuts == cuts else EndedError() if url.closed else SilentError()
        )
    connection.silent_s = silent_s
    return connection


def not_loaded(error: ImportError) -> tuple[str, str]:
    """Why psycopg can't be loaded, and what to do."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed", 'pip install "switchhook[postgres]"'
    hint = 'pip install --force-reinstall "switchhook[postgres]", which brings libpq along'
    return f"psycopg can't be loaded: {_first_line(error)}", hint


def is_lost(error: Exception) -> bool:
    """Whether the connection that raised it is of no use any more."""
    import psycopg

    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return True  # the way to the server broke
    return isinstance(error, psycopg.Error) and error.sqlstate in LOST


def speaks(connection: psycopg.Connection[Any]) -> bool:
    """Whether a server said what nobody asked it, as most often that it ends the connection.

    Who rests hears of a restart or a restore by it, and need not wait until it asks again.
    Raises psycopg.OperationalError where the connection is closed.
    """
    heard = select.poll()
    heard.register(connection.fileno(), select.POLLIN)
    return bool(heard.poll(0))


def is_silent(error: BaseException | None) -> bool:
    """Whether a server, or what lies between, took what it got and did nothing in time."""
    psycopg = sys.modules.get("psycopg")
    if psycopg is None:
        return False
    from switchhook.bounded_connection import SilentError

    return isinstance(error, (SilentError, psycopg.errors.ConnectionTimeout))


def code_of(error: BaseException | None) -> str | None:
    """PostgreSQL's code of an error of psycopg's, as far as it is known."""
    code: str | None = getattr(error, "sqlstate", None)
    if code is None and any(said in str(error) for said in _NO_ROOM):
        return "53300"
    return code


@contextmanager
def explained(url: Url) -> Iterator[None]:
    """Turn what psycopg, the server or the way to it refuses into a ClusterError."""
    try:
        yield
    except ImportError as error:
        raise ClusterError(name_of(url), *not_loaded(error)) from error
    except Exception as error:
        # Where it could not be loaded, or nothing has needed it, the error is none of its own.
        psycopg = sys.modules.get("psycopg")
        if psycopg is None or not isinstance(error, psycopg.Error):
            raise
        if isinstance(error, psycopg.errors.ConnectionTimeout):
            raise ClusterError(name_of(url), "it answers nothing", SILENT_HINT) from error
        hint = getattr(error, "hint", None) or _hint(error.sqlstate)
        problem, hint = TOLD.get(code_of(error) or "", (_first_line(error), hint))
        raise ClusterError(name_of(url), problem, hint) from error


SILENT_HINT = (
    "look at its server, and at what lies between: one of them hangs, or its address leads nowhere"
)
UNREACHED_HINT = "check that the server runs, and the address, user and password in its URL"
_ABOUT_THE_WAY = ("08", "28", "3D", "57")
"""Classes of codes of a server that can't be reached, or lets nobody in."""


def is_away(error: SwitchhookError) -> bool:
    """Whether the server was not reached or let nobody in; else something in it is wrong."""
    found = _cause(error)
    return found is not None and _is_about_the_way(found.sqlstate)


def in_short(error: ClusterError | DataFolderError | JournalError | LedgerError) -> str:
    """What is wrong with a database, for whoever may ask: it names no machine and no user."""
    found = _cause(error)
    if found is None:
        return error.problem
    if is_silent(found):
        return "its server answers nothing"
    if (code := code_of(found)) in TOLD:
        return TOLD[code][0]
    if not _is_about_the_way(found.sqlstate):
        return f"its server refuses what this node asks (SQLSTATE {found.sqlstate})"
    if "FATAL" in str(found):
        return "its server answers, and does not let this node in"
    return "this node can't reach its server"


def _cause(error: BaseException | None) -> psycopg.Error | None:
    """What psycopg raised at first, however it was told since."""
    if "psycopg" not in sys.modules:
        return None
    import psycopg

    while error is not None:
        for found in (error, getattr(error, "orig", None)):  # SQLAlchemy has it there
            if isinstance(found, psycopg.Error):
                return found
        error = error.__cause__
    return None


def _is_about_the_way(code: str | None) -> bool:
    return code is None or code.startswith(_ABOUT_THE_WAY)


def _hint(code: str | None) -> str:
    """What to do after an error that has no words of its own: the server may well be reached."""
    if _is_about_the_way(code):
        return UNREACHED_HINT
    return f"the server was reached, and refuses it (SQLSTATE {code}): its log says more"


def _first_line(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]


def name_of(url: Url) -> str:
    """Which database it is, without what is secret.

    Several hosts stand apart: addresses in one row would be masked like a number.
    """
    parts = urlsplit(url_of(url))
    host = parts.netloc.rpartition("@")[2].replace(",", ", ")
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    return urlunsplit(("postgresql", f"{user}@{host}" if user else host, parts.path, "", ""))


class Fence(msgspec.Struct, frozen=True):
    """The right to write for all nodes: an epoch of the lease (`cluster/tables.py`).

    `hold` is the first statement of each of the leader's transactions. It locks the lease's row by
    its key, so that whoever takes over, which changes the key, waits until the transaction has
    ended; renewing, which doesn't, waits for nobody. `node` is the holder: a database that was
    restored, or lost its last second, may give an epoch twice, but to one node only.
    """

    epoch: int
    node: int | None = None

    @property
    def sql(self) -> str:
        """The statement: one row while the epoch leads, none where it doesn't any more."""
        held = "" if self.node is None else f" AND node = {self.node:d}"
        return (
            "SELECT set_config('idle_in_transaction_session_timeout', '5s', true)"  # noqa: S608 - numbers
            f" FROM cluster_lease WHERE epoch = {self.epoch:d}{held}"
            " AND expires_at > clock_timestamp() FOR KEY SHARE"
        )

    def hold(self, connection: psycopg.Connection[Any]) -> None:
        """Raises NotLeaderError where another node leads, or the lease has run out."""
        if connection.execute(self.sql.encode()).fetchone() is None:
            raise NotLeaderError(self.epoch)
