"""The journal followed and handed over for as long as it takes, whatever the database does.

A commit that waits for a standby is never cancelled: that would end the wait, not undo the commit,
and PostgreSQL would say that it succeeded. No timeout of the server's ends it either. So whoever
waits gets a thread, and after a while a second connection is tried, which finds the new primary if
there is one by now, and else what the first one waits for. Where that waits, too, there is no
third: each takes a place at the server.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from switchhook.cluster.database_clock import steady_s, wall_ms
from switchhook.cluster.hand_over import HandOver, MovedError
from switchhook.cluster.hand_over_state import HandOverState
from switchhook.cluster.lease import ANSWER_S
from switchhook.errors import ClusterError, DivergedError, JournalError
from switchhook.exotel.times import IST
from switchhook.postgresql_server import connect, explained, is_silent, speaks

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from switchhook.cluster.hand_over import OwnJournal
    from switchhook.postgresql_server import Url

log = logging.getLogger(__name__)

POLL_S = 0.05
"""The journal is looked at so often where nobody says that something came."""
HANG_S = 3.0
"""After so long a second connection is tried beside one that waits."""
MOST_WAITING = 2
"""Connections that may wait at a time."""
FIRST_PAUSE_S, LONGEST_PAUSE_S, CONFLICT_PAUSE_S = 0.05, 2.0, 10.0
SETTLE_S = 5.0
"""After so long without a record the database is told that it has all."""
REST_S = 30.0
"""And after so long whether it still has: one that was restored lacks some. Where its server ended
the connection, it is asked at once."""
_TOUCH_S = 0.2  # before it is asked again whether a standby has what none had

_WAITS = "a commit waits for a standby of the database: nothing new is kept twice meanwhile"
_SLOW = "the database takes long: what was handed over waits there since {at}"
_SILENT = "the database has answered nothing since {at}"
_HELD = "an earlier hand-over of this node still holds its place"
_LOCK_NOT_AVAILABLE = "55P03"
_STANDBY = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event = 'SyncRep'"""


