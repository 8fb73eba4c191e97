"""The table with a ledger's own id; `belonging` says what it is for, and needs no SQLAlchemy."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, Table, event, insert

from switchhook.ledger.sql import STRICT, Text

if TYPE_CHECKING:
    from sqlalchemy import Connection

TABLES = MetaData()
_belonging = Table("belonging", TABLES, Column("id", Text, nullable=False), **STRICT)


@event.listens_for(TABLES, "after_create")
def _begin(_: MetaData, connection: Connection, **__: object) -> None:
    """Give a new ledger its id."""
    connection.execute(insert(_belonging).values(id=secrets.token_hex(16)))
