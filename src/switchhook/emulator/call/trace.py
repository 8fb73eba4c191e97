"""The trace of a call: everything both sides said, and what the emulator made of it.

One JSON object a line. The first names the call; every other has `t`, seconds since the call
began, `what`, and facts of its own. The same file and seed give the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.emulator.clock import Clock

Entry = dict[str, Any]

LONGEST = 200_000
"""Entries kept of one call: its media for half an hour. Later media are counted, not kept."""


class Trace:
    """Entries in order; `watch` sees each as it is made."""

    def __init__(
        self, clock: Clock, call: Entry, *, media: bool, watch: Callable[[Trace, Entry], None]
    ) -> None:
        self._clock = clock
        self._began = clock.now()
        self._watch = watch
        self.media = media
        """Whether every media message is kept, or only counted at the stream's end."""
        self.call = call
        self.entries: list[Entry] = []
        self.left_out = 0

    def note(self, what: str, **facts: Any) -> Entry:
        """Add an entry; facts that are None are left out."""
        entry = {"t": round(self._clock.now() - self._began, 6), "what": what}
        entry |= {name: fact for name, fact in facts.items() if fact is not None}
        self.entries.append(entry)
        self._watch(self, entry)
        return entry

    def note_media(self, what: str, text: bytes) -> None:
        """Add a media message as it went over the wire; nobody watches these."""
        if not self.media or len(self.entries) >= LONGEST:
            self.left_out += 1
            return
        at = round(self._clock.now() - self._began, 6)
        self.entries.append({"t": at, "what": what, "text": text.decode(errors="replace")})

    def find(self, what: str) -> list[Entry]:
        """The entries of one kind, in order."""
        return [entry for entry in self.entries if entry["what"] == what]

    def lines(self) -> bytes:
        """The trace as JSON Lines."""
        return b"".join(msgspec.json.encode(entry) + b"\n" for entry in [self.call, *self.entries])