class Shipping:
    """Hands a journal over, from `start` to `stop`. Any thread may call it.

    `cluster` is the id of that which `node` belongs to.
    `kept` is called in a thread of its own with the seq up to which all is kept twice; a lower one
    than before where the database was set back. `mono_s` is a clock that never steps, `state` how
    far it was before.
    """

    def __init__(
        self,
        url: Url,
        journal: OwnJournal,
        node: int,
        cluster: str,
        *,
        kept: Callable[[int], None],
        mono_s: Callable[[], float] = steady_s,
        hang_s: float = HANG_S,
        settle_s: float = SETTLE_S,
        rest_s: float = REST_S,
        state: HandOverState = HandOverState(),  # noqa: B008 - it is frozen
    ) -> None:
        self.url, self.journal, self.node, self.cluster = url, journal, node, cluster
        self.mono_s, self._kept, self._hang_s = mono_s, kept, hang_s
        self.settle_s, self.rest_s = settle_s, rest_s
        self.wake, self._changed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._attempts: list[_Attempt] = []
        self._state = state
        self._pause, self._stopping = FIRST_PAUSE_S, False
        self._thread = threading.Thread(target=self._run, name="hand-over", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Begin nothing more. What waits for a standby is left alone, and counts for nobody."""
        self._stopping = True
        with self._lock:
            attempts = list(self._attempts)
            for attempt in attempts:
                attempt.over = True
        self.wake.set()
        self._changed.set()
        end = time.monotonic() + timeout
        for thread in (self._thread, *attempts):
            thread.join(max(end - time.monotonic(), 0.0))

    @property
    def state(self) -> HandOverState:
        """How it stands."""
        return self._state

    def hint(self) -> None:
        """Say that something came."""
        self.wake.set()

    def handed(self, attempt: _Attempt, seq: int, *, clean: bool) -> None:
        """Note what an attempt has done: of two the first that does something goes on."""
        with self._lock:
            if attempt.over:
                return
            for other in self._attempts:
                other.over = other is not attempt
            self._pause = FIRST_PAUSE_S
            if self._state.problem:
                log.info("the journal is handed over again")
            kept = seq if clean else self._state.kept_twice
            self._state = HandOverState("", 0, seq, kept)
            if clean:
                self._kept(seq)

    def failed(self, attempt: _Attempt, error: Exception) -> None:
        """Note what ended an attempt."""
        conflict = isinstance(error, DivergedError)
        with self._lock:
            if attempt.over:
                return
            if conflict:
                self._next = self.mono_s() + CONFLICT_PAUSE_S
            if len(self._attempts) == 1:
                held = getattr(error.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE
                self._say(attempt.held_by if held else str(error), conflict=conflict)
            elif attempt.reached:
                return  # that the first one still waits was said
            elif is_silent(error.__cause__):
                self._say_since(_SILENT)
            else:
                self._say(str(error))

    def first_waits(self, attempt: _Attempt) -> int | None:
        """The number of the server's process that an earlier attempt waits for; None of none."""
        with self._lock:
            first = self._attempts[0]
            return first.pid if first is not attempt and first.waits(self.mono_s()) else None

    def found(self, attempt: _Attempt, *, standby: bool) -> None:
        """Hear from a later attempt whether the first one waits for a standby."""
        with self._lock:
            if not attempt.over and self._attempts[0] is not attempt:
                self._say_since(_WAITS if standby else _SLOW)

    def ended(self, attempt: _Attempt) -> None:
        with self._lock:
            self._attempts.remove(attempt)
        self._changed.set()

    def _run(self) -> None:
        self._next = self.mono_s()
        while not self._stopping:
            with self._lock:
                again = self._again()
                attempt = _Attempt(self) if again else None
                if attempt is not None:
                    self._attempts.append(attempt)
                    self._next = self.mono_s() + self._pause
                    self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
            if attempt is not None:
                attempt.start()
            self._changed.wait(max(min(self._next - self.mono_s(), 0.25), 0.02))
            self._changed.clear()

    def _again(self) -> bool:
        """Whether it is time for another connection."""
        now = self.mono_s()
        waiting = [each for each in self._attempts if each.waits(now) >= self._hang_s]
        if all(each.waits(now) >= ANSWER_S for each in self._attempts) and len(waiting) > 1:
            self._say_since(_SILENT)
        free = len(waiting) == len(self._attempts) < MOST_WAITING
        return free and now >= self._next and not self._stopping

    def _say_since(self, problem: str) -> None:
        """Say what the first attempt waits for, and since when it does."""
        since_ms = wall_ms() - round(self._attempts[0].waits(self.mono_s()) * 1000)
        at = datetime.fromtimestamp(since_ms / 1000, IST)
        self._say(problem.format(at=f"{at:%H:%M} IST"), since_ms)

    def _say(self, problem: str, since_ms: int = 0, *, conflict: bool = False) -> None:
        old = self._state
        if problem != old.problem:
            log.error("the journal can't be handed over, and waits: %s", problem)
            since = old.since_ms or since_ms or wall_ms()
            self._state = HandOverState(problem, since, old.handed, old.kept_twice, conflict)


class _Attempt(threading.Thread):
    """One connection, from its beginning to its end.

    `over` is whether another one goes on, `reached` whether its server has answered anything; `pid`
    is the number of that one's process.
    """

    def __init__(self, shipping: Shipping) -> None:
        super().__init__(name="hand-over-connection", daemon=True)
        self._shipping = shipping
        self._since: float | None = None
        self.over = self.reached = False
        self.pid = 0
        self.held_by = _HELD
        """What is to be said where something else holds this node's row."""

    def waits(self, now: float) -> float:
        """For how many seconds it has waited for the database; to connect has bounds of its own."""
        since = self._since
        return 0.0 if since is None else now - since

    def run(self) -> None:
        shipping = self._shipping
        try:
            with (
                explained(shipping.url),
                closing(connect(shipping.url, "shipper", silent_s=None)) as connection,
            ):
                self._look(connection)
                hand_over = HandOver(
                    connection,
                    shipping.journal,
                    shipping.node,
                    shipping.cluster,
                    now_ms=wall_ms,
                    mono_ms=lambda: int(shipping.mono_s() * 1000),
                )
                self._ship(connection, hand_over)
        except (ClusterError, JournalError) as error:
            shipping.failed(self, error)
        finally:
            shipping.ended(self)

    def _look(self, connection: Connection[Any]) -> None:
        """See what others wait for: a commit for a standby is told from a server that hangs."""
        self.pid = connection.info.backend_pid
        self._since = self._shipping.mono_s()
        waiting = {pid for (pid,) in connection.execute(_STANDBY)}
        self._since, self.reached = None, True
        first = self._shipping.first_waits(self)
        if first is not None:
            self._shipping.found(self, standby=first in waiting)
        elif waiting:
            self.held_by = f"{_HELD}: its commit waits for a standby"

    def _ship(self, connection: Connection[Any], hand_over: HandOver) -> None:
        shipping = self._shipping
        begun = clean = False
        asked = shipping.mono_s()
        while not self.over:
            if not begun:
                self._since = shipping.mono_s()
                hand_over.begin()
                begun, clean = True, False
            self._since = None
            shipping.wake.clear()  # before the look: what comes after it wakes
            records = hand_over.following()
            rest_s = shipping.rest_s if hand_over.settled else shipping.settle_s
            is_time = shipping.mono_s() >= asked + rest_s
            if not records and clean and not is_time and not speaks(connection):
                shipping.wake.wait(POLL_S)
                continue
            self._since = asked = shipping.mono_s()
            try:
                clean = hand_over.hand_over(records)
            except MovedError:
                begun = False
                continue
            shipping.handed(self, hand_over.seq, clean=clean)
            if not clean:
                shipping.wake.wait(_TOUCH_S)
