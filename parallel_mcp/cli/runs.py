"""Finding a research run by what a person types, and describing its status."""

import re
from typing import TYPE_CHECKING

from parallel_mcp.errors import UnknownResearch

if TYPE_CHECKING:
    from parallel_mcp.research import ResearchRun, Scope, Store

SHORT = 8
"""How much of an id a terminal shows, which is enough to name a run."""

PAGE = 200

_ID = re.compile(r"(?:research://)?([0-9a-f]+)(?:/\w+)?", re.IGNORECASE)


def status_of(row: "ResearchRun") -> str:
    """The status of a run for a person, including whether it has lapsed."""
    return "probably interrupted" if row.lapsed else row.status


def interrupted_words(row: "ResearchRun") -> str:
    """What to know about a run whose process is gone, before waiting for it."""
    from parallel_mcp.research import MAX_ATTEMPTS

    gone = f"Research run {row.research_id} was probably interrupted: no process is working on it."
    if row.attempts >= MAX_ATTEMPTS:
        return f"{gone} It was sent {row.attempts} times and will not be sent again."
    billed = "is billed again, if the first request was" if row.cost_usd else "costs nothing"
    return f"{gone} `parallel-mcp research --id {row.research_id}` sends it once more, which {billed}."


async def found(store: "Store", name: str, whose: "Scope | None" = None) -> "ResearchRun":
    """The run with this id, id prefix or resource URI. Raises UnknownResearch."""
    from parallel_mcp.research import Scope

    scope = whose or Scope("local", "", "")
    match = _ID.fullmatch(name.strip().strip("\"'"))
    research_id = match[1].lower() if match is not None else name
    matching: list[ResearchRun] = []
    before: str | None = None
    while page := await store.list(scope, before, PAGE):
        matching += [row for row in page if row.research_id.startswith(research_id)]
        before = page[-1].research_id
    if len(matching) != 1 or (len(research_id) < SHORT and matching[0].research_id != research_id):
        raise UnknownResearch(name)
    # Lists have no answers.
    row = await store.get(matching[0].research_id, matching[0].scope)
    if row is None:
        raise UnknownResearch(name)
    return row
