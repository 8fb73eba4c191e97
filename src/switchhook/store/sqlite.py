"""The store on SQLite: opened, folded into by one thread, asked by any."""

from __future__ import annotations

import heapq
import json
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import apsw

from switchhook.errors import DataFolderError
from switchhook.passthru import StreamStatus
from switchhook.store import files
from switchhook.store.digest import UNKNOWN, hash_of
from switchhook.store.folding import BUCKET_BITS, Folding, decode_story
from switchhook.story import Quarantined, StreamStory, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from switchhook.story import JournalRecord, JournalSource

_KNOWN_STATUSES = frozenset(StreamStatus)
_UNFINISHED = ".store-beginning.sqlite"


class SqliteStore:
    """The store in a folder of its own. `open` it to fold; to ask is possible at any time.

    A store that a rebuild put in its place is taken over at the next call, in every process.
    """

    def __init__(self, folder: Path, journal: JournalSource) -> None:
        self._folder, self._journal = folder, journal
        self._folding: Folding | None = None
        self._path: Path | None = None
        self._local = threading.local()

    def open(self) -> None:
        """Open the store for folding, or begin one.

        DataFolderError, with nothing changed, where it can't be used. A store that was open when
        the machine went down is not trusted, as it never syncs: a new one is begun.
        """
        self._open(files.current_file(self._folder))

    def close(self) -> None:
        """Make the store durable and close it for folding."""
        if self._folding is not None:
            self._folding.close()
        self._folding = self._path = None

    def _open(self, path: Path | None) -> Folding:
        if path is None:
            path = _begin(self._folder)
        folding = _open_folding(path, self._journal)
        if folding.suspect:
            folding.leave()
            path = _begin(self._folder)
            folding = _open_folding(path, self._journal)
        folding.begin()
        files.remove_older(self._folder, path)
        self._folding, self._path = folding, path
        return folding

    def fold(self, after: int, records: Sequence[JournalRecord]) -> None:
        """Take the records after `after` in, unless a rebuilt store came between."""
        path = files.current_file(self._folder)
        folding = self._folding
        if folding is None or path != self._path:
            self.close()
            folding = self._open(path)
        if records and after == folding.position:
            folding.fold(records)

    def position(self) -> int:
        with self._reading() as connection:
            seq: int = connection.execute("SELECT seq FROM progress").get
            return seq

    def receipts(self, wanted: Wanted) -> list[int]:
        with self._reading() as connection:
            return _find(connection, "receipt", wanted)

    def streams(self, wanted: Wanted) -> list[tuple[int, StreamStory | None]]:
        with self._reading() as connection:
            seqs = _find(connection, "stream", wanted)
            stories = dict(
                connection.execute(
                    "SELECT seq, story FROM stream"
                    " WHERE story NOT NULL AND seq IN (SELECT value FROM json_each(?))",
                    (json.dumps(seqs),),
                )
            )
            return [(q, decode_story(stories[q]) if q in stories else None) for q in seqs]

    def late_ms(self, seqs: Iterable[int]) -> dict[int, int]:
        with self._reading() as connection:
            return dict(
                connection.execute(
                    "SELECT seq, late_ms FROM late WHERE seq IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(seqs)),),
                )
            )

    def events(self, kind: int, limit: int) -> list[int]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT seq FROM event WHERE kind = ? ORDER BY seq DESC LIMIT ?", (kind, limit)
            )
            return [seq for (seq,) in rows]

    def counters(self) -> dict[str, int]:
        with self._reading() as connection:
            return dict(connection.execute("SELECT name, count FROM counter ORDER BY name"))

    def quarantined(self, limit: int) -> tuple[int, list[Quarantined]]:
        with self._reading() as connection:
            count: int = connection.execute("SELECT count(*) FROM quarantine").get
            rows = connection.execute(
                "SELECT seq, reason FROM quarantine ORDER BY seq DESC LIMIT ?", (limit,)
            )
            return count, [Quarantined(seq, reason) for seq, reason in rows]

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """A connection of this thread's own to the store that counts now."""
        path = files.current_file(self._folder)
        if path is None:
            problem = "there is no store yet"
            raise DataFolderError(str(self._folder), problem, "start the console once, or rebuild")
        try:
            if getattr(self._local, "path", None) != path:
                self._local.path = None
                connection = files.connect(path)
                files.check(connection, path)
                connection.pragma("query_only", 1)
                self._local.connection, self._local.path = connection, path
            yield self._local.connection
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise files.damaged(path, error) from error


