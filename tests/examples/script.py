"""The scripted model of the examples: it makes every kind of call that a host must pass on, one after the other."""

import re

from evals.endpoint import Conversation, Turn
from evals.gate import Gate

QUESTION = "How does the with statement use a context manager?"
UNKNOWN = "no-such-run"


class Script:
    """A model that uses both tools, continues by id, makes a mistake, and quotes what it was shown."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._report = ""

    def __call__(self, shown: Conversation) -> Turn:
        """Its next turn."""
        research = "deep_research"
        if not shown.results:
            return Turn(tool=shown.tool("web_answer"), arguments={"question": QUESTION})
        if len(shown.results) == 1:
            return Turn(tool=shown.tool(research), arguments={"question": QUESTION})
        if run := working(shown.results[-1]):
            self._gate.open.set()
            return Turn(tool=shown.tool(research), arguments={"research_id": run})
        if not self._report:
            self._report = shown.results[-1]
            return Turn(tool=shown.tool(research), arguments={"research_id": UNKNOWN})
        return Turn(text=f"It calls its enter and exit methods [1].\n\n[1] {first_source(self._report)}")


def working(result: str) -> str | None:
    """The id of a run that is still working, from text or JSON."""
    found = re.search(r"""research_id["'=:\s]+([\w.-]{8,})""", result)
    return found[1] if found and re.search(r"\bworking\b", result) else None


def first_source(result: str) -> str | None:
    """The URL of source 1, from the text's numbered list or the structure's citations."""
    listed = re.search(r"^\[1\][^\n]*?(https?://[^\s\"\\]+)", result.replace("\\n", "\n"), re.MULTILINE)
    typed = re.search(r"""["']number["']: ?1,[^{}]*?["']url["']: ?["']([^"']+)["']""", result)
    found = listed or typed
    return found[1] if found else None
