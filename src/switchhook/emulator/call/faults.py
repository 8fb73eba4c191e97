"""Which faults strike now: by time, probability or count, and only where they are meant to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.plan.bots import bot_key

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from switchhook.emulator.plan.plan import Fault, FaultKind


class FaultSite(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is about to happen."""

    account: str
    number: str | None = None
    flow: str | None = None
    applet: str | None = None
    bots: frozenset[str] = frozenset()
    """By what the bot may be named that is dialled here (`bots_at`)."""


class _Armed(msgspec.Struct):
    """A fault in force since `since`, in seconds of the clock, and how often it struck."""

    fault: Fault
    since: float
    struck: int = 0


class Faults:
    """The faults in force; some are used up. `now` is the clock, in seconds."""

    def __init__(self, faults: tuple[Fault, ...], now: Callable[[], float]) -> None:
        self._now = now
        self._armed: dict[int, _Armed] = {}
        self._next = 1
        self._watchers: list[Callable[[], None]] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> int:
        """Put a fault in force; the number takes it back."""
        number, self._next = self._next, self._next + 1
        self._armed[number] = _Armed(fault, self._now())
        for tell in list(self._watchers):
            tell()
        return number

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have `tell` called whenever a fault is put in force; gives what ends that."""
        self._watchers.append(tell)
        return lambda: self._watchers.remove(tell) if tell in self._watchers else None

    def remove(self, number: int) -> bool:
        """Take a fault back; False where it is used up or never was."""
        return self._armed.pop(number, None) is not None

    def armed(self) -> dict[int, Fault]:
        """The faults in force by their numbers."""
        return {number: armed.fault for number, armed in self._armed.items()}

    def on(self, what: FaultKind, place: FaultSite) -> Fault | None:
        """The fault of a whole bot that is on here now; looking uses nothing up."""
        return next((x for x, wait in self._waits(what, place) if wait == 0), None)

    def due_in(self, what: FaultKind, place: FaultSite) -> float | None:
        """Seconds until such a fault is on here; None where none will be."""
        return min((wait for _, wait in self._waits(what, place)), default=None)

    def _waits(self, what: FaultKind, place: FaultSite) -> Iterator[tuple[Fault, float]]:
        for armed in self._armed.values():
            if armed.fault.what == what and _meant(armed.fault, place):
                wait = seconds_until(armed.fault, self._now() - armed.since)
                if wait is not None:
                    yield armed.fault, wait

    def strike(self, what: FaultKind, place: FaultSite, chance: random.Random) -> Fault | None:
        """The fault of that kind that strikes here, the oldest first."""
        return next(iter(self.strike_all(what, place, chance)), None)

    def strike_all(self, what: FaultKind, place: FaultSite, chance: random.Random) -> list[Fault]:
        """Every fault of that kind that strikes here; each counts as used once."""
        struck = []
        for number, armed in list(self._armed.items()):
            fault = armed.fault
            if fault.what != what or not _meant(fault, place):
                continue
            if not is_on(fault, self._now() - armed.since):
                continue
            if fault.probability < 1 and chance.random() >= fault.probability:
                continue
            armed.struck += 1
            if fault.count is not None and armed.struck >= fault.count:
                del self._armed[number]
            struck.append(fault)
        return struck


def is_on(fault: Fault, age: float) -> bool:
    """Whether a fault strikes `age` seconds after it was put in force."""
    into = age - fault.after_s
    if into < 0:
        return False
    if fault.every_s is not None:
        into %= fault.every_s
    return fault.for_s is None or into < fault.for_s


def seconds_until(fault: Fault, age: float) -> float | None:
    """Seconds from `age` until a fault strikes, 0 while it does; None where it never will again."""
    into = age - fault.after_s
    if into < 0:
        return -into
    if is_on(fault, age):
        return 0.0
    return None if fault.every_s is None else fault.every_s - into % fault.every_s


def _meant(fault: Fault, place: FaultSite) -> bool:
    if fault.bot is not None and not {fault.bot, bot_key(fault.bot)} & place.bots:
        return False
    return all(
        wanted is None or wanted == getattr(place, name)
        for name, wanted in (
            ("account", fault.account),
            ("number", fault.number),
            ("flow", fault.flow),
            ("applet", fault.applet),
        )
    )
