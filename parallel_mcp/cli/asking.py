"""`answer` and `research`: the two tools, on the command line."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parallel_mcp.cli.ending import Failed, Misused, Pending, in_flags, reported, run
from parallel_mcp.cli.options import OwnOptionsFirst, setting_flags, settings_of
from parallel_mcp.cli.output import Output, as_format, as_text, output_options
from parallel_mcp.cli.question import question_of
from parallel_mcp.models import RESEARCH_MODELS
from parallel_mcp.settings import Settings

if TYPE_CHECKING:
    from parallel_mcp.models import Answer, Research
    from parallel_mcp.research import ResearchRun

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked on the command line."""

    text: str
    instructions: str | None
    output_schema: dict[str, Any] | None
    follow_up_to: str | None
    model: str | None = None
    fresh: bool = False


def _schema(_: click.Context, __: click.Parameter, value: str | None) -> Any:
    """A JSON schema, given as text or as a file name."""
    if value is None:
        return None
    try:
        return json.loads(value if value.lstrip().startswith("{") else Path(value).read_text("utf-8"))
    except OSError as error:
        raise click.BadParameter(f"cannot read {value}: {error.strerror}") from None
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}") from None


def asking(command: Command) -> Command:
    """Add the options that both commands share."""
    options = (
        click.option("--instructions", metavar="TEXT", help="System prompt: how to answer"),
        click.option("--output-schema", metavar="JSON|FILE", callback=_schema, help="JSON schema of the answer"),
        click.option("--follow-up-to", metavar="ID", help="Continue from an earlier answer, by the id below it"),
    )
    command = output_options(setting_flags(http=False)(command))
    for option in reversed(options):
        command = option(command)
    return command


@click.command(cls=OwnOptionsFirst, short_help="Answer a question from the web within seconds")
@click.argument("question", required=False)
@asking
def answer(question: str | None, named: str | None, as_json: bool, path: str | None, **given: Any) -> None:
    """Answer QUESTION from the web within seconds.

    `-` reads the question from stdin; piped input is added to QUESTION as context.
    """
    pending = Pending()
    with reported(pending, as_json=as_json):
        output = Output.chosen(named, as_json, path)
        request, flags = _request(question, given)
        answered = run(_answer, settings_of(flags, asking=True), request, pending)
        pending.finished = True
        _put_answer(output, request, answered)


@click.command(cls=OwnOptionsFirst, short_help="Research a question on the web, with citations")
@click.argument("question", required=False)
@click.option(
    "--model",
    type=click.Choice([model.value for model in RESEARCH_MODELS]),
    default=None,
    help="The model, if not the default",
)
@click.option("--fresh", is_flag=True, help="Ask again even if it was answered recently")
@click.option("--id", "research_id", metavar="ID", help="Keep waiting for this research run")
@click.option("--cancel", is_flag=True, help="With --id: stop it")
@asking
def research(
    question: str | None,
    research_id: str | None,
    cancel: bool,
    named: str | None,
    as_json: bool,
    path: str | None,
    **given: Any,
) -> None:
    """Research QUESTION on the web, and wait until it is done.

    `-` reads the question from stdin; piped input is added to QUESTION as context.
    """
    pending = Pending(research_id=research_id)
    with reported(pending, as_json=as_json):
        output = Output.chosen(named, as_json, path)
        if research_id is not None and question is not None:
            raise Misused("Give either a QUESTION or --id.")
        if research_id is None:
            if cancel:
                raise Misused("--cancel needs --id.")
            request, flags = _request(question, given)
            row, first = run(_research, settings_of(flags, asking=True), request, pending)
        else:
            _, flags = _parts(given)
            row, first = run(_resumed, settings_of(flags, asking=True), research_id, cancel, pending)
        pending.finished = row.answer is not None
        put_run(output, row, first=first, cancelling=cancel)


def _request(question: str | None, given: dict[str, Any]) -> tuple[_Request, dict[str, Any]]:
    text = question_of(question)
    if text is None:
        raise Misused("Give a QUESTION, or pipe one in.")
    asked, flags = _parts(given)
    return _Request(text, **asked), flags


