"""When an account's limit will be reached: from arrivals and call lengths seen.

The model is a crowd: streams arrive at random, stay for a length that differs, and leave; how many
there are at once follows from the *offered load*, arrivals a second times the mean length. What is
not known exactly (load, its trend, the length) is given a spread by what was seen; the forecast is
the mean over that spread, so the less is known, the wider it gets. A trend is believed for the
better part of an hour, not for ever, and a sudden campaign is foreseen by nobody.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchhook.capacity.readings import Reading

HORIZON_MIN = 60
WINDOW_MS = 30 * 60_000
"""How far back readings count."""
LEAST_MS, LEAST_STEPS = 5 * 60_000, 20
"""With less of readings, too little is known."""
OLDEST_MS = 60_000
"""Nothing is foretold from a newest reading older than this."""
LENGTHS_WINDOW_MS = 2 * 3_600_000
LEAST_LENGTHS = 30
EARLY, LIKELY, LATE = 0.1, 0.5, 0.9

_BIN_MS = 5 * 60_000
_LONGEST_STEP_MS = 60_000
_TREND_MIN = 45.0
_TREND_PRIOR = 0.03  # of the load, a minute: how much loads change where nothing is seen
_USUAL_S, _SHORTEST_S, _LONGEST_S = 120.0, 5.0, 14_400.0
_COMPLETE = 2.0  # standard errors by which the ends that we see may fall short of those there are
# Nodes and weights of Gauss and Hermite, for means over a normal spread.
_ROOT = math.sqrt(10)
_INNER, _OUTER = math.sqrt(5 - _ROOT), math.sqrt(5 + _ROOT)
_THREE = ((-math.sqrt(3), 1 / 6), (0.0, 2 / 3), (math.sqrt(3), 1 / 6))
_FIVE = (
    (-_OUTER, (7 - 2 * _ROOT) / 60),
    (-_INNER, (7 + 2 * _ROOT) / 60),
    (0.0, 8 / 15),
    (_INNER, (7 + 2 * _ROOT) / 60),
    (_OUTER, (7 - 2 * _ROOT) / 60),
)


class Ended(msgspec.Struct, frozen=True):
    """A stream that ended at `at_ms`, Unix time, after `lasted_s`."""

    at_ms: int
    lasted_s: float


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
    mean_length_s: float
    expected: tuple[tuple[int, float, float, float], ...] = ()

    @property
    def words(self) -> str:
        """The forecast in a few words."""
        if self.chance < EARLY:
            return "not within the next hour"
        early = _minutes(self.earliest_ms, self.made_ms)
        if self.likely_ms is None:
            return f"perhaps within the hour ({_percent(self.chance)}), not before {early} min"
        if self.latest_ms is not None and self.latest_ms <= self.made_ms:
            return "it is reached now"
        likely = _minutes(self.likely_ms, self.made_ms)
        late = _minutes(self.latest_ms, self.made_ms)
        until = f"{late} min" if self.latest_ms is not None else "beyond the hour"
        return f"in about {likely} min ({early} min to {until}; {_percent(self.chance)} this hour)"


def forecast(
    readings: Sequence[Reading], now_ms: int, ended: Sequence[Ended] = ()
) -> Forecast | None:
    """Foretell the next hour from an account's readings, oldest first, and the ends seen.

    None where too little is known: no limit, an old newest reading, or too few of them.
    """
    known = [each for each in readings if each.active is not None]
    if not known or known[-1].allowed is None or not 0 <= now_ms - known[-1].at_ms <= OLDEST_MS:
        return None
    active, limit, at_ms = known[-1].active or 0, known[-1].allowed, known[-1].at_ms
    steps = list(_steps(known, at_ms - WINDOW_MS))
    if len(steps) < LEAST_STEPS or sum(step.ms for step in steps) < LEAST_MS:
        return None
    length = _length(steps, [each for each in ended if each.at_ms > at_ms - LENGTHS_WINDOW_MS])
    ends = _ends(steps, ended)
    complete = _complete(steps, length, ends)
    if complete:
        length = _by_crowd(steps, ends)
    load = _load(steps, length, ended if complete else None, at_ms)
    paths = [(weight, _project(active, limit, each)) for weight, each in _possible(load, length)]
    reached = [
        min(1.0, round(sum(weight * path[minute].reached for weight, path in paths), 6))
        for minute in range(HORIZON_MIN + 1)
    ]
    times = [_first(reached, share, now_ms) for share in (EARLY, LIKELY, LATE)]
    return Forecast(
        made_ms=now_ms,
        earliest_ms=times[0],
        likely_ms=times[1],
        latest_ms=times[2],
        chance=reached[-1],
        arrivals_per_minute=max(0.0, load.level) / length.mean_s * 60,
        mean_length_s=length.mean_s,
        expected=tuple(_band(paths, minute, now_ms) for minute in range(0, HORIZON_MIN + 1, 5)),
    )


# What was seen.


class _Step(msgspec.Struct, frozen=True):
    """From one reading to the next: when it ended, ms, streams on average, and their change."""

    at_ms: int
    ms: int
    streams: float
    change: int


def _steps(known: Sequence[Reading], since_ms: int) -> Iterator[_Step]:
    for before, after in itertools.pairwise(known):
        ms = after.at_ms - before.at_ms
        if before.at_ms < since_ms or not 0 < ms <= _LONGEST_STEP_MS:
            continue
        first, last = before.active or 0, after.active or 0
        yield _Step(after.at_ms, ms, (first + last) / 2, last - first)


class _Length(msgspec.Struct, frozen=True):
    """The mean length of streams, and the standard error of its logarithm."""

    mean_s: float
    spread: float


def _length(steps: Sequence[_Step], ended: Sequence[Ended]) -> _Length:
    """From the lengths seen; where they are few, from how lively the readings are.

    In a crowd of n with mean length L, n/L leave a second, and as many or so come; both make the
    figure jump about, and its jumps tell how many.
    """
    seconds = sum(step.ms for step in steps) / 1000
    mean = _crowd_s(steps) / seconds
    lengths = [each.lasted_s for each in ended if each.lasted_s > 0]
    if len(lengths) >= LEAST_LENGTHS:
        average = sum(lengths) / len(lengths)
        variance = sum((each - average) ** 2 for each in lengths) / (len(lengths) - 1)
        spread = math.sqrt(variance / len(lengths)) / average
        return _Length(_bounded(average), max(0.05, spread))
    moves, degrees = 0.0, 0
    for some in _bins(steps):
        drift = sum(step.change for step in some) / sum(step.ms for step in some)
        moves += sum((step.change - drift * step.ms) ** 2 for step in some)
        degrees += len(some) - 1
    moves *= len(steps) / max(1, degrees)
    leaving = (moves - sum(step.change for step in steps)) / 2 / seconds
    if leaving * seconds < 3 or mean <= 0:
        return _Length(_USUAL_S, 1.0)
    spread = math.sqrt(2 / max(1, degrees) + 1 / (leaving * seconds))
    return _Length(_bounded(mean / leaving), spread)


def _bounded(seconds: float) -> float:
    return min(max(seconds, _SHORTEST_S), _LONGEST_S)


def _bins(steps: Sequence[_Step]) -> list[list[_Step]]:
    """The steps by stretches of five minutes, counted back from the last."""
    last = steps[-1].at_ms
    found: dict[int, list[_Step]] = {}
    for step in steps:
        found.setdefault((last - step.at_ms) // _BIN_MS, []).append(step)
    return [found[number] for number in sorted(found, reverse=True)]


class _Load(msgspec.Struct, frozen=True):
    """The offered load now, its change a minute, and how far both may be off.

    `level_off` is a standard error; `trend_by_level` how much of it goes along into the trend,
    `trend_off` what is the trend's own.
    """

    level: float
    trend: float
    level_off: float
    trend_by_level: float
    trend_off: float


def _load(
    steps: Sequence[_Step], length: _Length, ended: Sequence[Ended] | None, at_ms: int
) -> _Load:
    """A line through the loads of the stretches, each weighed by how sure it is.

    `ended` are all ends there were; None where they are not all seen.
    """
    bins = _bins(steps)
    # Precision and pull of level and trend; no trend is likely where nothing shows one.
    mean = sum(step.streams for step in steps) / len(steps)
    p11 = p12 = q1 = q2 = 0.0
    p22 = 1 / (_TREND_PRIOR * max(mean, 1.0)) ** 2
    for some in bins:
        seconds = sum(step.ms for step in some) / 1000
        change = sum(step.change for step in some)
        left = _crowd_s(some) / length.mean_s
        noise = 2 * left
        if ended is not None:
            left = float(_ends(some, ended))
            noise = left
        came = max(0.0, left + change)
        load = came / seconds * length.mean_s
        off = math.sqrt(noise + abs(change) + 1) / seconds * length.mean_s
        minutes = (sum(step.at_ms for step in some) / len(some) - at_ms) / 60_000
        weight = 1 / off**2
        p11 += weight
        p12 += weight * minutes
        p22 += weight * minutes**2
        q1 += weight * load
        q2 += weight * load * minutes
    determinant = p11 * p22 - p12**2
    c11, c12, c22 = p22 / determinant, -p12 / determinant, p11 / determinant
    level_off = math.sqrt(c11)
    return _Load(
        level=c11 * q1 + c12 * q2,
        trend=c12 * q1 + c22 * q2,
        level_off=level_off,
        trend_by_level=c12 / level_off,
        trend_off=math.sqrt(max(0.0, c22 - (c12 / level_off) ** 2)),
    )


def _ends(some: Sequence[_Step], ended: Sequence[Ended]) -> int:
    begin, end = some[0].at_ms - some[0].ms, some[-1].at_ms
    return sum(begin < each.at_ms <= end for each in ended)


def _complete(steps: Sequence[_Step], length: _Length, ends: int) -> bool:
    """Whether the ends that we are told of are all that there are, as far as readings show."""
    expected = _crowd_s(steps) / length.mean_s
    off = math.sqrt(expected + (expected * length.spread) ** 2)
    return ends >= LEAST_LENGTHS and abs(ends - expected) <= _COMPLETE * off


def _by_crowd(steps: Sequence[_Step], ends: int) -> _Length:
    """The mean length by Little's law, from what came and left.

    It needs no correction while the load grows; the lengths of those that ended would, as the
    short ones of many newcomers end first.
    """
    came = ends + sum(step.change for step in steps)
    return _Length(_bounded(2 * _crowd_s(steps) / (ends + max(0, came))), 1 / math.sqrt(ends))


def _crowd_s(steps: Sequence[_Step]) -> float:
    """Seconds of all streams together."""
    return sum(step.streams * step.ms for step in steps) / 1000


# What may come.


class _Course(msgspec.Struct, frozen=True):
    """One way in which things may be."""

    level: float
    trend: float
    length_s: float


class _Minute(msgspec.Struct, frozen=True):
    """Streams on average and their variance, and how likely the limit was reached by then."""

    mean: float
    variance: float
    reached: float


def _possible(load: _Load, length: _Length) -> Iterator[tuple[float, _Course]]:
    """Ways in which things may be, each with its weight; the weights add up to 1."""
    for by_level, weight_level in _FIVE:
        level = load.level + load.level_off * by_level
        trend = load.trend + load.trend_by_level * by_level
        for by_trend, weight_trend in _THREE:
            for by_length, weight_length in _THREE:
                yield (
                    weight_level * weight_trend * weight_length,
                    _Course(
                        level,
                        trend + load.trend_off * by_trend,
                        _bounded(length.mean_s * math.exp(length.spread * by_length)),
                    ),
                )


def _project(active: int, limit: int, course: _Course) -> list[_Minute]:
    """Follow one course for an hour, minute by minute."""
    stays = math.exp(-60 / course.length_s)
    mean, variance, crossings = float(active), 0.0, 0.0
    reached = 1.0 if active >= limit else 0.0
    found = [_Minute(mean, variance, reached)]
    for minute in range(1, HORIZON_MIN + 1):
        believed = _TREND_MIN * -math.expm1(-minute / _TREND_MIN)
        load = max(0.0, course.level + course.trend * believed)
        came = load * (1 - stays)
        variance = variance * stays**2 + mean * stays * (1 - stays) + came
        mean = mean * stays + came
        off = max(math.sqrt(variance), 1e-9)
        above = _normal((mean - limit + 0.5) / off)
        # How often the limit is crossed from below, each crowd of crossings counted once.
        just_below = math.exp(-(((limit - 1 - mean) / off) ** 2) / 2) / off / math.sqrt(2 * math.pi)
        alone = max(0.0, 1 - mean / limit) if limit else 0.0
        crossings += load / course.length_s * 60 * min(just_below, 1.0) * alone
        reached = max(reached, above, -math.expm1(-crossings))
        found.append(_Minute(mean, variance, reached))
    return found


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def _first(reached: Sequence[float], share: float, now_ms: int) -> int | None:
    return next(
        (now_ms + at * 60_000 for at, chance in enumerate(reached) if chance >= share), None
    )


def _band(
    paths: Sequence[tuple[float, list[_Minute]]], minute: int, now_ms: int
) -> tuple[int, float, float, float]:
    mean = sum(weight * path[minute].mean for weight, path in paths)
    variance = sum(
        weight * (path[minute].variance + (path[minute].mean - mean) ** 2) for weight, path in paths
    )
    reach = 1.2816 * math.sqrt(variance)
    return now_ms + minute * 60_000, max(0.0, mean - reach), mean, mean + reach


def _minutes(at_ms: int | None, now_ms: int) -> int:
    return 0 if at_ms is None else (at_ms - now_ms) // 60_000


def _percent(share: float) -> str:
    return f"{min(99, round(share * 100))} %"
