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
_FIRST_ALIKE = 3  # of an endpoint and a reason are kept all the same
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
    """Chooses what is kept, and says in `alarms` that there is something to look at.

    Of each endpoint and reason there is an alarm of its own; reasons are words of ours, so nobody
    can make more of them.
    """

    def __init__(self, alarms: dict[str, str], now_ns: int) -> None:
        self._alarms = alarms
        self._refused, self._unreadable = _Kind(now_ns), _Kind(now_ns)
        self._said: dict[str, _Kind] = {}

    def take(
        self, endpoint: Endpoint, reason: str, query: bytes, peer: str, now_ns: int
    ) -> Sample | None:
        """A sample to keep of a refused request; None where this hour has enough."""
        what = f"endpoint {endpoint.name} refused what looks like passthrus ({reason})"
        alike = self._say(
            f"{what}: is the URL in the applet right?",
            f"endpoint {endpoint.name} refuses what looks like a passthru ({reason}): if the URL in"
            " the applet is mistaken, its callers all take Option B",
            now_ns,
        )
        if self._refused.take(now_ns) >= _MOST and alike >= _FIRST_ALIKE:
            return None
        return Sample(endpoint.name, reason, endpoint.redactor(query)[:_LONGEST], peer)

    def take_unreadable(
        self, problem: str, beginning: bytes, peer: str, now_ns: int
    ) -> Sample | None:
        """A sample to keep of a request whose path could not be read; None likewise.

        One that may have been a caller's is said, whatever else this hour had.
        """
        if looks_like_passthru(beginning):
            self._say_unreadable(f"a request could not be read ({problem})", now_ns)
        if self._unreadable.take(now_ns) >= _MOST_UNREADABLE:
            return None
        return Sample("", problem, beginning[:_FIRST], peer)

    def warn_of_unread(self, endpoint: Endpoint, problem: str, now_ns: int) -> None:
        """A passthru with the right secret came in a form that can't be read whole."""
        self._say_unreadable(f"endpoint {endpoint.name} was asked in bad HTTP ({problem})", now_ns)

    def _say_unreadable(self, what: str, now_ns: int) -> None:
        said = f"{what}: look what stands between Exotel and this port"
        self._say(said, said, now_ns)

    def _say(self, alarm: str, line: str, now_ns: int) -> int:
        """Raise an alarm, and log the first of an hour; how many the hour had before it."""
        kind = self._said.get(alarm)
        if kind is None:
            kind = self._said[alarm] = _Kind(now_ns)
            self._alarms[alarm] = alarm
        before = kind.take(now_ns)
        if before == 0:
            log.warning("%s", line)
        return before

    def calm(self, now_ns: int) -> None:
        """Take an alarm back an hour after the last of its kind."""
        for alarm, kind in [*self._said.items()]:
            if now_ns - kind.newest_ns >= _HOUR_NS:
                del self._said[alarm]
                self._alarms.pop(alarm, None)
