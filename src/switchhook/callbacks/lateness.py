"""How many promises will miss their time, at the pace that there is. Pure.

By Little's law, as in `callbacks/pace.py`: streams that are free for callbacks, each taken for so
long, serve so many an hour. Whoever has the least time left goes first at best; so of the promises
that end before some moment at least those are late that exceed what can be called until then.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.calling_hours import openings
from switchhook.exotel.times import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from switchhook.callbacks.settings import CallbackSettings, CallingHours

HORIZONS_MS = tuple(quarters * HOUR_MS // 4 for quarters in (1, 2, 4, 8, 16, 32, 64, 96))
"""How far ahead is looked: from a quarter of an hour to a day."""

GUESSED_S = 90.0
"""How long a callback takes a stream as long as none has ended: it rings, and they talk."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What there is for callbacks.

    `streams` are those that callers and the reserve leave, None where nobody knows; `mean_s` is how
    long a callback takes one, in seconds, None where none has ended yet. Nobody is dialled before
    `from_ms` (Unix time); None is never.
    """

    streams: int | None
    mean_s: float | None = None
    from_ms: int | None = 0


def pace(room: Room, settings: CallbackSettings) -> float:
    """Callbacks an hour: what the streams allow, and no more than is configured."""
    if room.streams is None:
        return float(settings.calls_an_hour)
    mean_s = GUESSED_S if room.mean_s is None else max(room.mean_s, 1.0)
    by_streams = room.streams * 3600 / mean_s
    return min(by_streams, float(settings.calls_an_hour))


def late(
    ending: Sequence[tuple[int, int]],
    room: Room,
    settings: CallbackSettings,
    zone: ZoneInfo,
    now_ms: int,
) -> int:
    """How many promises will miss their time.

    `ending` says of moments (Unix ms) how many of all that wait end before; the hours of the
    settings are taken as those of `zone`.
    """
    if room.from_ms is None:
        return max((count for _, count in ending), default=0)
    an_hour, begins_ms = pace(room, settings), max(now_ms, room.from_ms)
    most = 0
    for until_ms, count in ending:
        calling_ms = calling_time(settings.hours, zone, begins_ms, until_ms)
        most = max(most, count - floor(an_hour * calling_ms / HOUR_MS))
    return most


def calling_time(hours: CallingHours, zone: ZoneInfo, since_ms: int, until_ms: int) -> int:
    """How much of a stretch is within calling hours, in ms."""
    found = 0
    for begins_ms, ends_ms in openings(hours, (zone,), since_ms):
        if begins_ms >= until_ms:
            break
        found += min(ends_ms, until_ms) - max(begins_ms, since_ms)
    return found
