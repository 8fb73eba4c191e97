"""Traces, where they are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.server.release import release
from switchhook.telemetry.traces import Tracer, TraceSettings

if TYPE_CHECKING:
    from switchhook.config import Config
    from switchhook.journal.source import JournalSource


def tracer_of(config: Config, journal: JournalSource) -> Tracer | None:
    """What exports traces of the journal's receipts; None where nobody wants any."""
    traces = config.traces
    if not traces.endpoint:
        return None
    settings = TraceSettings(traces.endpoint, traces.pairs(), traces.share)
    return Tracer.by_otlp(settings, release(), node=lambda: journal.node)
