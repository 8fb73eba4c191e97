"""All pools as one text, so that they can be released: weights, limits and states. Pure.

    [sales]
    sticky = false
    [sales.breaker]
    enabled = true
    failure_share = 0.5
    least = 3
    window_s = 60.0
    cool_down_s = 30.0
    [sales.members.a]
    weight = 90
    limit = "none"
    state = "in"

That is everything of a pool but where its members are: addresses, logins and parameters stay in the
configuration. What a text doesn't say of a pool or member is as configured. `pools_text` writes all
of it, pools and members by name, so that the same pools are the same text.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import ConfigError
from switchhook.rules.bot_pool import (
    BREAKER_BOUNDS,
    MOST_STREAMS,
    MOST_WEIGHT,
    BreakerSettings,
    MemberState,
    Pool,
)
from switchhook.rules.outcome import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from switchhook.rules.bot_pool import Member

LONGEST = 256 * 1024
"""Bytes of one text."""
UNLIMITED = "none"
"""What stands for a member without a limit of its own."""

_POOL_KEYS = ("sticky", "breaker", "members")
_MEMBER_KEYS = ("weight", "limit", "state")

_BARE = re.compile("[A-Za-z0-9_-]+")

Place = tuple[str, ...]
"""`(pool, key)`, or `(pool, member, key)`."""
Value = bool | int | str | BreakerSettings


class PoolsTextError(ConfigError):
    """A text of pools that doesn't check out: all that is wrong with it, one line each."""

    def __init__(self, problems: tuple[ConfigError, ...], *, file: str) -> None:
        super().__init__(f"{len(problems)} problems", file=file)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def pools_text(pools: Iterable[Pool]) -> str:
    """The text of pools, whole, in the order of their names; empty where there is none."""
    return "\n".join(_pool_text(each) for each in sorted(pools, key=lambda each: each.name))


def read_pools(text: str | bytes, *, file: str, pools: Iterable[Pool]) -> tuple[Pool, ...]:
    """The configured `pools`, in their order, as a text has them; `file` in messages.

    Raises PoolsTextError with all that is wrong: a pool or member that the configuration hasn't is
    too.
    """
    configured = tuple(pools)
    reader = _Reader(file, configured)
    values = reader.values(_document(text, file))
    found = _with(configured, values)
    for pool in found:
        if not any(each.weight for each in pool.members):
            reader.add((pool.name,), "each member has weight 0, so that none takes a call")
    if reader.problems:
        raise PoolsTextError(tuple(reader.problems), file=file)
    return found


def laid_over(text: str, pools: Iterable[Pool], *, written: str | None = None) -> tuple[Pool, ...]:
    """The configured pools as a text that ran has them, as far as both have them.

    With `written`, what the configuration said before in the same form, what has changed in it
    since is as it says now: an edit in place changes what it changes, and no more. Never raises.
    """
    configured = tuple(pools)
    ran = _values_of(text, configured)
    if written is not None:
        before, now = _values_of(written, configured), _configured(configured)
        ran = {place: said for place, said in ran.items() if before.get(place) == now[place]}
    return _with(configured, ran)


def lost_names(text: str, pools: Iterable[Pool]) -> list[str]:
    """The pools, and `pool/member`, that a text has and the configuration has no more."""
    have = {pool.name: {each.name for each in pool.members} for pool in pools}
    try:
        told = _document(text, "")
    except PoolsTextError:
        return []
    lost = []
    for name, table in told.items():
        if name not in have:
            lost.append(name)
            continue
        members = table.get("members") if isinstance(table, dict) else None
        if isinstance(members, dict):
            lost += [f"{name}/{each}" for each in members if each not in have[name]]
    return lost


def _pool_text(pool: Pool) -> str:
    name = _toml(pool.name)
    lines = [f"[{name}]", f"sticky = {_toml(pool.sticky)}", f"[{name}.breaker]"]
    lines += [f"{key} = {_toml(value)}" for key, value in _settings(pool.breaker).items()]
    for member in sorted(pool.members, key=lambda each: each.name):
        lines.append(f"[{name}.members.{_toml(member.name)}]")
        lines += [f"{key} = {_toml(value)}" for key, value in _said(member).items()]
    return "\n".join(lines) + "\n"


