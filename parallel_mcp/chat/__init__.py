"""Parallel's Chat protocol as pure functions: a request's body, a reply, an answer, a refusal.

Everything that the documentation calls "always empty" may be null, "" or absent. Of these, only finish_reason is
read, as a sign that a stream has ended.
"""

from parallel_mcp.chat.answer import CUT_SHORT, GARBLED, NAMED_BY_MODEL, STOPPED_EARLY, answer, is_whole, said_so_far
from parallel_mcp.chat.events import Event, Events
from parallel_mcp.chat.message import Reply
from parallel_mcp.chat.reading import Reading, parse
from parallel_mcp.chat.refusal import Hide, refusal
from parallel_mcp.chat.request import PROMPT_VERSIONS, names_sources, request
from parallel_mcp.chat.stream import Assembly

__all__ = [
    "CUT_SHORT",
    "GARBLED",
    "NAMED_BY_MODEL",
    "PROMPT_VERSIONS",
    "STOPPED_EARLY",
    "Assembly",
    "Event",
    "Events",
    "Hide",
    "Reading",
    "Reply",
    "answer",
    "is_whole",
    "names_sources",
    "parse",
    "refusal",
    "request",
    "said_so_far",
]
