"""The event loop that a command runs in."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

_T = TypeVar("_T")


def end_at_sigterm() -> None:
    """End like after Ctrl-C, so that bots hear of it."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def run_loop(main: Coroutine[Any, Any, _T], *, virtual: bool) -> _T:
    if virtual:
        from switchhook.emulator.clock import VirtualLoop

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
