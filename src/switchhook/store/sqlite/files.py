"""The store's files: `store-000001.sqlite` and its successors, of which the last one counts.

A rebuild makes the next one beside it and gives it its name when it is whole, so that the swap is
one rename, whoever has the old one open. A name is never used twice: a write-ahead log left by the
old file would be taken for the new one's.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import apsw

from switchhook.errors import DataFolderError
from switchhook.exotel.phone_numbers import counted
from switchhook.sqlite_file import RawFile, connect_checked, make_private, transaction
from switchhook.store.tables import VERSION
from switchhook.system.file_system import sync_folder

APPLICATION_ID = 0x53575331  # "SWS1"
REBUILD = "run `switchhook rebuild`, which makes it again from the journal"

_NAME = re.compile(r"store-([0-9]{6})\.sqlite")
BEGINNING = ".store-beginning.sqlite"
"""What a store is called until it is whole."""
_SIDE_FILES = ("", "-wal", "-shm", "-journal")

CHECKED_VERSION = 5
"""From this one on pages have checksums."""
TABLES = """
CREATE TABLE progress (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  node INTEGER, seq INTEGER NOT NULL, at INTEGER NOT NULL,
  boot TEXT NOT NULL, closed INTEGER NOT NULL, axis BLOB
) STRICT;
INSERT INTO progress VALUES (1, NULL, 0, 0, '', 1, NULL);
CREATE TABLE facet (
  id INTEGER PRIMARY KEY,
  endpoint TEXT NOT NULL, status TEXT NOT NULL, cause TEXT NOT NULL, option TEXT NOT NULL,
  kind TEXT NOT NULL, host TEXT NOT NULL, exophone TEXT NOT NULL,
  streams INTEGER NOT NULL DEFAULT 0,
  UNIQUE (endpoint, status, cause, option, kind, host, exophone)
) STRICT;
CREATE TABLE receipt (seq INTEGER PRIMARY KEY, facet INTEGER NOT NULL) STRICT;
CREATE INDEX receipt_facet ON receipt (facet);
CREATE TABLE mention (
  bucket INTEGER NOT NULL, key INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (bucket, key, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE caller (
  bucket INTEGER NOT NULL, digits TEXT NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (bucket, digits, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE stream (
  seq INTEGER PRIMARY KEY, facet INTEGER NOT NULL, at INTEGER NOT NULL, story BLOB
) STRICT;
CREATE INDEX stream_facet ON stream (facet);
CREATE TABLE stream_key (
  bucket INTEGER NOT NULL, key INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (bucket, key, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE minute (
  at INTEGER NOT NULL, facet INTEGER NOT NULL, streams INTEGER NOT NULL, PRIMARY KEY (at, facet)
) STRICT, WITHOUT ROWID;
CREATE TABLE hour (
  at INTEGER NOT NULL, facet INTEGER NOT NULL, streams INTEGER NOT NULL, PRIMARY KEY (at, facet)
) STRICT, WITHOUT ROWID;
CREATE TABLE form (
  hour INTEGER NOT NULL, endpoint TEXT NOT NULL, aspect TEXT NOT NULL, value TEXT NOT NULL,
  count INTEGER NOT NULL, PRIMARY KEY (hour, endpoint, aspect, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE count (
  minute INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (minute, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE rule_hour (
  hour INTEGER NOT NULL, endpoint TEXT NOT NULL, release TEXT NOT NULL, rule TEXT NOT NULL,
  option TEXT NOT NULL, hits INTEGER NOT NULL, PRIMARY KEY (hour, endpoint, release, rule, option)
) STRICT, WITHOUT ROWID;
CREATE TABLE rule (
  endpoint TEXT NOT NULL, release TEXT NOT NULL, rule TEXT NOT NULL, option TEXT NOT NULL,
  last_at INTEGER NOT NULL, last_seq INTEGER NOT NULL,
  PRIMARY KEY (endpoint, release, rule, option)
) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE late (seq INTEGER PRIMARY KEY, late_ms INTEGER NOT NULL) STRICT;
CREATE TABLE one_copy (seq INTEGER PRIMARY KEY) STRICT;
CREATE TABLE displaced (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
CREATE TABLE turn (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
CREATE TABLE event (kind INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (kind, seq))
  STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (seq INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
"""
"""A *facet* is one combination of what lists are filtered by: there are few of them, so that one
small index serves every filter. An older store is not changed: the console begins a new one
instead. `minute` and `hour` say how many streams of a facet were first told of in it, `rule_hour`
how many passthrus a rule of a release decided in it, and `rule` which was its last.

Times are steady ones: `displaced` has the records whose own is another, as the system's clock had
stepped, and `turn` those at which steady time itself goes back.
"""


def current_file(folder: Path) -> Path | None:
    """The store's file; None where there is none yet."""
    numbered = _generations(folder)
    return numbered[-1][1] if numbered else None


def put_in_place(unfinished: Path, folder: Path) -> Path:
    """Give a whole and closed store the next name, durably; from then on it is the one."""
    with RawFile(unfinished) as raw:
        raw.sync()
    number = _last_number(folder)
    while True:
        number += 1
        path = folder / f"store-{number:06d}.sqlite"
        try:
            os.link(unfinished, path)  # unlike a rename it never replaces
        except FileExistsError:  # somebody else took the number at this moment
            continue
        unfinished.unlink()
        sync_folder(folder)
        return path


def remove_older(folder: Path, current: Path) -> None:
    """Clear away the stores before this one; who has them open keeps what they hold."""
    for _, path in _generations(folder):
        if path.name < current.name:
            remove(path)


def remove(path: Path) -> None:
    """Remove a store with the files beside it."""
    for file in side_files(path):
        file.unlink(missing_ok=True)


def side_files(path: Path) -> list[Path]:
    """A store's file and those that SQLite keeps beside it, there or not."""
    return [Path(f"{path}{side}") for side in _SIDE_FILES]


def connect(path: Path, *, create: bool = False) -> apsw.Connection:
    """Open a store's file; a new one is readable by its owner only."""
    if create:
        make_private(path)
    return connect_checked(path, APPLICATION_ID, CHECKED_VERSION, statements=64)


def create_tables(connection: apsw.Connection) -> None:
    """Make an empty file a store of this release."""
    with transaction(connection):
        connection.execute(TABLES)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", VERSION)


def check(connection: apsw.Connection, path: Path) -> None:
    """Recognise a store of this release or an older one; DataFolderError for all else."""
    application = connection.pragma("application_id")
    version = connection.pragma("user_version")
    if application != APPLICATION_ID:
        problem = f"{path.name} is not a store (application id {counted(application)})"
        raise DataFolderError(
            str(path.parent), problem, "move the file away and look at what it is"
        )
    if version > VERSION:
        raise DataFolderError(
            str(path.parent),
            f"{path.name} has version {version}, this release knows version {VERSION}",
            "run the release that wrote it or a later one; or " + REBUILD,
        )
    if version == VERSION and _schema(connection) != _schema_of_release():
        problem = f"{path.name} does not have the tables of its version {version}"
        raise DataFolderError(str(path.parent), f"{problem}: it was changed", REBUILD)


def outdated(connection: apsw.Connection) -> bool:
    """Whether a checked store is of an older release."""
    version: int = connection.pragma("user_version")
    return version < VERSION


def _last_number(folder: Path) -> int:
    """The highest number that a store has, or that files beside one that is gone still have."""
    found = (re.match(r"store-([0-9]{6})\.sqlite", name) for name in os.listdir(folder))  # noqa: PTH208
    return max((int(match[1]) for match in found if match), default=0)


def _generations(folder: Path) -> list[tuple[int, Path]]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - asked before every query
    except FileNotFoundError:
        return []
    found = [(int(match[1]), folder / name) for name in names if (match := _NAME.fullmatch(name))]
    return sorted(found)


def _schema(connection: apsw.Connection) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT name, coalesce(sql, '') FROM sqlite_master"))


def _schema_of_release() -> set[tuple[str, str]]:
    memory = apsw.Connection(":memory:")
    memory.execute(TABLES)
    return _schema(memory)
