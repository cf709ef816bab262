"""Answers and research as text: what a tool says in prose, and a research as Markdown."""

from parallel_mcp.report.markdown import markdown
from parallel_mcp.report.prose import fit, prose

__all__ = ["fit", "markdown", "prose"]
