"""Parallel's Chat endpoint on this machine: OpenAI-compatible, free, and answering from local documents.

It stands in for Parallel when trying the server out, in tests and in CI. Its answers are found, not canned: sentences
quoted verbatim from documents that are already on the machine, each one cited. It shares no code with this package's
client, so that the two ends cannot share a mistake.
"""

from parallel_mcp.sandbox.answering import prepare
from parallel_mcp.sandbox.app import create_app
from parallel_mcp.sandbox.options import Fault, SandboxOptions
from parallel_mcp.sandbox.serving import check_host, running, serving

__all__ = ["Fault", "SandboxOptions", "check_host", "create_app", "example_questions", "prepare", "running", "serving"]


def example_questions() -> tuple[str, str]:
    """Two questions that the default corpus can answer."""
    return (
        "What happens when a replica is killed?",
        "How does the with statement use a context manager?",
    )
