"""Load: many calls at once for a while, and the figures of how both sides bore it."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.exchange.watcher import Watcher
from switchhook.emulator.net.addresses import AddressAllowList, NotFoundError
from switchhook.emulator.net.http_client import place_of
from switchhook.emulator.net.results import NetError
from switchhook.emulator.plan.flow import Passthru, Stream, Voicebot
from switchhook.emulator.runs.scenarios.definition import OPTIONS, no_decision
from switchhook.emulator.stream.outcome import cause_of
from switchhook.errors import ConfigError
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.call.trace import Entry, Trace
    from switchhook.emulator.clock import Clock
    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.net.http_client import Destination
    from switchhook.emulator.plan.plan import Plan

_GROWTH = 1.02
_LEAST_S = 1e-6
_PROGRESS_S = 0.25
_CLOSE_ENOUGH_S = 0.001  # uvloop counts in milliseconds, and would spin for what is left
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

    def merge(self, other: Histogram) -> None:
        """Count what another has counted too, as if all had been added here."""
        self._buckets.update(other._buckets)
        self.count += other.count
        self.most = max(self.most, other.most)

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
    """How much: `calls` at once at most, `rate_s` new ones a second, for `for_s` seconds.

    All are more than 0.
    """

    calls: int
    rate_s: float
    for_s: float

    @property
    def in_all(self) -> int:
        """Calls that are placed where none is left out."""
        return math.ceil(self.rate_s * self.for_s)


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
        """How long passthrus took to be answered; those that were not are among the problems."""
        self.placed = 0
        self.ended = 0
        self.left_out = 0
        """Calls that were due and would have been too many at once."""
        self.most_at_once = 0
        self.outcomes: Counter[str] = Counter()
        """Calls by what became of their stream."""
        self.options: Counter[tuple[str, str]] = Counter()
        """Passthrus by what had become of the stream, and the option taken: A or B."""
        self.right = 0
        self.wrong: Counter[str] = Counter()
        """Answers that were not what exotel-platform G.1 expects: outcome and answer in words.

        None at all, or a crash (500 and up), leads to Option B and is no decision: never right.
        """
        self.problems: Counter[str] = Counter()
        """Breaches, failed dials, missing answers: by kind."""
        self.seconds = 0.0


class _Meanwhile(msgspec.Struct):
    """What has to be known of a call in progress; the figures forget it."""

    dialled_at: float = 0.0
    """Seconds into the call at the first dial of its newest stream."""
    statuses: dict[str, int | None] = {}
    """HTTP statuses by passthru, until its option is taken; None for no answer."""
    unasked: set[str] = set()
    """Passthrus that a fault kept from the server, which is not to blame then."""


_UNASKED = ("passthru-lost", "passthru-out-of-order")


class _Collector(Watcher):
    """Counts what the calls of a load note; calls that others place at the same time are not its.

    Its own memory is that of the calls in progress.
    """

    def __init__(self, exchange: Exchange, figures: Figures) -> None:
        self._exchange, self._figures = exchange, figures
        self.in_progress: dict[str, _Meanwhile] = {}

    def ring(self, number: str) -> None:
        """Place a call, and follow it."""
        call = self._exchange.ring(number)
        self.in_progress[call.facts.sid] = _Meanwhile()
        self._figures.placed += 1
        self._figures.most_at_once = max(self._figures.most_at_once, len(self.in_progress))

    def on_entry(self, trace: Trace, entry: Entry) -> None:
        sid = trace.call["call"]
        meanwhile = self.in_progress.get(sid)
        if meanwhile is None:
            return
        figures = self._figures
        match entry["what"]:
            case "dial" if entry["attempt"] == 1:
                meanwhile.dialled_at = entry["t"]
            case "dialled_bot":
                figures.set_up.add(entry["t"] - meanwhile.dialled_at)
            case "dial_failed":
                figures.problems[f"bot not reached: {entry['kind']}"] += 1
            case "first_audio":
                figures.first_audio.add(entry["seconds"])
            case "breach":
                figures.problems[f"breach: {entry['rule']}"] += 1
            case "answer":
                figures.passthru.add(entry["seconds"])
                # Sent twice, it is the first that decides.
                meanwhile.statuses.setdefault(entry["applet"], entry["status"])
            case "no_answer":
                figures.problems[f"no answer: {entry['kind']}"] += 1
            case "refused_to_dial":
                figures.problems["an address that is not allowed"] += 1
            case "fault" if entry["fault"] in _UNASKED:
                meanwhile.unasked.add(entry["applet"])
            case "option":
                cause = cause_of(self._exchange.calls[sid].stream_outcome)
                self._judge(meanwhile, cause, entry["applet"], entry["option"])

    def _judge(self, meanwhile: _Meanwhile, cause: Cause, applet: str, option: str) -> None:
        """Compare what a sync passthru led to with what was due (as `scenario` does)."""
        figures = self._figures
        figures.options[cause.value, option] += 1
        status = meanwhile.statuses.pop(applet, None)
        if applet in meanwhile.unasked:
            meanwhile.unasked.discard(applet)
        elif status is None:
            figures.wrong[f"{cause.value}: no answer"] += 1
        elif no_decision(status) is not None:
            figures.wrong[f"{cause.value}: status {status}"] += 1
        elif OPTIONS[cause] in (None, option):
            figures.right += 1
        else:
            figures.wrong[f"{cause.value}: Option {option}"] += 1

    def on_end(self, call: Call) -> None:
        if self.in_progress.pop(call.facts.sid, None) is not None:
            self._figures.ended += 1
            self._figures.outcomes[cause_of(call.stream_outcome).value] += 1


def announce(load: LoadPlan, plan: Plan) -> list[str]:
    """What a load will do, before it does it."""
    return [
        f"{load.calls} calls at once at most, {load.rate_s:g} new ones a second,"
        f" for {load.for_s:g} s: about {load.in_all} calls or fewer",
        f"up to {load.calls * FRAMES_A_SECOND:,} media messages a second each way",
        f"to {', '.join(hosts(plan)) or 'nobody'}",
    ]


def hosts(plan: Plan) -> list[str]:
    """Where those URLs lead."""
    return sorted({place.authority for place in _places(targets(plan))})


def targets(plan: Plan) -> list[str]:
    """Every URL that the plan's flows call."""
    return [
        applet.url
        for flow in plan.flow.values()
        for applet in flow.applet.values()
        if isinstance(applet, Passthru | Voicebot | Stream) and applet.url
    ]


