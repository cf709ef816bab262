"""`answer` and `research`: the tools, called by a person."""

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from parallel_mcp.cli import files
from parallel_mcp.cli.ending import Failed, run
from parallel_mcp.cli.options import setting_flags, settings_of
from parallel_mcp.cli.terminal import plain
from parallel_mcp.settings import Settings
from parallel_mcp.text import clean

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult, TextResourceContents

Command = TypeVar("Command", bound=Callable[..., Any])


def _schema(_: click.Context, __: click.Parameter, value: str | None) -> Any:
    """A JSON schema, given as text or as the name of a file."""
    if value is None:
        return None
    try:
        return json.loads(value if value.lstrip().startswith("{") else Path(value).read_text("utf-8"))
    except OSError as error:
        raise click.BadParameter(f"cannot read {value}: {error.strerror}") from None
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}") from None


def asking(command: Command) -> Command:
    """The options that both kinds of question share."""
    options = (
        click.option("--instructions", metavar="TEXT", help="System prompt: how to answer"),
        click.option("--output-schema", metavar="JSON|FILE", callback=_schema, help="JSON schema of the answer"),
        click.option("--follow-up-to", metavar="ID", help="interaction_id of an earlier answer"),
        click.option("--json", "as_json", is_flag=True, help="Print the structured result"),
    )
    for option in reversed(options):
        command = option(command)
    return setting_flags(http=False)(command)


@click.command()
@click.argument("question")
@asking
def answer(
    question: str, instructions: str | None, output_schema: Any, follow_up_to: str | None, as_json: bool, **flags: Any
) -> None:
    """Answer QUESTION from the web within seconds."""
    arguments = _arguments(
        question=question, instructions=instructions, output_schema=output_schema, follow_up_to=follow_up_to
    )
    _ask(flags, "web_answer", arguments, as_json)


@click.command()
@click.argument("question", required=False)
@click.option("--model", type=click.Choice(["lite", "base", "core"]), default=None, help="base unless told otherwise")
@click.option("--fresh", is_flag=True, help="Ask anew even if it was answered lately")
@click.option("--id", "research_id", metavar="ID", help="Go on waiting for this research")
@click.option("--cancel", is_flag=True, help="With --id: stop it")
@click.option("--format", "form", type=click.Choice(list(files.SUFFIXES)), help="Print it whole in this format")
@click.option(
    *("-o", "--output"),
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it whole to this file, whose ending names the format unless --format does",
)
@asking
def research(
    question: str | None,
    model: str | None,
    fresh: bool,
    research_id: str | None,
    cancel: bool,
    form: str | None,
    output: Path | None,
    instructions: str | None,
    output_schema: Any,
    follow_up_to: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Research QUESTION on the web; waits until it is done."""
    if form is None and output is not None:
        form = files.format_of(output)
    if (question is None) == (research_id is None):
        raise click.UsageError("Give either a QUESTION or --id.")
    arguments = _arguments(
        question=question,
        model=model,
        fresh=fresh or None,
        research_id=research_id,
        cancel=cancel or None,
        instructions=instructions,
        output_schema=output_schema,
        follow_up_to=follow_up_to,
    )
    _ask(flags, "deep_research", arguments, as_json, form, output)


def _arguments(**given: Any) -> dict[str, Any]:
    return {name: _typed(value) for name, value in given.items() if value is not None}


def _typed(value: Any) -> Any:
    """What was typed. Where the locale is "C", Python does not take it for the UTF-8 that it is."""
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return os.fsencode(value).decode("utf-8", "replace")
    return value


def _ask(
    flags: dict[str, Any],
    tool: str,
    arguments: dict[str, Any],
    as_json: bool,
    form: str | None = None,
    output: Path | None = None,
) -> None:
    """Call a tool through an MCP client and server in this process, and print what it returns."""
    from mcp_types import TextContent

    settings = settings_of(flags)
    result, whole = run(_called, settings, tool, arguments, form)
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        raise Failed(text)
    if whole is not None and output is not None:
        files.write(output, whole)
        click.echo(f"Written to {output}", err=True)
    elif whole is not None:
        click.echo(clean(whole), nl=False)
    elif as_json:
        click.echo(clean(json.dumps(result.structured_content, ensure_ascii=False, indent=2)))
    else:
        click.echo(clean(text))


async def _called(
    settings: Settings, tool: str, arguments: dict[str, Any], form: str | None
) -> "tuple[CallToolResult, str | None]":
    """The tool's result, once it is no longer working, and the whole research run in a format if one is named."""
    from mcp import Client
    from rich.console import Console

    from parallel_mcp.server import build

    console = Console(stderr=True)
    shown = console.status(f"Asking with {tool}…") if console.is_terminal else nullcontext()

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        words = clean(message or "")
        if console.is_terminal:
            cast("Any", shown).update(f"[dim]{progress:4.0f} s[/dim]  {plain(words)}")
        else:
            click.echo(f"{progress:5.1f} s  {words}", err=True)

    with shown:
        async with Client(build(settings)) as client:
            result = await client.call_tool(tool, arguments, progress_callback=progress)
            while (result.structured_content or {}).get("status") == "working" and not arguments.get("cancel"):
                going_on = {"research_id": (result.structured_content or {})["research_id"]}
                result = await client.call_tool(tool, going_on, progress_callback=progress)
            return result, await _whole(client, result, form) if form is not None else None


async def _whole(client: "Client", result: "CallToolResult", form: str) -> str | None:
    """What the tool's result may lack, to fit a host, its resource holds."""
    if result.is_error or result.structured_content is None or not result.structured_content["answer"]:
        return None
    uri = f"research://{result.structured_content['research_id']}/{files.SUFFIXES[form].removeprefix('.')}"
    (content,) = (await client.read_resource(uri)).contents
    return cast("TextResourceContents", content).text
