"""Saved views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.access.audit_ledger import append
from switchhook.streams.search.saved_views import MOST_VIEWS, SavedView

if TYPE_CHECKING:
    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger

TABLES = """
CREATE TABLE saved_views (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  query TEXT NOT NULL,
  by TEXT NOT NULL,
  shared INTEGER NOT NULL,
  UNIQUE (by, name)
) STRICT;
"""


class SqliteViews:
    """`SavedViews` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def seen_by(self, who: str) -> list[SavedView]:
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT id, name, query, by, shared FROM saved_views WHERE by = ? OR shared"
                " ORDER BY name, id LIMIT ?",
                (who, 2 * MOST_VIEWS),
            )
            return [
                SavedView(id, name, query, by, bool(shared)) for id, name, query, by, shared in rows
            ]

    def save(self, view: SavedView, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as connection:
            others = connection.execute(
                "SELECT count(*) FROM saved_views WHERE (by = ? OR shared)"
                " AND NOT (by = ? AND name = ?)",
                (view.by, view.by, view.name),
            ).get
            if others >= MOST_VIEWS:
                return False
            connection.execute(
                "INSERT INTO saved_views (name, query, by, shared) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (by, name) DO UPDATE SET query = excluded.query,"
                " shared = excluded.shared",
                (view.name, view.query, view.by, int(view.shared)),
            )
            append(connection, deed, now_us)
            return True

    def remove(self, id: int, who: str | None, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as connection:
            connection.execute(
                "DELETE FROM saved_views WHERE id = ? AND (? IS NULL OR by = ?)", (id, who, who)
            )
            gone = connection.changes() > 0
            if gone:
                append(connection, deed, now_us)
            return gone
