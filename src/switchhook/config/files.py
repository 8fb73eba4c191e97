"""Reading what the operator wrote, and noticing when it changes."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping

import msgspec

from switchhook.config import LARGEST, Config, load_config, override

Signature = tuple[int, int, int, int] | None
"""What changes when a file does; None where there is none."""


class Overrides(msgspec.Struct, frozen=True):
    """What the command line says: `--data`, `--answer`, `--console`."""

    data: str | None = None
    answer: str | None = None
    console: str | None = None

    def apply(self, config: Config) -> Config:
        """The configuration with them. Raises ConfigProblems."""
        return override(config, data=self.data, answer=self.answer, console=self.console)


class CheckedConfig(msgspec.Struct, frozen=True):
    """A configuration that checked out, and all that it was made of."""

    config: Config
    text: str
    files: dict[str, str]
    """The contents of secret files, by path."""
    variables: dict[str, str]

    def __repr__(self) -> str:
        return f"CheckedConfig({self.config!r})"

    def same(self, text: str, files: Mapping[str, str], variables: Mapping[str, str]) -> bool:
        """Whether it was made of just this."""
        return (self.text, self.files, self.variables) == (text, files, variables)


class Inputs:
    """What a configuration asks for beside its own text: remembered, also where it is missing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.variables = _Asked(environ)
        self.files: dict[str, str] = {}
        self.paths: list[str] = []

    def read_file(self, path: str) -> bytes:
        self.paths.append(path)
        content = read_whole(path)
        self.files[path] = content.decode(errors="replace")
        return content


class _Asked(Mapping[str, str]):
    """A mapping that remembers what was found in it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.found: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        self.found[name] = self._environ[name]
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


def check_config(content: bytes, file: str, overrides: Overrides, inputs: Inputs) -> CheckedConfig:
    """Check a configuration's bytes. Raises ConfigProblems; `inputs` has been filled either way."""
    config = load_config(content, file=file, environ=inputs.variables, read_file=inputs.read_file)
    return CheckedConfig(
        overrides.apply(config), content.decode(), inputs.files, inputs.variables.found
    )


def recheck_config(
    text: str,
    file: str,
    overrides: Overrides,
    *,
    files: Mapping[str, str],
    variables: Mapping[str, str],
) -> CheckedConfig:
    """Check a configuration that was kept, with what it was given then. Raises ConfigProblems."""

    def read_file(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "it was not kept")
        return files[path].encode()

    config = load_config(text, file=file, environ=variables, read_file=read_file)
    return CheckedConfig(overrides.apply(config), text, dict(files), dict(variables))


def read_whole(path: str) -> bytes:
    """The bytes of a regular file of at most 1 MB. Raises OSError; never waits for a writer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is not a regular file")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(0, f"it has more than {LARGEST:,} bytes")
    return content


def read_hash(path: str) -> str | None:
    """The SHA-256 of a file in hex, as rules are named by it; None where it can't be read."""
    try:
        return hashlib.sha256(read_whole(path)).hexdigest()
    except OSError:
        return None


def words(error: OSError) -> str:
    """What the system said, in lower case."""
    return (error.strerror or str(error)).lower()


def is_missing(path: str) -> bool:
    """Whether there is no file of this name; one in a folder that can't be looked into may be."""
    try:
        os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def signature(path: str | os.PathLike[str]) -> Signature:
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


class FileWatch:
    """Tells when files have changed and come to rest, that is, were the same in two looks."""

    def __init__(self) -> None:
        self._judged: dict[str, Signature] | None = None
        self._last: dict[str, Signature] | None = None

    def settled(self, paths: tuple[str, ...]) -> bool:
        """Whether they are at rest and other than when this was last true."""
        seen = {path: signature(path) for path in paths}
        at_rest = seen == self._last
        self._last = seen
        if not at_rest or seen == self._judged:
            return False
        self._judged = seen
        return True
