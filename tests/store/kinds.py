"""The kinds of stores that there are, and how tests make one of each."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import URL

import postgresql
from switchhook.journal.source import JournalSource
from switchhook.store import PostgresqlStore, SqliteStore

KINDS = ("sqlite", "postgresql")

AnyStore = SqliteStore | PostgresqlStore


class Stores:
    """Makes stores of one kind: in a folder, or in a database where one is given."""

    def __init__(self, folder: Path, database: URL | None = None) -> None:
        self._folder, self._database = folder, database
        self._held = ExitStack()
        self._made = 0

    def new(self, journal: JournalSource) -> AnyStore:
        """An empty store, open."""
        self._made += 1
        if self._database is None:
            store: AnyStore = SqliteStore(self._folder / f"store-{self._made}", journal)
        else:
            url = self._held.enter_context(postgresql.schema(self._database))
            store = PostgresqlStore(postgresql.text_of(url), journal)
        self._held.callback(store.close)
        store.open()
        return store

    def close(self) -> None:
        """Close them, and remove what is in the database."""
        self._held.close()
