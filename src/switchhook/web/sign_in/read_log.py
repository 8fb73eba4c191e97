"""Who read numbers in full: noted before they are shown, or they are not shown."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from switchhook.access.audit import deed_of
from switchhook.access.roles import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.access.roles import Viewer
    from switchhook.web.sign_in.sessions import SessionLookup

NUMBERLESS = (
    "/static/",
    "/settings",
    "/audit",
    "/login",
    "/logout",
    "/welcome/",
    "/healthz",
    "/metrics",
    "/reveal",
    "/mask",
    "/api/v1/audit",
    "/api/v1/openapi.json",
)
"""What shows no number of a caller, or notes by itself what it showed. All else counts."""
AGAIN_US = 60_000_000
"""The same page, read again within this, is one read: pages renew themselves."""
MOST_KEPT = 10_000


class ReadLog:
    """Notes the reads of those to whom numbers are revealed. Used on the event loop only."""

    def __init__(self, lookup: SessionLookup, now_us: Callable[[], int]) -> None:
        self._lookup, self._now_us = lookup, now_us
        self._last: OrderedDict[tuple[str, str, frozenset[str]], int] = OrderedDict()

    async def note(self, viewer: Viewer, path: str, query: str) -> None:
        """Note a read, once in a while. Raises LedgerError where it can't be noted.

        On an open console nobody is known, so nothing is noted.
        """
        if viewer.open or not viewer.revealed or path.startswith(NUMBERLESS):
            return
        now_us = self._now_us()
        key = viewer.session, f"{path}?{query}", viewer.revealed
        if 0 <= now_us - self._last.get(key, now_us - AGAIN_US) < AGAIN_US:
            return
        whose = "all" if EVERYTHING in viewer.revealed else " ".join(sorted(viewer.revealed))
        deed = deed_of(viewer, "read with numbers revealed", path, of=whose)
        await self._lookup.in_thread(self._lookup.ledger.audit.note, deed, now_us)
        self._last[key] = now_us
        self._last.move_to_end(key)
        while len(self._last) > MOST_KEPT:
            self._last.popitem(last=False)
