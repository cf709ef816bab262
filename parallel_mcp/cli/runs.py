"""Finding a research run by what a person types, and describing its status."""

import re
from typing import TYPE_CHECKING

from parallel_mcp.cli.ending import Failed
from parallel_mcp.cli.flags import command
from parallel_mcp.text import clean

if TYPE_CHECKING:
    from parallel_mcp.research import ResearchRun, Scope, Store

SHORT = 8
"""How much of an id a terminal shows, which is enough to name a run."""

PAGE = 200

_ID = re.compile(r"(?:research://)?([0-9a-f]+)(?:/\w+)?", re.IGNORECASE)


class NoSuchRun(Failed):
    """No stored run has that name, or more than one has."""

    kind = "unknown_research"

    def __init__(self, name: str) -> None:
        here = command("history")
        apart = "" if "--" in here else " Sandbox runs are listed with --sandbox."
        super().__init__(
            f"There is no research run {clean(name, 80)!r} here: `{here}` lists them.{apart}",
            may_be_billed=False,
        )


def status_of(row: "ResearchRun") -> str:
    """The status of a run for a person, including whether it has lapsed."""
    return "probably interrupted" if row.lapsed else row.status


def working_words(row: "ResearchRun") -> str:
    """How long a run has been working, and how to wait for it."""
    model = row.question.model
    began = f"Working for {row.seconds:.0f} s; {model} usually takes {model.usual_time}. To wait for it:"
    return f"{began}\n  {command(f'research --id {row.research_id}')}"


def interrupted_words(row: "ResearchRun") -> str:
    """What to know about a run whose process is gone, before waiting for it."""
    from parallel_mcp.research import MAX_ATTEMPTS

    gone = f"Research run {row.research_id} was probably interrupted: no process is working on it."
    if row.attempts >= MAX_ATTEMPTS:
        return f"{gone} It was sent {row.attempts} times and will not be sent again."
    billed = "is billed again, if the first request was" if row.cost_usd or row.unpriced else "costs nothing"
    return f"{gone} `{command(f'research --id {row.research_id}')}` sends it once more, which {billed}."


async def found(store: "Store", name: str, whose: "Scope | None" = None) -> "ResearchRun":
    """The run with this id, id prefix or resource URI. Raises NoSuchRun."""
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
        raise NoSuchRun(name)
    # Lists have no answers.
    row = await store.get(matching[0].research_id, matching[0].scope)
    if row is None:
        raise NoSuchRun(name)
    return row
