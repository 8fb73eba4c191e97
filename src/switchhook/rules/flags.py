"""Named flags: which kinds there are, and what one is for a caller at a moment. Pure.

A flag is declared in the configuration with its kind and default, so that rules that use it are
checked with its type when they are loaded, and a process that knows nothing else goes by the
default. What it is set to at the moment, people say; `values_of` makes of both what a caller's
rules read, and `flag_values` reads and writes what it can be set to.

A percentage is true for the callers whose bucket is below it: `rollout.bucket_of` with the salt
"flag", a newline and the flag's name. So the same caller has it everywhere, keeps it as it grows,
and a bot that names the caller by the same number gets the same answer.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import msgspec

from switchhook.exotel.times import EPOCH, WEEKDAYS
from switchhook.rules.rollout import BUCKETS, bucket_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LARGEST_WHOLE = 2**53 - 1
"""The largest whole number that every bot's language has exactly."""

FlagType = Literal["bool", "string", "int", "double", "list(string)"]
FlagValue = bool | str | int | float | list[str]
"""What rules and bots read."""

ZONE = "Asia/Kolkata"
"""The zone of a window that names none, as it is an endpoint's."""


class FlagKind(StrEnum):
    """What a flag is; what rules read of it is a `FlagValue`."""

    BOOLEAN = "boolean"
    TEXT = "text"
    NUMBER = "number"
    PERCENTAGE = "percentage"
    """True for a sticky part of the callers."""
    WINDOW = "window"
    """True within certain hours, or from one moment to another."""
    LIST = "list"
    """Texts, for `x in flags.NAME`."""


class Window(msgspec.Struct, frozen=True, omit_defaults=True, rename={"from_": "from"}):
    """When a window is open: from `from_` on, and before `until`.

    Both are clock times such as "09:00", on the clock of `zone`; then `days` are those on which it
    opens, all where there are none, and one that ends earlier than it begins ends the next day. Or
    both are moments, in RFC 3339; then it has neither days nor a zone.
    """

    from_: str
    until: str
    days: tuple[str, ...] = ()
    zone: str = ""

    @property
    def of_moments(self) -> bool:
        """Whether it opens once, and not each day."""
        return len(self.from_) > len("09:00")


SetTo = bool | str | int | float | list[str] | Window
"""What a flag is set to: of a percentage the number, of a window its hours."""


class Flag(msgspec.Struct, frozen=True, omit_defaults=True):
    """A flag as it is declared; a number is whole where its default is."""

    name: str
    kind: FlagKind
    default: SetTo
    description: str = ""

    @property
    def type(self) -> FlagType:
        """The type that rules have it in."""
        if self.kind is FlagKind.NUMBER:
            return "int" if isinstance(self.default, int) else "double"
        return _TYPES[self.kind]


_TYPES: dict[FlagKind, FlagType] = {
    FlagKind.BOOLEAN: "bool",
    FlagKind.TEXT: "string",
    FlagKind.PERCENTAGE: "bool",
    FlagKind.WINDOW: "bool",
    FlagKind.LIST: "list(string)",
}


