"""Saved views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, Table, UniqueConstraint, and_, delete, func, or_, select

from switchhook.access.audit_ledger import append
from switchhook.ledger.sql import STRICT, Flag, Number, Text, upsert
from switchhook.streams.search.saved_views import MOST_VIEWS, SavedView

if TYPE_CHECKING:
    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger

TABLES = MetaData()
_views = Table(
    "saved_views",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("shared", Flag, nullable=False),
    UniqueConstraint("by", "name"),
    **STRICT,
)


class LedgerViews:
    """`SavedViews` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def seen_by(self, who: str) -> list[SavedView]:
        asked = (
            select(_views.c.id, _views.c.name, _views.c.query, _views.c.by, _views.c.shared)
            .where(or_(_views.c.by == who, _views.c.shared))
            .order_by(_views.c.name, _views.c.id)
            .limit(2 * MOST_VIEWS)
        )
        with self._ledger.reading() as connection:
            return [SavedView(*row) for row in connection.execute(asked)]

    def save(self, view: SavedView, deed: Deed, now_us: int) -> bool:
        same = and_(_views.c.by == view.by, _views.c.name == view.name)
        others = (
            select(func.count())
            .select_from(_views)
            .where(or_(_views.c.by == view.by, _views.c.shared), ~same)
        )
        with self._ledger.writing() as connection:
            if connection.execute(others).scalar_one() >= MOST_VIEWS:
                return False
            kept = upsert(connection, _views).values(
                name=view.name, query=view.query, by=view.by, shared=view.shared
            )
            changed = {"query": kept.excluded.query, "shared": kept.excluded.shared}
            connection.execute(
                kept.on_conflict_do_update(index_elements=["by", "name"], set_=changed)
            )
            append(connection, deed, now_us)
            return True

    def remove(self, id: int, who: str | None, deed: Deed, now_us: int) -> bool:
        removed = delete(_views).where(_views.c.id == id)
        if who is not None:
            removed = removed.where(_views.c.by == who)
        with self._ledger.writing() as connection:
            gone = connection.execute(removed).rowcount > 0
            if gone:
                append(connection, deed, now_us)
            return gone
