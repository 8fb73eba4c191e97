"""What people do to flags: wanted, checked, in force, undone. Pure.

Each change is kept, with who made it and why; the last one of a flag is what it is set to. One that
ends by itself goes back to what lasted before it. To undo is a change, too: back to what the flag
was set to before the last change, and undone once more to what it was before that.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import FlagError
from switchhook.exotel.phone_numbers import HIDDEN, mask_text
from switchhook.rules.flag_values import total_bytes, value_text, value_words
from switchhook.rules.flags import Flag, FlagKind, FlagSetting, SettingsThen, SetTo, set_to
from switchhook.rules.outcome import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LONGEST_REASON = 300
LONGEST_S = 366 * 86_400
"""The longest that a flag can be set for; without a length it stays so."""
MOST_BYTES = 64 * 1024
"""What all that flags are set to may take together, where answer processes are told of it."""
_MASKED = re.compile(f"{HIDDEN}{{2,}}|[0-9]{HIDDEN}|{HIDDEN}[0-9]")
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ufeff]")


class FlagAct(StrEnum):
    """What was done to a flag."""

    SET = "set"
    RESET = "reset"
    """Back to its default."""
    UNDO = "undo"


class FlagChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of a flag: what it is set to since `at_ms`, by whom and why.

    `value` None is its default; `until_ms` is where it ends by itself, and `then` what holds after
    that. `before` is the change that an undo goes back to, None for none. Times in ms of Unix time.
    """

    id: int
    flag: str
    kind: FlagKind
    act: FlagAct
    by: str
    reason: str
    at_ms: int
    value: SetTo | None = None
    until_ms: int | None = None
    then: SetTo | None = None
    before: int | None = None

    @property
    def setting(self) -> FlagSetting:
        """As it is told."""
        return FlagSetting(self.flag, self.kind, self.value, self.until_ms, self.then)

    def in_force(self, now_ms: int) -> bool:
        """Whether it makes the flag something else than its default."""
        return self.setting.at(now_ms) is not None


class FlagWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants a flag to be, why, and for how many seconds; None is its default."""

    flag: str
    value: SetTo | None
    reason: str
    for_s: int | None = None


def flag_named(name: str, flags: Sequence[Flag]) -> Flag:
    """The flag of that name. Raises FlagError, which says which was meant."""
    found = next((flag for flag in flags if flag.name == name), None)
    if found is None:
        hint = did_you_mean(name, [flag.name for flag in flags])
        if not flags:
            hint = "[flags.NAME] in the configuration declares one"
        raise FlagError(f"there is no flag {name[:64]!r}", hint)
    return found


def change_of(
    wanted: FlagWanted,
    flags: Sequence[Flag],
    held: Mapping[str, FlagChange],
    by: str,
    now_ms: int,
) -> FlagChange:
    """The change that follows from a wish; `held` are the last changes of all flags, by name.

    Its id is not known yet. Raises FlagError, which says what to do instead.
    """
    flag = flag_named(wanted.flag, flags)
    reason = _reason(wanted.reason)
    _check_length(wanted.for_s)
    before = held.get(flag.name)
    value = wanted.value
    if value is not None and _MASKED.search(value_text(flag.kind, value)):
        raise FlagError("it holds a masked number", "write the number whole")
    _check_differs(flag, wanted, before, now_ms)
    change = FlagChange(
        id=0,
        flag=flag.name,
        kind=flag.kind,
        act=FlagAct.RESET if wanted.value is None else FlagAct.SET,
        by=by,
        reason=reason,
        at_ms=now_ms,
        value=value,
        until_ms=None if wanted.for_s is None else now_ms + wanted.for_s * 1000,
        then=None if wanted.for_s is None or before is None else lasting(before, flag, now_ms),
        before=None if before is None else before.id,
    )
    _check_room([*(each for name, each in held.items() if name != flag.name), change])
    return change


def undone(
    flag: Flag,
    last: FlagChange | None,
    target: FlagChange | None,
    reason: str,
    by: str,
    now_ms: int,
) -> FlagChange:
    """The change that undoes the `last` one; `target` is the one it names as before it.

    Raises FlagError where nothing was changed.
    """
    if last is None or (last.before is None and not last.in_force(now_ms)):
        raise FlagError(f"{flag.name} is as it is declared", "there is nothing to undo")
    reason = _reason(reason) if reason.strip() else ""
    value, until_ms, then = None, None, None
    if target is not None and target.kind is flag.kind:
        ends = target.until_ms is not None and target.until_ms <= now_ms
        value = target.then if ends else target.value
        until_ms, then = (None, None) if ends else (target.until_ms, target.then)
    return FlagChange(
        id=0,
        flag=flag.name,
        kind=flag.kind,
        act=FlagAct.UNDO,
        by=by,
        reason=reason,
        at_ms=now_ms,
        value=value,
        until_ms=until_ms,
        then=then,
        before=None if target is None else target.before,
    )


def lasting(change: FlagChange, flag: Flag, now_ms: int) -> SetTo | None:
    """What a flag is set to without an end, as its last change left it; None is its default."""
    if change.kind is not flag.kind:
        return None
    ends = change.until_ms is not None
    return change.then if ends else change.value


def told(held: Iterable[FlagChange], flags: Iterable[Flag], now_ms: int) -> tuple[FlagSetting, ...]:
    """What answer processes are told: the settings of flags that are not as they are declared."""
    kinds = {flag.name: flag.kind for flag in flags}
    return tuple(
        each.setting
        for each in held
        if kinds.get(each.flag) is each.kind and (each.in_force(now_ms) or each.then is not None)
    )


def settings_then(changes: Iterable[FlagChange]) -> SettingsThen:
    """What flags were set to at any moment since a time that is past.

    `changes` in the order of their ids, beginning with the last of each flag before that time.
    """
    then = SettingsThen({})
    for change in changes:
        then.add(change.at_ms, change.setting)
    return then


# In words.


def words_of(change: FlagChange) -> str:
    """A change in words, as it stands in sentences."""
    if change.value is None:
        return f"{change.flag} is as it is declared"
    return f"{change.flag} is {value_words(change.kind, change.value)}"


DEEDS = {
    FlagAct.SET: "set a flag",
    FlagAct.RESET: "reset a flag",
    FlagAct.UNDO: "undid the change of a flag",
}


def noted(change: FlagChange) -> tuple[str, str, dict[str, str]]:
    """What the audit log says of a change: the deed, the flag, details."""
    details = {"said": mask_text(words_of(change))}
    if change.reason:
        details["reason"] = change.reason
    if change.until_ms is not None:
        details["for_s"] = str((change.until_ms - change.at_ms) // 1000)
    return DEEDS[change.act], change.flag, details


# What is refused.


def _reason(said: str) -> str:
    reason = said.strip()
    if not _VISIBLE.search(reason):
        raise FlagError("it has no reason", "say why, for those who read it tomorrow")
    if len(reason) > LONGEST_REASON:
        raise FlagError("its reason is too long", f"at most {LONGEST_REASON} characters")
    return mask_text(reason)


def _check_length(for_s: int | None) -> None:
    if for_s is not None and for_s < 1:
        raise FlagError("its length is none", "1 second to 366 days, such as 2h or 90m")
    if for_s is not None and for_s > LONGEST_S:
        raise FlagError("its length is too long", f"at most {LONGEST_S // 86_400} days: 366d")


def _check_differs(flag: Flag, wanted: FlagWanted, before: FlagChange | None, now_ms: int) -> None:
    """Refuse what would change nothing, neither now nor when something ends."""
    if wanted.for_s is not None:
        return
    now = set_to(flag, None if before is None else before.setting, now_ms)
    target = flag.default if wanted.value is None else wanted.value
    ends = before is not None and before.until_ms is not None and before.until_ms > now_ms
    if now == target and not ends:
        said = value_words(flag.kind, now)
        raise FlagError(f"{flag.name} is {said} already", "there is nothing to change")


def _check_room(changes: Iterable[FlagChange]) -> None:
    size = total_bytes(each for change in changes for each in (change.value, change.then))
    if size > MOST_BYTES:
        problem = f"all flags together would be set to {size:,} bytes"
        raise FlagError(problem, f"at most {MOST_BYTES:,}: shorten it, or reset others")
