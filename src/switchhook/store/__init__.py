"""The store: pointers into the journal, by what people look for. It can be thrown away and rebuilt.

`SqliteStore` is the one way in; `rebuild` makes the same store again.
"""

from switchhook.store.rebuild import rebuild
from switchhook.store.sqlite import SqliteStore

__all__ = ["SqliteStore", "rebuild"]
