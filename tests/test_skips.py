"""Skips in CI: declared ones pass, others fail the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import postgresql

PLAIN = ("-p", "no:switchhook", "-p", "no:schemathesis", "-p", "no:hypothesispytest")
"""The plugins that are slow to load have no part in it."""
CONFTEST = Path(__file__).parent / "conftest.py"


@pytest.mark.process
@pytest.mark.parametrize(
    "reason, ci, code",
    [
        ("no reason", "true", 1),
        ("no reason", "", 0),
        (postgresql.NONE, "true", 1),  # in CI there is one
        ("mounting a small file system needs root on Linux", "true", 0),
    ],
)
def test_a_skip_nobody_expected_fails_in_ci(tmp_path, reason, ci, code):
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_it.py").write_text(
        f"import pytest\ndef test_it(): pytest.skip({reason!r})\ndef test_other(): pass\n"
    )
    done = subprocess.run(
        # As the suite runs: the worker skips, the controller decides.
        [sys.executable, "-m", "pytest", "-q", "-n", "1", *PLAIN, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(CONFTEST.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert ("unexpected skip" in done.stdout) is bool(code)
