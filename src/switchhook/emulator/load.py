"""Load: many calls at once for a while, and the figures of how both sides bore it."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.cause import Cause
from switchhook.emulator.addresses import Gate, NotFoundError
from switchhook.emulator.exchange import Watcher
from switchhook.emulator.flow import Passthru, Stream, Voicebot
from switchhook.emulator.scenarios import OPTIONS
from switchhook.emulator.streams import THROTTLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchhook.emulator.call import Call
    from switchhook.emulator.exchange import Exchange
    from switchhook.emulator.parameters import StreamTold
    from switchhook.emulator.plan import Plan
    from switchhook.emulator.trace import Entry, Trace

_GROWTH = 1.02
_LEAST_S = 1e-6
_PROGRESS_S = 0.25
FRAMES_A_SECOND = 50


class Histogram:
    """Counts of seconds in buckets that grow by 2 %: small whatever is counted, and that exact."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.most = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration; less than a microsecond counts as one."""
        seconds = max(seconds, _LEAST_S)
        self._buckets[int(math.log(seconds / _LEAST_S, _GROWTH))] += 1
        self.count += 1
        self.most = max(self.most, seconds)

    def at(self, share: float) -> float | None:
        """The duration that `share` of all (0.99 for p99) were at most; None for none counted."""
        left = math.ceil(share * self.count)
        if not self.count:
            return None
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return min(_LEAST_S * _GROWTH ** (bucket + 1), self.most)
        return self.most

    def points(self) -> list[tuple[float, float]]:
        """Seconds, and the share of all that were at most that: a curve to draw."""
        seen, found = 0, []
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            found.append((_LEAST_S * _GROWTH ** (bucket + 1), seen / self.count))
        return found


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How much: `calls` at once at most, `rate_s` new ones a second, for `for_s` seconds."""

    calls: int
    rate_s: float
    for_s: float


class Figures:
    """What was measured so far."""

    def __init__(self) -> None:
        self.set_up = Histogram()
        """From the first dial of a stream until it was open."""
        self.first_audio = Histogram()
        """From a stream's start until the bot's first audio."""
        self.late = Histogram()
        """How late frames left."""
        self.passthru = Histogram()
        """How long passthrus took to be answered."""
        self.placed = 0
        self.ended = 0
        self.most_at_once = 0
        self.outcomes: Counter[str] = Counter()
        """Calls by what became of their stream."""
        self.right = 0
        self.wrong: Counter[str] = Counter()
        """Answers that were not what platform.md G.1 expects: outcome and answer in words."""
        self.problems: Counter[str] = Counter()
        """Breaches, failed dials, missing answers: by kind."""
        self.seconds = 0.0


class _Collector(Watcher):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def on_entry(self, trace: Trace, entry: Entry) -> None:
        figures = self._figures
        match entry["what"]:
            case "dialled_bot":
                figures.set_up.add(entry["seconds"])
            case "first_audio":
                figures.first_audio.add(entry["seconds"])
            case "answer":
                figures.passthru.add(entry["seconds"])
            case "no_answer":
                figures.problems[f"no answer: {entry['kind']}"] += 1
            case "dial_failed":
                figures.problems[f"bot not reached: {entry['kind']}"] += 1
            case "refused_to_dial":
                figures.problems["an address that is not allowed"] += 1
            case "breach":
                figures.problems[f"breach: {entry['rule']}"] += 1

    def on_end(self, call: Call) -> None:
        figures = self._figures
        figures.ended += 1
        cause = cause_of(call.told)
        figures.outcomes[cause.value] += 1
        for entry in call.trace.find("option"):
            wanted = OPTIONS[cause]
            if wanted is None or entry["option"] == wanted:
                figures.right += 1
            else:
                figures.wrong[f"{cause.value}: Option {entry['option']}"] += 1


def cause_of(told: StreamTold | None) -> Cause:
    """What became of a stream, by what the emulator itself did (platform.md G.1)."""
    if told is None:
        return Cause.NO_STREAM
    if told.detailed_status == THROTTLED:
        return Cause.THROTTLED
    if told.status == "failed":
        return Cause.BOT_DROPPED if told.disconnected_by == "bot" else Cause.CONNECT_FAILED
    if told.status == "cancelled":
        return Cause.CALLER_LEFT_EARLY
    if told.status == "in-progress":
        return Cause.RUNNING
    ended = {"bot": Cause.BOT_DONE, "user": Cause.CALLER_LEFT}
    return ended.get(told.disconnected_by or "", Cause.ENDED_BY_SYSTEM)


def announce(load: LoadPlan, plan: Plan) -> list[str]:
    """What a load will do, before it does it."""
    total = int(min(load.rate_s * load.for_s, 10**9))
    hosts = sorted({urlsplit(url).netloc.rpartition("@")[2] for url in targets(plan)})
    return [
        f"{load.calls} calls at once at most, {load.rate_s:g} new ones a second,"
        f" for {load.for_s:g} s: about {total} calls or fewer",
        f"up to {load.calls * FRAMES_A_SECOND:,} media messages a second each way",
        f"to {', '.join(hosts) or 'nobody'}",
    ]


def targets(plan: Plan) -> list[str]:
    """Every URL that the plan's flows call."""
    return [
        applet.url
        for flow in plan.flow.values()
        for applet in flow.applet.values()
        if isinstance(applet, Passthru | Voicebot | Stream) and applet.url
    ]


async def check_targets(urls: Iterable[str], gate: Gate) -> None:
    """Resolve every URL's host before the first call. Raises RefusedError for a forbidden one."""
    for host in {urlsplit(url).hostname or "" for url in urls}:
        try:
            await gate.resolve(host, 0)
        except NotFoundError:
            continue  # the calls will tell


async def run_load(
    exchange: Exchange, load: LoadPlan, *, on_progress: Callable[[Figures], None]
) -> Figures:
    """Place calls at the plan's numbers as `load` says, wait for their ends, give the figures.

    The exchange should not keep media, or traces grow with every frame.
    """
    figures = Figures()
    collector = _Collector(figures)
    exchange.watchers.append(collector)
    metronome = exchange.streaming.metronome
    metronome.on_late = figures.late.add
    numbers = list(exchange.plan.number)
    clock = exchange.clock
    began = clock.now()
    told = began
    # At even distances: bursts are a choice of the plan's rate, not of chance. A call that would be
    # one too many is left out, not put off.
    for slot in range(math.ceil(load.rate_s * load.for_s)):
        await asyncio.sleep(max(0.0, began + slot / load.rate_s - clock.now()))
        if figures.placed - figures.ended < load.calls:
            exchange.ring(numbers[figures.placed % len(numbers)])
            figures.placed += 1
            figures.most_at_once = max(figures.most_at_once, figures.placed - figures.ended)
        figures.seconds = clock.now() - began
        if clock.now() - told >= _PROGRESS_S:
            told = clock.now()
            on_progress(figures)
    while exchange.in_progress:
        await asyncio.sleep(_PROGRESS_S)
        figures.seconds = clock.now() - began
        on_progress(figures)
    metronome.on_late = None
    exchange.watchers.remove(collector)
    return figures


def table(figures: Figures) -> list[tuple[str, ...]]:
    """Rows of the durations: name, p50, p99, p99.9, most, count."""
    rows = []
    for name, histogram in durations(figures):
        marks = [histogram.at(share) for share in (0.5, 0.99, 0.999)]
        most = histogram.most if histogram.count else None
        rows.append((name, *(_ms(mark) for mark in (*marks, most)), f"{histogram.count:,}"))
    return rows


def durations(figures: Figures) -> list[tuple[str, Histogram]]:
    """The histograms with their names."""
    return [
        ("passthru answered", figures.passthru),
        ("stream set up", figures.set_up),
        ("bot's first audio", figures.first_audio),
        ("frame lateness", figures.late),
    ]


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:,.1f} ms"
