"""Cut a release: `make release VERSION=0.2.0`.

Writes the version into pyproject.toml, makes a dated section of what CHANGELOG.md has under
Unreleased, commits, builds the source archive and, from that, the wheel, and tags. Refuses a tree
with changes in it, a version that is no next one, and a CHANGELOG that has nothing to tell. Where
the build fails, there is no commit. It pushes and uploads nothing: CONTRIBUTING.md has what comes
after.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from datetime import UTC, date, datetime
from email.parser import BytesParser
from pathlib import Path
from zipfile import ZipFile

UNRELEASED = "## Unreleased"
CHANGED = ("pyproject.toml", "CHANGELOG.md")
_VERSION = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}(?:(?:a|b|rc)[1-9]\d*)?")
_VERSION_LINE = re.compile(r'^version = ".*"$', re.MULTILINE)


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """Why there is no release, and what to do about it, in one sentence."""


def main(root: Path, words: list[str]) -> int:
    """Release the version that `words` names from the git work tree `root`; give the exit code."""
    if len(words) != 1:
        sys.stderr.write("name the version: make release VERSION=0.2.0\n")
        return 2
    try:
        made = release(root, words[0], datetime.now(UTC).date())
    except Refused as refused:
        sys.stderr.write(f"no release: {refused}\n")
        return 1
    sys.stdout.write(f"tagged v{words[0]}; made {' and '.join(made)}\n")
    sys.stdout.write("next: CONTRIBUTING.md, Releasing\n")
    return 0


def release(root: Path, version: str, day: date) -> list[str]:
    """Do all of it; give the paths of the files that were built. Raises Refused."""
    changes = _git(root, "status", "--porcelain")
    if changes:
        raise Refused(f"the tree has changes; commit or stash them first:\n{changes}")
    project, log = (root / name for name in CHANGED)
    after = (
        next_version(project.read_text(), version, _git(root, "tag", "--list").split()),
        dated(log.read_text(), version, day),
    )
    for path, text in zip((project, log), after, strict=True):
        path.write_text(text)
    # Before it is built, for what is built names its commit.
    _git(root, "commit", "--quiet", "--message", f"Release {version}", "--", *CHANGED)
    try:
        built = build(root, version)
    except BaseException:
        _git(root, "reset", "--quiet", "--keep", "HEAD~1")
        raise
    _git(root, "tag", "--annotate", f"v{version}", "--message", f"Switchhook {version}")
    return [path.relative_to(root).as_posix() for path in built]


def next_version(project: str, version: str, tags: list[str]) -> str:
    """The text of pyproject.toml with another version. Raises Refused where it is no next one."""
    if not _VERSION.fullmatch(version):
        raise Refused(f"{version!r} is no version such as 0.2.0 or 1.0.0rc1")
    if f"v{version}" in tags:
        raise Refused(f"there is a tag v{version} already: choose the next version")
    now = tomllib.loads(project)["project"]["version"]
    if _order(version) < _order(now):
        raise Refused(f"{version} is older than {now}, which pyproject.toml has")
    text, found = _VERSION_LINE.subn(f'version = "{version}"', project)
    if found != 1:
        raise Refused(f"pyproject.toml has {found} lines that begin with version, and not one")
    return text


def _order(version: str) -> tuple[tuple[int, ...], tuple[int, str, int]]:
    """What versions are compared by: 1.0.0rc1 is before 1.0.0."""
    numbers, kind, count = re.fullmatch(r"([\d.]+)([a-z]*)(\d*)", version).groups()  # type: ignore[union-attr]
    before = (0, kind, int(count)) if kind else (1, "", 0)
    return tuple(map(int, numbers.split("."))), before


def dated(log: str, version: str, day: date) -> str:
    """The text of CHANGELOG.md with a section of this version. Raises Refused if it were empty."""
    head, found, rest = log.partition(f"{UNRELEASED}\n")
    if not found:
        raise Refused(f"CHANGELOG.md has no line {UNRELEASED!r}")
    if not re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0].strip():
        raise Refused("CHANGELOG.md has nothing under Unreleased: say what users will notice")
    return f"{head}{UNRELEASED}\n\n## {version} ({day:%Y-%m-%d})\n{rest}"


def build(root: Path, version: str) -> list[Path]:
    """Build the archive from the tree and the wheel from the archive, into dist. Raises Refused.

    The wheel is for all platforms, so nothing in it is compiled.
    """
    out = root / "dist"
    _hatchling(root, "sdist", out)
    archive = out / f"switchhook-{version}.tar.gz"
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(archive) as packed:
            packed.extractall(scratch, filter="data")
        _hatchling(Path(scratch, f"switchhook-{version}"), "wheel", out)
    wheel = out / f"switchhook-{version}-py3-none-any.whl"
    with ZipFile(wheel) as packed:
        said = BytesParser().parsebytes(packed.read(f"switchhook-{version}.dist-info/METADATA"))
    if said["Version"] != version:
        raise Refused(f"{wheel.name} says that it is {said['Version']}")
    return [archive, wheel]


def _hatchling(tree: Path, target: str, out: Path) -> None:
    words = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory"]
    done = subprocess.run(  # noqa: S603 - our own words
        [*words, str(out)],
        cwd=tree,
        env={**os.environ, "SWITCHHOOK_PURE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(f"the {target} can't be built:\n{done.stdout}{done.stderr}")


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own words
        ["git", *words],  # noqa: S607 - the maintainer's
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.rstrip()


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent, sys.argv[1:]))
