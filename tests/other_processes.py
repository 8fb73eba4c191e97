"""Keeps the marker `process` true: only a test that has it may start another process.

`make quick` leaves those out, and is quick for that; so nothing has to be listed.

Such a test waits for programs that share few cores with other tests, and for none of them for ever.
One that fails is run once more, with all that it shares made anew, and the run's last lines name it
and what failed first: what fails twice is a fault.
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


def forget_what_failed(item: pytest.Item) -> None:
    """Before it is run again, end what its module shares: who failed may have left it in pieces."""
    if getattr(item, "execution_count", 1) == 1:
        return
    for definitions in item._fixtureinfo.name2fixturedefs.values():  # type: ignore[attr-defined]
        for each in definitions:
            if each.scope == "module":
                each.finish(item._request)  # type: ignore[attr-defined]


def say_what_failed_first(reporter: pytest.TerminalReporter) -> None:
    """Of what is run again, as its second failure would hide it."""
    for report in reporter.stats.get("rerun", ()):
        crash, what = getattr(report.longrepr, "reprcrash", None), report.longreprtext
        if crash is not None:
            entries = report.longrepr.reprtraceback.reprentries
            places = [getattr(each, "reprfileloc", None) for each in entries]  # of a group: none
            way = (f"{each.path}:{each.lineno}" for each in places if each is not None)
            what = f"{' > '.join(way)} {crash.message}"
        reporter.write_line(f"failed at first: {report.nodeid} ({report.when}): {what[-2000:]}")


def runs(item: pytest.Item | None) -> None:
    """Say which test runs from now on, with its fixtures."""
    _running[:] = [] if item is None else [item]


def _hook(event: str, _: tuple[object, ...]) -> None:
    if event in _EVENTS and _running and _running[0].get_closest_marker("process") is None:
        raise RuntimeError(f"{_running[0].nodeid} starts a process ({event}): mark it `process`")
