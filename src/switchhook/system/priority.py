"""Working behind the answer process: who looks at streams never keeps a caller waiting.

Being nice is not enough where both share a core. Since version 6.6 Linux lets even the nicest
process that has just woken keep the core until its next tick, 4 ms at 250 Hz, while the answer
process is ready to run. So it also asks of its own accord, with `yield_cpu`, who else wants to. The
class SCHED_IDLE of sched(7) did no better in measurements, and on a machine whose cores are all
busy with bots it would keep alerts and pages from running at all.
"""

from __future__ import annotations

import contextlib
import os
import sys

_LEAST = 19


def lower_priority() -> None:
    """Let this thread, and those that it starts, have the processor last.

    Where there are several cores one of them is left alone, so that whoever answers finds it free:
    a console has no use for more than one and a bit.
    """
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.nice(_LEAST)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            cores = os.sched_getaffinity(0)
            if len(cores) > 1:
                os.sched_setaffinity(0, cores - {min(cores)})


def yield_cpu() -> bool:
    """Let others run who want to; False, which tells SQLite's progress handler to go on."""
    os.sched_yield()
    return False
