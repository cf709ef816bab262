"""The two tools: plain typed functions, their arguments, progress and results."""

from parallel_mcp.tools.arguments import model_argument
from parallel_mcp.tools.context import AppContext
from parallel_mcp.tools.deep_research import deep_research
from parallel_mcp.tools.progress import opening_message, progress
from parallel_mcp.tools.results import research_of, research_result
from parallel_mcp.tools.web_answer import web_answer

__all__ = [
    "AppContext",
    "deep_research",
    "model_argument",
    "opening_message",
    "progress",
    "research_of",
    "research_result",
    "web_answer",
]
