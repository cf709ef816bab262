"""Spans and metrics, by OpenTelemetry's conventions."""

from parallel_mcp.telemetry.export import Wanted, export, flush, wanted
from parallel_mcp.telemetry.instruments import (
    Call,
    Place,
    asking,
    attempt_failed,
    called,
    continued,
    first_word,
    here,
    joined,
    named,
    waited,
)

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
    "waited",
    "wanted",
]
