"""The tables in PostgreSQL, as folding, retention and erasure ask and change them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import astuple

from switchhook.errors import ClusterError, SwitchhookError
from switchhook.store.placing import decode_axis, encode_axis
from switchhook.store.postgresql import deletion
from switchhook.store.postgresql.statements import (
    is_bad_value,
    restored,
    rows_of,
    statement,
    storable,
)
from switchhook.store.postgresql.story_tables import PostgresqlStoryTables
from switchhook.store.tables import Progress
from switchhook.streams.facet import Facet

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from psycopg import Connection

    from switchhook.postgresql_server import Fence
    from switchhook.store.batch import Batch


class MovedError(ClusterError):
    """Another leader folded meanwhile, or the tables were begun anew: nothing was written."""

    def __init__(self, database: str) -> None:
        problem = "the store moved on meanwhile, and nothing was written"
        super().__init__(database, problem, "nothing: it is read anew")


class PostgresqlFoldTables(PostgresqlStoryTables):
    """The tables on the connection of the one that folds: `store.tables.FoldTables`.

    Each transaction begins with the fence and with a look at how far the tables are: what another
    leader folded is not folded again.
    """

    def __init__(self, connection: Connection[Any], name: str, fence: Fence | None) -> None:
        super().__init__(connection)
        self._name, self._fence = name, fence
        self._at: tuple[int, str] = self._where()

    def _where(self, how: str = "") -> tuple[int, str]:
        ((seq, made),) = rows_of(self._connection, f"SELECT seq, made FROM store_progress{how}")  # noqa: S608 - our words
        return seq, made

    def progress(self) -> Progress:
        ((node, seq, at, newest, blob),) = rows_of(
            self._connection, "SELECT node, seq, at, newest, axis FROM store_progress"
        )
        axis = None if blob is None else decode_axis(blob)
        return Progress(node, seq, at, newest, axis)

    @contextmanager
    def writing(self) -> Iterator[None]:
        before = self._at
        try:
            with self._connection.transaction():
                if self._fence is not None:
                    self._fence.hold(self._connection)
                self._expect(before)
                yield
        except BaseException:
            self._at = before
            raise

    def _expect(self, at: tuple[int, str]) -> None:
        """Raises MovedError where the tables are not where they were."""
        if self._where(" FOR UPDATE") != at:
            raise MovedError(self._name)

    def is_circumstance(self, error: Exception) -> bool:
        import psycopg

        if isinstance(error, SwitchhookError):
            return True
        return isinstance(error, psycopg.Error) and not is_bad_value(error)

    def find_facet(self, facet: Facet) -> int | None:
        rows = rows_of(
            self._connection,
            "SELECT id FROM store_facet WHERE endpoint = %s AND status = %s AND cause = %s"
            " AND option = %s AND kind = %s AND host = %s AND exophone = %s",
            *map(storable, astuple(facet)),
        )
        return rows[0][0] if rows else None

    def add_facet(self, facet: Facet) -> int:
        ((number,),) = rows_of(
            self._connection,
            "INSERT INTO store_facet (endpoint, status, cause, option, kind, host, exophone)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
            *map(storable, astuple(facet)),
        )
        return int(number)

    def count_facets(self) -> int:
        ((count,),) = rows_of(self._connection, "SELECT count(*) FROM store_facet")
        return int(count)

    def form_values(self, hour: int, endpoint: str, aspect: str) -> set[str]:
        rows = rows_of(
            self._connection,
            "SELECT value FROM store_form WHERE hour = %s AND endpoint = %s AND aspect = %s",
            *(hour, storable(endpoint), aspect),
        )
        return {restored(value) for (value,) in rows}

    def write_forms(self, rows: Mapping[tuple[int, str, str, str], int]) -> None:
        self._writing.many(
            "INSERT INTO store_form AS f SELECT * FROM UNNEST"
            " ON CONFLICT (hour, endpoint, aspect, value)"
            " DO UPDATE SET count = f.count + excluded.count",
            "bigint text text text bigint",
            [(hour, *map(storable, words), count) for (hour, *words), count in rows.items()],
        )

    def write(self, batch: Batch) -> None:
        self._writing.write(batch)

    def write_tallies(self, tallies: Counter[tuple[int, int]]) -> None:
        self._writing.write_tallies(tallies)

    def advance(self, progress: Progress) -> None:
        axis = None if progress.axis is None else encode_axis(progress.axis)
        self._connection.execute(
            statement(
                "UPDATE store_progress SET node = %s, seq = %s, at = %s, newest = %s, axis = %s,"
                " used_at = clock_timestamp()"
            ),
            (progress.node, progress.seq, progress.at, progress.newest_ms, axis),
        )
        self._at = (progress.seq, self._at[1])


class PostgresqlTables(PostgresqlFoldTables):
    """The tables as retention and erasure change them, too: `store.tables.KeptTables`."""

    def of_same_calls(self, seqs: Sequence[int]) -> list[int]:
        return deletion.of_same_calls(self._connection, seqs)

    def records_of_number(self, number: str) -> list[int]:
        return deletion.records_of_number(self._connection, number)

    def quarantined_among(self, seqs: Sequence[int]) -> dict[int, str]:
        rows = rows_of(
            self._connection,
            "SELECT seq, reason FROM store_quarantine WHERE seq = ANY(%s::bigint[])",
            list(seqs),
        )
        return {seq: restored(reason) for seq, reason in rows}

    def placed(self, seqs: Iterable[int]) -> dict[int, int]:
        rows = rows_of(
            self._connection,
            "SELECT seq, at FROM store_displaced WHERE seq = ANY(%s::bigint[])",
            list(seqs),
        )
        return dict(rows)

    def take_out(self, seqs: Sequence[int]) -> list[tuple[int, int]]:
        return deletion.take_out(self._connection, seqs)

    def drop_before(self, seq: int, at: int) -> list[tuple[int, int]]:
        return deletion.drop_before(self._connection, seq, at)

    def drop_unused_facets(self) -> None:
        deletion.drop_unused_facets(self._connection)

    def oldest_kept(self, before_ms: int, most: int, newest_ms: int) -> tuple[int, int]:
        return deletion.oldest_kept(self._connection, before_ms, most, newest_ms)

    def untold(self, after_seq: int, before_seq: int, limit: int) -> list[int]:
        rows = rows_of(
            self._connection,
            "SELECT seq FROM store_stream WHERE seq > %s AND seq < %s AND story IS NULL"
            " ORDER BY seq LIMIT %s",
            *(after_seq, before_seq, limit),
        )
        return [seq for (seq,) in rows]
