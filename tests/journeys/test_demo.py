"""The demo, as `make demo` runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_plays_every_case_and_shows_what_was_decided(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--pace", "0", "--data", str(tmp_path / "data")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    cases = (ROOT / "tests/wire/cases/passthru.jsonl").read_text().splitlines()
    decided = [line for line in lines if "  A  " in line or "  B  " in line]
    assert len(decided) == len(cases)
    assert any("throttled" in line and "  B  over the stream limit" in line for line in decided)
    assert any(line.endswith("Every answer has a receipt on disk.") for line in lines)
