"""A few connections to the nodes' database, for many threads that read."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from switchhook.errors import ClusterError
from switchhook.postgresql_server import connect, explained, is_lost, name_of
from switchhook.shared_connections import Sharing

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from switchhook.postgresql_server import Url

T = TypeVar("T")

_PATIENCE_S = 10.0
_SETTINGS = "SET statement_timeout = '30s'"


class Connections:
    """At most `most` connections; any thread may ask. Raises ClusterError.

    `part` is what they are for; `settings` is what each is told when it is new, beside a limit for
    what a statement may take.
    """

    def __init__(self, url: Url, part: str, most: int = 4, *, settings: str = "") -> None:
        self._url, self._part = url, part
        self._settings = "; ".join(filter(None, (_SETTINGS, settings)))
        self._free = threading.BoundedSemaphore(most)
        self._sharing, self._lock = Sharing(), threading.Lock()
        self._idle: list[Connection[Any]] = []

    def ask(self, question: Callable[[Connection[Any]], T]) -> T:
        """Ask by a connection; once more by a new one where an old one proves to be lost.

        `question` only reads, as it may be asked twice.
        """
        if not self._free.acquire(timeout=_PATIENCE_S):
            problem = f"all its connections were busy for {_PATIENCE_S:.0f} s"
            raise ClusterError(name_of(self._url), problem, "look for what holds its server up")
        try:
            with self._sharing.one():
                return self._answer(question)
        finally:
            self._free.release()

    def _answer(self, question: Callable[[Connection[Any]], T]) -> T:
        known = self._known()
        if known is not None:
            try:
                return self._asked(known, question)
            except ClusterError as error:
                if not isinstance(error.__cause__, Exception) or not is_lost(error.__cause__):
                    raise
        return self._asked(self._new(), question)

    def close(self) -> None:
        """Close those that nobody uses; a later question opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            _close(each)

    def _known(self) -> Connection[Any] | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _new(self) -> Connection[Any]:
        connection = connect(self._url, self._part)
        try:
            with explained(self._url):
                connection.execute(self._settings.encode())
        except BaseException:
            _close(connection)
            raise
        return connection

    def _asked(self, connection: Connection[Any], question: Callable[[Connection[Any]], T]) -> T:
        try:
            with explained(self._url):
                found = question(connection)
        except BaseException as error:
            _close(connection)
            cause = error.__cause__
            if isinstance(cause, Exception) and is_lost(cause):
                self.close()  # the others go to the same server
            raise
        with self._lock:
            self._idle.append(connection)
            spare = self._idle[: -self._sharing.open]
            del self._idle[: -self._sharing.open]
        for each in spare:
            _close(each)
        return found


def _close(connection: Connection[Any]) -> None:
    with suppress(Exception):  # nothing is waited for on it
        connection.close()
