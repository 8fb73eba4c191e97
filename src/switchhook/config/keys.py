"""Reading a table of keys: each value checked, each problem noted, no unknown key let through.

A check takes what TOML gave and returns the value, or raises `RefusedValue`. A `Section` turns that
into a problem with its key and goes on, so that all of them are found in one reading.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import zoneinfo
from typing import TYPE_CHECKING, Any, TypeVar

import phonenumbers

from switchhook.config.basics import ListenAddress
from switchhook.errors import ConfigError
from switchhook.exotel.fields import e164

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

    Member = TypeVar("Member", bound=StrEnum)

T = TypeVar("T")
D = TypeVar("D")

_LONGEST_SHOWN = 60
_LONGEST_PATH = 4096
_LONGEST_NUMBER = 64
_PORT = re.compile("[0-9]{1,5}")


class RefusedValue(Exception):  # noqa: N818 - it never leaves a Section
    """A value that can't be used: the problem, and a hint."""

    def __init__(self, problem: str, hint: str = "") -> None:
        self.problem, self.hint = problem, hint
        super().__init__(problem)


class Problems:
    """What is wrong with one file, in the order in which it was found."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[ConfigError] = []

    def add(self, key: str, problem: str, hint: str = "") -> None:
        self.found.append(ConfigError(problem, file=self.file, key=key, hint=hint))

    def has(self, beginning: str) -> bool:
        """Whether a key that begins so was refused: what it lacks then is no second problem."""
        return any(each.key.startswith(beginning) for each in self.found)


class Section:
    """One table: take what is known, then `end` refuses the rest by name."""

    def __init__(self, table: object, key: str, problems: Problems) -> None:
        self.key = key
        self._problems = problems
        self._known: list[str] = []
        if not isinstance(table, dict):
            problems.add(key, "it is not a table", f"write [{key}] on a line, its keys below")
            table = {}
        self._table: dict[str, Any] = table

    def take(self, name: str, check: Callable[[object], T], default: D) -> T | D:
        """The checked value of a key; `default` where it is absent or refused."""
        self._known.append(name)
        if name not in self._table:
            return default
        try:
            return check(self._table[name])
        except RefusedValue as refused:
            self._problems.add(self._path(name), refused.problem, refused.hint)
            return default

    def section(self, name: str) -> Section:
        """The table under a key; an empty one where it is absent."""
        self._known.append(name)
        return Section(self._table.get(name, {}), self._path(name), self._problems)

    def names(self) -> tuple[str, ...]:
        """The keys that are there, for a table whose keys are names."""
        return tuple(self._table)

    def end(self) -> None:
        for name in self._table:
            if name not in self._known:
                near = difflib.get_close_matches(name, self._known, 1)
                guess = f"did you mean {near[0]}? " if near else ""
                hint = f"{guess}known: {', '.join(self._known)}"
                self._problems.add(self.key, f"unknown key {_shown(name)}", hint)

    def complain(self, problem: str, hint: str = "") -> None:
        """Note what no key of the table alone can tell."""
        self._problems.add(self.key, problem, hint)

    def _path(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name


def text(longest: int) -> Callable[[object], str]:
    """A text of 1 to `longest` characters."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise RefusedValue(f"it is {_kind(value)}, not a text", 'put it between quotes: "…"')
        if not value or len(value) > longest:
            raise RefusedValue(f"{len(value):,} characters; it takes 1 to {longest:,}")
        return value

    return check


def paths(folder: str) -> Callable[[object], str]:
    """A path, relative to `folder` unless it is absolute."""

    def check(value: object) -> str:
        path = text(_LONGEST_PATH)(value)
        if "\0" in path:
            raise RefusedValue("a path can't hold a NUL character")
        return os.path.join(folder, path)  # noqa: PTH118 - text only, nothing is looked up

    return check


