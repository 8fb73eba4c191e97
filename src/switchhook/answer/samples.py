"""A few of the refused requests that look like passthrus: the URL in the applet may be mistaken."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from switchhook.receipt import Sample

if TYPE_CHECKING:
    from switchhook.answer.endpoints import Endpoint

log = logging.getLogger("switchhook.answer")

_MOST = 20  # kept per hour, whoever sends them
_LONGEST = 4096
_HOUR_NS = 3600 * 10**9


class Samples:
    """Chooses what is kept, and says in `alarms` that there is something to look at."""

    def __init__(self, alarms: dict[str, str], now_ns: int) -> None:
        self._alarms = alarms
        self._count = 0
        self._since = self._newest_ns = now_ns

    def take(
        self, endpoint: Endpoint, reason: str, query: bytes, peer: str, now_ns: int
    ) -> Sample | None:
        """A sample to keep of a refused request; None where this hour has enough."""
        self._newest_ns = now_ns
        if now_ns - self._since >= _HOUR_NS:
            self._count, self._since = 0, now_ns
        if self._count >= _MOST:
            return None
        if self._count == 0:
            log.warning(
                "endpoint %s refuses what looks like a passthru (%s): if the URL in the applet is"
                " mistaken, its callers all take Option B",
                endpoint.name,
                reason,
            )
        self._count += 1
        self._alarms["samples"] = (
            f"endpoint {endpoint.name} refused what looks like passthrus ({reason}): is the URL in"
            " the applet right?"
        )
        return Sample(endpoint.name, reason, endpoint.redactor(query)[:_LONGEST], peer)

    def calm(self, now_ns: int) -> None:
        """Take the alarm back an hour after the last one."""
        if now_ns - self._newest_ns >= _HOUR_NS:
            self._alarms.pop("samples", None)
