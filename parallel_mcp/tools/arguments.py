"""The arguments that the tools share, and how they become a question."""

import os
from functools import partial
from typing import Annotated, Any

import anyio
import anyio.to_thread
from anyio import BrokenWorkerProcess
from pydantic import Field

from parallel_mcp import errors, processes, schemas
from parallel_mcp.models import Model, Question, research_models

MAX_TEXT_CHARS = 20_000

SMALL_SCHEMA_CHARS = 2_000
"""Up to this size a schema without patterns is checked on the event loop, which takes a few milliseconds."""

LINT_SECONDS = 30.0

LINT_SLOTS = anyio.CapacityLimiter(os.cpu_count() or 2)
"""Separate from those for answers, so that no schema holds up an answer that was paid for."""


def model_argument(most: Model, default: Model) -> dict[str, Any]:
    """The published schema of `model`: the models that this server allows, and the default."""
    allowed = research_models(most)
    times = "; ".join(f"{model}: {model.usual_time}" for model in allowed)
    names = list(map(str, allowed))
    return {"type": "string", "enum": names, "default": str(default), "description": times, "nullable": True}


Instructions = Annotated[str | None, Field(max_length=MAX_TEXT_CHARS, description="Tone, length, domains to prefer")]

OutputSchema = Annotated[dict[str, Any] | None, Field(description="JSON Schema with an object root; gives `data`")]

FollowUp = Annotated[str | None, Field(max_length=500, description="interaction_id to continue from")]


async def question_of(
    text: str, model: Model, instructions: str | None, schema: dict[str, Any] | None, follow_up_to: str | None
) -> Question:
    """Build a question from a tool's arguments. Raises ArgumentError and SchemaRefused."""
    if not text.strip():
        raise errors.ArgumentError("question is empty: give one complete question.")
    if schema is not None:
        await _lint(schema)
    return Question(
        text=text.strip(),
        model=model,
        instructions=(instructions or "").strip() or None,
        output_schema=schema,
        follow_up_to=(follow_up_to or "").strip() or None,
    )


async def _lint(schema: dict[str, Any]) -> None:
    """Check a schema, in a process if it may take long. A thread would not help: compiling a pattern holds the GIL."""
    try:
        text = str(schema)
        if len(text) <= SMALL_SCHEMA_CHARS and "pattern" not in text:
            schemas.lint(schema)
            return
        await processes.run(partial(schemas.lint, schema), LINT_SLOTS, LINT_SECONDS)
    except TimeoutError:
        raise errors.SchemaRefused("output_schema takes too long to check: make it simpler.") from None
    except (BrokenWorkerProcess, OSError, RecursionError):
        # A schema that is too deep to print or pickle is refused at once.
        await anyio.to_thread.run_sync(schemas.lint, schema)
