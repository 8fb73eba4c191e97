"""Working behind the answer process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from switchhook.system.priority import lower_priority, yield_cpu

_NICENESS = """
import os, threading
from switchhook.system.priority import lower_priority
lower_priority()
seen = []
thread = threading.Thread(target=lambda: seen.append(os.nice(0)))
thread.start(); thread.join()
print(os.nice(0), *seen)
"""


@pytest.mark.process
def test_what_stands_back_has_the_processor_last():
    """All its threads."""
    done = subprocess.run([sys.executable, "-c", _NICENESS], capture_output=True, text=True)

    assert done.stdout.split() == ["19", "19"], done.stderr


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="cores can be chosen on Linux only")
@pytest.mark.parametrize("allowed", [1, 2])
def test_one_core_of_several_is_left_alone(allowed):
    """With a single one there is no choice."""
    cores = sorted(os.sched_getaffinity(0))[:allowed]
    code = (
        "import os; from switchhook.system.priority import lower_priority;"
        f" os.sched_setaffinity(0, {cores}); lower_priority(); print(*os.sched_getaffinity(0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert [int(core) for core in done.stdout.split()] == (cores[1:] or cores), done.stderr


def test_a_sandbox_that_forbids_it_is_no_trouble(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "nice", refuse)
    monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)

    lower_priority()


def test_a_breath_does_not_stop_a_query():
    assert yield_cpu() is False
