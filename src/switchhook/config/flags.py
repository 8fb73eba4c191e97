"""`[flags]`: the named values that rules and bots read, each with its kind and default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.config.accounts import label
from switchhook.config.basics import ListenAddress
from switchhook.config.keys import Problems, RefusedValue, Section, address, choice
from switchhook.errors import FlagError
from switchhook.rules.flag_values import NAME, read_value
from switchhook.rules.flags import Flag, FlagKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.rules.flags import SetTo

MOST_FLAGS = 200
LONGEST_DESCRIPTION = 500
RESERVED = frozenset({"false", "in", "null", "true"})
"""Words that nothing behind a point can be called in the rules' language."""


def read_flags(section: Section, problems: Problems) -> tuple[Flag, ...]:
    """`[flags]`."""
    names = section.names()
    if len(names) > MOST_FLAGS:
        problems.add(section.key, f"{len(names):,} of them; the most is {MOST_FLAGS}")
    found = (_flag(name, section.section(name), problems) for name in names[:MOST_FLAGS])
    return tuple(flag for flag in found if flag is not None)


def _flag(name: str, section: Section, problems: Problems) -> Flag | None:
    before = len(problems.found)
    if not NAME.fullmatch(name):
        hint = "1 to 64 of a-z, 0-9 and _, the first no digit: rules read flags.NAME"
        problems.add(f"flags.{name[:64]!r}", "no such name is possible for a flag", hint)
    elif name in RESERVED:
        section.complain(f"{name!r} is a reserved word of the rules' language", "rename it")
    kind = section.take("kind", choice(FlagKind), None)
    default = section.take("default", _value(kind), None)
    description = section.take("description", label(LONGEST_DESCRIPTION), "")
    section.end()
    if kind is not None and "default" not in section.names():
        section.complain("it has no default", "what it is as long as nobody sets it")
    if kind is None and "kind" not in section.names():
        kinds = ", ".join(f'"{each}"' for each in FlagKind)
        section.complain("it has no kind", f"kind is one of {kinds}")
    if len(problems.found) > before:
        return None
    assert kind is not None
    assert default is not None
    return Flag(name, kind, default, description)


def _value(kind: FlagKind | None) -> Callable[[object], SetTo | None]:
    def check(said: object) -> SetTo | None:
        if kind is None:
            return None
        try:
            return read_value(kind, said)
        except FlagError as error:
            raise RefusedValue(error.problem, error.hint) from None

    return check


class OfrepConfig(msgspec.Struct, frozen=True):
    """`[ofrep]`: where bots read flags; None is nowhere."""

    listen: ListenAddress | None = None


def read_ofrep(section: Section) -> OfrepConfig:
    """`[ofrep]`."""
    ofrep = OfrepConfig(listen=section.take("listen", address, None))
    section.end()
    return ofrep
