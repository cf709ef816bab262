"""The two tools, as plain typed functions. What they return is their published contract."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, cast

import anyio
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ContentBlock, ResourceLink, TextContent
from pydantic import BeforeValidator, Field

from parallel_mcp import errors, schemas
from parallel_mcp.errors import ParallelError
from parallel_mcp.models import Answer, ChatModel, Question, Research, ResearchModel
from parallel_mcp.report import fit, prose
from parallel_mcp.research import INTERRUPTED, Asker, Desk, Row, Told

T = TypeVar("T")

HEARTBEAT_SECONDS = 10.0
MODELS: tuple[ResearchModel, ...] = ("lite", "base", "core")
_USUAL = {"lite": "10-60 s", "base": "15-100 s", "core": "1-5 min"}
_MESSAGE_CHARS = 180
_QUESTION_CHARS = 300
_TEXT_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Works:
    """What a tool works with: the lifespan's context. `who` says who is calling, or raises NotReady."""

    desk: Desk
    who: Callable[[Any], Asker]
    wait_seconds: float
    max_model: ResearchModel
    max_result_chars: int
    heartbeat_seconds: float = HEARTBEAT_SECONDS


def _blank_is_none(value: object) -> object:
    """Some models fill in every argument, and give "" for what they mean to leave out."""
    return None if isinstance(value, str) and not value.strip() else value


def _null_is(default: object) -> BeforeValidator:
    """Others give null for that."""
    return BeforeValidator(lambda value: default if value is None else value)


_MayBeBlank = BeforeValidator(_blank_is_none)

# A validator stands last: what stands behind it would be asked of a null too.
Instructions = Annotated[
    str | None,
    Field(max_length=_TEXT_CHARS, description="System prompt: how to answer (tone, length, domains to prefer)"),
    _MayBeBlank,
]
OutputSchema = Annotated[
    dict[str, Any] | None,
    Field(description="JSON Schema with an object root; the answer is then JSON in `data`, with a basis per field"),
    _MayBeBlank,
]
FollowUp = Annotated[
    str | None,
    Field(max_length=500, description="interaction_id of an earlier answer to ask on from"),
    _MayBeBlank,
]


async def web_answer(
    question: Annotated[
        str, Field(min_length=1, max_length=_TEXT_CHARS, description="One complete, self-contained question")
    ],
    ctx: Context[Works, Any],
    instructions: Instructions = None,
    output_schema: OutputSchema = None,
    follow_up_to: FollowUp = None,
) -> Annotated[CallToolResult, Answer]:
    """Answer a question from the web within seconds, with the sources that the model names.

    Use it for facts and news that one search settles. For several sources, excerpts and confidence, use deep_research.
    """
    works = _works(ctx)
    asked = _question(question, "speed", instructions, output_schema, follow_up_to)
    asker = works.who(ctx)
    answer = await reported(ctx, "Asking Parallel", lambda told: works.desk.answer(asker, asked, told))
    return answer_result(answer, works.max_result_chars)


async def deep_research(
    ctx: Context[Works, Any],
    question: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=_TEXT_CHARS,
            description="One complete, self-contained question. Either this or research_id",
        ),
        _MayBeBlank,
    ] = None,
    model: Annotated[
        ResearchModel,
        Field(description="lite: 10-60 s; base: 15-100 s; core: 1-5 min, thorough"),
        _null_is("base"),
    ] = "base",
    instructions: Instructions = None,
    output_schema: OutputSchema = None,
    follow_up_to: FollowUp = None,
    fresh: Annotated[
        bool, Field(description="Ask anew even if the same question was answered lately"), _null_is(False)
    ] = False,
    research_id: Annotated[
        str | None, Field(max_length=100, description="Go on waiting for this research"), _MayBeBlank
    ] = None,
    cancel: Annotated[bool, Field(description="With research_id: stop it"), _null_is(False)] = False,
) -> Annotated[CallToolResult, Research]:
    """Research a question on the web; gives an answer with numbered citations, excerpts, reasoning and confidence.

    Where it takes longer than this call may, status is "working": call again with research_id. Nothing is paid twice.
    """
    works = _works(ctx)
    if research_id is not None:
        # A model that fills in every argument gives the defaults too: they say nothing.
        asked = (question, None if model == "base" else model, instructions, output_schema, follow_up_to, fresh or None)
        _only_id(asked)
        return await _resumed(ctx, works, research_id, cancel)
    if cancel:
        raise errors.ArgumentError("cancel goes with research_id: give the id of the research to stop.")
    if question is None:
        raise errors.ArgumentError("Give either question or research_id; both are missing.")
    whole = _question(question, model, instructions, output_schema, follow_up_to)
    _allowed(model, works.max_model)
    asker = works.who(ctx)

    async def work(told: Told) -> tuple[Row, bool]:
        row, entry = await works.desk.ask(asker, whole, fresh=fresh)
        row, took_over = await works.desk.wait(asker, row.research_id, works.wait_seconds, told)
        return row, entry == "added" or took_over

    row, sent = await reported(ctx, opening(model), work)
    return research_result(row, sent=sent, limit=works.max_result_chars)