def _parts(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of the question, and the flags of settings."""
    own = {name: given[name] for name in _Request.__slots__ if name in given}
    return own, {name: value for name, value in given.items() if name not in own}


async def _answer(settings: Settings, request: _Request, pending: Pending) -> "Answer":
    from parallel_mcp import tools
    from parallel_mcp.cli.progress import shown
    from parallel_mcp.server import open_app

    async with open_app(settings) as app:
        principal = app.who(None)
        question = await tools.question_of(
            request.text, app.answer_model, request.instructions, request.output_schema, request.follow_up_to
        )
        async with shown(f"Asking {app.answer_model}") as tell:
            pending.sent = True
            return await app.service.answer(principal, question, tell)


async def _research(settings: Settings, request: _Request, pending: Pending) -> "tuple[ResearchRun, bool]":
    from parallel_mcp import tools
    from parallel_mcp.cli.progress import shown
    from parallel_mcp.server import open_app

    async with open_app(settings) as app:
        model = next((model for model in RESEARCH_MODELS if model == request.model), app.default_model)
        tools.check_allowed(model, app.max_model)
        principal = app.who(None)
        question = await tools.question_of(
            request.text, model, request.instructions, request.output_schema, request.follow_up_to
        )
        async with shown(tools.opening_message(model)) as tell:
            row, admission = await app.service.ask(principal, question, fresh=request.fresh)
            pending.research_id, pending.sent = row.research_id, True
            say = _say_once_if_interrupted(own=admission == "added")
            row, _ = await app.service.wait(principal, row.research_id, math.inf, tell, say)
        return row, admission != "finished"


async def _resumed(settings: Settings, research_id: str, cancel: bool, pending: Pending) -> "tuple[ResearchRun, bool]":
    from parallel_mcp import tools
    from parallel_mcp.cli.progress import shown
    from parallel_mcp.cli.runs import found
    from parallel_mcp.server import open_app

    async with open_app(settings) as app:
        seen = await found(app.service.store, research_id)
        pending.research_id = seen.research_id
        principal = app.who(None)
        if cancel:
            return await app.service.cancel(principal, pending.research_id), False
        async with shown(tools.opening_message(seen.question.model), seen.seconds) as tell:
            pending.sent = True
            row, _ = await app.service.wait(principal, pending.research_id, math.inf, tell, _say_once_if_interrupted())
        return row, seen.status == "working"


def _say_once_if_interrupted(*, own: bool = False) -> "Callable[[ResearchRun], None]":
    """A callback for each look at a run: it warns once, before a question is sent a second time.

    It never warns about this process's `own` run, whose lease looks lapsed only after the machine has slept.
    """
    said = own

    def say(row: "ResearchRun") -> None:
        nonlocal said
        from parallel_mcp.cli.runs import interrupted_words

        if row.lapsed and not said:
            said = True
            click.echo(f"{interrupted_words(row)} This command does that.", err=True)

    return say


def _put_answer(output: Output, request: _Request, answer: "Answer") -> None:
    from parallel_mcp.models import Research

    if output.is_page:
        from parallel_mcp.cli import page

        page.show(page.answer_page(answer, [], page.footer_of(answer, answer.seconds, None)))
    elif output.format == "text":
        output.put(as_text(answer, []))
    elif output.format == "json":
        output.put(answer.model_dump_json(indent=2))
    else:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        output.put(
            as_format(
                output.format,
                Research(
                    research_id="",
                    status="completed",
                    question=request.text,
                    model=answer.model,
                    created_at=now,
                    seconds=answer.seconds,
                    attempts=1,
                    answer=answer,
                    error=None,
                ),
            )
        )


def put_run(
    output: Output, row: "ResearchRun", *, first: bool, cancelling: bool = False, with_question: bool = False
) -> None:
    """Print a run: its answer, or that it is still working or was stopped. Raises Failed if it ended without one."""
    from parallel_mcp import tools

    research = tools.research_of(row, reused=not first)
    if row.status in ("failed", "cancelled") and not cancelling:
        kind = "cancelled" if row.status == "cancelled" else "research_ended"
        failed = Failed(in_flags(tools.ended_words(row)), research_id=row.research_id, may_be_billed=row.may_be_billed)
        failed.kind = kind
        raise failed
    if output.format != "text":
        output.put(as_format(output.format, research))
    elif research.answer is None:
        from parallel_mcp.cli.runs import interrupted_words, working_words

        if row.status == "working" and not cancelling:
            output.put(interrupted_words(row) if row.lapsed else working_words(row))
            return
        result = tools.research_result(row, first=first, limit=10**9, cancelling=cancelling)
        output.put(in_flags(str(getattr(result.content[0], "text", ""))))
    else:
        _put_research(output, research, [in_flags(note) for note in tools.provenance(row, first)], with_question)


def _put_research(output: Output, research: "Research", notes: list[str], with_question: bool) -> None:
    answer = research.answer
    assert answer is not None
    if not output.is_page:
        output.put(as_text(answer, notes))
        return
    from parallel_mcp.cli import page

    footer = page.footer_of(answer, research.seconds, research.research_id)
    page.show(page.research_page(research, notes, footer) if with_question else page.answer_page(answer, notes, footer))
