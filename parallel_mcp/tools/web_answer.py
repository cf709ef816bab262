"""`web_answer`: an answer within seconds."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from parallel_mcp.models import Answer
from parallel_mcp.tools.arguments import MAX_TEXT_CHARS, FollowUp, Instructions, OutputSchema, question_of
from parallel_mcp.tools.context import AppContext, app_of
from parallel_mcp.tools.progress import with_progress
from parallel_mcp.tools.results import answer_result


async def web_answer(
    question: Annotated[str, Field(max_length=MAX_TEXT_CHARS, description="One complete, self-contained question")],
    ctx: Context[AppContext, Any],
    instructions: Instructions = None,
    output_schema: OutputSchema = None,
    follow_up_to: FollowUp = None,
) -> Annotated[CallToolResult, Answer]:
    """Answer a factual question fast, with sources that the model names.

    For excerpts and confidence, use deep_research.
    """
    app = app_of(ctx)
    asked = await question_of(question, app.answer_model, instructions, output_schema, follow_up_to)
    principal = app.who(ctx)
    answer = await with_progress(
        ctx, "Asking Parallel", lambda reporter: app.service.answer(principal, asked, reporter.tell)
    )
    return answer_result(answer, app.max_result_chars)
