"""Who has the processor first: who answers callers, and who looks at streams after him.

Being nice is not enough where both share a core. Since version 6.6 Linux lets even the nicest
process that has just woken keep the core until its next tick, 4 ms at 250 Hz, while the answer
process is ready to run. So who answers asks for turns shorter than anybody's, which since 6.12 take
the core at once; and who doesn't also asks of its own accord, with `yield_cpu`, who else wants to.
The class SCHED_IDLE of sched(7) did no better in measurements, and on a machine whose cores are all
busy with bots it would keep alerts and pages from running at all.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys

_LEAST = 19
_TURN_NS = 300_000
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""`struct sched_attr` of sched_setattr(2): size, policy, flags, nice, priority, runtime, 0, 0."""
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""The number of the system call, for which the C library has no function before glibc 2.41."""


def take_short_turns() -> None:
    """Let this thread, and those that it starts, have the processor as soon as they want it.

    Who runs in short turns comes before those of longer ones, for no more of the time in all. Does
    nothing on a Linux before 6.12, where another class was chosen for it, and elsewhere.
    """
    _ask_for_turns(_TURN_NS)


def take_usual_turns() -> None:
    """Undo it, for this thread and those that it starts."""
    _ask_for_turns(0)


def _ask_for_turns(turn_ns: int) -> None:
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return
    with contextlib.suppress(OSError):  # a sandbox may forbid to ask, too
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        said = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, turn_ns, 0, 0)
        # What is not known there or forbidden is refused, and things stay as they are.
        ctypes.CDLL(None).syscall(number, 0, said, 0)


def lower_priority() -> None:
    """Let this thread, and those that it starts, have the processor last.

    Where there are several cores one of them is left alone, so that whoever answers finds it free:
    a console has no use for more than one and a bit.
    """
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.nice(_LEAST)
    take_usual_turns()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            cores = os.sched_getaffinity(0)
            if len(cores) > 1:
                os.sched_setaffinity(0, cores - {min(cores)})


def yield_cpu() -> bool:
    """Let others run who want to; False, which tells SQLite's progress handler to go on."""
    os.sched_yield()
    return False
