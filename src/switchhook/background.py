"""Working behind the answer process: who looks at streams never keeps a caller waiting.

`stand_back` alone is not enough where both share a core. Since version 6.6 Linux may let a process
of the lowest class that has just woken keep the core until the next tick, 4 ms at 250 Hz, while
the answer process is ready to run. With `breathe` it asks of its own accord who else wants to.
"""

from __future__ import annotations

import contextlib
import os
import sys

_LEAST = 19


def stand_back() -> None:
    """Let this thread, and those that it starts, run only when no other process wants to.

    That is the class SCHED_IDLE of sched(7); where there is none, being as nice as possible.
    """
    with contextlib.suppress(OSError):  # a sandbox may forbid either
        if sys.platform == "linux":
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.nice(_LEAST)


def breathe() -> bool:
    """Let others run who want to; False, which tells SQLite's progress handler to go on."""
    os.sched_yield()
    return False
