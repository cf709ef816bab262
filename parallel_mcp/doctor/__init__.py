"""Finds what keeps this server from working, and says what to do. Shows no key; costs nothing except in `live`."""

from parallel_mcp.doctor.examination import examine
from parallel_mcp.doctor.finding import Finding, Verdict
from parallel_mcp.doctor.live import examine_live

__all__ = ["Finding", "Verdict", "examine", "examine_live"]
