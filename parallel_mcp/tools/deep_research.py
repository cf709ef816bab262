"""`deep_research`: starts or resumes a research run, and waits for it as long as the call may take."""

from collections.abc import Mapping
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from parallel_mcp import errors
from parallel_mcp.models import Model, Question, Research, research_models
from parallel_mcp.research import Admission, ResearchRun
from parallel_mcp.tools.arguments import MAX_TEXT_CHARS, FollowUp, Instructions, OutputSchema, question_of
from parallel_mcp.tools.context import AppContext, app_of, client_of
from parallel_mcp.tools.progress import Reporter, opening_message, with_progress
from parallel_mcp.tools.results import research_result


async def deep_research(
    ctx: Context[AppContext, Any],
    question: Annotated[
        str | None, Field(max_length=MAX_TEXT_CHARS, description="One complete question. Either this or research_id")
    ] = None,
    model: Model | None = None,
    instructions: Instructions = None,
    output_schema: OutputSchema = None,
    follow_up_to: FollowUp = None,
    fresh: Annotated[bool, Field(description="Ask again even if answered recently")] = False,
    research_id: Annotated[str | None, Field(max_length=100, description="Keep waiting for this run")] = None,
    cancel: Annotated[bool, Field(description="With research_id: stop it")] = False,
) -> Annotated[CallToolResult, Research]:
    """Research a question on the web; cites sources with excerpts, reasoning and confidence.

    If status is "working", call again with research_id; nothing is paid twice.
    """
    app = app_of(ctx)
    if research_id is not None:
        asked = {
            "question": question,
            "model": None if model == app.default_model else model,
            "instructions": instructions,
            "output_schema": output_schema,
            "follow_up_to": follow_up_to,
            "fresh": fresh or None,
        }
        return await _resumed(ctx, app, research_id, {name: value for name, value in asked.items() if value}, cancel)
    if cancel:
        raise errors.ArgumentError("cancel needs research_id: give the id of the research run to stop.")
    if question is None:
        raise errors.ArgumentError("Give either question or research_id; both are missing.")
    model = model or app.default_model
    whole = await question_of(question, model, instructions, output_schema, follow_up_to)
    check_allowed(model, app.max_model)
    principal = app.who(ctx)

    async def work(reporter: Reporter) -> tuple[ResearchRun, Admission]:
        with app.waits.call(client_of(ctx, principal), f"{model} {whole.text}") as wait:
            return await app.service.research(principal, whole, wait, reporter.tell, reporter.works_on, fresh=fresh)

    row, admission = await with_progress(ctx, opening_message(model), work)
    first = app.deliveries.first(row, by_id=False) or admission != "finished"
    return research_result(row, first=first, limit=app.max_result_chars)


async def _resumed(
    ctx: Context[AppContext, Any], app: AppContext, research_id: str, others: Mapping[str, Any], cancel: bool
) -> CallToolResult:
    principal = app.who(ctx)
    if others:
        row = await app.service.store.get(research_id, principal.scope)
        if row is None:
            raise errors.UnknownResearch(research_id)
        _check_same(row.question, others)
    if cancel:
        row = await app.service.cancel(principal, research_id)
        first = app.deliveries.first(row, by_id=True)
        return research_result(row, first=first, limit=app.max_result_chars, cancelling=True)

    async def work(reporter: Reporter) -> ResearchRun:
        with app.waits.call(client_of(ctx, principal), research_id) as wait:
            row, _ = await app.service.wait(principal, research_id, wait, reporter.tell, reporter.works_on)
        return row

    row = await with_progress(ctx, "Researching", work)
    first = app.deliveries.first(row, by_id=True)
    return research_result(row, first=first, limit=app.max_result_chars)


def _check_same(asked: Question, others: Mapping[str, Any]) -> None:
    """Refuse arguments that differ from those of the run that research_id names; the same ones may be repeated."""
    own = {
        "question": asked.text,
        "model": asked.model,
        "instructions": asked.instructions,
        "output_schema": asked.output_schema,
        "follow_up_to": asked.follow_up_to,
    }
    differing = [name for name, value in others.items() if _stripped(value) != own.get(name)]
    if differing:
        raise errors.ArgumentError(
            f"research_id continues a research run as it was asked: leave out {', '.join(differing)}, "
            "or leave out research_id to ask something new."
        )


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) and not isinstance(value, Model) else value


def check_allowed(model: Model, most: Model) -> None:
    """Raise ModelNotAllowed if the model is above `most`."""
    if model not in research_models(most):
        raise errors.ModelNotAllowed(model, most)
