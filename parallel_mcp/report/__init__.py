"""Answers and research runs as text: the prose of a tool result, and files in every format."""

from parallel_mcp.report.fitting import fit
from parallel_mcp.report.formats import FORMATS, Format
from parallel_mcp.report.markdown import markdown
from parallel_mcp.report.prose import prose

__all__ = ["FORMATS", "Format", "fit", "markdown", "prose"]
