"""Keeps the view of the cluster that pages, figures and alarms are made of, read each second."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.cluster.database_clock import steady_s
from switchhook.cluster.view import ClusterView
from switchhook.cluster.view_queries import read_view
from switchhook.errors import ClusterError
from switchhook.postgresql_server import connect, explained, load, url_of
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from switchhook.postgresql_server import Url

log = logging.getLogger("switchhook")

_LOOK_S = 1.0
BREAK_S = 5.0
"""Two looks that are further apart than this don't tell of the time between."""
_LIMIT_S, _SILENT_S = 5, 7.0


class ClusterWatch:
    """Reads the view by a connection of its own, from `start` to `stop`.

    While the database is away the view stays the last one, with the problem and since when: what it
    says grows old, and says so. Nodes that could not reach it meanwhile have time to come back
    (`reached_s`), also where it was us who could not look, as we were frozen or had not begun.
    """

    def __init__(
        self, url: Url, now_ms: Callable[[], int], now_s: Callable[[], float] = steady_s
    ) -> None:
        self._url, self._now_ms, self._now_s = url, now_ms, now_s
        self._view = ClusterView()
        self._reached_s = self._looked_s = -math.inf
        self._connection: Connection[Any] | None = None
        self._repeating = Repeating("cluster-watch", self._step, every_s=_LOOK_S, failed=_failed)

    def now(self) -> ClusterView:
        """The last view, and why it is not newer."""
        return self._view

    def problems(self) -> tuple[str, ...]:
        """As a part of a node: nothing of its own, as the alarm says it."""
        return ()

    def start(self) -> None:
        self._repeating.start()

    def stop(self) -> None:
        self._repeating.stop(None)
        self._close()

    def look(self) -> ClusterView:
        """Read it now."""
        now_ms, before = self._now_ms(), self._view
        try:
            with explained(self._url):
                if self._connection is None:
                    self._connection = connect(
                        self._url, "watch", silent_s=_SILENT_S, options=_options(self._url)
                    )
                view = read_view(self._connection, now_ms)
                self._view = msgspec.structs.replace(view, reached_s=self._reached())
        except ClusterError as error:
            self._close()
            since_ms = before.since_problem_ms if before.problem else now_ms
            self._view = msgspec.structs.replace(
                before, problem=error.problem, since_problem_ms=since_ms
            )
        return self._view

    def _reached(self) -> float:
        """For how long each look, until this one, has found the database there."""
        now_s = self._now_s()
        if now_s - self._looked_s > BREAK_S:
            self._reached_s = now_s
        self._looked_s = now_s
        return now_s - self._reached_s

    def _step(self) -> None:
        self.look()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _failed(error: Exception) -> None:
    log.error("the cluster could not be looked at; it is tried again", exc_info=error)


def _options(url: Url) -> str:
    """No look takes long: a server that hangs is as good as away."""
    load()
    from psycopg.conninfo import conninfo_to_dict

    given = str(conninfo_to_dict(url_of(url)).get("options", "") or "")
    return f"{given} -c statement_timeout={_LIMIT_S}s".strip()