async def _resumed(ctx: Context[Works, Any], works: Works, research_id: str, cancel: bool) -> CallToolResult:
    asker = works.who(ctx)
    if cancel:
        row = await works.desk.cancel(asker, research_id)
        return research_result(row, sent=False, limit=works.max_result_chars, cancelling=True)
    wait = works.wait_seconds
    row, sent = await reported(ctx, "Researching", lambda told: works.desk.wait(asker, research_id, wait, told))
    return research_result(row, sent=sent, limit=works.max_result_chars)


def _works(ctx: Context[Works, Any]) -> Works:
    return ctx.request_context.lifespan_context


def opening(model: str) -> str:
    """What is said of a research before there is anything to tell."""
    return f"Researching with {model}, which usually takes {_USUAL[model]}"


def _only_id(others: tuple[object, ...]) -> None:
    names = ("question", "model", "instructions", "output_schema", "follow_up_to", "fresh")
    given = [name for name, value in zip(names, others, strict=True) if value is not None]
    if given:
        raise errors.ArgumentError(
            f"research_id goes on with a research as it was asked: leave out {', '.join(given)}, "
            "or leave out research_id to ask something new."
        )


def _question(
    text: str, model: ChatModel, instructions: str | None, schema: dict[str, Any] | None, follow_up_to: str | None
) -> Question:
    if not text.strip():
        raise errors.ArgumentError("question is empty: give one complete question.")
    if schema is not None:
        schemas.lint(schema)
    return Question(
        text=text.strip(),
        model=model,
        instructions=(instructions or "").strip() or None,
        output_schema=schema,
        follow_up_to=(follow_up_to or "").strip() or None,
    )


def _allowed(model: ResearchModel, most: ResearchModel) -> None:
    if MODELS.index(model) > MODELS.index(most):
        raise errors.ModelNotAllowed(model, most)


async def reported(ctx: Context[Works, Any], begin: str, work: Callable[[Told], Awaitable[T]]) -> T:
    """Do the work and report progress meanwhile: at once, when there are new words, and by the clock.

    Values are seconds and strictly increase; nothing is reported after the work is done.
    """
    reporter = _Reporter(ctx, begin)
    failure: ParallelError | None = None
    result: list[T] = []
    async with anyio.create_task_group() as group:
        group.start_soon(reporter.run, _works(ctx).heartbeat_seconds)
        try:
            result.append(await work(reporter.tell))
        except ParallelError as error:
            # Carried out of the group, which would wrap it.
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result[0]


class _Reporter:
    every_seconds = 0.5

    def __init__(self, ctx: Context[Works, Any], begin: str) -> None:
        self._ctx = ctx
        self._began = time.monotonic()
        self._begin = begin
        self._words = ""
        self._news = anyio.Event()

    def tell(self, words: str) -> None:
        self._words = words
        self._news.set()

    async def run(self, heartbeat: float) -> None:
        value = 0.0
        while True:
            elapsed = time.monotonic() - self._began
            value = max(elapsed, value + 0.001)
            await self._ctx.report_progress(round(value, 3), message=progress(self._begin, self._words, elapsed))
            with anyio.move_on_after(heartbeat):
                await self._news.wait()
            self._news = anyio.Event()
            await anyio.sleep(min(self.every_seconds, heartbeat))


def progress(begin: str, words: str, seconds: float) -> str:
    """What a host may show meanwhile: the newest words, or how long it has taken so far."""
    words = " ".join(words.split())
    if not words:
        return f"{begin}: {seconds:.0f} s so far"
    return words if len(words) <= _MESSAGE_CHARS else "…" + words[-_MESSAGE_CHARS:]


def answer_result(answer: Answer, limit: int) -> CallToolResult:
    """An answer without a row as a tool result."""
    shared = "The same question was under way already: its answer is shared, and nothing more was sent."
    notes = [shared] if answer.reused else []
    said = fit(answer, limit, lambda short: len(prose(short, notes)), None)
    shown = fit(answer, limit, lambda short: len(short.model_dump_json()), None)
    return CallToolResult(
        content=[TextContent(type="text", text=prose(said, notes))], structured_content=shown.model_dump(mode="json")
    )


