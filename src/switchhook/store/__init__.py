"""The store: pointers into the journal, by what people look for. It can be thrown away and rebuilt.

`SqliteStore` is the one way in on one machine, `PostgresqlStore` that of many nodes; `rebuild`
makes the same store again. What a record changes, and where a search looks, is the same for both;
`sqlite/` and `postgresql/` have the tables (`tables.py` says what is asked of them).
"""

from switchhook.store.postgresql.store import PostgresqlStore
from switchhook.store.sqlite.rebuild import rebuild
from switchhook.store.sqlite.store import SqliteStore

__all__ = ["PostgresqlStore", "SqliteStore", "rebuild"]