class FlagSetting(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a flag is set to until `until_ms` of Unix time, and `then`; None is its default.

    `kind` is the flag's when it was set: of another it means nothing.
    """

    flag: str
    kind: FlagKind
    value: SetTo | None = None
    until_ms: int | None = None
    then: SetTo | None = None

    def at(self, now_ms: int) -> SetTo | None:
        """What it is set to at a moment; None is its default."""
        return self.value if self.until_ms is None or now_ms < self.until_ms else self.then


class SettingsThen(msgspec.Struct, frozen=True):
    """What flags were set to at any moment that is past.

    `changed` has by name from which moment on which setting was in force, in the order of time.
    """

    changed: dict[str, list[tuple[int, FlagSetting]]] = {}

    def add(self, at_ms: int, setting: FlagSetting) -> None:
        """Add a change; those of a flag in the order in which they were made.

        Where the clock had been set back the later change counts: what it overtook is forgotten.
        """
        changes = self.changed.setdefault(setting.flag, [])
        while changes and changes[-1][0] >= at_ms:
            changes.pop()
        changes.append((at_ms, setting))

    def at(self, moment_ms: int) -> dict[str, FlagSetting]:
        """What was set then, by name."""
        found = {}
        for name, changes in self.changed.items():
            place = bisect_right(changes, moment_ms, key=_first)
            if place:
                found[name] = changes[place - 1][1]
        return found


def _first(change: tuple[int, FlagSetting]) -> int:
    return change[0]


NOTHING_SET: Mapping[str, FlagSetting] = MappingProxyType({})
"""All flags are as they are declared."""
NO_VALUES: Mapping[str, FlagValue] = MappingProxyType({})


def set_to(flag: Flag, setting: FlagSetting | None, now_ms: int) -> SetTo:
    """What a flag is set to at a moment: its default where nothing of its kind says otherwise."""
    if setting is None or setting.kind is not flag.kind:
        return flag.default
    said = setting.at(now_ms)
    if said is None:
        return flag.default
    if flag.kind is FlagKind.NUMBER:
        return _number(flag, said)
    return said


def _number(flag: Flag, said: SetTo) -> SetTo:
    """A number of the flag's type; of one that is whole, and set to what is not, the default."""
    assert isinstance(said, int | float)
    if isinstance(flag.default, float):
        return float(said)
    if said != int(said) or abs(said) > LARGEST_WHOLE:
        return flag.default
    return int(said)


def value_of(flag: Flag, said: SetTo, caller: str, at_ms: int) -> FlagValue:
    """What a flag that is set to `said` is for a caller, by their key, at a moment."""
    if isinstance(said, Window):
        return is_open(said, at_ms)
    if flag.kind is FlagKind.PERCENTAGE:
        assert isinstance(said, int | float)
        return bucket_of(salt_of_flag(flag.name), caller) < buckets_of(said)
    return said


def values_of(
    flags: Iterable[Flag], settings: Mapping[str, FlagSetting], caller: str, at_ms: int
) -> dict[str, FlagValue]:
    """What flags are for a caller at a moment, by name."""
    return {
        flag.name: value_of(flag, set_to(flag, settings.get(flag.name), at_ms), caller, at_ms)
        for flag in flags
    }


def salt_of_flag(name: str) -> str:
    """What the buckets of a percentage are drawn with."""
    return f"flag\n{name}"


def buckets_of(percent: float) -> int:
    """How many of the buckets a percentage has."""
    return round(percent * BUCKETS / 100)


def declared_by(values: Mapping[str, FlagValue]) -> tuple[Flag, ...]:
    """Flags of the types that kept values have: for rules whose flags are declared no more."""
    return tuple(Flag(name, _kind_of(value), value) for name, value in values.items())


def _kind_of(value: FlagValue) -> FlagKind:
    if isinstance(value, bool):
        return FlagKind.BOOLEAN
    if isinstance(value, str):
        return FlagKind.TEXT
    return FlagKind.LIST if isinstance(value, list) else FlagKind.NUMBER


def is_open(window: Window, at_ms: int) -> bool:
    """Whether a window is open at a moment; one that makes no sense never is."""
    if window.of_moments:
        return moment_ms(window.from_) <= at_ms < moment_ms(window.until)
    opens, closes = minutes(window.from_), minutes(window.until)
    local = (EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(window.zone or ZONE))
    minute, today = local.hour * 60 + local.minute, local.weekday()
    if opens < closes:
        return opens <= minute < closes and _on(window, today)
    if minute >= opens:
        return _on(window, today)
    return minute < closes and _on(window, (today - 1) % 7)


def _on(window: Window, weekday: int) -> bool:
    return not window.days or WEEKDAYS[weekday] in window.days


def minutes(clock: str) -> int:
    """A clock time such as "09:00" in minutes since midnight. Raises ValueError."""
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


@lru_cache(1024)
def moment_ms(said: str) -> int:
    """A moment in RFC 3339 in ms of Unix time. Raises ValueError."""
    return round((datetime.fromisoformat(said) - EPOCH) / timedelta(milliseconds=1))
