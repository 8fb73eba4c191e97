"""Connections to the store's database: one that writes, and a few that any thread reads by."""

from __future__ import annotations

import select
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from switchhook.postgresql_server import SILENT_S, connect, is_lost
from switchhook.shared_connections import Sharing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from switchhook.postgresql_server import Url

_WRITES_S = 300.0
"""What is written may take so long: what is removed in one go may be much."""
MOST_READERS = 8
"""So many read at once; others wait for one of them."""
_PATIENCE_S = 10.0
"""For so long: a search takes half of it at most."""

# Each statement has an index to go by; what the planner knows of tables that grow all the time is
# old, and a compiled plan would take longer than what it runs.
_BY_INDEX = """
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
SET client_encoding = 'UTF8'; SET plan_cache_mode = force_custom_plan;
"""
# What a fold writes is folded again where a failing server forgets it: nothing waits for a standby.
_WRITES = """
SET synchronous_commit = off; SET lock_timeout = '10s'; SET plan_cache_mode = auto;
"""
_READS = "SET default_transaction_read_only = on; SET statement_timeout = '30s';"


def connect_writing(url: Url) -> Connection[Any]:
    """The connection that folds. Raises ClusterError, psycopg.Error."""
    return _connected(url, "fold", _BY_INDEX + _WRITES, _WRITES_S)


def _connected(url: Url, part: str, settings: str, silent_s: float = SILENT_S) -> Connection[Any]:
    connection = connect(url, part, silent_s=silent_s)
    try:
        connection.execute(settings.encode())
    except BaseException:
        connection.close()
        raise
    return connection


class Readers:
    """Connections that only read, lent to one thread at a time."""

    def __init__(self, url: Url) -> None:
        self._url = url
        self._sharing, self._lock = Sharing(), threading.Lock()
        self._idle: list[Connection[Any]] = []
        self._room = threading.BoundedSemaphore(MOST_READERS)

    @contextmanager
    def lent(self) -> Iterator[Connection[Any]]:
        """A connection; each statement is a transaction of its own. Raises ClusterError.

        TimeoutError where all are lent for long.
        """
        if not self._room.acquire(timeout=_PATIENCE_S):
            raise TimeoutError
        try:
            with self._sharing.one(), self._one() as connection:
                yield connection
        finally:
            self._room.release()

    @contextmanager
    def _one(self) -> Iterator[Connection[Any]]:
        connection = self._taken() or _connected(self._url, "pages", _BY_INDEX + _READS)
        try:
            yield connection
        except Exception as error:
            if is_lost(error):
                self.close()  # those that wait have lost their server, too
            raise
        finally:
            self._give_back(connection)

    def _taken(self) -> Connection[Any] | None:
        """One that waits and is still connected."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not _says_something(connection):
                return connection
            connection.close()

    def _give_back(self, connection: Connection[Any]) -> None:
        from psycopg.pq import TransactionStatus

        if connection.info.transaction_status is TransactionStatus.IDLE:
            with self._lock:
                self._idle.append(connection)
                spare = self._idle[: -self._sharing.open]
                del self._idle[: -self._sharing.open]
            for each in spare:
                each.close()
        else:
            connection.close()

    def close(self) -> None:
        """Close those that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _says_something(connection: Connection[Any]) -> bool:
    """Whether a connection is gone: unasked, a server only speaks to say good-bye."""
    with suppress(OSError, ValueError):
        return bool(select.select([connection.fileno()], [], [], 0)[0])
    return True
