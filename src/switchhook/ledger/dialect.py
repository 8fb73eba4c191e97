"""SQLAlchemy's SQLite over apsw: `sqlite+apsw://`, for engines that bring their own `creator`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import apsw
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from switchhook.ledger import dbapi

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIModule, IsolationLevel

NAME = "sqlite+apsw"

_UNSURE = (
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.NotADBError,
)
"""After these a connection may not know its file any more; a new one may."""


class ApswDialect(SQLiteDialect):
    """SQLite with the transactions of `switchhook.ledger.dbapi`."""

    driver = "apsw"
    supports_statement_cache = True
    returns_native_bytes = True

    @classmethod
    def import_dbapi(cls) -> DBAPIModule:
        return cast("DBAPIModule", dbapi)

    def do_begin(self, dbapi_connection: Any) -> None:
        dbapi_connection.begin()

    def _get_server_version_info(self, _: Any) -> tuple[int, ...]:
        return dbapi.sqlite_version_info

    def get_isolation_level_values(self, _: Any) -> list[IsolationLevel]:
        return ["SERIALIZABLE", "AUTOCOMMIT"]

    def get_isolation_level(self, dbapi_connection: Any) -> IsolationLevel:
        return "AUTOCOMMIT" if dbapi_connection.autocommit else "SERIALIZABLE"

    def set_isolation_level(self, dbapi_connection: Any, level: IsolationLevel) -> None:
        dbapi_connection.autocommit = level == "AUTOCOMMIT"

    def detect_autocommit_setting(self, dbapi_connection: Any) -> bool:
        return bool(dbapi_connection.autocommit)

    def is_disconnect(self, error: BaseException, *_: object) -> bool:
        return isinstance(error.__cause__, _UNSURE)


registry.register("sqlite.apsw", __name__, ApswDialect.__name__)
