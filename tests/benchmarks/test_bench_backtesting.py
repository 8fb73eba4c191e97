"""The bench of back-tests, run as the plan runs it."""

import json
import subprocess
import sys

import pytest

from benchmarks.journals import make_journal


@pytest.mark.process
def test_it_tries_each_set_of_rules_on_the_whole_journal(tmp_path):
    make_journal(tmp_path / "data", 50)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.backtesting", str(tmp_path / "data"), "1000"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert {name: each["decided"] for name, each in told.items()} == {"built-in": 50, "ten": 50}
    assert all(each["per_s"] > 0 for each in told.values())
