"""`deep_research`: a research run, waited for as long as the call may take."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from parallel_mcp import errors
from parallel_mcp.models import Model, Research, research_models
from parallel_mcp.research import Admission, ResearchRun
from parallel_mcp.tools.arguments import (
    MAX_TEXT_CHARS,
    FollowUp,
    Instructions,
    MayBeBlank,
    ModelName,
    OutputSchema,
    null_means,
    question_of,
)
from parallel_mcp.tools.context import AppContext, app_of, client_of
from parallel_mcp.tools.progress import Reporter, opening_message, with_progress
from parallel_mcp.tools.results import research_result


async def deep_research(
    ctx: Context[AppContext, Any],
    question: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_TEXT_CHARS,
            description="One complete, self-contained question. Either this or research_id",
        ),
        MayBeBlank,
        ModelName,
    ] = None,
    model: ModelName = None,
    instructions: Instructions = None,
    output_schema: OutputSchema = None,
    follow_up_to: FollowUp = None,
    fresh: Annotated[
        bool, Field(description="Ask anew even if the same question was answered lately"), null_means(False)
    ] = False,
    research_id: Annotated[
        str | None, Field(max_length=100, description="Go on waiting for this research"), MayBeBlank
    ] = None,
    cancel: Annotated[bool, Field(description="With research_id: stop it"), null_means(False)] = False,
) -> Annotated[CallToolResult, Research]:
    """Research a question on the web; gives an answer with numbered citations, excerpts, reasoning and confidence.

    Where it takes longer than this call may, status is "working": call again with research_id. Nothing is paid twice.
    """
    app = app_of(ctx)
    if research_id is not None:
        # A model that fills in every argument gives the defaults too: they say nothing.
        chosen = None if model == app.default_model else model
        asked = (question, chosen, instructions, output_schema, follow_up_to, fresh or None)
        _only_id(asked)
        return await _resumed(ctx, app, research_id, cancel)
    if cancel:
        raise errors.ArgumentError("cancel goes with research_id: give the id of the research to stop.")
    if question is None:
        raise errors.ArgumentError("Give either question or research_id; both are missing.")
    model = model or app.default_model
    whole = question_of(question, model, instructions, output_schema, follow_up_to)
    check_allowed(model, app.max_model)
    principal = app.who(ctx)

    async def work(reporter: Reporter) -> tuple[ResearchRun, Admission]:
        with app.waits.call(client_of(ctx, principal), f"{model} {whole.text}") as wait:
            return await app.service.research(principal, whole, wait, reporter.tell, reporter.works_on, fresh=fresh)

    row, admission = await with_progress(ctx, opening_message(model), work)
    first = app.deliveries.first(row, by_id=False) or admission != "finished"
    return research_result(row, first=first, limit=app.max_result_chars)


async def _resumed(ctx: Context[AppContext, Any], app: AppContext, research_id: str, cancel: bool) -> CallToolResult:
    principal = app.who(ctx)
    if cancel:
        row = await app.service.cancel(principal, research_id)
        first = app.deliveries.first(row, by_id=True)
        return research_result(row, first=first, limit=app.max_result_chars, cancelling=True)

    async def work(reporter: Reporter) -> ResearchRun:
        # Once without waiting, for what is worked on and since when.
        row, _ = await app.service.wait(principal, research_id, 0, reporter.tell)
        reporter.works_on(row)
        if row.status == "working":
            with app.waits.call(client_of(ctx, principal), research_id) as wait:
                row, _ = await app.service.wait(principal, research_id, wait, reporter.tell)
        return row

    row = await with_progress(ctx, "Researching", work)
    first = app.deliveries.first(row, by_id=True)
    return research_result(row, first=first, limit=app.max_result_chars)


def _only_id(others: tuple[object, ...]) -> None:
    names = ("question", "model", "instructions", "output_schema", "follow_up_to", "fresh")
    given = [name for name, value in zip(names, others, strict=True) if value is not None]
    if given:
        raise errors.ArgumentError(
            f"research_id goes on with a research as it was asked: leave out {', '.join(given)}, "
            "or leave out research_id to ask something new."
        )


def check_allowed(model: Model, most: Model) -> None:
    """Raises ModelNotAllowed above `most`."""
    if model not in research_models(most):
        raise errors.ModelNotAllowed(model, most)
