"""How a data folder gets into a cluster: it makes the cluster, or takes the cluster's key.

What was made by a folder's own key (addresses of endpoints without a secret of their own, links)
counts no more once it has the cluster's, and what its own ledger knows is not known to the others.
So a folder joins by itself only while it has neither ledger nor receipts; any other is taken along
by `switchhook cluster join` (`taking_along`).
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.cluster import tables
from switchhook.cluster.membership import (
    MEMBER_BYTES,
    NOTE,
    Membership,
    read_membership,
    write_membership,
)
from switchhook.cluster.view import node_text
from switchhook.errors import ClusterError, DataFolderError, LedgerError
from switchhook.postgresql_server import connect, explained, name_of
from switchhook.system.data_folder import (
    JOURNAL,
    LEDGER,
    DataFolder,
    adopt_identity,
    read_identity,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import psycopg

    from switchhook.cluster.settings import ClusterSettings
    from switchhook.system.folder_lock import Holder

COMMAND = "switchhook cluster join"
_SIDES: tuple[Holder, ...] = ("answer", "console")
_AWAY_S = 30
"""A node whose row is older than this is not running."""


class FolderFound(msgspec.Struct, frozen=True, kw_only=True):
    """A data folder before it joins: its records from `first` to `last`, and its own ledger."""

    path: Path
    node: int
    key: bytes
    first: int
    last: int
    has_ledger: bool

    @property
    def records(self) -> int:
        return max(self.last - self.first + 1, 0) if self.last else 0

    @property
    def fresh(self) -> bool:
        """Whether nothing was made by its key, and nothing in it is known nowhere else."""
        return not self.has_ledger and not self.records


class Entered(msgspec.Struct, frozen=True):
    """What the cluster says to a folder that it took in; `made` is whether it began by it."""

    id: str
    key: bytes
    node: int
    made: bool

    def __repr__(self) -> str:
        return f"Entered(id={self.id!r}, key=…, node={self.node}, made={self.made})"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that wants in.

    `base_seq` is its journal's newest record where its ledger is taken along, else 0; a folder that
    `may_change` takes another key and, where its number is taken, another number.
    """

    found: FolderFound
    member: str
    name: str
    address: str
    release: str
    base_seq: int = 0
    may_change: bool = True


def join_if_needed(settings: ClusterSettings, folder: Path, release: str) -> Membership | None:
    """Have a data folder be a member before it is run on; None where it is alone.

    A member needs no database for it. Raises ClusterError, DataFolderError; then it can be called
    again.
    """
    note = read_membership(folder)
    if settings.database is None:
        if note is None:
            return None
        problem = "it belongs to a cluster, and the configuration has no cluster.database"
        hint = "set it; how a machine leaves is in docs/operations.md"
        raise DataFolderError(str(folder), problem, hint)
    if note is not None and note.is_member:
        return note
    with held(folder):
        found = look(folder)
        if not found.fresh:
            raise DataFolderError(str(folder), _own(found), f"take it along first: {COMMAND}")
        return join_fresh(settings, found, release)


def _own(found: FolderFound) -> str:
    """Why a folder does not join by itself."""
    has = [
        *(["a ledger of its own"] if found.has_ledger else []),
        *([f"{found.records:,} records in its journal"] if found.records else []),
    ]
    return f"it is in no cluster yet, and has {' and '.join(has)}"


def join_fresh(settings: ClusterSettings, found: FolderFound, release: str) -> Membership:
    """Take in a folder that has nothing of its own. Raises ClusterError, DataFolderError."""
    with (
        reached(settings) as connection,
        drafted(found.path) as member,
        connection.transaction(),
    ):
        entered = enter(connection, entry_of(settings, found, release, member))
    return finish(found.path, member, entered)


@contextmanager
def reached(settings: ClusterSettings) -> Iterator[psycopg.Connection[Any]]:
    """The database, with the tables that all share. Raises ClusterError."""
    assert settings.database is not None
    with explained(settings.database), closing(connect(settings.database, "join")) as connection:
        tables.bring_up(connection)
        yield connection


_RUNS = "it is held by"


def runs_on(folder: Path) -> str:
    """What runs on a data folder, so that it can't join before that is stopped; empty if nothing.

    Raises DataFolderError where joining could not hold it anyway.
    """
    ran = [side for side in _SIDES if (folder / f"{side}.lock").exists()]
    try:
        with held(folder, ran):  # nothing is made by looking
            return ""
    except DataFolderError as error:
        if not error.problem.startswith(_RUNS):
            raise
        return error.problem


@contextmanager
def held(folder: Path, sides: Sequence[Holder] = _SIDES) -> Iterator[None]:
    """Hold a data folder in the place of both programs. Raises DataFolderError."""
    with ExitStack() as stack:
        for side in sides:
            try:
                stack.enter_context(DataFolder.open(folder, side))
            except DataFolderError as error:
                if not error.problem.startswith(_RUNS):
                    raise
                hint = f"stop switchhook serve first, then: {COMMAND}; nothing was changed"
                raise DataFolderError(str(folder), error.problem, hint) from None
        yield


