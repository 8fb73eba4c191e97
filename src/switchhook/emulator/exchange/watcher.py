"""Who sees what happens at an exchange: one watcher, or many as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchhook.emulator.call.call import Call
    from switchhook.emulator.call.trace import Entry, Trace


class Watcher:
    """Sees what happens; every method may be left as it is."""

    def on_entry(self, trace: Trace, entry: Entry) -> None:
        """Something was noted in a call's trace."""

    def on_ring(self, call: Call) -> None:
        """The telephone rings of somebody whom Exotel calls."""

    def on_answer(self, call: Call) -> None:
        """A call was answered."""

    def on_end(self, call: Call) -> None:
        """A call has ended."""

    def on_heartbeat(self, beat: Entry) -> None:
        """A heartbeat was sent; `beat` says when, to whom, what, and how it was answered."""


class Watchers(Watcher):
    """Many as one: each is told, in the order in which they came."""

    def __init__(self) -> None:
        self._all: list[Watcher] = []

    def append(self, watcher: Watcher) -> None:
        """Tell this one too, from now on."""
        self._all.append(watcher)

    def remove(self, watcher: Watcher) -> None:
        """Tell this one no more."""
        self._all.remove(watcher)

    def on_entry(self, trace: Trace, entry: Entry) -> None:
        """Tell all."""
        for watcher in self._all:
            watcher.on_entry(trace, entry)

    def on_ring(self, call: Call) -> None:
        """Tell all."""
        for watcher in self._all:
            watcher.on_ring(call)

    def on_answer(self, call: Call) -> None:
        """Tell all."""
        for watcher in self._all:
            watcher.on_answer(call)

    def on_end(self, call: Call) -> None:
        """Tell all."""
        for watcher in self._all:
            watcher.on_end(call)

    def on_heartbeat(self, beat: Entry) -> None:
        """Tell all."""
        for watcher in self._all:
            watcher.on_heartbeat(beat)
