"""What a check found: how it stands, in one sentence, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class Level(StrEnum):
    """How something stands. What could not be looked at is not checked, which is no good news."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNCHECKED = "not checked"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: `check` names it, `said` is how it is, `todo` what mends it.

    Neither has a secret or a whole telephone number in it.
    """

    check: str
    level: Level
    said: str
    todo: str = ""


def ok(check: str, said: str) -> Finding:
    """As it should be."""
    return Finding(check, Level.OK, said)


def warn(check: str, said: str, todo: str) -> Finding:
    """Works, and will hurt one day, or hurts somebody already."""
    return Finding(check, Level.WARN, said, todo)


def fail(check: str, said: str, todo: str) -> Finding:
    """Callers are lost by it, or it does not do what it is there for."""
    return Finding(check, Level.FAIL, said, todo)


def unchecked(check: str, said: str, todo: str = "") -> Finding:
    """Nobody could look."""
    return Finding(check, Level.UNCHECKED, said, todo)


def exit_code(found: Iterable[Finding]) -> int:
    """0 where all is well, 1 where something is to be mended, 2 where only some was not checked."""
    levels = {each.level for each in found}
    if levels & {Level.FAIL, Level.WARN}:
        return 1
    return 2 if Level.UNCHECKED in levels else 0
