"""What befalls the bot of an open stream as a whole: it dies under it, or hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from switchhook.emulator.call.call import Call


class BotLife:
    """Follows the faults aimed at one stream's bot; `die` is called when it dies."""

    def __init__(self, call: Call, name: str, url: str, die: Callable[[], None]) -> None:
        self._faults, self._loop = call.network.faults, call.clock.loop
        self._call, self._name = call, name
        self._place, self._die = call.place(name, url), die
        self._timer: asyncio.TimerHandle | None = None
        self._unwatch = self._faults.watch(self._look)
        self._look()

    @property
    def hangs(self) -> bool:
        """Whether nothing comes from it now."""
        return self._faults.on("bot-hangs", self._place) is not None

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = self._faults.due_in("bot-dies", self._place)
        self._timer = None if wait is None else self._loop.call_later(wait, self._strike)

    def _strike(self) -> None:
        # It may have been taken back meanwhile, or a timer rang a hair too early.
        if self._faults.on("bot-dies", self._place) is None:
            self._look()
        else:
            self._call.trace.note("fault", fault="bot-dies", applet=self._name)
            self._die()

    def leave(self) -> None:
        """The stream is over."""
        self._unwatch()
        if self._timer is not None:
            self._timer.cancel()
