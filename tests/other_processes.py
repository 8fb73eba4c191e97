"""Keeps the marker `process` true: only a test that has it may start another process.

`make quick` leaves those out, and is quick for that; so nothing has to be listed.

Such a test waits for programs that share few cores with other tests, and for none of them for ever.
One that fails is run once more, and the run's last lines name it: what fails twice is a fault.
"""

from __future__ import annotations

import sys

import pytest

FOLDERS = ("journeys", "browser")
"""Every test of these has the marker."""
LAB = "lab"
"""Its tests have the machine to themselves, and take minutes: what fails there is a fault."""
AGAIN = 1
"""How often a test of other processes that fails is run again."""
_EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}

_running: list[pytest.Item] = []


def watch() -> None:
    """Begin, in this process, for good."""
    sys.addaudithook(_hook)


def mark(item: pytest.Item) -> None:
    """Give it the marker where its folder says so, or a PostgreSQL may have to be started."""
    names = (item.name, *getattr(item, "fixturenames", ()))
    if item.path.parent.name in FOLDERS or any("postgresql" in each for each in names):
        item.add_marker("process")
    if item.get_closest_marker("process") is not None and item.path.parent.name != LAB:
        item.add_marker(pytest.mark.flaky(reruns=AGAIN))


def runs(item: pytest.Item | None) -> None:
    """Say which test runs from now on, with its fixtures."""
    _running[:] = [] if item is None else [item]


def _hook(event: str, _: tuple[object, ...]) -> None:
    if event in _EVENTS and _running and _running[0].get_closest_marker("process") is None:
        raise RuntimeError(f"{_running[0].nodeid} starts a process ({event}): mark it `process`")
