"""The database that nodes share, with receipts as their shippers hand them over."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from switchhook.cluster import tables
from switchhook.cluster.days import day_of, table_of
from switchhook.cluster.partitions import make_days
from switchhook.cluster.placing import Placed, place_some
from switchhook.exotel.times import DAY_MS
from switchhook.journal.segment import Record, content_hash
from switchhook.postgresql_server import Fence, connect

EPOCH = 1
_COLUMNS = "node, seq, at, segment, kind, mono, asked, option, body, damage, hash"
FENCE = Fence(EPOCH)


def now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def record(seq: int, at: int, body: bytes = b"a body", kind: int = 4000, **more: Any) -> Record:
    """One of a kind that nobody reads, with its node's own number."""
    given: dict[str, Any] = {"mono": None, "asked": None, "option": None, **more}
    return Record(seq=seq, kind=kind, at=at, body=body, **given)


class Shared:
    """A schema with the nodes' tables, led by node 1 in epoch 1."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = connect(url)
        tables.bring_up(self.connection)
        self.connection.execute(
            "INSERT INTO cluster_lease VALUES"
            " (%s, 1, clock_timestamp(), clock_timestamp() + interval '1 hour')",
            (EPOCH,),
        )

    def node(self, node: int, name: str = "", clock_ms: int = 0, state: str = "active") -> None:
        """Take a node in, or note how its clock is; one that left does not run."""
        self.connection.execute(
            "INSERT INTO cluster_node (node, name, release, clock_ms, state, seen_at)"
            " VALUES (%s, %s, '', %s, %s, clock_timestamp() - make_interval(secs => %s))"
            " ON CONFLICT (node) DO UPDATE SET clock_ms = excluded.clock_ms,"
            " state = excluded.state, seen_at = excluded.seen_at",
            (node, name or f"node {node}", clock_ms, state, 60 if state == "left" else 0),
        )

    def partition(self, at: int) -> str:
        """See to the table of the day of a time; gives its name."""
        make_days(self.connection, [day_of(at)])
        return table_of(day_of(at))

    def hand_over(
        self,
        node: int,
        records: Sequence[Record],
        by: Connection[Any] | None = None,
        undated: bool = False,
        clock_ms: int = 0,
    ) -> None:
        """What a shipper does in one transaction, which is open still where `by` has one."""
        for at in {each.at - each.at % DAY_MS for each in records if not undated}:
            self.partition(at)
        into = "cluster_receipt_undated" if undated else "cluster_receipt"
        rows = [_row(node, each) for each in records]
        connection = by or self.connection
        connection.execute(
            "INSERT INTO cluster_handed (node, seq, segment, hash) VALUES (%s, 0, '', 0)"
            " ON CONFLICT DO NOTHING",
            (node,),
        )
        connection.execute("SELECT 1 FROM cluster_handed WHERE node = %s FOR UPDATE", (node,))
        copied = f"COPY {into} ({_COLUMNS}) FROM STDIN"
        with connection.cursor() as cursor, cursor.copy(copied) as copy:
            for row in rows:
                copy.write_row(row)
        connection.execute(
            "UPDATE cluster_handed SET seq = %s, segment = 's', hash = %s, clock_ms = %s"
            " WHERE node = %s",
            (rows[-1][1], rows[-1][-1], clock_ms, node),
        )

    def place(self, most: int = 2000) -> list[Placed]:
        """Give everything its place; what each step said."""
        with closing(connect(self.url)) as leader:
            found = [place_some(leader, FENCE, most)]
            while found[-1].more:
                found.append(place_some(leader, FENCE, most))
            return found

    def places(self) -> list[tuple[int, int, int]]:
        """Place, node and number of all."""
        return self.connection.execute(
            "SELECT place, node, seq FROM cluster_place ORDER BY place"
        ).fetchall()

    def close(self) -> None:
        self.connection.close()


def _row(node: int, each: Record) -> tuple[Any, ...]:
    hash = content_hash(each.seq, each.kind, each.at, each.mono, each.asked, each.option, each.body)
    return (
        *(node, each.seq, each.at, "s", each.kind, each.mono, each.asked, each.option),
        *(each.body, each.damage, hash),
    )
