"""What `--version` says: the release, and what it was built from."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

from switchhook.server.release import Build, build_of, is_compiled, version_text

COMMIT = "0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b"


def test_a_wheel_says_what_it_was_built_from(tmp_path):
    (tmp_path / "build.json").write_text(f'{{"commit": "{COMMIT}", "date": "2026-11-29"}}')
    assert build_of(tmp_path) == Build(COMMIT, "2026-11-29")
    first, second = version_text(tmp_path).splitlines()
    assert first == f"switchhook {version('switchhook')}, commit 0e1f2a3b4c5d of 2026-11-29"
    made = "compiled" if is_compiled() else "not compiled"
    runs_on = r"Python \d+\.\d+\.\d+, \w+ \w+"
    assert re.fullmatch(rf"{runs_on}, SQLite \d+\.\d+\.\d+, {made}", second)


def test_where_a_compiler_is_what_reads_requests_is_compiled():
    """Else the suite would try the modules in Python alone, and nobody would see it."""
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0])
    headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    assert is_compiled() == bool(compiler and headers)


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