def integer(low: int, high: int) -> Callable[[object], int]:
    """A whole number from `low` to `high`."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise RefusedValue(f"it is {_kind(value)}, not a whole number", _bounds(low, high))
        if not low <= value <= high:
            raise RefusedValue(f"{_shown(value)} is out of bounds", _bounds(low, high))
        return value

    return check


def number(low: float, high: float) -> Callable[[object], float]:
    """A number from `low` to `high`."""

    def check(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise RefusedValue(f"it is {_kind(value)}, not a number", _bounds(low, high))
        if not low <= value <= high:
            raise RefusedValue(f"{_shown(value)} is out of bounds", _bounds(low, high))
        return value

    return check


def choice(members: type[Member]) -> Callable[[object], Member]:
    """One of an enumeration's texts, as spelt there."""

    def check(value: object) -> Member:
        if isinstance(value, str) and value in set(members):
            return members(value)
        hint = " or ".join(f'"{member}"' for member in members)
        raise RefusedValue(f"no such choice: {_shown(value)}", hint)

    return check


def flag(value: object) -> bool:
    """`true` or `false`."""
    if isinstance(value, bool):
        return value
    raise RefusedValue("it is neither true nor false", "without quotes")


def phone_number(value: object, country: str = "IN") -> str:
    """A whole telephone number, as E.164; `country` is that of one that names none."""
    found = e164(text(_LONGEST_NUMBER)(value), country)
    if isinstance(found, str):
        return found
    raise RefusedValue("no full telephone number", 'in E.164, such as "+918047112233"')


def several(check: Callable[[object], T], most: int) -> Callable[[object], tuple[T, ...]]:
    """A list of at most `most` values, each of which checks out."""

    def check_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise RefusedValue(
                f"it is {_kind(value)}, not a list", "put it between brackets: [ … ]"
            )
        if len(value) > most:
            raise RefusedValue(f"{len(value):,} values; the most is {most:,}")
        return tuple(check(each) for each in value)

    return check_all


def address(value: object) -> ListenAddress:
    """`HOST:PORT`, with IPv6 in brackets."""
    said = text(60)(value)
    hint = 'HOST:PORT such as "127.0.0.1:8080" or "[::1]:8080"; port 0 takes a free one'
    host, colon, port = said.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > 65_535:
        raise RefusedValue(f"no address and port: {said!r}", hint)
    if host == "localhost":
        return ListenAddress("127.0.0.1", int(port))
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        ip = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        hint = "an IP address of this machine; 0.0.0.0 or [::] for all"
        raise RefusedValue(f"{host!r} is not an IP address", hint) from None
    if bracketed != (ip.version == 6):
        raise RefusedValue(f"no address and port: {said!r}", hint)
    return ListenAddress(str(ip), int(port))


def network(value: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An IP address or a CIDR block, but not all of the Internet."""
    said = text(_LONGEST_SHOWN)(value)
    hint = 'such as "10.0.0.7", "10.0.0.0/24" or "fd00::/8"'
    try:
        found = ipaddress.ip_network(said)
    except ValueError as error:
        if "host bits set" in str(error):
            hint = f'you may mean "{ipaddress.ip_network(said, strict=False)}"'
        raise RefusedValue(f"no address or block: {_shown(said)}", hint) from None
    if found.prefixlen == 0:
        raise RefusedValue(f"{_shown(said)} is everybody, and anybody can forge the headers", hint)
    return found


def region(value: object) -> str:
    """A CLDR region that telephone numbers are known for."""
    if isinstance(value, str) and value in phonenumbers.SUPPORTED_REGIONS:
        return value
    raise RefusedValue(
        f"no such region: {_shown(value)}", 'two capital letters such as "IN" or "SG"'
    )


def zone(value: object) -> str:
    """An IANA time zone that this system knows."""
    said = text(_LONGEST_SHOWN)(value)
    try:
        zoneinfo.ZoneInfo(said)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(said, zoneinfo.available_timezones(), 1)
        hint = f'did you mean "{near[0]}"?' if near else 'such as "Asia/Kolkata"'
        raise RefusedValue(f"no such time zone: {_shown(said)}", hint) from None
    return said


def _kind(value: object) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    names |= {list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


def _bounds(low: float, high: float) -> str:
    """What a number may be; so many digits that the log would mask them are written shorter."""
    return " to ".join(f"{n:,}" if abs(n) < 10**9 else f"{n:g}" for n in (low, high))


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**18:
        return "a number of many digits"
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"
