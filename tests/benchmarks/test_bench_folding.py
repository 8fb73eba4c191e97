"""The bench that folds, run as the plan runs it."""

import json
import subprocess
import sys

import pytest

from benchmarks.journals import make_journal


@pytest.mark.process
def test_it_folds_the_whole_journal_and_says_how_fast(tmp_path):
    make_journal(tmp_path / "data", 50)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.folding", str(tmp_path / "data"), "60"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert (told["folded"], told["whole"]) == (50, True)
    assert told["per_s"] > 0
