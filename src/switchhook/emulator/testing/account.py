"""The clock and the account of a test's Exotel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.testing.thread import LoopThread


class TestClock:
    """The emulator's clock."""

    __test__ = False  # for pytest, which collects by name

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread

    def now(self) -> float:
        """Seconds since the emulator started."""
        return self._thread.do(self._thread.clock.now)

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and everything that is due in it happen."""
        self._thread.run(asyncio.sleep(seconds))


class TestAccount:
    """The account: its credentials, its limit, and how much of that is used."""

    __test__ = False

    def __init__(self, thread: LoopThread, line: Callable[[], AccountLine]) -> None:
        self._thread, self._of_now = thread, line

    @property
    def _line(self) -> AccountLine:
        return self._of_now()

    @property
    def sid(self) -> str:
        """Its name."""
        return self._line.sid

    @property
    def key(self) -> str:
        """The user of its API."""
        return self._line.account.key

    @property
    def token(self) -> str:
        """The password of its API."""
        return self._line.account.token

    @property
    def streams(self) -> int:
        """How many streams are allowed."""
        return self._line.allowed

    @streams.setter
    def streams(self, allowed: int) -> None:
        self._thread.do(setattr, self._line, "allowed", allowed)

    @property
    def active(self) -> int:
        """How many are open."""
        return self._line.active
