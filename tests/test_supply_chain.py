"""What Switchhook is made of is bounded, pinned, listed and free of surprises."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from patience import PATIENCE_S

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SERVER = [Requirement(each) for each in PROJECT["project"]["dependencies"]]
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCK = (ROOT / "deploy/requirements.txt").read_text()
OF_THE_EMULATOR_ALONE = ("picows", "lameenc", "websockets")
OF_POSTGRESQL_ALONE = ("psycopg", "psycopg-binary")


def declared():
    found = list(SERVER)
    for group in (*EXTRAS.values(), *PROJECT["dependency-groups"].values()):
        found += [Requirement(each) for each in group]
    return found


def bill():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "scripts/sbom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_everything_ends_before_a_next_major_version(requirement):
    """A release that breaks what it promised must not break an install that worked yesterday."""
    bounds = {each.operator for each in requirement.specifier}
    assert "<" in bounds or requirement.name == "tzdata"


def test_the_lock_pins_what_a_server_needs_and_nothing_else():
    """Each with hashes, none with an address; what only the emulator needs is not among it."""
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE))
    for each in SERVER:
        assert each.name in pinned, f"{each}: run make lock"
        assert each.specifier.contains(pinned[each.name], prereleases=True), (
            f"{each}: run make lock"
        )
    assert not {*OF_THE_EMULATOR_ALONE, *OF_POSTGRESQL_ALONE} & pinned.keys()
    for entry in re.split(r"^(?=[a-z0-9-]+==)", LOCK, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry.partition("\n")[0]
    assert "://" not in LOCK
    assert "index-url" not in LOCK
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    assert "--require-hashes -r requirements${POSTGRES:+-postgres}.txt" in dockerfile
    assert "\nARG POSTGRES=\n" in dockerfile
    assert "[emulator]" not in dockerfile


def test_who_asks_for_postgresql_gets_the_same_and_its_client():
    """An image of many nodes differs from the plain one in nothing else."""
    plain, more = (
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))
        for text in (LOCK, (ROOT / "deploy/requirements-postgres.txt").read_text())
    )
    assert plain.items() <= more.items()
    assert more.keys() - plain.keys() == {*OF_POSTGRESQL_ALONE}


def test_licences_are_listed_as_the_packages_tell_them():
    """The page is what `make lock` would write, as far as what is installed here tells."""
    sbom = bill()
    page = (ROOT / "docs/licences.md").read_text()
    listed = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \| [^|]+\|$", page, re.MULTILINE))
    found = sbom.installed(sbom.EXTRAS)
    assert {*OF_THE_EMULATOR_ALONE, *OF_POSTGRESQL_ALONE} <= found.keys()
    for name, each in found.items():
        assert listed.get(name) == sbom.licence_of(each), f"{name}: run make lock"
    assert {f"{name} (JavaScript)" for name in sbom.JAVASCRIPT} <= listed.keys()


def test_no_server_carries_copyleft():
    sbom = bill()
    for name, each in sbom.installed(()).items():
        assert not re.search(r"\bA?L?GPL|GNU", sbom.licence_of(each)), name


def test_the_bill_names_every_part_with_version_and_licence():
    """As CycloneDX, what is installed and the JavaScript that the wheel carries."""
    said = bill().bill()
    assert (said["bomFormat"], said["specVersion"]) == ("CycloneDX", "1.6")
    parts = {each["name"].lower(): each for each in said["components"]}
    for name in ("uvloop", "msgspec", "certifi", "lameenc"):
        assert parts[name]["version"] == distribution(name).version
        assert parts[name]["purl"].startswith("pkg:pypi/")
    package = json.loads((ROOT / "package.json").read_text())
    for name, version in package["dependencies"].items():
        assert parts[name]["purl"] == f"pkg:npm/{name}@{version}"
    assert all(each["licenses"] for each in said["components"])
    assert "not said" not in json.dumps(said["components"])
    refs = {each["bom-ref"] for each in said["components"]}
    for each in said["dependencies"]:
        assert set(each["dependsOn"]) <= refs


WITHOUT = """
import sys
for name in ("picows", "aiofastnet", "python_socks", "lameenc", "websockets", "psycopg"):
    sys.modules[name] = None  # as if it were not installed
"""


def python(text):
    words = [sys.executable, "-c", WITHOUT + text]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@pytest.mark.process
def test_without_its_extra_the_emulator_says_what_to_install():
    done = python("from switchhook.cli import run; sys.exit(run(['emulate', 'run', '--list']))")
    assert done.returncode == 2
    assert 'pip install "switchhook[emulator]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.process
def test_without_them_a_server_has_all_that_it_needs():
    """Every module can be loaded but the emulator's, and what psycopg's are made of."""
    names = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        for path in sorted((ROOT / "src/switchhook").rglob("*.py"))
        if "emulat" not in str(path.relative_to(ROOT))
        and path.stem not in ("__init__", "__main__", "postgresql_text", "bounded_connection")
    ]
    done = python(f"import importlib\nfor name in {names!r}: importlib.import_module(name)")
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_the_help_names_the_emulator_all_the_same():
    done = python("from switchhook.cli import run; sys.exit(run(['--help']))")
    assert done.returncode == 0
    assert "emulate" in done.stdout


def test_what_is_locked_is_what_was_tested():
    """Where the two differ, the image would run what no test has seen."""
    for name, version in re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", LOCK, re.MULTILINE):
        try:
            installed = distribution(name).version
        except PackageNotFoundError:
            continue  # for another platform
        assert installed.split(".")[0] == version.split(".")[0], f"{name}: run make lock"
