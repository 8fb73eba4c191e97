"""Working behind the answer process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from switchhook.background import breathe, stand_back

if TYPE_CHECKING:
    from collections.abc import Callable

_POLICIES = """
import os, threading
from switchhook.background import stand_back
stand_back()
seen = []
thread = threading.Thread(target=lambda: seen.append(os.sched_getscheduler(0)))
thread.start(); thread.join()
print(os.sched_getscheduler(0), *seen)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="SCHED_IDLE is Linux's")
def test_what_stands_back_runs_only_when_no_other_wants_to() -> None:
    done = subprocess.run([sys.executable, "-c", _POLICIES], capture_output=True, text=True)

    assert done.stdout.split() == [str(os.SCHED_IDLE)] * 2, done.stderr


def test_a_sandbox_that_forbids_it_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def forbids(name: str) -> Callable[..., None]:
        def refuse(*_: object) -> None:
            asked.append(name)
            raise PermissionError(name)

        return refuse

    monkeypatch.setattr(os, "nice", forbids("nice"))
    monkeypatch.setattr(os, "sched_setscheduler", forbids("sched_setscheduler"), raising=False)

    stand_back()

    assert len(asked) == 1


def test_a_breath_does_not_stop_a_query() -> None:
    assert breathe() is False
