"""One trace a call: what is in it, that a collector gets it, and that nobody waits for one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from kept_receipts import START_MS, parsed, query, receipt
from switchhook.journal.receipt import RecordKind, StatusReceived, encode, receipt_id
from switchhook.journal.segment import Record
from switchhook.streams.fold import Folded
from switchhook.telemetry.traces import Tracer, TraceSettings, otlp
from switchhook.telemetry.traces import exporter as tracer_module
from switchhook.telemetry.traces.exporter import BATCH, MOST_RECORDS, OLDEST_MS, QUIET_MS
from switchhook.telemetry.traces.spans import Span, root_id_of, trace_id_of

NODE = 7
NUMBER = "09876543210"


def folded(*records: Record) -> Folded:
    return Folded(tuple(parsed(*records)), 0)


class Clock:
    def __init__(self) -> None:
        self.ms = START_MS + 100_000

    def __call__(self) -> int:
        return self.ms


class Collector:
    """Takes what a tracer sends, in this process."""

    def __init__(self, *, takes: bool = True) -> None:
        self.spans: list[Span] = []
        self.takes = takes

    def __call__(self, spans: Any) -> bool:
        if self.takes:
            self.spans += spans
        return self.takes

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


class Scene:
    """A tracer without its thread, and a journal's records for it."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.collector = Clock(), Collector()
        self.tracer = Tracer(
            TraceSettings("http://127.0.0.1:1/", **settings),
            lambda: self.collector,
            node=lambda: NODE,
            now_ms=self.clock,
        )
        self.seq = 0

    def record(self, kind: int, body: bytes, at: int | None = None) -> Record:
        self.seq += 1
        at = START_MS + 1000 * self.seq if at is None else at
        return Record(self.seq, kind, at, None, None, None, body)

    def passthru(self, raw: bytes, **changes: Any) -> Record:
        at = START_MS + 1000 * (self.seq + 1)
        changed = msgspec.structs.replace(receipt(raw, **changes), received_us=at * 1000)
        return self.record(RecordKind.PASSTHRU, encode(changed))

    def status(self, body: bytes) -> Record:
        kind = "application/x-www-form-urlencoded"
        return self.record(
            RecordKind.STATUS, encode(StatusReceived(START_MS * 1000, "main", body, kind))
        )

    def tell(self, *records: Record) -> None:
        self.tracer.take(folded(*records))
        self.tracer.send(self.collector)


@pytest.fixture
def scene():
    return Scene()


def test_a_trace_has_the_id_that_anybody_can_tell_from_the_call_sid():
    """A bot that hears the CallSid puts its own spans into the same trace."""
    made = hashlib.blake2b(b"c1", digest_size=16).hexdigest()
    assert f"{trace_id_of('c1'):032x}" == made


def test_a_call_is_one_trace(scene):
    raw = query("c1", "s1", Duration="12", StreamUrl="wss://bot.example/x?token=abcdefgh")
    scene.tell(
        scene.passthru(query("c1", "s1", "in-progress")),
        scene.passthru(raw),
        scene.status(b"CallSid=c1&Status=completed&From=" + NUMBER.encode()),
    )
    assert {span.trace_id for span in scene.collector.spans} == {trace_id_of("c1")}
    assert {span.parent_id for span in scene.collector.spans} == {root_id_of("c1")}
    first, second = scene.collector.named("passthru default")
    assert first.attributes["switchhook.receipt"] == receipt_id(START_MS + 1000, NODE, 1)
    assert second.end_ns - second.start_ns == 250_000
    assert second.attributes["switchhook.option"] == "A"
    (stream,) = scene.collector.named("stream")
    assert stream.end_ns - stream.start_ns == 12_000_000_000
    assert stream.attributes["server.address"] == "bot.example"
    assert stream.problem is None
    (status,) = scene.collector.named("status callback")
    assert status.attributes["exotel.call.status"] == "completed"
    assert scene.collector.named("call") == []
    scene.clock.ms += QUIET_MS
    scene.tell()
    (call,) = scene.collector.named("call")
    assert (call.span_id, call.parent_id) == (root_id_of("c1"), None)
    assert call.start_ns == min(span.start_ns for span in scene.collector.spans)
    assert call.end_ns == max(span.end_ns for span in scene.collector.spans)
    assert scene.tracer.counts == (5, 0)


def test_a_failure_is_an_error_of_its_stream_and_its_call(scene):
    error = "3009 failed to establish ws conn dial tcp 192.0.2.1:443: connect: connection refused"
    scene.tell(scene.passthru(query("c1", "s1", "failed", Error=error)))
    scene.tracer.send(scene.collector, everything=True)
    (stream,), (call,) = scene.collector.named("stream"), scene.collector.named("call")
    assert stream.problem == call.problem == "connect_failed"
    assert stream.attributes["error.type"] == "refused"


def test_a_stream_that_is_told_twice_is_one_span(scene):
    scene.tell(scene.passthru(query("c1", "s1")), scene.passthru(query("c1", "s1", Extra="1")))
    assert len(scene.collector.named("passthru default")) == 2
    assert len(scene.collector.named("stream")) == 1


def test_what_tells_nothing_of_a_call_is_no_span(scene):
    scene.tell(
        scene.passthru(query(call=None)),
        scene.passthru(query("c1"), repeat_of="0" * 26),
        scene.passthru(query("c1"), method="HEAD"),
        scene.status(b"hello"),
        scene.record(RecordKind.COUNTERS, b"\x80"),
    )
    assert scene.collector.spans == []
    assert scene.tracer.counts == (0, 0)


