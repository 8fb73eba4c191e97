"""The demo, as `make demo` runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from patience import PATIENCE_S

ROOT = Path(__file__).parents[2]


CALLS = 40


def test_calls_flow_through_emulator_bot_and_server(tmp_path):
    folder = tmp_path / "demo"
    words = ["--virtual", "--calls", str(CALLS), "--data", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "demo", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    calls = [line for line in done.stdout.splitlines() if " A (" in line or " B (" in line]
    assert len(calls) == CALLS
    assert all(re.match(r"\d\d:\d\d:\d\d IST  ", line) for line in calls)
    assert any("completed by bot" in line and "200 A" in line for line in calls)
    refused = [at for at, line in enumerate(calls) if "connection refused" in line]
    assert refused
    assert refused[0] > 5  # it is seen to die
    assert all("302 B" in calls[at] for at in refused)
    # Sales asks before the stream and after it.
    assert any(line.count("200 A") == 2 and "completed" in line for line in calls)
    kept = folder / "data"
    pools = subprocess.run(
        [sys.executable, "-m", "switchhook", "check", "--config", str(folder / "switchhook.toml")],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert pools.returncode == 0, pools.stdout + pools.stderr
    assert kept.is_dir()
    before, _, after = done.stdout.partition("one line a call")
    assert "Open this in a browser: http" in before
    assert after.startswith(f", for {CALLS} calls in all:\n")  # as it is no terminal
    assert "  ../.venv/bin/switchhook init" in after.splitlines()[-6:]
    assert "no answer" not in done.stdout
    assert "CAUSE" in done.stdout
