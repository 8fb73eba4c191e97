"""How the store's statements reach PostgreSQL.

In their text tables are called `store_…`; their names have the version, as in `store6_stream`, so
that an old and a new release keep their own beside each other.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from switchhook.store.tables import VERSION

if TYPE_CHECKING:
    from psycopg import Connection

PREFIX = f"store{VERSION}_"

_BAD_VALUE = ("22", "23", "54")
"""Classes of errors that say that a value can't be written, whatever is around it."""


@lru_cache(maxsize=256)
def statement(text: str) -> bytes:
    """A statement as the server gets it."""
    return text.replace("store_", PREFIX).encode()


def rows_of(connection: Connection[Any], text: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query finds."""
    return connection.execute(statement(text), values or None, binary=True).fetchall()


def is_bad_value(error: Exception) -> bool:
    """Whether a value is what PostgreSQL refused."""
    import psycopg

    if not isinstance(error, psycopg.Error):
        return False
    return isinstance(error, psycopg.DataError) or (error.sqlstate or "")[:2] in _BAD_VALUE


_MARK, _NUL = "\x1a", "\x00"


def storable(text: str) -> str:
    """A text in which nothing is that PostgreSQL can't keep; `restored` gives it back."""
    if _NUL not in text and _MARK not in text:
        return text
    return text.replace(_MARK, _MARK + "1").replace(_NUL, _MARK + "0")


def restored(text: str) -> str:
    """A text as it was."""
    if _MARK not in text:
        return text
    return text.replace(_MARK + "0", _NUL).replace(_MARK + "1", _MARK)
