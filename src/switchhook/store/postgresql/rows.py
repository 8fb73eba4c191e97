"""How the rows of a batch are written into PostgreSQL: by COPY, or a statement for each table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.store.batch import by_hour_and_facet
from switchhook.store.postgresql.statements import statement, storable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

    from switchhook.store.batch import Batch


class Writing:
    """Writes rows on a connection, within its transaction. Raises psycopg.Error."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def many(self, text: str, types: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement with a list for each column, as `%s::bigint[], …` takes the types."""
        columns = list(zip(*rows, strict=True))
        if columns:
            arrays = ", ".join(f"%s::{each}[]" for each in types.split())
            values = [list(column) for column in columns]
            self._connection.execute(statement(text.replace("UNNEST", f"unnest({arrays})")), values)

    def write(self, batch: Batch) -> None:
        """Write all rows but the tallies, which later ones may still move."""
        self._write_new(batch)
        # Nothing is read meanwhile, so that one way to the server and back is enough.
        with self._connection.pipeline():
            self._write_told(batch)
            self._write_beside(batch)
            self._count(batch)

    def _write_new(self, batch: Batch) -> None:
        """What no earlier batch can have: rows of records that are new, or were taken out."""
        mentions = (each for each in set(batch.mentions) if each[2] not in batch.retold)
        callers = (each for each in set(batch.callers) if each[2] not in batch.retold)
        self._copy("receipt (seq, facet, at)", batch.receipts)
        self._copy("mention (bucket, key, seq)", sorted(mentions))
        self._copy("caller (bucket, digits, seq)", sorted(callers))
        self._copy("key (bucket, key, seq)", sorted(batch.keys))
        stories = batch.stories
        streams = [(seq, facet, at, stories.get(seq)) for seq, (facet, at) in batch.streams.items()]
        self._copy("stream (seq, facet, at, story)", streams)

    def _copy(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        """Add rows by COPY, which takes half of what INSERT does."""
        if rows:
            text = statement(f"COPY store_{table} FROM STDIN")
            with self._connection.cursor() as cursor, cursor.copy(text) as copy:
                for row in rows:
                    copy.write_row(row)

    def _write_told(self, batch: Batch) -> None:
        """What is told of streams that an earlier batch has."""
        self.many(
            "UPDATE store_stream s SET facet = told.facet, story = told.story"
            " FROM UNNEST AS told (seq, facet, story) WHERE s.seq = told.seq",
            "bigint integer bytea",
            [(seq, facet, story) for seq, (facet, story) in batch.retold.items()],
        )
        self.many(
            "INSERT INTO store_mention SELECT * FROM UNNEST ON CONFLICT DO NOTHING",
            "integer bigint bigint",
            sorted(each for each in set(batch.mentions) if each[2] in batch.retold),
        )
        self.many(
            "INSERT INTO store_caller SELECT * FROM UNNEST ON CONFLICT DO NOTHING",
            "integer text bigint",
            sorted(each for each in set(batch.callers) if each[2] in batch.retold),
        )

    def _write_beside(self, batch: Batch) -> None:
        many = self.many
        many(
            "INSERT INTO store_late SELECT * FROM UNNEST"
            " ON CONFLICT (seq) DO UPDATE SET late_ms = excluded.late_ms",
            "bigint bigint",
            dict(batch.late).items(),
        )
        many(
            "INSERT INTO store_one_copy SELECT * FROM UNNEST ON CONFLICT DO NOTHING",
            "bigint",
            [(seq,) for seq in batch.one_copy],
        )
        many(
            "INSERT INTO store_displaced SELECT * FROM UNNEST"
            " ON CONFLICT (seq) DO UPDATE SET at = excluded.at",
            "bigint bigint",
            dict(batch.displaced).items(),
        )
        many(
            "INSERT INTO store_stretch AS s SELECT * FROM UNNEST ON CONFLICT (stretch) DO UPDATE"
            " SET low = least(s.low, excluded.low), high = greatest(s.high, excluded.high)",
            "integer bigint bigint",
            [(stretch, *times) for stretch, times in batch.times.items()],
        )
        many("INSERT INTO store_event SELECT * FROM UNNEST", "smallint bigint bigint",
             batch.events)  # fmt: skip
        many(
            "INSERT INTO store_quarantine SELECT * FROM UNNEST"
            " ON CONFLICT (seq) DO UPDATE SET reason = excluded.reason",
            "bigint text",
            [(seq, storable(reason)) for seq, reason in dict(batch.quarantine).items()],
        )

    def _count(self, batch: Batch) -> None:
        many = self.many
        many(
            "INSERT INTO store_counter AS c SELECT * FROM UNNEST"
            " ON CONFLICT (name) DO UPDATE SET count = c.count + excluded.count",
            "text bigint",
            [(storable(name), count) for name, count in batch.counters.items()],
        )
        for how, rows in (
            ("c.count + excluded.count", batch.counts.items()),
            ("greatest(c.count, excluded.count)", batch.peaks.items()),
        ):
            many(
                "INSERT INTO store_count AS c SELECT * FROM UNNEST"  # noqa: S608 - our words
                f" ON CONFLICT (minute, name) DO UPDATE SET count = {how}",
                "bigint text bigint",
                [(minute, storable(name), count) for (minute, name), count in rows],
            )
        many(
            "INSERT INTO store_rule_hour AS r SELECT * FROM UNNEST"
            " ON CONFLICT (hour, endpoint, release, rule, option)"
            " DO UPDATE SET hits = r.hits + excluded.hits",
            "bigint text text text text bigint",
            [(hour, *map(storable, key), count) for (hour, key), count in batch.hits.items()],
        )
        many(
            "INSERT INTO store_rule SELECT * FROM UNNEST"
            " ON CONFLICT (endpoint, release, rule, option)"
            " DO UPDATE SET last_at = excluded.last_at, last_seq = excluded.last_seq",
            "text text text text bigint bigint",
            [(*map(storable, key), *last) for key, last in batch.last_hits.items()],
        )

    def write_tallies(self, tallies: Counter[tuple[int, int]]) -> None:
        """Add to and take from minutes, hours and facets."""
        hours, facets = by_hour_and_facet(tallies)
        with self._connection.pipeline():
            for table, rows in (("minute", tallies), ("hour", hours)):
                self.many(
                    f"INSERT INTO store_{table} AS t SELECT * FROM UNNEST"  # noqa: S608 - our words
                    " ON CONFLICT (at, facet) DO UPDATE SET streams = t.streams + excluded.streams",
                    "bigint integer bigint",
                    sorted((*key, streams) for key, streams in rows.items() if streams),
                )
                self.many(
                    f"DELETE FROM store_{table} t USING UNNEST AS none (at, facet)"  # noqa: S608 - our words
                    " WHERE t.at = none.at AND t.facet = none.facet AND streams = 0",
                    "bigint integer",
                    [key for key, streams in rows.items() if streams < 0],
                )
            self.many(
                "UPDATE store_facet f SET streams = f.streams + more.streams"
                " FROM UNNEST AS more (id, streams) WHERE f.id = more.id",
                "integer bigint",
                sorted((facet, streams) for facet, streams in facets.items() if streams),
            )