def _begin(folder: Path) -> Path:
    """Put an empty store in place, under the next name."""
    folder.mkdir(mode=0o700, exist_ok=True)
    unfinished = folder / _UNFINISHED
    files.remove(unfinished)
    with closing(files.connect(unfinished, create=True)) as connection:
        files.migrate(connection)
    return files.put_in_place(unfinished, folder)


def _open_folding(path: Path, journal: JournalSource) -> Folding:
    """Open a store's file for folding; DataFolderError where it can't be used."""
    try:
        connection = files.connect(path)
        try:
            files.check(connection, path)
            connection.pragma("journal_mode", "wal")
            files.migrate(connection)
            folding = Folding(connection, path, journal)
            if not folding.suspect:
                folding.check_against(journal)
        except BaseException:
            connection.close()
            raise
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise files.damaged(path, error) from error
    return folding


def _find(connection: apsw.Connection, table: str, wanted: Wanted) -> list[int]:
    status, keys = wanted.status, []
    if wanted.stream_sid is not None:
        keys.append(hash_of("stream", wanted.stream_sid))
    if wanted.call_sid is not None:
        keys.append(hash_of("call", wanted.call_sid))
    if status is not None and status not in _KNOWN_STATUSES:
        keys.append(hash_of("status", status))
        status = UNKNOWN
    asked = (wanted.endpoint, status, wanted.cause, wanted.option)
    facets = None if asked == (None,) * 4 else _facets(connection, asked)
    if keys:
        return _by_keys(connection, table, wanted, keys, facets)
    return _by_facets(connection, table, wanted, facets)


def _facets(connection: apsw.Connection, asked: tuple[str | None, ...]) -> list[int]:
    rows = connection.execute("SELECT id, endpoint, status, cause, option FROM facet")
    return [
        number
        for number, *said in rows
        if all(want is None or want == have for want, have in zip(asked, said, strict=True))
    ]


def _by_keys(
    connection: apsw.Connection,
    table: str,
    wanted: Wanted,
    keys: list[int],
    facets: list[int] | None,
) -> list[int]:
    also = "".join(
        " AND EXISTS (SELECT 1 FROM mention WHERE bucket = m.bucket AND key = ? AND seq = m.seq)"
        for _ in keys[1:]
    )
    within = "" if facets is None else f" AND t.facet IN ({','.join(map(str, facets))})"
    sql = (
        f"SELECT m.seq FROM mention m JOIN {table} t ON t.seq = m.seq"  # noqa: S608 - our words
        f" WHERE m.bucket = ? AND m.key = ? AND m.seq >= ? AND m.seq < ?{also}{within}"
        f" ORDER BY m.seq {_order(wanted)} LIMIT ?"
    )
    last = min(wanted.before_seq, connection.execute("SELECT seq FROM progress").get + 1) - 1
    buckets: Iterable[int] = range(wanted.from_seq >> BUCKET_BITS, (last >> BUCKET_BITS) + 1)
    found: list[int] = []
    for bucket in buckets if wanted.oldest_first else reversed(list(buckets)):
        left = wanted.limit - len(found)
        if left <= 0:
            break
        span = (bucket, keys[0], wanted.from_seq, wanted.before_seq)
        found += [seq for (seq,) in connection.execute(sql, (*span, *keys[1:], left))]
    return found


def _by_facets(
    connection: apsw.Connection, table: str, wanted: Wanted, facets: list[int] | None
) -> list[int]:
    span = (wanted.from_seq, wanted.before_seq)
    order = _order(wanted)
    if facets is None:
        sql = f"SELECT seq FROM {table} WHERE seq >= ? AND seq < ? ORDER BY seq {order} LIMIT ?"  # noqa: S608 - our words
        return [seq for (seq,) in connection.execute(sql, (*span, wanted.limit))]
    sql = (
        f"SELECT seq FROM {table} INDEXED BY {table}_facet"  # noqa: S608 - our words
        f" WHERE facet = ? AND seq >= ? AND seq < ? ORDER BY seq {order}"
    )
    # Each facet's rows come in order already; only as many are read as are needed.
    cursors = [connection.execute(sql, (facet, *span)) for facet in facets]
    merged = heapq.merge(*cursors, reverse=not wanted.oldest_first)
    try:
        return [seq for (seq,), _ in zip(merged, range(wanted.limit), strict=False)]
    finally:
        for cursor in cursors:
            cursor.close()  # an open one would hold its snapshot


def _order(wanted: Wanted) -> str:
    return "ASC" if wanted.oldest_first else "DESC"
