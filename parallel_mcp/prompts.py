"""Prompts, which hosts show as slash commands: each makes good use of the tools for one kind of question."""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.prompts import Prompt
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference
from pydantic import Field

AUDIENCES = ("a general reader", "an engineer", "an executive", "an investor", "a student")
CRITERIA = ("price, licence, maturity", "features, limits, price", "size, growth, founded", "accuracy, speed, cost")

_CITED = "Keep each claim's source number, and list the sources with their URLs at the end."
_GOING_ON = "If it returns status working, call it again with the research_id until it is completed."


def briefing(
    topic: Annotated[str, Field(description="What to brief on")],
    audience: Annotated[str, Field(description="Who reads it")] = "a general reader",
    model: Annotated[str, Field(description="lite, base or core: how thorough, and how expensive")] = "",
) -> str:
    """A one-page briefing with numbered sources."""
    with_model = f' and model "{model}"' if model else ""
    return (
        f"Write a briefing on this topic for {audience}: {topic}\n\n"
        f"Call deep_research once{with_model}, with one complete question that names what matters to that reader and "
        f"the relevant period. {_GOING_ON}\n\n"
        "Then write at most one page: the answer in two sentences, what is known, what is disputed or uncertain, and "
        f"what to watch. {_CITED} Say where confidence is low."
    )


def fact_check(claim: Annotated[str, Field(description="The claim, word for word")]) -> str:
    """A verdict on a claim, with the sources for and against it."""
    return (
        f"Check this claim: {claim}\n\n"
        "Call web_answer first, asking neutrally whether it is true and what the primary source says. If the sources "
        f"disagree or are second-hand, or confidence is low, call deep_research with the same question. {_GOING_ON}\n\n"
        "Answer with one verdict (supported, refuted, partly right, or undecided) and explain it in at most three "
        f"sentences. Quote the excerpt that decides it. {_CITED} Do not decide from memory."
    )


def compare(
    things: Annotated[str, Field(description="What to compare, separated by commas")],
    criteria: Annotated[str, Field(description="What to compare them by, separated by commas")],
) -> str:
    """A table of things by criteria, each cell researched and cited."""
    schema = comparison_schema(_parts(criteria))
    return (
        f"Compare {things} by {criteria}.\n\n"
        f"Call deep_research once with a question that names all of them and all criteria, and with this "
        f"output_schema:\n\n{json.dumps(schema)}\n\n{_GOING_ON}\n\n"
        "Show `data.rows` as a Markdown table, with a row per thing and a column per criterion. Show null as unknown; "
        f"do not guess. After each cell, put the source numbers from its basis. {_CITED}"
    )


def comparison_schema(criteria: Sequence[str]) -> dict[str, Any]:
    """The schema of a table with a row per thing and a column per criterion."""
    columns = {
        re.sub(r"\W+", "_", name.lower()).strip("_") or f"criterion_{number}": {
            "type": ["string", "null"],
            "description": name,
        }
        for number, name in enumerate(criteria, 1)
    }
    row = {
        "type": "object",
        "properties": {"name": {"type": "string", "description": "What is compared"}, **columns},
        "required": ["name", *columns],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": row}},
        "required": ["rows"],
        "additionalProperties": False,
    }


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


PROMPTS = {ask.__name__: ask for ask in (briefing, fact_check, compare)}


def missing_arguments(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """The required arguments that were not given."""
    wanted = inspect.signature(PROMPTS[name]).parameters.values()
    return [one.name for one in wanted if one.default is one.empty and one.name not in arguments]


def add_prompts(server: MCPServer[Any], models: Sequence[str]) -> None:
    """Add the prompts, with completions for their arguments; `models` are those that this server allows."""
    for name, ask in PROMPTS.items():
        server.add_prompt(Prompt.from_function(ask, title=name.replace("_", " ").capitalize()))
    known = {
        ("briefing", "audience"): AUDIENCES,
        ("briefing", "model"): tuple(models),
        ("compare", "criteria"): CRITERIA,
    }

    async def complete(
        ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, _: CompletionContext | None
    ) -> Completion:
        name = ref.name if isinstance(ref, PromptReference) else ""
        typed = argument.value.lower()
        values = [value for value in known.get((name, argument.name), ()) if typed in value]
        return Completion(values=values, total=len(values), has_more=False)

    # The SDK's decorator has no types.
    server.completion()(complete)  # type: ignore[no-untyped-call]
