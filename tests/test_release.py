"""A release is refused or whole: one version, a dated section, both files, a commit and a tag."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import tarfile
import tomllib
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
DAY = date(2026, 12, 1)
PROJECT = '[project]\nname = "switchhook"\nversion = "0.1.0"\n'
LOG = "# Changelog\n\n## Unreleased\n\n- A thing.\n\n## 0.1.0 (2026-11-01)\n\n- Older.\n"


def _load():
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts/release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release = _load()


@pytest.mark.parametrize(
    "version", ["0.1.0", "0.1.1", "0.2.0", "1.0.0", "0.2.0a1", "0.2.0rc2", "0.10.0"]
)
def test_the_version_stands_in_one_line(version):
    """The first release of all has the version that is there already."""
    said = release.next_version(PROJECT, version, ["v0.0.9"])
    assert tomllib.loads(said)["project"]["version"] == version
    assert len(said.splitlines()) == len(PROJECT.splitlines())


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("", "is no version"),
        ("v0.2.0", "is no version"),
        ("0.2", "is no version"),
        ("0.02.0", "is no version"),
        ("0.2.0-rc1", "is no version"),
        ("0.0.9", "older than 0.1.0"),
        ("0.1.0rc1", "older than 0.1.0"),
        ("0.3.0", "a tag v0.3.0 already"),
    ],
)
def test_what_is_no_next_version_is_refused(version, why):
    with pytest.raises(release.Refused, match=re.escape(why)):
        release.next_version(PROJECT, version, ["v0.3.0"])


def test_the_section_gets_its_date_and_a_new_one_stands_above_it():
    said = release.dated(LOG, "0.2.0", DAY)
    assert said == LOG.replace("## Unreleased\n", "## Unreleased\n\n## 0.2.0 (2026-12-01)\n")


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("# Changelog\n", "no line"),
        (LOG.replace("- A thing.\n", ""), "nothing under Unreleased"),
        ("## Unreleased\n", "nothing under Unreleased"),
    ],
)
def test_a_changelog_that_tells_nothing_is_refused(log, why):
    with pytest.raises(release.Refused, match=why):
        release.dated(log, "0.2.0", DAY)


def test_our_own_changelog_can_be_released():
    log = (ROOT / "CHANGELOG.md").read_text()
    assert "\n## 99.0.0 (2026-12-01)\n" in release.dated(log, "99.0.0", DAY)


def git(folder: Path, *words: str) -> str:
    within = [f"--git-dir={folder / '.git'}", f"--work-tree={folder}"]  # and no other one
    done = subprocess.run(
        ["git", *within, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path):
    """A work tree as a maintainer has it, with the JavaScript that a build has fetched before."""
    folder = tmp_path / "clone"
    folder.mkdir()
    # Not .git, which in a work tree of git's is a file that leads to the real one.
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, folder)
    for name in ("docs", "scripts", "src"):
        unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "config", "user.name", "A")
    git(folder, "config", "user.email", "a@example.com")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "As it is")
    return folder


@pytest.mark.slow
@pytest.mark.process
def test_a_release_is_built_committed_and_tagged(clone, capsys):
    assert release.main(clone, ["99.1.0"]) == 0
    assert "tagged v99.1.0" in capsys.readouterr().out
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "describe") == "v99.1.0"
    assert git(clone, "cat-file", "-t", "v99.1.0") == "tag"
    changed = git(clone, "show", "--format=", "--name-only").split()
    assert sorted(changed) == ["CHANGELOG.md", "pyproject.toml"]
    made = sorted(path.name for path in (clone / "dist").iterdir())
    assert made == ["switchhook-99.1.0-py3-none-any.whl", "switchhook-99.1.0.tar.gz"]
    with tarfile.open(clone / "dist" / made[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CHANGELOG.md", "docs/README.md", "scripts/sbom.py"} <= names
    with ZipFile(clone / "dist" / made[0]) as wheel:
        assert json.loads(wheel.read("switchhook/build.json"))["commit"] == git(
            clone, "rev-parse", "HEAD"
        )
    # The next one has nothing to tell yet, and that one is tagged.
    for version, why in (("99.2.0", "nothing under Unreleased"), ("99.1.0", "a tag v99.1.0")):
        assert release.main(clone, [version]) == 1
        assert why in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.process
def test_a_release_that_fails_leaves_all_as_it_was(clone, capsys):
    (clone / "notes.txt").write_text("of mine")
    assert release.main(clone, ["99.1.0"]) == 1
    assert "notes.txt" in capsys.readouterr().err
    (clone / "notes.txt").unlink()
    (clone / "hatch_build.py").write_text("raise SystemExit('no build today')\n")
    git(clone, "commit", "--quiet", "--all", "--message", "Break the build")
    head = git(clone, "rev-parse", "HEAD")
    assert release.main(clone, ["99.1.0"]) == 1
    assert "no build today" in capsys.readouterr().err
    assert git(clone, "status", "--porcelain") == ""
    assert (git(clone, "rev-parse", "HEAD"), git(clone, "tag")) == (head, "")


def test_no_version_is_a_question(capsys):
    assert release.main(ROOT, []) == 2
    assert "VERSION=" in capsys.readouterr().err


def test_no_file_names_a_version_of_the_image():
    """What would have to be changed with each release stands in one place."""
    for path in (ROOT / "README.md", *ROOT.glob("deploy/**/*"), *ROOT.glob("docs/**/*.md")):
        if path.is_file():
            assert not re.search(
                r"\bswitchhook:v?\d+\.\d", path.read_bytes().decode(errors="replace")
            ), path
