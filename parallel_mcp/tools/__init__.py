"""The two tools: plain typed functions, their arguments, progress and results."""

from parallel_mcp.tools.arguments import model_argument, question_of
from parallel_mcp.tools.context import AppContext
from parallel_mcp.tools.deep_research import check_allowed, deep_research
from parallel_mcp.tools.progress import opening_message, progress
from parallel_mcp.tools.results import ended_words, provenance, research_of, research_result
from parallel_mcp.tools.web_answer import web_answer

__all__ = [
    "AppContext",
    "check_allowed",
    "deep_research",
    "ended_words",
    "model_argument",
    "opening_message",
    "progress",
    "provenance",
    "question_of",
    "research_of",
    "research_result",
    "web_answer",
]
