"""Parallel's Chat endpoint on this machine: OpenAI-compatible, without a key to buy, answering from local documents.

It stands in for Parallel in a newcomer's first minute, in tests and in a team's CI. Its answers are found, not canned:
sentences drawn verbatim from documents that are on the machine anyway, each one cited. It shares no code with this
package's client, so that the two ends cannot agree on the same mistake.
"""

from parallel_mcp.sandbox.app import create_app, running, serving
from parallel_mcp.sandbox.options import Fault, SandboxOptions

__all__ = ["Fault", "SandboxOptions", "create_app", "example_questions", "running", "serving"]


def example_questions() -> tuple[str, str]:
    """Two questions that the default corpus can answer, whatever else is installed."""
    return (
        "What does Starlette offer for building async web services?",
        "How does the with statement use a context manager?",
    )