def look(folder: Path) -> FolderFound:
    """What a data folder has. Raises DataFolderError, JournalError."""
    from switchhook.journal import JournalReader  # a member that starts needs none

    identity, ledger = read_identity(folder), folder / LEDGER
    first = last = 0
    if (folder / JOURNAL).is_dir():
        with closing(JournalReader(folder / JOURNAL)) as journal:
            first, last = journal.first_seq(), journal.last_seq()
    return FolderFound(
        path=folder,
        node=identity.node,
        key=identity.key,
        first=first,
        last=last,
        has_ledger=ledger.is_dir() and any(ledger.iterdir()),
    )


@contextmanager
def drafted(folder: Path, draw: Callable[[int], str] = secrets.token_hex) -> Iterator[str]:
    """What a folder is known by on its way in; the same after an interruption.

    What is refused leaves no note: the folder goes on as it was. Raises DataFolderError.
    """
    note = read_membership(folder)
    begun = note is None
    if note is None:
        note = Membership(draw(MEMBER_BYTES))
        write_membership(folder, note)
    try:
        yield note.member
    except (ClusterError, LedgerError):
        if begun:
            (folder / NOTE).unlink(missing_ok=True)
        raise


def entry_of(
    settings: ClusterSettings,
    found: FolderFound,
    release: str,
    member: str,
    *,
    along: bool = False,
    may_change: bool = False,
) -> Entry:
    """How a folder asks to be let in; with `along`, its ledger is taken along.

    One that is fresh, or of which somebody said that it `may_change`, takes the cluster's key.
    """
    return Entry(
        found=found,
        member=member,
        name=settings.node_name,
        address=settings.address,
        release=release,
        base_seq=found.last if along else 0,
        may_change=may_change or found.fresh,
    )


def enter(
    connection: psycopg.Connection[Any],
    entry: Entry,
    draw: Callable[[int], str] = secrets.token_hex,
) -> Entered:
    """Take a folder in, in a transaction of the caller's.

    Raises ClusterError where it can't be as it is: another key, or another machine has its number.
    """
    found = entry.found
    made = connection.execute(
        "INSERT INTO cluster (one, id, key, base_node, base_seq)"
        " VALUES (1, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (
            draw(MEMBER_BYTES),
            found.key,
            found.node if entry.base_seq else None,
            entry.base_seq,
        ),
    ).rowcount
    row = connection.execute("SELECT id, key FROM cluster").fetchone()
    assert row is not None
    id, key = str(row[0]), bytes(row[1])
    if key != found.key and not entry.may_change:
        raise ClusterError(_name(connection), OTHER_KEY, OTHER_KEY_HINT)
    return Entered(id, key, _number(connection, entry, draw, own_key=key == found.key), bool(made))


OTHER_KEY = "the cluster has a key of its own, and this folder has things made by another"
OTHER_KEY_HINT = f"see what that means: {COMMAND} --plan --leave-ledger-behind"
COPIED = "{} is another machine already: was this data folder copied from it?"
IS_IT_BACK = (
    "(%(own_key)s AND last_seq <= %(last)s"
    f" AND seen_at < clock_timestamp() - make_interval(secs => {_AWAY_S}))"
)
"""Whether a node's row is of the folder that asks: it has its key, is away, and has no more."""
_NOW = "SET member = %(member)s, name = %(name)s, state = 'active', left_at = NULL"
_COMES_BACK = f"UPDATE cluster_node {_NOW} WHERE node = %(node)s AND {IS_IT_BACK}"

EMPTY_FOLDER = "a copy can't join; begin with an empty data folder, and keep this one aside"


def _number(
    connection: psycopg.Connection[Any], entry: Entry, draw: Callable[[int], str], *, own_key: bool
) -> int:
    """The node's number: the folder's own, or a new one where another machine has that."""
    asked = "SELECT node FROM cluster_node WHERE member = %s"
    before = connection.execute(asked, (entry.member,)).fetchone()
    if before is not None:
        return int(before[0])
    number = entry.found.node
    while not _takes(connection, entry, number, own_key=own_key):
        if entry.found.records:
            raise ClusterError(_name(connection), COPIED.format(node_text(number)), EMPTY_FOLDER)
        number = int(draw(4), 16)
    return number


def _takes(
    connection: psycopg.Connection[Any], entry: Entry, number: int, *, own_key: bool
) -> bool:
    """Whether a number is ours now. One that is away and has our key lost its note, and is us."""
    values = {
        "node": number,
        "member": entry.member,
        "name": entry.name,
        "address": entry.address,
        "release": entry.release,
        "last": entry.found.last,
    }
    inserted = connection.execute(
        "INSERT INTO cluster_node (node, member, name, address, release, last_seq) VALUES"
        " (%(node)s, %(member)s, %(name)s, %(address)s, %(release)s, %(last)s)"
        " ON CONFLICT DO NOTHING",
        values,
    ).rowcount
    if inserted or not entry.found.records:
        return bool(inserted)
    return bool(connection.execute(_COMES_BACK.encode(), {**values, "own_key": own_key}).rowcount)


def finish(
    folder: Path,
    member: str,
    entered: Entered,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Membership:
    """Have a folder be the member that the cluster took in. Raises DataFolderError."""
    adopt_identity(folder, entered.node, entered.key)
    joined = now().isoformat(timespec="seconds")
    note = Membership(member, entered.id, entered.node, joined)
    write_membership(folder, note)
    return note


def _name(connection: psycopg.Connection[Any]) -> str:
    info = connection.info
    return name_of(f"postgresql://{info.user}@{info.host}:{info.port}/{info.dbname}")
