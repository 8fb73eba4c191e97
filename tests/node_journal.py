"""A node's own journal, written and read as the programs do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from patience import PATIENCE_S
from switchhook.cluster import tables
from switchhook.journal import JournalReader, JournalWriter
from switchhook.journal.receipt import RecordKind

NODE = 7
CLUSTER = "c1"


def make_cluster(connection: psycopg.Connection) -> None:
    """The tables of a cluster, as the first node that joins makes them."""
    tables.bring_up(connection)
    connection.execute("INSERT INTO cluster (one, id, key) VALUES (1, %s, '')", [CLUSTER])


class NodeJournal:
    """`write` gives the number of the last record; `reader` is what is handed over from."""

    def __init__(self, folder: Path, *, node: int = NODE, **settings: Any) -> None:
        self.folder, self.node = folder, node
        self._writer = JournalWriter(
            folder, node=node, notify=lambda call: call(), observe=lambda _: None, **settings
        )
        self.reader = JournalReader(folder)

    def write(
        self,
        bodies: list[bytes],
        *,
        at: int | None = None,
        asked: int | None = 5,
        option: int | None = 1,
        kind: RecordKind = RecordKind.PASSTHRU,
    ) -> int:
        at = time.time_ns() // 1_000_000 if at is None else at
        for place, body in enumerate(bodies):
            mono = time.monotonic_ns() // 1_000_000 + place
            self._writer.append(kind, at, body, mono=mono, asked=asked, option=option)
        assert self._writer.flush(PATIENCE_S)
        return self._writer.next_seq - 1

    def close(self) -> None:
        self.reader.close()
        self._writer.close()


@contextmanager
def node_journal(folder: Path, **settings: Any) -> Iterator[NodeJournal]:
    journal = NodeJournal(folder, **settings)
    try:
        yield journal
    finally:
        journal.close()
