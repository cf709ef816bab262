"""Parallel's Chat endpoint on this machine: OpenAI-compatible, without a key to buy, answering from local documents.

It stands in for Parallel in a newcomer's first minute, in tests and in a team's CI. Its answers are found, not canned:
sentences drawn verbatim from documents that are on the machine anyway, each one cited. It shares no code with this
package's client, so that the two ends cannot agree on the same mistake.
"""

from parallel_mcp.sandbox.app import create_app, prepare
from parallel_mcp.sandbox.options import Fault, SandboxOptions
from parallel_mcp.sandbox.serving import check_host, running, serving

__all__ = ["Fault", "SandboxOptions", "check_host", "create_app", "example_questions", "prepare", "running", "serving"]


def example_questions() -> tuple[str, str]:
    """Two questions that the default corpus can answer."""
    return (
        "What happens when a replica is killed?",
        "How does the with statement use a context manager?",
    )
