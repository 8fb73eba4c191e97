"""Spans on their way to a collector, by OTLP over HTTP. Needs the extra `otel`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.telemetry.traces.spans import Span, TraceSettings

TIMEOUT_S = 5.0


class OtlpExport:
    """Hands spans to the collector of some settings; blocks for up to `TIMEOUT_S`."""

    def __init__(self, settings: TraceSettings, version: str) -> None:
        # What it would log again and again, whoever uses this says once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = OTLPSpanExporter(
            endpoint=settings.endpoint, headers=dict(settings.headers), timeout=TIMEOUT_S
        )
        self._resource = Resource.create({"service.name": "switchhook", "service.version": version})
        self._scope = InstrumentationScope("switchhook", version)

    def __call__(self, spans: Sequence[Span]) -> bool:
        found = self._exporter.export([self._of(span) for span in spans])
        return found is SpanExportResult.SUCCESS

    def _of(self, span: Span) -> ReadableSpan:
        flags = TraceFlags(TraceFlags.SAMPLED)
        parent = None
        if span.parent_id is not None:
            parent = SpanContext(span.trace_id, span.parent_id, is_remote=False, trace_flags=flags)
        return ReadableSpan(
            span.name,
            context=SpanContext(span.trace_id, span.span_id, is_remote=False, trace_flags=flags),
            parent=parent,
            resource=self._resource,
            attributes=span.attributes,
            kind=SpanKind.SERVER if span.incoming else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.problem) if span.problem else Status(),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )
