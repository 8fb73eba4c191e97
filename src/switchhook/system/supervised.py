"""What every process of ours shares with the one that started it: heartbeats, and a common end.

The supervisor hands a child two pipes. On `beat` the child writes: first that it is ready, then a
byte now and then, so that a hung process is told from a busy one. `life` is never written to; that
it ends means that the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from typing import NamedTuple, NoReturn

BEAT_S = 0.2
LOCK_WAIT_S = 15.0
"""A process that takes over waits this long for the one before it to let go of the data folder."""
READY = b"R"
BEAT = b"."

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_process(code: int = 0) -> NoReturn:
    """End at once, whatever other threads wait for: Python would wait for them, maybe for ever.

    For a process that has nothing left to write.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class SupervisorPipes(NamedTuple):
    """The child's ends of the pipes; None where nobody supervises."""

    beat: int | None = None
    life: int | None = None

    def die_with_parent(self) -> None:
        """Have the kernel end this process when its supervisor ends, hung or not."""
        if self.life is None or not sys.platform.startswith("linux"):
            return
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """End at once when the supervisor does, on systems whose kernel doesn't see to it."""
        if self.life is not None:
            loop.add_reader(self.life, os._exit, 1)

    def ready(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say that this process does its work now, and go on saying so."""
        if self.beat is not None:
            os.set_blocking(self.beat, False)
            self._write(READY)
            self._go_on(loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self._write(BEAT)
        loop.call_later(BEAT_S, self._go_on, loop)

    def _write(self, data: bytes) -> None:
        # A full pipe holds beats enough; a broken one means the end is on its way.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self.beat or 0, data)
