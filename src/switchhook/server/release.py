"""Which release of this program runs, and what it was built from."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from switchhook.exotel.wire import plain_query

PACKAGE = Path(__file__).parents[1]
_LONGEST_S = 5


class Build(msgspec.Struct, frozen=True):
    """The commit that a wheel was built from, and its day (ISO 8601): hatch_build.py writes it."""

    commit: str
    date: str


def release() -> str:
    """The version of this program."""
    try:
        return version("switchhook")
    except PackageNotFoundError:
        return "0"  # run from a checkout that was never installed


def version_text(package: Path = PACKAGE) -> str:
    """Release, build, and what it runs on, in two lines, for a report of a fault.

    `compiled` tells that hatch_build.py had a compiler, "not compiled" that it had none.
    """
    built = build_of(package)
    build = f", commit {built.commit[:12]} of {built.date}" if built else ""
    runs_on = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    made = "compiled" if is_compiled() else "not compiled"
    return f"switchhook {release()}{build}\n{runs_on}, SQLite {_sqlite()}, {made}"


def is_compiled() -> bool:
    """Whether requests are read by compiled modules, or by their twins in Python."""
    return not str(plain_query.__file__).endswith(".py")


def build_of(package: Path) -> Build | None:
    """What a package was built from: as the build noted it, else as its checkout is now."""
    try:
        return msgspec.json.decode((package / "build.json").read_bytes(), type=Build)
    except FileNotFoundError:
        return _checkout(package.parents[1])


def _checkout(root: Path) -> Build | None:
    """The commit that a checkout stands on; None where there is none, or no git."""
    if not (root / ".git").exists():
        return None
    words = ["git", "-C", str(root), "log", "-1", "--format=%H %cs"]
    try:
        done = subprocess.run(  # noqa: S603
            words, capture_output=True, text=True, check=True, timeout=_LONGEST_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    commit, _, date = done.stdout.strip().partition(" ")
    return Build(commit, date)


def _sqlite() -> str:
    import apsw

    return apsw.sqlite_lib_version()
