"""Sends the calls that are folded to a collector of traces, and never keeps the fold waiting.

What the fold hands over, parsed, waits in a bounded queue; where the collector is slower or away,
spans are dropped and counted. A call's own span is sent when nothing was heard of it for a minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Protocol

from switchhook.journal.source import moment_of
from switchhook.streams.parsed_record import CallbackRecord, PassthruRecord
from switchhook.telemetry.traces.spans import OpenCall, Span, spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.streams.fold import Folded
    from switchhook.telemetry.traces.spans import TraceSettings

log = logging.getLogger("switchhook.traces")

MOST_RECORDS = 5_000
"""What may wait: a typical one takes 4 kB."""
MOST_CALLS = 10_000
BATCH = 500
PAUSE_S = 1.0
QUIET_MS = 60_000
"""A call of which nothing was heard for so long is over, as far as its trace is concerned."""
OLDEST_MS = 3_600_000
"""What is folded later than that, as when a store is rebuilt, was traced when it happened."""
_PARTS = 1 << 64


Traced = PassthruRecord | CallbackRecord


class Export(Protocol):
    """Hands spans to a collector; blocks, and says whether they were taken."""

    def __call__(self, spans: Sequence[Span]) -> bool: ...


class Tracer:
    """Takes records from the fold, and sends spans from `start` to `stop`.

    `take` is an observer of the fold. `node` is the journal's; `export` is made in the thread, as
    its libraries are slow to load.
    """

    def __init__(
        self,
        settings: TraceSettings,
        make_export: Callable[[], Export],
        *,
        node: Callable[[], int | None],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._settings, self._make_export, self._node = settings, make_export, node
        self._now_ms = now_ms
        self._queue: deque[Traced] = deque()
        self._calls: OrderedDict[str, OpenCall] = OrderedDict()
        self._streams: OrderedDict[int, None] = OrderedDict()
        self._wake = threading.Event()
        self._stopping = False
        self._exported = self._dropped = self._overflowed = 0
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self.problem: str | None = None

    @classmethod
    def by_otlp(
        cls, settings: TraceSettings, version: str, *, node: Callable[[], int | None]
    ) -> Tracer:
        """One that sends to the collector of some settings."""

        def make_export() -> Export:
            from switchhook.telemetry.traces.otlp import OtlpExport

            return OtlpExport(settings, version)

        return cls(settings, make_export, node=node)

    @property
    def counts(self) -> tuple[int, int]:
        """Spans that the collector took, and those that were dropped."""
        return self._exported, self._dropped + self._overflowed

    def take(self, folded: Folded) -> None:
        """Queue what was folded; at once, in the fold's thread."""
        fresh = self._now_ms() - OLDEST_MS
        queue = self._queue
        for parsed in folded.records:
            if isinstance(parsed, Traced) and moment_of(parsed.record) >= fresh:
                if len(queue) < MOST_RECORDS:
                    queue.append(parsed)
                else:
                    self._overflowed += 1
        if len(queue) >= BATCH:
            self._wake.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 3.0) -> bool:
        """Send what is left, the open calls included; whether that was done in time."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            export = self._make_export()
        except ImportError as error:
            hint = 'pip install "switchhook[otel]"'
            self.problem = f"traces are not sent: {error.name} is not installed ({hint})"
            log.error("%s", self.problem)  # noqa: TRY400 - no trace is needed for that
            export = _nowhere
        while not self._stopping:
            self._wake.wait(PAUSE_S)
            self._wake.clear()
            self.send(export)
        self.send(export, everything=True)

    def send(self, export: Export, *, everything: bool = False) -> None:
        """Send all that is queued, and the calls that are over; `everything` at the end."""
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            self._export(export, self._spans(batch))
            if self._stopping and not everything:
                return
        now_ms = self._now_ms()
        over: list[Span] = []
        while self._calls:
            sid, call = next(iter(self._calls.items()))
            late = now_ms - call.heard_ms >= QUIET_MS
            if not (everything or late or len(self._calls) > MOST_CALLS):
                break
            del self._calls[sid]
            over.append(call.root())
        self._export(export, over)

    def _spans(self, records: Sequence[Traced]) -> list[Span]:
        found: list[Span] = []
        node = self._node() or 0
        for parsed in records:
            try:
                found += self._of_record(parsed, node)
            except Exception:  # noqa: BLE001 - what a record makes fail costs a span, and no other
                # may suffer for it.
                self._dropped += 1
        return found

    def _of_record(self, parsed: Traced, node: int) -> list[Span]:
        told = spans_of(parsed, node)
        if told is None:
            return []
        call_sid, spans = told
        if spans[0].trace_id % _PARTS >= self._settings.share * _PARTS:
            return []
        call = self._calls.pop(call_sid, None)
        if call is None:
            call = OpenCall(call_sid, spans[0].start_ns, spans[0].end_ns, 0)
        call.hear(spans, self._now_ms())
        self._calls[call_sid] = call  # at the end: the longest silent is first
        return [span for span in spans if span.name != "stream" or self._first_time(span)]

    def _first_time(self, span: Span) -> bool:
        """Whether a stream's end is new: several passthrus may tell it."""
        if span.span_id in self._streams:
            return False
        self._streams[span.span_id] = None
        if len(self._streams) > MOST_CALLS:
            self._streams.popitem(last=False)
        return True

    def _export(self, export: Export, spans: Sequence[Span]) -> None:
        for at in range(0, len(spans), BATCH):
            some = spans[at : at + BATCH]
            taken = export(some)
            if taken:
                self._exported += len(some)
            else:
                self._dropped += len(some)
            self._tell(failing=not taken)

    def _tell(self, *, failing: bool) -> None:
        if failing != self._failing:
            self._failing = failing
            if failing and self.problem is None:
                log.error("the collector does not take traces; they are dropped and counted")
            elif not failing:
                log.warning("the collector takes traces again")


def _nowhere(spans: Sequence[Span]) -> bool:
    return False