def research_of(row: Row, *, sent: bool = False) -> Research:
    """A row as the tools and resources show it."""
    answer = row.answer
    if answer is not None:
        answer = answer.model_copy(update={"reused": not sent, "cost_usd": round(row.cost_usd, 6)})
    return Research(
        research_id=row.research_id,
        status=row.status,
        question=row.question.text,
        model=cast("ResearchModel", row.question.model),
        created_at=datetime.fromtimestamp(row.created_at, UTC).isoformat(timespec="seconds"),
        seconds=round(row.seconds, 1),
        attempts=row.attempts,
        answer=answer,
        error=row.error,
    )


def research_result(row: Row, *, sent: bool, limit: int, cancelling: bool = False) -> CallToolResult:
    """A row as a tool result: the answer or how to go on. Raises ResearchEnded where there is no answer."""
    research = research_of(row, sent=sent)
    if research.answer is not None:
        return _answered(research, research.answer, _come_by(row, sent), limit)
    if row.status == "working":
        return _without_answer(research, _let_go(row) if cancelling else _go_on(research), limit)
    if row.status == "cancelled" and cancelling:
        return _without_answer(research, f"Research {row.research_id} is stopped. {_billed(row)}", limit)
    raise errors.ResearchEnded(_ended(row))


def _answered(research: Research, answer: Answer, notes: Sequence[str], limit: int) -> CallToolResult:
    uri = f"research://{research.research_id}/md"

    def showing(short: Answer) -> Research:
        question = research.question if short is answer else _quoted(research.question)
        return research.model_copy(update={"answer": short, "question": question})

    said = fit(answer, limit, lambda short: len(prose(short, notes)), uri)
    shown = fit(answer, limit, lambda short: len(showing(short).model_dump_json()), uri)
    content: list[ContentBlock] = [TextContent(type="text", text=prose(said, notes))]
    if said is not answer or shown is not answer:
        content.append(ResourceLink(type="resource_link", uri=uri, name="The whole answer", mime_type="text/markdown"))
    return CallToolResult(content=content, structured_content=showing(shown).model_dump(mode="json"))


def _without_answer(research: Research, text: str, limit: int) -> CallToolResult:
    if len(research.question) > limit // 2:
        research = research.model_copy(update={"question": _quoted(research.question)})
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=research.model_dump(mode="json")
    )


def _quoted(question: str) -> str:
    """The question, or as much of it as shows which one it was."""
    return question if len(question) <= _QUESTION_CHARS else question[: _QUESTION_CHARS - 1] + "…"


def _come_by(row: Row, sent: bool) -> list[str]:
    """What is said of an answer besides itself: how old it is, and what it cost to get."""
    notes = [] if sent else [_age(row)]
    return [*notes, _taken_over(row)] if row.attempts > 1 else notes


def _age(row: Row) -> str:
    seconds = max(row.read_at - (row.finished_at or row.read_at), 0)
    age = (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.0f} h"
    )
    return f"This answer is {age} old; this call sent no new request. Pass fresh=true with the question to ask anew."


def _taken_over(row: Row) -> str:
    times = "twice" if row.attempts == 2 else f"{row.attempts} times"
    billed = "; the first request may have been billed too" if row.cost_usd else ""
    return f"The process that worked on this was gone, so the question was sent {times}{billed}."


def _go_on(research: Research) -> str:
    return (
        f"Still working after {research.seconds:.0f} s; nothing failed. {research.model} usually takes "
        f"{_USUAL[research.model]}. Call deep_research again now with research_id={research.research_id!r} "
        "and nothing else to go on waiting. It is not paid again."
    )


def _let_go(row: Row) -> str:
    return f"Let go of research {row.research_id}; it goes on, because another call is waiting for it."


def _billed(row: Row) -> str:
    """What a stopped research may cost: what was not sent has been taken off again, and the sandbox is free."""
    if round(row.cost_usd, 6) <= 0:
        return "Nothing was billed."
    return "What was sent may have been billed." if row.attempts > 1 else "Its request may have been billed."


def _ended(row: Row) -> str:
    if row.status == "cancelled":
        return (
            f"Research {row.research_id} was cancelled. {_billed(row)} "
            "Call deep_research with the question to start anew."
        )
    text = row.error or "The research failed. Call deep_research with the question to start anew."
    return f"{text} {_taken_over(row)}" if row.attempts > 1 and text != INTERRUPTED else text
