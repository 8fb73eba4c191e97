"""The next release that the lab upgrades to is this one with one step more, and follows it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lab import next_release
from switchhook.cluster import tables as shared
from switchhook.server import tables as ledger
from switchhook.store.tables import VERSION

ASKED = """
from switchhook.cluster import tables as shared
from switchhook.server import tables as ledger
from switchhook.server.release import release
from switchhook.store.postgresql.statements import PREFIX
print(release(), len(ledger.MIGRATIONS), ledger.OLDEST, shared.VERSION, shared.OLDEST, PREFIX)
"""


@pytest.mark.process
def test_it_has_one_step_more_and_what_is_oldest_stays(tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(next_release.build(tmp_path))}
    words = [sys.executable, "-c", ASKED]
    said = subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout
    steps = (len(ledger.MIGRATIONS) + 1, ledger.OLDEST, shared.VERSION + 1, shared.OLDEST)
    assert said.split() == [next_release.NEXT, *map(str, steps), f"store{VERSION + 1}_"]
