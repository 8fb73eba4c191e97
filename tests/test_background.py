"""Working behind the answer process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from switchhook.background import breathe, stand_back

_NICENESS = """
import os, threading
from switchhook.background import stand_back
stand_back()
seen = []
thread = threading.Thread(target=lambda: seen.append(os.nice(0)))
thread.start(); thread.join()
print(os.nice(0), *seen)
"""


def test_what_stands_back_has_the_processor_last():
    """All its threads."""
    done = subprocess.run([sys.executable, "-c", _NICENESS], capture_output=True, text=True)

    assert done.stdout.split() == ["19", "19"], done.stderr


def test_a_sandbox_that_forbids_it_is_no_trouble(monkeypatch: pytest.MonkeyPatch):
    def refuse(_: int) -> int:
        raise PermissionError("nice")

    monkeypatch.setattr(os, "nice", refuse)

    stand_back()


def test_a_breath_does_not_stop_a_query():
    assert breathe() is False
