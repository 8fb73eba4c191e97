"""Texts of any characters in PostgreSQL, which can't keep U+0000: it stands there in other words.

Loaded where there is a connection only: psycopg comes with `switchhook[postgres]`.
"""

from __future__ import annotations

from psycopg import Connection
from psycopg.types.string import StrDumperUnknown, TextLoader

_MARK = "\ue000"  # of private use
_MARK_ITSELF, _NUL = f"{_MARK}\ue001", f"{_MARK}\ue002"


class _Dumper(StrDumperUnknown):
    def dump(self, obj: str) -> bytes | bytearray | memoryview | None:
        return super().dump(escaped(obj))


class _Loader(TextLoader):
    def load(self, data: bytes | bytearray | memoryview) -> str | bytes:
        found = super().load(data)
        return unescaped(found) if isinstance(found, str) else found


def escaped(text: str) -> str:
    """As PostgreSQL can keep it; no two texts become one."""
    return text.replace(_MARK, _MARK_ITSELF).replace("\0", _NUL)


def unescaped(text: str) -> str:
    """As it was before `escaped`."""
    return text.replace(_NUL, "\0").replace(_MARK_ITSELF, _MARK)


def register(connection: object) -> None:
    """Let a connection write and read texts so."""
    assert isinstance(connection, Connection)
    connection.adapters.register_dumper(str, _Dumper)
    connection.adapters.register_loader("text", _Loader)
