"""Which faults strike now: by time, probability or count, and only where they are meant to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from switchhook.emulator.plan.plan import Fault, FaultKind


class FaultSite(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is about to happen."""

    account: str
    number: str | None = None
    flow: str | None = None
    applet: str | None = None


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
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> int:
        """Put a fault in force; the number takes it back."""
        number, self._next = self._next, self._next + 1
        self._armed[number] = _Armed(fault, self._now())
        return number

    def remove(self, number: int) -> bool:
        """Take a fault back; False where it is used up or never was."""
        return self._armed.pop(number, None) is not None

    def armed(self) -> dict[int, Fault]:
        """The faults in force by their numbers."""
        return {number: armed.fault for number, armed in self._armed.items()}

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


def _meant(fault: Fault, place: FaultSite) -> bool:
    return all(
        wanted is None or wanted == getattr(place, name)
        for name, wanted in (
            ("account", fault.account),
            ("number", fault.number),
            ("flow", fault.flow),
            ("applet", fault.applet),
        )
    )
