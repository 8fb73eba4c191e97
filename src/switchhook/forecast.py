"""When an account's limit will be reached: from arrivals and call lengths seen."""

from __future__ import annotations

import msgspec


class Forecast(msgspec.Struct, frozen=True):
    """What the next hour may bring; times in ms, Unix time.

    The limit is reached before `earliest_ms` in one of ten cases, before `likely_ms` in half of
    them, before `latest_ms` in nine of ten; None is not within the hour. `chance` is how sure it
    is that it is reached within the hour. `expected` is for a chart: time, low, middle, high of
    streams in use (one in ten is below low, one in ten above high).
    """

    made_ms: int
    earliest_ms: int | None
    likely_ms: int | None
    latest_ms: int | None
    chance: float
    arrivals_per_minute: float
    mean_length_s: float | None
    expected: tuple[tuple[int, float, float, float], ...] = ()
