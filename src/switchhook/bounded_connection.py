"""A connection of psycopg's that is waited for no longer than it may be, and that others can end.

psycopg waits for an answer for as long as the way to the server is there: a server that is frozen,
or a machine between that swallows what it gets, would hold a thread for ever.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.waiting import READY_R

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from psycopg.abc import PQGen

RV = TypeVar("RV")


class SilentError(psycopg.OperationalError):
    """Nothing comes, or came for too long."""

    hint = "look at its server, and at what lies between: one of them hangs"

    def __init__(self, said: str = "it answers nothing") -> None:
        super().__init__(said)


class EndedError(psycopg.OperationalError):
    """Whoever made the connection has ended it, or makes none any more."""

    hint = "nothing: this node ends, or leads no more"

    def __init__(self) -> None:
        super().__init__("this node has ended its connections there")


class BoundedConnection(psycopg.Connection[Any]):
    """One that is closed where nothing comes for `silent_s`, or once `ended` gives an error.

    Both count while an answer is waited for. The server may go on with what it was asked: nobody
    hears of it. Of one that is ended for good nothing more is asked, however soon it would answer.
    """

    silent_s: float | None = None
    ended: Callable[[], psycopg.Error | None] | None = None

    def wait(self, gen: PQGen[RV], *how: Any, **more: Any) -> RV:
        try:
            if isinstance(error := self._ended(), EndedError):
                raise error
            return super().wait(self._watched(gen), *how, **more)
        except (SilentError, EndedError):
            self.close()
            raise

    def _watched(self, gen: PQGen[RV]) -> Generator[Any, Any, RV]:
        """The same, but that it looks around while nothing comes, ten times a second by psycopg.

        Raises SilentError, EndedError.
        """
        heard = monotonic()
        try:
            wants = next(gen)
            while True:
                ready = yield wants
                if ready & READY_R:
                    heard = monotonic()
                else:
                    self._look_around(heard)
                wants = gen.send(ready)
        except StopIteration as done:
            result: RV = done.value
            return result

    def _look_around(self, heard: float) -> None:
        error = self._ended()
        if error is not None:
            raise error
        if self.silent_s is not None and monotonic() - heard >= self.silent_s:
            raise SilentError(f"it has answered nothing for {self.silent_s:g} s")

    def _ended(self) -> psycopg.Error | None:
        return None if self.ended is None else self.ended()