def test_no_span_holds_a_number(scene):
    numbers = f"&From={NUMBER}&To={NUMBER}&CallFrom={NUMBER}&CustomField={NUMBER}".encode()
    scene.tell(
        scene.passthru(query("c1", "s1", Error=f"dial {NUMBER}") + numbers),
        scene.status(b"CallSid=c1&Status=completed&To=" + NUMBER.encode()),
    )
    scene.tracer.send(scene.collector, everything=True)
    assert len(scene.collector.spans) >= 3
    assert NUMBER[1:] not in repr(scene.collector.spans)


def test_what_was_folded_long_after_is_not_sent_again(scene):
    """A store that is rebuilt folds years; their traces were sent when they happened."""
    scene.clock.ms = START_MS + OLDEST_MS + 2500
    scene.tell(*(scene.passthru(query(f"c{n}")) for n in range(4)))
    assert len(scene.collector.named("passthru default")) == 2


def test_a_share_is_of_whole_calls():
    scene = Scene(share=0.5)
    for number in range(200):
        scene.tell(scene.passthru(query(f"c{number}")), scene.passthru(query(f"c{number}", "s2")))
    traced = [span.trace_id for span in scene.collector.named("passthru default")]
    assert len(traced) == 2 * len(set(traced))
    assert 60 < len(set(traced)) < 140
    none = Scene(share=0.0)
    none.tell(none.passthru(query("c1")))
    assert none.collector.spans == []


def test_what_the_collector_does_not_take_is_dropped_and_counted(scene, caplog):
    scene.collector.takes = False
    scene.tell(scene.passthru(query("c1")))
    scene.tell(scene.passthru(query("c2")))
    assert scene.tracer.counts == (0, 4)
    assert len([each for each in caplog.records if "does not take" in each.message]) == 1
    scene.collector.takes = True
    scene.tell(scene.passthru(query("c3")))
    assert scene.tracer.counts == (2, 4)


def test_what_waits_is_bounded_and_the_fold_does_not(scene, monkeypatch):
    one = scene.passthru(query("c1"))
    scene.tracer.take(folded(*[one] * (MOST_RECORDS + 5)))
    assert scene.tracer.counts == (0, 5)
    monkeypatch.setattr(tracer_module, "MOST_CALLS", 10)
    other = Scene()
    other.tell(*(other.passthru(query(f"c{n}")) for n in range(15)))
    assert len(other.collector.named("call")) == 5


def test_a_record_that_cannot_be_read_costs_itself_only(scene):
    scene.tell(scene.record(RecordKind.PASSTHRU, b"\xc1"), scene.passthru(query("c1")))
    assert len(scene.collector.named("passthru default")) == 1
    assert scene.tracer.counts == (2, 0)


def test_without_the_extra_it_says_so_and_drops(scene, caplog):
    def missing():
        raise ModuleNotFoundError(name="opentelemetry")

    tracer = Tracer(TraceSettings("http://x/"), missing, node=lambda: 1, now_ms=scene.clock)
    tracer.start()
    tracer.take(folded(scene.passthru(query("c1"))))
    assert tracer.stop(10)
    assert 'pip install "switchhook[otel]"' in caplog.text
    assert tracer.problem is not None
    assert tracer.counts[1] == 3


class Receiver(HTTPServer):
    """A collector as programs have it: OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str], ExportTraceServiceRequest]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        said = ExportTraceServiceRequest()
        said.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, headers, said))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_collector_gets_it_by_otlp(scene, receiver):
    url = f"http://127.0.0.1:{receiver.server_port}/v1/traces"
    settings = TraceSettings(url, {"Authorization": "Bearer x"})
    tracer = Tracer.by_otlp(settings, "1.2.3", node=lambda: NODE)
    tracer._now_ms = scene.clock
    tracer.start()
    count = BATCH + 10
    told = [scene.passthru(query(f"c{n}", "s1", "failed")) for n in range(count)]
    tracer.take(folded(*told[-90:]))
    assert tracer.stop(20)
    spans = []
    for path, headers, said in receiver.asked:
        assert path == "/v1/traces"
        assert headers["authorization"] == "Bearer x"
        (resource,) = said.resource_spans
        names = {each.key: each.value.string_value for each in resource.resource.attributes}
        assert names["service.name"] == "switchhook"
        for scope in resource.scope_spans:
            assert (scope.scope.name, scope.scope.version) == ("switchhook", "1.2.3")
            spans += scope.spans
    assert tracer.counts == (len(spans), 0)
    roots = [span for span in spans if span.name == "call"]
    assert len(roots) == 90
    assert all(not span.parent_span_id for span in roots)
    children = [span for span in spans if span.parent_span_id]
    by_trace = {span.trace_id: span.span_id for span in roots}
    assert all(by_trace[span.trace_id] == span.parent_span_id for span in children)
    assert trace_id_of(f"c{count - 1}").to_bytes(16) in by_trace


def test_a_collector_that_is_away_keeps_nobody(scene, monkeypatch):
    monkeypatch.setattr(otlp, "TIMEOUT_S", 0.2)
    tracer = Tracer.by_otlp(TraceSettings("http://127.0.0.1:1/v1/traces"), "1", node=lambda: NODE)
    tracer._now_ms = scene.clock
    tracer.start()
    tracer.take(folded(scene.passthru(query("c1"))))
    assert tracer.stop(30)
    assert tracer.counts[0] == 0
    assert tracer.counts[1] >= 2
