"""The wheel that people install, with the source tree out of reach."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from zipfile import ZipFile

import pytest

from patience import PATIENCE_S
from program import http, running
from switchhook.server.release import is_compiled

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/switchhook"
HISTORY = (ROOT / ".git").exists()
WELL = "CallSid=c1&Stream[StreamSID]=s1&Stream[Status]=completed&Stream[DisconnectedBy]=bot"


def build(tree: Path, target: str, folder: Path, **environ: str) -> Path:
    """What is built from a tree, with what is installed here."""
    words = [sys.executable, "-m", "hatchling", "build", "--target", target]
    subprocess.run(
        [*words, "--directory", str(folder)],
        cwd=tree,
        env={**os.environ, **environ},
        check=True,
        capture_output=True,
    )
    (made,) = folder.glob("switchhook-*")
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the tree as it is."""
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def metadata(wheel) -> Message:
    """What the wheel says of itself, as a registry reads it."""
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return BytesParser().parsebytes(archive.read(name))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> str:
    """The interpreter of an environment with the wheel in it; what it needs is the tests' own."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True, with_pip=False)
    found = str(folder / "bin/python")
    words = [sys.executable, "-m", "pip", "--python", found, "install", "--quiet"]
    subprocess.run([*words, "--no-index", "--no-deps", str(wheel)], check=True)
    (packages,) = folder.glob("lib/*/site-packages")
    # A line in a .pth file is a folder of packages whose own .pth files are not read: the editable
    # install beside them leads nowhere.
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return found


def head() -> str:
    """The commit that the tree stands on; empty without its history."""
    words = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=HISTORY).stdout.strip()


def test_every_file_of_the_package_is_in_it(wheel):
    """Templates, styles, scripts of others, and each with what it is made of."""
    there = {
        f"switchhook/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    beside = {name for name in packed if ".dist-info/" in name}
    # A tree without its history was built from no commit that one could name.
    assert packed - beside == there | ({"switchhook/build.json"} if HISTORY else set())
    assert "switchhook/web/static/vendor/htmx.js" in packed
    assert any(name.endswith("/sboms/javascript.cdx.json") for name in beside)
    assert any(name.endswith("/LICENSE") for name in beside)


def test_the_source_archive_builds_the_same_wheel(wheel, tmp_path):
    """Each file to the byte, and without npm: the JavaScript is in it."""
    archive = build(ROOT, "sdist", tmp_path / "sdist")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    tree = tmp_path / archive.name.removesuffix(".tar.gz")
    again = build(tree, "wheel", tmp_path / "wheel")
    assert again.name == wheel.name
    assert contents(again) == contents(wheel)


@pytest.mark.parametrize(
    ("environ", "compiled"), [({}, is_compiled()), ({"SWITCHHOOK_PURE": "1"}, False)]
)
def test_it_is_compiled_where_it_can_be_and_then_of_one_platform(environ, compiled, tmp_path):
    """Without a compiler, or where nobody wants it, it is for all; what is Python is in both."""
    built = build(ROOT, "wheel", tmp_path, **environ)
    with ZipFile(built) as archive:
        names = set(archive.namelist())
        (tags,) = (each for each in names if each.endswith(".dist-info/WHEEL"))
        said = archive.read(tags).decode()
    suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
    for module in ("answer/secret_signs", "exotel/wire/plain_query"):
        assert f"switchhook/{module}.py" in names
        assert (f"switchhook/{module}{suffix}" in names) is compiled
    assert built.name.endswith("-py3-none-any.whl") is not compiled
    assert f"Root-Is-Purelib: {str(not compiled).lower()}" in said


def contents(wheel: Path) -> dict[str, list[bytes]]:
    """The lines of each file; those of the list of files in an order of their own."""
    with ZipFile(wheel) as archive:
        found = {name: archive.read(name).splitlines() for name in archive.namelist()}
    return {
        name: sorted(lines) if name.endswith("/RECORD") else lines for name, lines in found.items()
    }


def test_it_says_what_it_is_and_needs(metadata):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert metadata["Version"] == project["version"]
    assert metadata["Requires-Python"] == project["requires-python"]
    extras = set(metadata.get_all("Provides-Extra"))
    assert extras == project["optional-dependencies"].keys() >= {"emulator", "postgres", "otel"}
    page = (ROOT / "docs/install.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == extras
    needed = metadata.get_all("Requires-Dist")
    assert len(needed) == len(project["dependencies"]) + sum(
        map(len, project["optional-dependencies"].values())
    )
    assert any(re.fullmatch(r"picows[<>=,.\d]+; extra == 'emulator'", each) for each in needed)


def test_the_page_of_a_registry_leads_to_this_release(metadata):
    """It shows the README alone: no link of it may be to a file beside it."""
    page = metadata.get_payload()
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) > 20
    assert not [link for link in links if not link.startswith(("https://", "#"))]
    at = f"switchhook/switchhook/blob/v{metadata['Version']}/"
    assert f"https://github.com/{at}docs/README.md" in links
    for link in links:
        if at in link:
            assert (ROOT / link.partition(at)[2].partition("#")[0]).is_file(), link


def test_the_command_is_on_the_path(python, metadata, tmp_path):
    """By its name, as pipx and uv put it there."""
    words = [str(Path(python).with_name("switchhook")), "--version"]
    said = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.startswith(f"switchhook {metadata['Version']}")


def test_it_serves_from_an_empty_folder(python, tmp_path):
    """A passthru is answered, a page and its styles are shown, and the emulator calls."""
    words = [python, "-c", "import switchhook; print(switchhook.__file__)"]
    told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(told.stdout).is_relative_to(Path(python).parents[1])
    words = [python, "-m", "switchhook", "--version"]
    told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("switchhook ")
    assert (f", commit {head()[:12]} of " in told.stdout) is HISTORY
    with running(tmp_path / "data", python=python, cwd=tmp_path) as program:
        assert program.ask(WELL).status == 200
        console = program.address("console")
        page = http(console, b"/", headers={**program.by_link, "Accept": "text/html"})
        assert (page.status, b"<html" in page.body) == (200, True)
        for name in ("console.css", "vendor/htmx.js"):
            assert http(console, f"/static/{name}".encode(), headers=program.by_link).status == 200
        done = subprocess.run(
            [python, "-m", "switchhook", "emulate", "run", "bot-done"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(program.receipts()) == 2
        assert program.stop() == 0
