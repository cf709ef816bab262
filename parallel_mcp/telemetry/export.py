"""Sets up exporters if the standard OTEL variables ask for them."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from typing import Any, Literal

from opentelemetry import metrics, trace

from parallel_mcp.telemetry.instruments import NAME

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.3
"""Seconds for the last export of a process that must end within a second."""

Signal = Literal["traces", "metrics"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The requested exporters by signal; empty if none."""

    traces: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    service: str | None = None

    def __bool__(self) -> bool:
        return bool(self.traces or self.metrics)


def wanted(environ: Mapping[str, str]) -> Wanted:
    """What the standard variables request: an exporter by name, or an OTLP endpoint. Otherwise nothing."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Wanted()
    return Wanted(_named(environ, "TRACES"), _named(environ, "METRICS"), environ.get("OTEL_SERVICE_NAME") or None)


def _named(environ: Mapping[str, str], signal: str) -> tuple[str, ...]:
    given = environ.get(f"OTEL_{signal}_EXPORTER", "").strip()
    if not given:
        endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
        given = "otlp" if any(environ.get(name) for name in endpoints) else "none"
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    otlp = "otlp_proto_grpc" if (protocol or "").strip() == "grpc" else "otlp_proto_http"
    names = (name.strip().lower() for name in given.split(","))
    return tuple(otlp if name == "otlp" else name for name in names if name and name != "none")


def export(asked: Wanted) -> str | None:
    """Set up the requested exporters; returns what is missing, in words. The SDK reads its other variables itself."""
    if not asked:
        return None
    logging.getLogger("opentelemetry.util.re").addFilter(_without_values)
    try:
        return _set_up(asked)
    except ImportError:
        return (
            "The OTEL variables ask for telemetry, but the OpenTelemetry SDK is not installed, so nothing is exported: "
            "install parallel-mcp[otel]"
        )


def _set_up(asked: Wanted) -> str | None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

    resource = Resource.create({"service.name": asked.service or NAME, "service.version": version(NAME)})
    missing: list[str] = []
    spans = _exporters("traces", asked.traces, missing)
    points = _exporters("metrics", asked.metrics, missing)
    # Not at interpreter exit: `flush` does it, in bounded time.
    if spans:
        tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in spans:
            # The console gets spans at once: the last batch would arrive after the front has closed stderr.
            processor = SimpleSpanProcessor if isinstance(exporter, ConsoleSpanExporter) else BatchSpanProcessor
            tracers.add_span_processor(processor(exporter))
        trace.set_tracer_provider(tracers)
    if points:
        readers = [PeriodicExportingMetricReader(exporter) for exporter in points]
        metrics.set_meter_provider(MeterProvider(readers, resource=resource, shutdown_on_exit=False))
    return "; ".join(missing) or None


def _exporters(signal: Signal, names: tuple[str, ...], missing: list[str]) -> list[Any]:
    """The exporters with these names; those that cannot be used are described in `missing`."""
    made: list[Any] = []
    for name in names:
        found = next(iter(entry_points(group=f"opentelemetry_{signal}_exporter", name=name)), None)
        try:
            kind = found.load() if found is not None else None
            # Never stdout, which belongs to the protocol.
            made += [] if kind is None else [kind(out=sys.stderr) if name == "console" else kind()]
        except Exception as error:
            found = None
            logger.debug("The exporter cannot be created: %s", type(error).__name__)
        if found is None:
            missing.append(f"OpenTelemetry's exporter of {signal} cannot be used (OTEL_{signal.upper()}_EXPORTER)")
    return made


def _without_values(record: logging.LogRecord) -> bool:
    """The SDK logs headers that it cannot parse in full, and headers carry keys."""
    record.args = ("[hidden]",)
    return True


def flush(seconds: float = FLUSH_SECONDS) -> None:
    """Export what is left, waiting at most `seconds`."""
    flushes: list[Callable[[], Any]] = [
        provider.force_flush
        for provider in (trace.get_tracer_provider(), metrics.get_meter_provider())
        if hasattr(provider, "force_flush")
    ]
    deadline = time.monotonic() + seconds
    # In separate threads, because an exporter ignores deadlines other than its own.
    threads = [threading.Thread(target=_quietly, args=(one,), daemon=True) for one in flushes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))


def _quietly(work: Callable[[], Any]) -> None:
    try:
        work()
    except Exception as error:
        logger.debug("The last export failed: %s", type(error).__name__)
