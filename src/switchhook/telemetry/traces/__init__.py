"""One trace a call, for those who collect traces: an extra, `pip install "switchhook[otel]"`.

`Tracer` is handed what the console folds and sends it on by OTLP, in a thread of its own.
"""

from switchhook.telemetry.traces.exporter import Tracer
from switchhook.telemetry.traces.spans import TraceSettings

__all__ = ["TraceSettings", "Tracer"]