def _places(urls: Iterable[str]) -> list[Destination]:
    """Where URLs lead; one that leads nowhere is left for the calls to stumble over."""
    found = []
    for url in urls:
        try:
            found.append(place_of(url, ("http", "https", "ws", "wss")))
        except NetError:
            continue
    return found


async def check_targets(urls: Iterable[str], allow_list: AddressAllowList) -> None:
    """Resolve every URL's host before the first call. Raises RefusedError for a forbidden one."""
    for host, port in dict.fromkeys((place.host, place.port) for place in _places(urls)):
        try:
            await allow_list.resolve(host, port)
        except NotFoundError:
            continue  # the calls will tell


async def run_load(
    exchange: Exchange, load: LoadPlan, *, on_progress: Callable[[Figures], None]
) -> Figures:
    """Place calls at the plan's numbers as `load` says, wait for their ends, give the figures.

    The exchange should not keep media, or traces grow with every frame. `on_progress` is called
    about four times a second. Raises ConfigError for a plan without a number.
    """
    numbers = list(exchange.plan.number)
    if not numbers:
        raise ConfigError("there is no number to call", key="number", hint="a load rings them")
    figures = Figures()
    collector = _Collector(exchange, figures)
    frame_clock, clock = exchange.streaming.frame_clock, exchange.clock
    exchange.watchers.append(collector)
    frame_clock.on_late = figures.late.add
    began = clock.now()
    progress = _Progress(clock, figures, on_progress)
    try:
        # At even distances: bursts are a choice of the plan's rate, not of chance. A call that
        # would be one too many is left out, not put off.
        for slot in range(load.in_all):
            await progress.until(began + slot / load.rate_s)
            if len(collector.in_progress) < load.calls:
                collector.ring(numbers[figures.placed % len(numbers)])
            else:
                figures.left_out += 1
        while collector.in_progress:
            await progress.until(clock.now() + _PROGRESS_S)
    finally:
        frame_clock.on_late = None
        exchange.watchers.remove(collector)
    return figures


class _Progress:
    """Waits, and tells meanwhile how far it has come."""

    def __init__(
        self, clock: Clock, figures: Figures, on_progress: Callable[[Figures], None]
    ) -> None:
        self._clock, self._figures, self._on_progress = clock, figures, on_progress
        self._began = self._progress_at = clock.now()

    async def until(self, due: float) -> None:
        """Wait for a moment of the clock; for one that has passed, let others run once."""
        while True:
            await asyncio.sleep(min(max(0.0, due - self._clock.now()), _PROGRESS_S))
            now = self._clock.now()
            self._figures.seconds = now - self._began
            if now - self._progress_at > _PROGRESS_S - _CLOSE_ENOUGH_S:
                self._progress_at = now
                self._on_progress(self._figures)
            if now > due - _CLOSE_ENOUGH_S:
                return


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
    if seconds is None:
        return "–"
    return f"{seconds * 1000:,.{0 if seconds >= 0.1 else 1}f} ms"


def options(figures: Figures) -> list[tuple[str, ...]]:
    """Rows of what became of the streams: outcome, calls, option due, taken A, taken B."""
    names = dict.fromkeys(
        [*(n for n, _ in figures.outcomes.most_common()), *(n for n, _ in figures.options)]
    )
    return [
        (
            name,
            f"{figures.outcomes[name]:,}",
            OPTIONS[Cause(name)] or "either",
            *(f"{figures.options[name, option]:,}" for option in ("A", "B")),
        )
        for name in names
    ]
