"""`/metrics` on the private port, for both programs, as Prometheus wants it.

Every number comes from where it is kept anyway (the store, the journal, the watch), when it is
asked for. Counters are the store's over all time, so a restart sets none back. No label holds a
number or an identifier, and each has a ceiling.
"""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.routing import Route

from switchhook.answer.counter_names import FROM_THE_START, MOST_VALUES, place_of
from switchhook.errors import SwitchhookError
from switchhook.journal.receipt import ANSWER_BOUNDS_MS, ANSWER_BUCKETS, ANSWER_US, WAITING
from switchhook.metrics import OTHER
from switchhook.telemetry.figure_gauges import (
    disks_of_nodes,
    families_of_machines,
    labelled_families,
)
from switchhook.telemetry.promise_counters import promise_families
from switchhook.telemetry.stream_counters import settled_counts, stream_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from switchhook.alerts.alert import Alert
    from switchhook.capacity.status import CapacityNow
    from switchhook.journal.source import JournalSource
    from switchhook.metrics import Source
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store
    from switchhook.telemetry.promise_counters import Total

_PEAK_MS = 120_000  # two whole minutes, so that a scrape each minute misses none
_NOT_THERE = -1


class FoldState(msgspec.Struct, frozen=True):
    """How the fold stands: records behind, and whether it goes on."""

    lag: int
    running: bool


class Traces(msgspec.Struct, frozen=True):
    """What became of the traces' spans since the program started."""

    exported: int
    dropped: int


class MetricSources(msgspec.Struct, frozen=True, kw_only=True):
    """Where the metrics come from; each is asked by every scrape, in a thread of its own.

    `capacity` and `figures` take the time in ms. `data` is the data folder; `answer_pid` gives the
    answer program's process, None where it doesn't run here. `watched` is whether accounts are
    watched at all. `failing` says of our own files whether they fail, `details_dropped` of how many
    calls the details were given up since the start, as too many were wanted or for too long.
    `promises` are totals of what happened to promises.
    """

    store: Store
    journal: JournalSource
    fold: Callable[[], FoldState]
    names: Callable[[], Names]
    data: Path
    version: str
    capacity: Callable[[int], Iterable[CapacityNow]] = lambda _now_ms: ()
    alerts: Callable[[], Iterable[Alert]] = tuple
    figures: Source = lambda _now_ms: ()
    traces: Callable[[], Traces | None] = lambda: None
    details_dropped: Callable[[], int] = lambda: 0
    promises: Callable[[], Iterable[Total]] = tuple
    answer_pid: Callable[[], int | None] = lambda: None
    failing: Callable[[], Mapping[str, bool]] = dict
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


