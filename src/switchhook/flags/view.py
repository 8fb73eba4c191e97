"""How flags stand, as page, API and commands tell it. Pure values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import DAY_MS
from switchhook.flags.changes import FlagChange
from switchhook.rules.flag_values import value_text, value_words
from switchhook.rules.flags import Flag, FlagKind, SetTo, Window, is_open, set_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STALE_DAYS = 90


class FlagRead(msgspec.Struct, frozen=True):
    """When a flag was first seen declared, and last read; None is never. In ms of Unix time."""

    flag: str
    known_ms: int
    rules_ms: int | None = None
    bots_ms: int | None = None


class FlagView(msgspec.Struct, frozen=True, kw_only=True):
    """One flag as it stands at a moment.

    `value` is what it is set to, `text` the line that sets it so, `words` the same for people.
    `change` is the one that made it so, None where it is as it is declared; `last` the last one,
    in force or not. `readers` are the endpoints whose rules read it; `stale` says why it could go,
    in words, and `unused` why what it was set to does not count.
    """

    name: str
    kind: FlagKind
    description: str
    value: SetTo
    text: str
    words: str
    default: SetTo
    default_words: str
    change: FlagChange | None
    last: FlagChange | None
    readers: tuple[str, ...] = ()
    rules_ms: int | None = None
    bots_ms: int | None = None
    stale: str = ""
    unused: str = ""


class FlagsView(msgspec.Struct, frozen=True, kw_only=True):
    """All flags, in the order of the configuration; `problem` is why they may not be as told."""

    made_ms: int
    flags: tuple[FlagView, ...] = ()
    problem: str = ""

    def flag(self, name: str) -> FlagView | None:
        """The flag of that name."""
        return next((each for each in self.flags if each.name == name), None)


def flags_view(
    flags: Iterable[Flag],
    held: Mapping[str, FlagChange],
    reads: Mapping[str, FlagRead],
    readers: Mapping[str, tuple[str, ...]],
    now_ms: int,
    problem: str = "",
) -> FlagsView:
    """How flags stand; all by name: their last changes, when they were read, who reads them."""
    shown = tuple(
        _view(flag, held.get(flag.name), reads.get(flag.name), readers.get(flag.name, ()), now_ms)
        for flag in flags
    )
    return FlagsView(made_ms=now_ms, flags=shown, problem=problem)


def _view(
    flag: Flag,
    last: FlagChange | None,
    read: FlagRead | None,
    readers: tuple[str, ...],
    now_ms: int,
) -> FlagView:
    value = set_to(flag, None if last is None else last.setting, now_ms)
    of_its_kind = last is not None and last.kind is flag.kind
    in_force = last if last is not None and of_its_kind and last.in_force(now_ms) else None
    return FlagView(
        name=flag.name,
        kind=flag.kind,
        description=flag.description,
        value=value,
        text=value_text(flag.kind, value),
        words=value_words(flag.kind, value),
        default=flag.default,
        default_words=value_words(flag.kind, flag.default),
        change=in_force,
        last=last,
        readers=readers,
        rules_ms=None if read is None else read.rules_ms,
        bots_ms=None if read is None else read.bots_ms,
        stale=_stale(last, read, readers, now_ms),
        unused=""
        if last is None or of_its_kind
        else f"it was set as a {last.kind}, which it is no more, so that its default holds",
    )


def _stale(
    last: FlagChange | None, read: FlagRead | None, readers: tuple[str, ...], now_ms: int
) -> str:
    """Why a flag could go; empty where it could not, or is too new to tell."""
    if read is None:
        return ""
    lately = max(read.known_ms, read.rules_ms or 0, read.bots_ms or 0)
    unread = (now_ms - lately) // DAY_MS
    if unread >= STALE_DAYS and not readers:
        return f"neither rules nor bots have read it for {unread} days: remove it"
    same = (now_ms - max(read.known_ms, 0 if last is None else last.at_ms)) // DAY_MS
    if same >= STALE_DAYS:
        return f"it has been the same for {same} days: write it into the rules, and remove it"
    return ""


def gist_of(
    flags: Iterable[Flag], held: Mapping[str, FlagChange], now_ms: int
) -> tuple[object, ...]:
    """What tells two moments apart for those who read flags: also windows that open and close."""
    found: list[object] = []
    for flag in flags:
        last = held.get(flag.name)
        value = set_to(flag, None if last is None else last.setting, now_ms)
        opened = is_open(value, now_ms) if isinstance(value, Window) else None
        found.append((flag.name, flag.kind, str(value), opened))
    return tuple(found)
