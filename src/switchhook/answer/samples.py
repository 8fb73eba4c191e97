"""A few of the requests that were not let in, or not read whole, and an alarm of each kind."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from switchhook.answer.authentication import looks_like_passthru
from switchhook.journal.receipt import Sample

if TYPE_CHECKING:
    from switchhook.answer.authentication import Endpoint

log = logging.getLogger("switchhook.answer")

_MOST, _MOST_UNREADABLE = 20, 5  # kept per hour, whoever sends them
_LONGEST = 4096
_FIRST = 8  # bytes that tell a protocol, and no secret
_HOUR_NS = 3600 * 10**9


class _Kind:
    """How many there were in this hour, and when the newest came."""

    __slots__ = ("count", "newest_ns", "since_ns")

    def __init__(self, now_ns: int) -> None:
        self.count = 0
        self.since_ns = self.newest_ns = now_ns

    def take(self, now_ns: int) -> int:
        """Count one; how many this hour had before it."""
        self.newest_ns = now_ns
        if now_ns - self.since_ns >= _HOUR_NS:
            self.count, self.since_ns = 0, now_ns
        self.count += 1
        return self.count - 1


class Samples:
    """Chooses what is kept, and says in `alarms` that there is something to look at."""

    def __init__(self, alarms: dict[str, str], now_ns: int) -> None:
        self._alarms = alarms
        self._refused, self._unreadable, self._unread = (_Kind(now_ns) for _ in range(3))

    def take(
        self, endpoint: Endpoint, reason: str, query: bytes, peer: str, now_ns: int
    ) -> Sample | None:
        """A sample to keep of a refused request; None where this hour has enough."""
        before = self._refused.take(now_ns)
        if before >= _MOST:
            return None
        if before == 0:
            log.warning(
                "endpoint %s refuses what looks like a passthru (%s): if the URL in the applet is"
                " mistaken, its callers all take Option B",
                endpoint.name,
                reason,
            )
        self._alarms["samples"] = (
            f"endpoint {endpoint.name} refused what looks like passthrus ({reason}): is the URL in"
            " the applet right?"
        )
        return Sample(endpoint.name, reason, endpoint.redactor(query)[:_LONGEST], peer)

    def take_unreadable(
        self, problem: str, beginning: bytes, peer: str, now_ns: int
    ) -> Sample | None:
        """A sample to keep of a request whose path could not be read; None likewise.

        One that may have been a caller's is said, whatever else this hour had.
        """
        if looks_like_passthru(beginning) and "unreadable" not in self._alarms:
            self._say_unreadable(f"a request could not be read ({problem})", now_ns)
        if self._unreadable.take(now_ns) >= _MOST_UNREADABLE:
            return None
        return Sample("", problem, beginning[:_FIRST], peer)

    def warn_of_unread(self, endpoint: Endpoint, problem: str, now_ns: int) -> None:
        """A passthru with the right secret came in a form that can't be read whole."""
        self._say_unreadable(f"endpoint {endpoint.name} was asked in bad HTTP ({problem})", now_ns)

    def _say_unreadable(self, what: str, now_ns: int) -> None:
        if self._unread.take(now_ns) == 0:
            log.warning("%s: look what stands between Exotel and this port", what)
        self._alarms["unreadable"] = f"{what}: look what stands between Exotel and this port"

    def calm(self, now_ns: int) -> None:
        """Take an alarm back an hour after the last of its kind."""
        for name, kind in (("samples", self._refused), ("unreadable", self._unread)):
            if now_ns - kind.newest_ns >= _HOUR_NS:
                self._alarms.pop(name, None)
