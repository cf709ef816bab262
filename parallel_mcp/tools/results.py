"""Answers and research runs as tool results."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mcp_types import CallToolResult, ContentBlock, ResourceLink, TextContent
from pydantic import BaseModel
from pydantic_core import to_json

from parallel_mcp import errors
from parallel_mcp.models import Answer, Research
from parallel_mcp.report import fit, prose
from parallel_mcp.research import INTERRUPTED, ResearchRun
from parallel_mcp.tools.waiting import waiting_meta

_QUESTION_CHARS = 300


def answer_result(answer: Answer, limit: int) -> CallToolResult:
    """The result of web_answer, which keeps no row."""
    return _fitted(answer, _follow_up(answer), limit, None, lambda short: short)


def research_of(row: ResearchRun, *, reused: bool = True) -> Research:
    """A row as the tools and resources show it."""
    answer = row.answer
    if answer is not None:
        cost = None if answer.cost_usd is None else round(row.cost_usd, 6)
        answer = answer.model_copy(update={"reused": reused, "cost_usd": cost})
    return Research(
        research_id=row.research_id,
        status=row.status,
        question=row.question.text,
        model=row.question.model,
        created_at=datetime.fromtimestamp(row.created_at, UTC).isoformat(timespec="seconds"),
        seconds=round(row.seconds, 1),
        attempts=row.attempts,
        answer=answer,
        error=row.error,
    )


def research_result(row: ResearchRun, *, first: bool, limit: int, cancelling: bool = False) -> CallToolResult:
    """A row as a tool result: the answer, or how to continue. Raises ResearchEnded if it ended without an answer.

    `first` says that the answer is delivered for the first time.
    """
    research = research_of(row, reused=not first)
    if research.answer is not None:
        return _answered(research, research.answer, provenance(row, first), limit)
    if row.status == "working":
        text = _released_text(row) if cancelling else _working_text(research)
        return _without_answer(research, text, limit)
    if row.status == "cancelled" and cancelling:
        return _without_answer(research, f"Research run {row.research_id} was stopped. {_billed(row)}", limit)
    raise errors.ResearchEnded(ended_words(row))


def _answered(research: Research, answer: Answer, notes: list[str], limit: int) -> CallToolResult:
    """The result of a run that has an answer."""

    def showing(short: Answer) -> Research:
        question = research.question if short is answer else _quoted(research.question)
        return research.model_copy(update={"answer": short, "question": question})

    uri = f"research://{research.research_id}/md"
    return _fitted(answer, [*notes, *_follow_up(answer)], limit, uri, showing)


def _fitted(
    answer: Answer, notes: list[str], limit: int, uri: str | None, showing: Callable[[Answer], BaseModel]
) -> CallToolResult:
    """The same answer in both channels, each within the limit. `uri` is where the full answer is, if anywhere."""

    def channels(short: Answer) -> tuple[str, dict[str, Any]]:
        return prose(short, notes), showing(short).model_dump(mode="json")

    text, structured = channels(answer)
    shown = answer
    if max(_bytes(text), len(to_json(structured))) > limit:
        shown = fit(answer, limit, lambda short: max(_bytes(prose(short, notes)), _size(showing(short))), uri)
        text, structured = channels(shown)
    content: list[ContentBlock] = [TextContent(type="text", text=text)]
    if shown is not answer and uri is not None:
        content.append(ResourceLink(type="resource_link", uri=uri, name="The full answer", mime_type="text/markdown"))
    return CallToolResult(content=content, structured_content=structured)


def _size(value: BaseModel) -> int:
    return _bytes(value.model_dump_json())


def _bytes(text: str) -> int:
    """Length in UTF-8 bytes: characters beyond ASCII cost a model two to four times as many tokens."""
    return len(text.encode("utf-8", "replace"))


def _follow_up(answer: Answer) -> list[str]:
    return [f"To continue from here, pass follow_up_to={answer.interaction_id!r}."] if answer.interaction_id else []


def _without_answer(research: Research, text: str, limit: int) -> CallToolResult:
    if len(research.question) > limit // 2:
        research = research.model_copy(update={"question": _quoted(research.question)})
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=research.model_dump(mode="json"),
        _meta=waiting_meta(research.model) if research.status == "working" else None,
    )


def _quoted(question: str) -> str:
    """The question, shortened to what identifies it."""
    return question if len(question) <= _QUESTION_CHARS else question[: _QUESTION_CHARS - 1] + "…"


def provenance(row: ResearchRun, first: bool) -> list[str]:
    """Notes on an answer: how old it is, and whether it took more than one request."""
    notes = [] if first else [_age(row)]
    return [*notes, _taken_over(row)] if row.attempts > 1 else notes


def _age(row: ResearchRun) -> str:
    seconds = max(row.read_at - (row.finished_at or row.read_at), 0)
    age = (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.0f} h"
    )
    return f"This answer is {age} old; this call sent no new request. Pass fresh=true with the question to ask again."


def _taken_over(row: ResearchRun) -> str:
    times = "twice" if row.attempts == 2 else f"{row.attempts} times"
    billed = "; the first request may have been billed too" if row.cost_usd or row.unpriced else ""
    return f"The process working on this stopped, so the question was sent {times}{billed}."


def _working_text(research: Research) -> str:
    return (
        f"Still working after {research.seconds:.0f} s; nothing failed. {research.model} usually takes "
        f"{research.model.usual_time}. Call deep_research again now with research_id={research.research_id!r} "
        "and nothing else to keep waiting. It is not billed again."
    )


def _released_text(row: ResearchRun) -> str:
    return f"Let go of research run {row.research_id}; it keeps running, because another call is waiting for it."


def _billed(row: ResearchRun) -> str:
    """What a stopped run may cost. Unsent requests have been taken off its cost, and the sandbox is free."""
    if round(row.cost_usd, 6) <= 0 and not row.unpriced:
        return "Nothing was billed."
    return "What was sent may have been billed." if row.attempts > 1 else "Its request may have been billed."


def ended_words(row: ResearchRun) -> str:
    """Why a run ended without an answer, and what to do."""
    again = "Call deep_research with the question to start again."
    if row.status == "cancelled":
        return f"Research run {row.research_id} was cancelled. {_billed(row)} {again}"
    text = row.error or f"The research run failed. {again}"
    return f"{text} {_taken_over(row)}" if row.attempts > 1 and text != INTERRUPTED else text
