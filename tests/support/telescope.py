"""The real OpenTelemetry SDK with its in-memory exporter and reader, for the whole test process."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Exporter(InMemorySpanExporter):
    """Keeps spans only while a test looks, because the provider outlives the test."""

    looking = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export(spans) if self.looking else SpanExportResult.SUCCESS


@dataclass
class Telescope:
    """What was seen."""

    exporter: Exporter = field(default_factory=Exporter)
    reader: InMemoryMetricReader = field(
        default_factory=lambda: InMemoryMetricReader(dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA))
    )

    def spans(self, name: str) -> list[ReadableSpan]:
        """The server's own spans with this name, in the order they ended."""
        return [
            span
            for span in self.exporter.get_finished_spans()
            if span.name == name and (name.startswith("chat") or span.kind == trace.SpanKind.SERVER)
        ]

    def points(self) -> dict[str, list[Any]]:
        """What was measured since the last call, by metric name."""
        data = self.reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found

    def everything(self) -> str:
        """All spans, as an exporter would write them."""
        return "\n".join(span.to_json() for span in self.exporter.get_finished_spans())


@cache
def _installed() -> Telescope:
    telescope = Telescope()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(telescope.exporter))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider([telescope.reader], shutdown_on_exit=False))
    return telescope


def installed() -> Telescope:
    """The telescope of this process, emptied."""
    telescope = _installed()
    telescope.exporter.clear()
    telescope.points()
    return telescope