class MetricsPage:
    """`GET /metrics`. One scrape at a time; what fails of one is left out, and counted."""

    def __init__(self, sources: MetricSources) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Ours(sources))
        ProcessCollector(registry=self._registry)
        ProcessCollector(
            namespace="switchhook_answer",
            pid=lambda: sources.answer_pid() or _NOT_THERE,
            registry=self._registry,
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    def routes(self) -> list[BaseRoute]:
        """For the console's app; never for the public port."""
        return [Route("/metrics", self._answer, name="metrics")]

    async def _answer(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        loop = asyncio.get_running_loop()
        body: bytes = await loop.run_in_executor(self._thread, encode, self._registry)
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


class _Ours(Collector):
    """Everything but the processes' own figures."""

    def __init__(self, sources: MetricSources) -> None:
        self._sources = sources
        self._failed = 0
        self._values: dict[str, set[tuple[str, ...]]] = {}
        self._names = sources.names()
        self._settled = settled_counts()

    def describe(self) -> Iterable[Metric]:
        """Nothing: else the registry would collect once just to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        now_ms = self._sources.now_ms()
        for part in (
            self._build,
            self._answering,
            self._streams,
            self._accounts,
            self._folding,
            self._files,
            self._disk,
            self._alerts,
            self._calls,
            self._promises,
            self._tracing,
        ):
            try:
                yield from list(part(now_ms))
            except (SwitchhookError, OSError):
                # A store that is rebuilt or a disk that fails must not take the other figures away.
                self._failed += 1
        failed = _counter("metrics_parts_failed", "Parts of a scrape that could not be collected.")
        failed.add_metric((), self._failed)
        yield failed

    def _build(self, _now_ms: int) -> Iterator[Metric]:
        build = InfoMetricFamily("switchhook_build", "What runs.")
        build.add_metric(
            (), {"version": self._sources.version, "python": platform.python_version()}
        )
        yield build

    def _answering(self, now_ms: int) -> Iterator[Metric]:
        sources = self._sources
        counters = dict.fromkeys(FROM_THE_START, 0) | sources.store.counters()
        yield _times(counters)
        yield from self._counted(counters)
        peak = _gauge("answer_waiting_peak", "Most callers who waited at once, in two minutes.")
        recent = sources.store.counts(now_ms - _PEAK_MS, now_ms)
        peak.add_metric((), max((each.count for each in recent if each.name == WAITING), default=0))
        yield peak
        figures = tuple(sources.figures(now_ms))
        yield from families_of_machines(figures)
        yield from labelled_families(figures)

    def _counted(self, counters: Mapping[str, int]) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily] = {}
        sums: Counter[tuple[str, tuple[str, ...]]] = Counter()
        for name, count in sorted(counters.items()):
            place = place_of(name)
            if place is None:
                continue
            if place.family not in families:
                families[place.family] = _counter(place.family, place.meaning, place.labels)
                self._values.setdefault(place.family, set())
            known = self._values[place.family]
            values = place.values
            if values not in known and len(known) >= MOST_VALUES:
                values = (OTHER,) * len(values)
            known.add(values)
            sums[place.family, values] += count
        for (family, values), count in sorted(sums.items()):
            families[family].add_metric(values, count)
        yield from families.values()

    def _streams(self, _now_ms: int) -> Iterator[Metric]:
        sources = self._sources
        if (names := sources.names()) != self._names:
            self._names, self._settled = names, settled_counts()  # streams count elsewhere now
        yield from stream_families(sources.store.uses(), names, self._settled)

    def _accounts(self, now_ms: int) -> Iterator[Metric]:
        label = ("account",)
        active = _gauge("account_streams_active", "Streams in use, by Exotel.", label)
        allowed = _gauge("account_streams_allowed", "Streams allowed, by Exotel.", label)
        headroom = _gauge("account_streams_headroom", "Streams left.", label)
        age = _gauge("account_figures_age_seconds", "How old these figures are.", label)
        unread = _gauge("account_polls_unread", "Polls in a row that told nothing.", label)
        for each in self._sources.capacity(now_ms):
            for family, value in (
                (active, each.active),
                (allowed, each.allowed),
                (headroom, each.headroom),
                (age, each.age_s),
                (unread, each.unread),
            ):
                if value is not None:  # unknown is not zero
                    family.add_metric((each.account,), value)
        yield from (active, allowed, headroom, age, unread)

    def _folding(self, _now_ms: int) -> Iterator[Metric]:
        sources = self._sources
        fold = sources.fold()
        yield _single("fold_lag_records", "Records of the journal not folded yet.", fold.lag)
        yield _single("fold_running", "Whether the fold goes on.", int(fold.running))
        yield _single("journal_size_bytes", "Size of the journal.", sources.journal.size_bytes())
        count, _ = sources.store.quarantined(0)
        yield _single("store_quarantined_records", "Records that could not be folded.", count)

    def _files(self, _now_ms: int) -> Iterator[Metric]:
        failing = _gauge("files_failing", "Whether one of our own files fails.", ("file",))
        for file, fails in self._sources.failing().items():
            failing.add_metric((file,), int(fails))
        yield failing

    def _disk(self, now_ms: int) -> Iterator[Metric]:
        disks = disks_of_nodes(self._sources.figures(now_ms))
        if not disks:
            disk = os.statvfs(self._sources.data)
            disks[()] = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
        names = ("node",) if () not in disks else ()
        sizes = _gauge("data_disk_size_bytes", "Size of the data folder's disk.", names)
        room = _gauge("data_disk_free_bytes", "What is free of it.", names)
        for labels, (size, free) in disks.items():
            sizes.add_metric(labels, size)
            room.add_metric(labels, free)
        yield from (sizes, room)

    def _alerts(self, _now_ms: int) -> Iterator[Metric]:
        firing = _gauge("alerts_firing", "Alerts that fire.", ("rule", "severity"))
        counts: dict[tuple[str, str], int] = {}
        for alert in self._sources.alerts():
            if alert.firing:
                key = alert.rule, alert.severity.value
                counts[key] = counts.get(key, 0) + 1
        for labels, count in sorted(counts.items()):
            firing.add_metric(labels, count)
        yield firing

    def _calls(self, _now_ms: int) -> Iterator[Metric]:
        dropped = _counter("call_details_dropped", "Calls whose details nobody asks for any more.")
        dropped.add_metric((), self._sources.details_dropped())
        yield dropped

    def _promises(self, _now_ms: int) -> Iterator[Metric]:
        yield from promise_families(self._sources.promises())

    def _tracing(self, _now_ms: int) -> Iterator[Metric]:
        traces = self._sources.traces()
        if traces is None:
            return
        exported = _counter("trace_spans_exported", "Spans that the collector took.")
        exported.add_metric((), traces.exported)
        dropped = _counter("trace_spans_dropped", "Spans lost to a full queue or an export.")
        dropped.add_metric((), traces.dropped)
        yield from (exported, dropped)


def _times(counters: Mapping[str, int]) -> Metric:
    """The answer times as a histogram, whose buckets hold all below their bound."""
    family = HistogramMetricFamily(
        "switchhook_answer_duration_seconds",
        "From a passthru's last byte to its answer's first.",
    )
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, name in zip((*ANSWER_BOUNDS_MS, None), ANSWER_BUCKETS, strict=True):
        total += counters.get(name, 0)
        buckets.append(("+Inf" if bound is None else str(bound / 1000), total))
    family.add_metric((), buckets, sum_value=counters.get(ANSWER_US, 0) / 1e6)
    return family


def _counter(name: str, meaning: str, labels: tuple[str, ...] = ()) -> CounterMetricFamily:
    return CounterMetricFamily(f"switchhook_{name}", meaning, labels=labels)


def _gauge(name: str, meaning: str, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"switchhook_{name}", meaning, labels=labels)


def _single(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"switchhook_{name}", meaning, value=value)
