"""What `--version` says: the release, and what it was built from."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version

import pytest

from switchhook.server.release import Build, build_of, version_text

COMMIT = "0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b"


def test_a_wheel_says_what_it_was_built_from(tmp_path):
    (tmp_path / "build.json").write_text(f'{{"commit": "{COMMIT}", "date": "2026-11-29"}}')
    assert build_of(tmp_path) == Build(COMMIT, "2026-11-29")
    first, second = version_text(tmp_path).splitlines()
    assert first == f"switchhook {version('switchhook')}, commit 0e1f2a3b4c5d of 2026-11-29"
    assert re.fullmatch(r"Python \d+\.\d+\.\d+, \w+ \w+, SQLite \d+\.\d+\.\d+", second)


@pytest.mark.process
def test_a_checkout_says_what_it_stands_on(tmp_path):
    package = tmp_path / "src/switchhook"
    package.mkdir(parents=True)
    assert build_of(package) is None
    assert version_text(package).startswith(f"switchhook {version('switchhook')}\n")
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run([*git, "init", "--quiet"], check=True)
    assert build_of(package) is None  # nothing is committed
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "Begin"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    built = build_of(package)
    assert built is not None
    assert built.commit == head.stdout.strip()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", built.date)
