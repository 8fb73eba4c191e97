"""Which faults strike now: by probability or by count, and only where they are meant to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import random

    from switchhook.emulator.plan.plan import Fault, FaultKind


class FaultSite(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is about to happen."""

    account: str
    number: str | None = None
    flow: str | None = None
    applet: str | None = None


class Faults:
    """The faults in force; some are used up."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._armed: dict[int, list[Fault | int]] = {}
        self._next = 1
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> int:
        """Put a fault in force; the number takes it back."""
        number, self._next = self._next, self._next + 1
        self._armed[number] = [fault, 0]
        return number

    def remove(self, number: int) -> bool:
        """Take a fault back; False where it is used up or never was."""
        return self._armed.pop(number, None) is not None

    def armed(self) -> dict[int, Fault]:
        """The faults in force by their numbers."""
        return {number: fault for number, (fault, _) in self._armed.items()}  # type: ignore[misc]

    def strike(self, what: FaultKind, place: FaultSite, chance: random.Random) -> Fault | None:
        """The fault of that kind that strikes here, the oldest first."""
        return next(iter(self.strike_all(what, place, chance)), None)

    def strike_all(self, what: FaultKind, place: FaultSite, chance: random.Random) -> list[Fault]:
        """Every fault of that kind that strikes here; each counts as used once."""
        struck = []
        for number, armed in list(self._armed.items()):
            fault, used = armed
            assert not isinstance(fault, int)
            assert isinstance(used, int)
            if fault.what != what or not _meant(fault, place):
                continue
            if fault.probability < 1 and chance.random() >= fault.probability:
                continue
            armed[1] = used + 1
            if fault.count is not None and used + 1 >= fault.count:
                del self._armed[number]
            struck.append(fault)
        return struck


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
