"""Where secrets come from: files and the environment; no message repeats one.

Secrets of ours let requests in; those of others, such as an API's key, are what they gave us.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.config.basics import Secret
from switchhook.config.keys import RefusedValue, Section, paths, several, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SHORTEST_SECRET, LONGEST_SECRET, LONGEST_CREDENTIALS = 16, 256, 256
_URL_SAFE = re.compile("[A-Za-z0-9_.~-]*")
_LONGEST_NAME = 200
_LOGIN_HINT = "one line: user:password"


class Sources(msgspec.Struct):
    """Where secrets may come from, and what there is to say about them."""

    folder: str
    environ: Mapping[str, str]
    read_file: Callable[[str], bytes]
    warnings: list[str]

    def lines(
        self, value: object, hint: str = "one secret a line", *, what: str = "secret"
    ) -> list[str]:
        """The lines of a file that are neither blank nor a remark; `what` is what one is.

        Raises RefusedValue.
        """
        lines = self.all_lines(value, hint)
        found = [line for line in lines if line and not line.startswith("#")]
        if not found:
            path = paths(self.folder)(value)
            raise RefusedValue(f"{path!r} holds no {what}", hint)
        return found

    def all_lines(self, value: object, hint: str) -> list[str]:
        """The lines of a file, each without blanks around it. Raises RefusedValue."""
        path = paths(self.folder)(value)
        try:
            return [line.strip() for line in self.read_file(path).decode().splitlines()]
        except OSError as error:
            problem = f"{path!r} can't be read: {error.strerror or 'no such file'}"
            raise RefusedValue(problem, hint) from None
        except UnicodeDecodeError:
            raise RefusedValue(f"{path!r} is not UTF-8 text", hint) from None

    def login(self, value: object) -> str:
        """`user:password`, the one line of a file; no message repeats it. Raises RefusedValue."""
        lines, where = self.lines(value, _LOGIN_HINT), repr(value)
        if len(lines) > 1:
            raise RefusedValue(f"{where} holds {len(lines)} lines", _LOGIN_HINT)
        user, colon, _ = lines[0].partition(":")
        if not colon or not user:
            problem = "no colon" if not colon else "no user before the colon"
            raise RefusedValue(f"there is {problem} in {where}", _LOGIN_HINT)
        if len(lines[0]) > LONGEST_CREDENTIALS or not lines[0].isprintable():
            raise RefusedValue(
                f"{where} holds more than {LONGEST_CREDENTIALS} characters, or invisible ones",
                _LOGIN_HINT,
            )
        return lines[0]

    def variable(self, value: object) -> str:
        """The text of a variable of the environment. Raises RefusedValue."""
        name = text(_LONGEST_NAME)(value)
        content = self.environ.get(name, "").strip()
        if not content:
            raise RefusedValue(f"the environment has no {name!r}", "set it, or remove the name")
        return content


def read_secrets(
    section: Section, sources: Sources, *, prefix: str = "", plain: bool = True
) -> tuple[Secret, ...]:
    """The secrets of ours under `PREFIXsecrets` (if `plain`), `…_files` and `…_env`, each once."""

    def itself(value: object) -> list[Secret]:
        if not isinstance(value, str):
            raise RefusedValue("a secret is not a text", 'secrets = ["…"]')
        return [_ours(value, sources, section.key)]

    def from_file(value: object) -> list[Secret]:
        return [_ours(line, sources, section.key) for line in sources.lines(value)]

    def from_variable(value: object) -> list[Secret]:
        return [_ours(sources.variable(value), sources, section.key)]

    found: list[Secret] = []
    readers = {f"{prefix}secrets": itself} if plain else {}
    readers |= {f"{prefix}secret_files": from_file, f"{prefix}secret_env": from_variable}
    for key, reader in readers.items():
        for some in section.take(key, several(reader, 100), ()):
            found += some
    return tuple(dict.fromkeys(found))


def read_theirs(section: Section, sources: Sources, name: str) -> Secret | None:
    """A secret that somebody gave us, under `NAME_env` or `NAME_file`; None where neither is."""
    in_env = section.take(f"{name}_env", lambda value: _theirs(sources.variable(value)), None)
    in_file = section.take(f"{name}_file", lambda value: _theirs(sources.lines(value)[0]), None)
    return in_env or in_file


def _theirs(value: str) -> Secret:
    if len(value) > LONGEST_SECRET or not (value.isascii() and value.isprintable()):
        raise RefusedValue(
            f"it is no key: up to {LONGEST_SECRET} ASCII characters", "copy it again"
        )
    return Secret(value)


def _ours(value: str, sources: Sources, key: str) -> Secret:
    if not SHORTEST_SECRET <= len(value) <= LONGEST_SECRET:
        problem = (
            f"a secret of {len(value)} characters; it takes {SHORTEST_SECRET} to {LONGEST_SECRET}"
        )
        raise RefusedValue(problem, "make one with: switchhook secret")
    if not value.isprintable():
        raise RefusedValue("a secret with control characters", "make one with: switchhook secret")
    if not _URL_SAFE.fullmatch(value):
        warning = (
            f"{key}: a secret holds other characters than A-Z a-z 0-9 - _ . ~; Exotel's dashboard "
            "alters + & = # % and blanks in a URL (make a safe one with: switchhook secret)"
        )
        if warning not in sources.warnings:
            sources.warnings.append(warning)
    return Secret(value)