def _settings(breaker: BreakerSettings) -> dict[str, bool | int | float]:
    """What a breaker has, with the same number in the same form."""
    return {
        key: value if key == "enabled" or BREAKER_BOUNDS[key][2] else float(value)
        for key, value in msgspec.structs.asdict(breaker).items()
    }


def _said(member: Member) -> dict[str, bool | int | float | str]:
    limit = UNLIMITED if member.limit is None else member.limit
    return {"weight": member.weight, "limit": limit, "state": member.state.value}


def _toml(value: bool | float | str) -> str:
    """A value, or a name in quotes, as TOML has it; JSON's are the same but for DEL."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _document(text: str | bytes, file: str) -> dict[str, object]:
    if len(text) > LONGEST:
        raise _refused(f"the text has more than {LONGEST:,} bytes", file)
    try:
        whole = text if isinstance(text, str) else text.decode()
        return tomllib.loads(whole)
    except UnicodeDecodeError:
        raise _refused("not UTF-8 text", file) from None
    except ValueError as error:
        said = str(error)
        raise _refused(f"not TOML: {said[:1].lower() + said[1:]}", file) from None
    except RecursionError:
        raise _refused("not TOML: nested too deeply", file) from None


def _refused(problem: str, file: str) -> PoolsTextError:
    return PoolsTextError((ConfigError(problem, file=file),), file=file)


class _Reader:
    """Reads values out of a document, and notes what is wrong with it."""

    def __init__(self, file: str, pools: tuple[Pool, ...]) -> None:
        self._file, self._pools = file, {each.name: each for each in pools}
        self.problems: list[ConfigError] = []

    def add(self, place: Place, problem: str, hint: str = "") -> None:
        key = ".".join(each if _BARE.fullmatch(each) else _toml(each) for each in place)
        self.problems.append(ConfigError(problem, file=self._file, key=key, hint=hint))

    def values(self, document: Mapping[str, object]) -> dict[Place, Value]:
        """All values of what the configuration has, by their place."""
        found: dict[Place, Value] = {}
        for name, table in document.items():
            pool = self._pools.get(name)
            if pool is None:
                self._unknown((name,), "pool", name, self._pools)
            elif isinstance(table, dict):
                self._pool(pool, table, found)
            else:
                self.add((name,), "it is not a table", f"[{_toml(name)}.members.NAME]")
        return found

    def _pool(self, pool: Pool, table: Mapping[str, object], found: dict[Place, Value]) -> None:
        name = pool.name
        self._keys((name,), table, _POOL_KEYS)
        if "sticky" in table:
            self._take((name, "sticky"), table["sticky"], _flag, found)
        if "breaker" in table:
            self._breaker((name, "breaker"), table["breaker"], pool.breaker, found)
        members = table.get("members", {})
        if not isinstance(members, dict):
            self.add((name, "members"), "it is not a table")
            return
        names = [each.name for each in pool.members]
        for member, said in members.items():
            place = (name, "members", member)
            if member not in names:
                self._unknown(place, f"member of pool {name}", member, names)
            elif not isinstance(said, dict):
                self.add(place, "it is not a table", "weight = 100")
            else:
                self._keys(place, said, _MEMBER_KEYS)
                for key in said.keys() & _READS.keys():
                    self._take((*place, key), said[key], _READS[key], found, (name, member, key))

    def _breaker(
        self, place: Place, said: object, before: BreakerSettings, found: dict[Place, Value]
    ) -> None:
        """Those settings of it that are named; the others are as configured."""
        if isinstance(said, bool):
            found[place] = msgspec.structs.replace(before, enabled=said)
            return
        if not isinstance(said, dict):
            self.add(place, "it is neither true, false nor a table")
            return
        known = msgspec.structs.asdict(before)
        self._keys(place, said, tuple(known))
        for key in said.keys() & known.keys():
            try:
                known[key] = _flag(said[key]) if key == "enabled" else _bounded(key, said[key])
            except _WrongError as wrong:
                self.add((*place, key), str(wrong))
        found[place] = BreakerSettings(**known)

    def _take(
        self,
        place: Place,
        said: object,
        read: Callable[[object], Value],
        found: dict[Place, Value],
        under: Place | None = None,
    ) -> None:
        """Read a value; it is kept `under` another place than it is complained of."""
        try:
            found[under or place] = read(said)
        except _WrongError as wrong:
            self.add(place, str(wrong))

    def _keys(self, place: Place, table: Mapping[str, object], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                self.add((*place, key), "unknown key", did_you_mean(key, known))

    def _unknown(self, place: Place, what: str, name: str, known: Iterable[str]) -> None:
        problem = f"the configuration has no {what} {name[:64]!r}"
        self.add(place, problem, did_you_mean(name, known))


class _WrongError(ValueError):
    """A value that can't be used, in words."""


