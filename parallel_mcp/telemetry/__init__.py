"""Spans and metrics, by OpenTelemetry's conventions."""

from parallel_mcp.telemetry.export import Wanted, export, flush, wanted
from parallel_mcp.telemetry.instruments import (
    Call,
    Place,
    asking,
    attempt_failed,
    called,
    first_word,
    here,
    joined,
    named,
    waited,
)
from parallel_mcp.telemetry.propagation import continued, take_traceparent_only

__all__ = [
    "Call",
    "Place",
    "Wanted",
    "asking",
    "attempt_failed",
    "called",
    "continued",
    "export",
    "first_word",
    "flush",
    "here",
    "joined",
    "named",
    "take_traceparent_only",
    "waited",
    "wanted",
]
