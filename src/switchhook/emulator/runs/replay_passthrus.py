"""A trace played back: its passthrus again, at another server or another version of the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.net.results import NetError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from switchhook.emulator.call.trace import Entry
    from switchhook.emulator.net.http_client import Web


class Again(msgspec.Struct, frozen=True):
    """One passthru sent again; a status is None where no answer came."""

    applet: str
    before: int | None
    now: int | None
    problem: str = ""

    @property
    def differs(self) -> bool:
        """Whether the caller would go another way."""
        return (self.before == 200) != (self.now == 200)

    def __str__(self) -> str:
        word = "differs" if self.differs else "same"
        now = self.problem or self.now
        return f"{word}  {self.applet}: {self.before or 'no answer'} then, {now} now"


async def replay_passthrus(
    web: Web, url: str, entries: Iterable[Entry], *, limit_s: float
) -> AsyncIterator[Again]:
    """Send each passthru of a trace to `url`, in order, and tell how it was answered."""
    waiting: dict[str, bytes] = {}
    for entry in entries:
        what, applet = entry.get("what"), str(entry.get("applet"))
        if what == "passthru":
            waiting[applet] = str(entry["query"]).encode()
        elif what in ("answer", "no_answer") and applet in waiting:
            before = entry["status"] if what == "answer" else None
            query = waiting.pop(applet)
            try:
                reply = await web.send("GET", url, query=query, limit_s=limit_s)
            except NetError as error:
                yield Again(applet, before, None, str(error))
            else:
                yield Again(applet, before, reply.status)
