"""The places that callbacks of one account hold while they are dialled and ring. Pure.

Whoever is called back must find a stream when they answer, so that their place is taken before
they are dialled. Until it is told, or by the time certain, that they answered, no stream is in use,
and the account's own figure doesn't have it; from then on it is a lease like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKING_MS = 35_000
"""How long Exotel may take to begin a call."""
LONGEST_MS = 3_600_000


class Place(msgspec.Struct, frozen=True):
    """A place that is held for a callback, since when in ms of Unix time; `call` once known."""

    class_: str
    since_ms: int
    call: str = ""


class CallbackLeases:
    """Places by the names that callbacks gave them: their CustomFields.

    No call rings longer than `rings_ms`: one that has not ended by then was answered.
    """

    def __init__(self) -> None:
        self.rings_ms = 60_000
        self._places: dict[str, Place] = {}
        self._named: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._places)

    def hold(self, name: str, class_: str, now_ms: int) -> None:
        """Hold a place; one that is held is held on."""
        self._places.setdefault(name, Place(class_, now_ms))

    def holds(self, name: str) -> bool:
        """Whether a place has this name."""
        return name in self._places

    def name(self, name: str, call: str) -> None:
        """Say which call it is that a place is held for."""
        place = self._places.get(name)
        if place is not None:
            self._named.pop(place.call, None)
            self._places[name] = msgspec.structs.replace(place, call=call)
            self._named[call] = name

    def is_of(self, call: str) -> bool:
        """Whether a place is held for a call."""
        return call in self._named

    def leave(self, call: str) -> Place | None:
        """A call needs its place no more as one of those that ring."""
        return self.release(self._named.get(call, ""))

    def release(self, name: str) -> Place | None:
        """Give a place back; it is given, where it was held."""
        place = self._places.pop(name, None)
        if place is not None:
            self._named.pop(place.call, None)
        return place

    def answered(self, now_ms: int) -> Iterator[str]:
        """The calls that ring no more and have not ended."""
        for place in self._places.values():
            if place.call and now_ms - place.since_ms >= self.rings_ms + ASKING_MS:
                yield place.call

    def tidy(self, now_ms: int) -> None:
        """Forget places that nobody gave back."""
        for name, place in list(self._places.items()):
            if now_ms - place.since_ms >= LONGEST_MS:
                self.release(name)