def _flag(said: object) -> bool:
    if isinstance(said, bool):
        return said
    raise _WrongError("it is neither true nor false")


def _weight(said: object) -> int:
    if isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= MOST_WEIGHT:
        return said
    raise _WrongError(f"it is not a whole number from 0 to {MOST_WEIGHT:,}")


def _limit(said: object) -> int | str:
    if said == UNLIMITED:
        return UNLIMITED
    if isinstance(said, int) and not isinstance(said, bool) and 1 <= said <= MOST_STREAMS:
        return said
    raise _WrongError(f'it is neither "{UNLIMITED}" nor a whole number from 1 to {MOST_STREAMS:,}')


def _state(said: object) -> str:
    known = [each.value for each in MemberState]
    if isinstance(said, str) and said in known:
        return said
    raise _WrongError(f"it is none of {', '.join(known)}")


_READS: dict[str, Callable[[object], Value]] = {
    "weight": _weight,
    "limit": _limit,
    "state": _state,
}


def _bounded(key: str, said: object) -> int | float:
    least, most, whole = BREAKER_BOUNDS[key]
    kinds = (int,) if whole else (int, float)
    if not isinstance(said, bool) and isinstance(said, kinds) and least <= said <= most:
        return said if whole else float(said)
    kind = "a whole number" if whole else "a number"
    raise _WrongError(f"it is not {kind} from {least:,} to {most:,}")


def _values_of(text: str, pools: tuple[Pool, ...]) -> dict[Place, Value]:
    """What a text says of configured pools; nothing of one that can't be read."""
    try:
        return _Reader("", pools).values(_document(text, ""))
    except PoolsTextError:
        return {}


def _configured(pools: tuple[Pool, ...]) -> dict[Place, Value]:
    found: dict[Place, Value] = {}
    for pool in pools:
        found[pool.name, "sticky"], found[pool.name, "breaker"] = pool.sticky, pool.breaker
        for member in pool.members:
            for key, said in _said(member).items():
                assert not isinstance(said, float)
                found[pool.name, member.name, key] = said
    return found


def _with(pools: tuple[Pool, ...], values: Mapping[Place, Value]) -> tuple[Pool, ...]:
    """Pools with other values, as far as they are told."""
    return tuple(
        msgspec.structs.replace(
            pool,
            members=tuple(_member_with(pool.name, each, values) for each in pool.members),
            **{
                key: values[pool.name, key]
                for key in ("sticky", "breaker")
                if (pool.name, key) in values
            },
        )
        for pool in pools
    )


def _member_with(pool: str, member: Member, values: Mapping[Place, Value]) -> Member:
    said = {
        key: values[place] for key in _MEMBER_KEYS if (place := (pool, member.name, key)) in values
    }
    changed: dict[str, object] = dict(said)
    if "limit" in said:
        changed["limit"] = None if said["limit"] == UNLIMITED else said["limit"]
    if "state" in said:
        changed["state"] = MemberState(str(said["state"]))
    return msgspec.structs.replace(member, **changed)
