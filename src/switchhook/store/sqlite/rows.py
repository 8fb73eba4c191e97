"""How the rows of a batch are written into the store's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.store.batch import by_hour_and_facet

if TYPE_CHECKING:
    from collections import Counter

    import apsw

    from switchhook.store.batch import Batch


def write(connection: apsw.Connection, batch: Batch) -> None:
    """Write all rows but the tallies, which later ones may still move."""
    many, stories = connection.executemany, batch.stories
    many("INSERT INTO receipt VALUES (?, ?)", [each[:2] for each in batch.receipts])
    many("INSERT OR IGNORE INTO mention VALUES (?, ?, ?)", sorted(batch.mentions))
    many("INSERT OR IGNORE INTO caller VALUES (?, ?, ?)", sorted(batch.callers))
    many(
        "INSERT INTO stream VALUES (?, ?, ?, ?)",
        [(seq, facet, at, stories.get(seq)) for seq, (facet, at) in batch.streams.items()],
    )
    many(
        "UPDATE stream SET facet = ?, story = ? WHERE seq = ?",
        [(facet, story, seq) for seq, (facet, story) in batch.retold.items()],
    )
    many("INSERT INTO stream_key VALUES (?, ?, ?)", sorted(batch.keys))
    many("INSERT OR REPLACE INTO late VALUES (?, ?)", batch.late)
    many("INSERT OR IGNORE INTO one_copy VALUES (?)", [(seq,) for seq in batch.one_copy])
    many("INSERT OR REPLACE INTO displaced VALUES (?, ?)", batch.displaced)
    many("INSERT OR REPLACE INTO turn VALUES (?, ?)", batch.turns)
    many("INSERT INTO event VALUES (?, ?)", [each[:2] for each in batch.events])
    many("INSERT OR REPLACE INTO quarantine VALUES (?, ?)", batch.quarantine)
    _count(connection, batch)


def _count(connection: apsw.Connection, batch: Batch) -> None:
    many = connection.executemany
    many(
        "INSERT INTO counter VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        batch.counters.items(),
    )
    many(
        "INSERT INTO count VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [(*key, count) for key, count in batch.counts.items()],
    )
    many(
        "INSERT INTO count VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET count = max(count, excluded.count)",
        [(*key, count) for key, count in batch.peaks.items()],
    )
    many(
        "INSERT INTO rule_hour VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET hits = hits + excluded.hits",
        [(hour, *key, count) for (hour, key), count in batch.hits.items()],
    )
    many(
        "INSERT OR REPLACE INTO rule VALUES (?, ?, ?, ?, ?, ?)",
        [(*key, *last) for key, last in batch.last_hits.items()],
    )


def write_tallies(connection: apsw.Connection, tallies: Counter[tuple[int, int]]) -> None:
    """Add to and take from minutes, hours and facets."""
    hours, facets = by_hour_and_facet(tallies)
    for table, rows in (("minute", tallies), ("hour", hours)):
        connection.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?)"  # noqa: S608 - our words
            " ON CONFLICT DO UPDATE SET streams = streams + excluded.streams",
            [(*key, streams) for key, streams in rows.items() if streams],
        )
        connection.executemany(
            f"DELETE FROM {table} WHERE at = ? AND facet = ? AND streams = 0",  # noqa: S608 - our words
            [key for key, streams in rows.items() if streams < 0],
        )
    connection.executemany(
        "UPDATE facet SET streams = streams + ? WHERE id = ?",
        [(streams, facet) for facet, streams in facets.items() if streams],
    )
