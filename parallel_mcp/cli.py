"""The command line. The one place that reads the environment, writes for people and ends the process.

What only one command needs is imported inside it, so that `--help` and a server load nothing in vain.
"""

import io
import json
import logging
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click

from parallel_mcp import settings as configuration
from parallel_mcp.errors import ParallelError
from parallel_mcp.settings import Settings, SettingsError
from parallel_mcp.text import clean

if TYPE_CHECKING:
    from mcp_types import CallToolResult

    from parallel_mcp.research import ResearchRun, Spent
    from parallel_mcp.sandbox import SandboxOptions

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

NAME = "parallel-mcp"

LAST_EXPORT_SECONDS = 2.0

HTTP_ONLY = ("host", "port", "bring_your_own_key", "allowed_hosts", "allowed_origins", "shutdown_seconds")


class Failed(click.ClickException):
    """An expected failure: its text on stderr, exit status 1."""

    def show(self, file: Any = None) -> None:
        """Print the text as it is."""
        click.echo(clean(self.message), err=True)


def setting_flags(*, http: bool) -> Callable[[Command], Command]:
    """A flag for each setting that is not a secret."""

    def decorate(command: Command) -> Command:
        for name, field in reversed(configuration.fields().items()):
            if name in configuration.SECRETS or (name in HTTP_ONLY and not http):
                continue
            flag = "--" + name.replace("_", "-")
            flags = f"{flag}/--no-{flag[2:]}" if field.annotation is bool else flag
            help_text = f"{field.description} [{configuration.variable(name)}]"
            several = field.default == ()
            command = click.option(
                flags,
                name,
                default=None,
                help=help_text,
                metavar=_metavar(field.annotation),
                multiple=several,
                callback=_joined if several else None,
            )(command)
        return command

    return decorate


def _joined(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values of a flag that may be given several times, or with commas; None where it was not given."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip()) or None


def _metavar(annotation: Any) -> str | None:
    choices = [choice for choice in get_args(annotation) if isinstance(choice, str)]
    if choices:
        return "|".join(choices)
    return None if annotation is bool else "VALUE"


def _settings(flags: dict[str, Any]) -> Settings:
    """Settings from the environment and the flags, with logging set up by them."""
    from parallel_mcp import telemetry

    above = click.get_current_context().find_root().params
    known = configuration.fields()
    merged = {name: value for name, value in above.items() if name in known and value is not None}
    merged |= {name: value for name, value in flags.items() if value is not None}
    try:
        settings, warnings = configuration.read(os.environ, merged)
    except SettingsError as error:
        raise Failed(f"The settings are wrong. {error}") from None
    _log(settings.log_level)
    unmet = telemetry.export(telemetry.wanted(os.environ))
    click.get_current_context().call_on_close(lambda: telemetry.flush(LAST_EXPORT_SECONDS))
    for warning in [*warnings, *([unmet] if unmet else [])]:
        click.echo(f"{NAME}: {warning}", err=True)
    if settings.sandbox:
        from parallel_mcp import sandbox as sandboxes

        one, two = sandboxes.example_questions()
        click.echo(
            f'{NAME}: sandbox - answers come from documents on this machine, not from the web. Try "{one}" or "{two}"',
            err=True,
        )
    return settings


def _log(level: str) -> None:
    """Logs to stderr. Other people's loggers stay at WARNING: below it some repeat headers, bodies and questions."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("parallel_mcp").setLevel(level)
    # A retry is said as progress and counted; a bare "stamina.retry_scheduled" tells nobody anything.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    # Quotes what it cannot read of a caller's baggage.
    logging.getLogger("opentelemetry.baggage").setLevel(logging.ERROR)
    sys.excepthook = _crashed


class Discreet(logging.Formatter):
    """Writes where an exception was raised and of what type, and not its words, which may quote a key or a question."""

    def formatException(self, ei: Any) -> str:
        """The frames and types of an exception and of what it came from, innermost cause first."""
        parts: list[str] = []
        seen: set[int] = set()
        error: BaseException | None = ei[1]
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            parts.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__)
            grouped = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
            error = grouped or error.__cause__ or error.__context__
        return "\n\n".join(reversed(parts))


def _crashed(_: type[BaseException], error: BaseException, __: Any) -> None:
    """What the interpreter does with an error that nobody foresaw, but for the error's words."""
    logging.getLogger(__name__).critical("This failed in a way that nobody foresaw", exc_info=error)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=NAME)
@setting_flags(http=False)
@click.pass_context
def main(ctx: click.Context, /, **flags: Any) -> None:
    """Parallel's Chat API for agents: web answers and deep research with citations, as an MCP server.

    Without a command it serves MCP over stdin and stdout.
    """
    for stream in (sys.stdout, sys.stderr):
        # A pipe on Windows may know no letter of an answer that was paid for.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if ctx.invoked_subcommand is None:
        _serve_stdio(flags)


@main.command()
@setting_flags(http=False)
def stdio(**flags: Any) -> None:
    """Serve MCP over stdin and stdout (what happens without a command, too)."""
    _serve_stdio(flags)


def _serve_stdio(flags: dict[str, Any]) -> None:
    import anyio

    from parallel_mcp.server import build
    from parallel_mcp.stdio import engine

    if sys.stdin.isatty():
        click.echo(f"{NAME}: waiting for an MCP host on stdin; see --help for what else there is.", err=True)
    anyio.run(engine.serve, build(_settings(flags)))


@main.command()
@setting_flags(http=True)
def http(**flags: Any) -> None:
    """Serve MCP over Streamable HTTP, at /mcp."""
    from parallel_mcp import http as web

    settings = _settings(flags)
    try:
        web.run(settings, lambda url: click.echo(f"{NAME}: serving {url}", err=True))
    except SettingsError as error:
        raise Failed(f"The settings are wrong. {error}") from None
    except OSError as error:
        raise Failed(f"Cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}") from None


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


@main.command()
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


@main.command()
@click.argument("question", required=False)
@click.option("--model", type=click.Choice(["lite", "base", "core"]), default=None, help="base unless told otherwise")
@click.option("--fresh", is_flag=True, help="Ask anew even if it was answered lately")
@click.option("--id", "research_id", metavar="ID", help="Go on waiting for this research")
@click.option("--cancel", is_flag=True, help="With --id: stop it")
@asking
def research(
    question: str | None,
    model: str | None,
    fresh: bool,
    research_id: str | None,
    cancel: bool,
    instructions: str | None,
    output_schema: Any,
    follow_up_to: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Research QUESTION on the web; waits until it is done."""
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
    _ask(flags, "deep_research", arguments, as_json)


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


def _ask(flags: dict[str, Any], tool: str, arguments: dict[str, Any], as_json: bool) -> None:
    """Call a tool through an MCP client and server in this process, and print what it returns."""
    from mcp_types import TextContent

    settings = _settings(flags)
    result = _run(_called, settings, tool, arguments)
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        raise Failed(text)
    if as_json:
        click.echo(clean(json.dumps(result.structured_content, ensure_ascii=False, indent=2)))
    else:
        click.echo(clean(text))


def _run(work: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run it. Expected failures, which task groups hand over in groups, become their text."""
    import anyio
    from mcp.shared.exceptions import MCPError

    try:
        return anyio.run(work, *args)
    except KeyboardInterrupt:
        raise Failed("Let go. What was sent may be billed; `parallel-mcp history` lists it.") from None
    except (ParallelError, MCPError, BaseExceptionGroup) as error:
        first: BaseException = error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, ParallelError | MCPError):
            raise Failed(first.error.message if isinstance(first, MCPError) else str(first)) from None
        raise


async def _called(settings: Settings, tool: str, arguments: dict[str, Any]) -> "CallToolResult":
    """The tool's result; a research that is still working is waited for further."""
    from mcp import Client
    from rich.console import Console

    from parallel_mcp.server import build

    console = Console(stderr=True)
    shown = console.status(f"Asking with {tool}…") if console.is_terminal else nullcontext()

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        words = clean(message or "")
        if console.is_terminal:
            cast("Any", shown).update(f"[dim]{progress:4.0f} s[/dim]  {_plain(words)}")
        else:
            click.echo(f"{progress:5.1f} s  {words}", err=True)

    with shown:
        async with Client(build(settings)) as client:
            result = await client.call_tool(tool, arguments, progress_callback=progress)
            while (result.structured_content or {}).get("status") == "working" and not arguments.get("cancel"):
                going_on = {"research_id": (result.structured_content or {})["research_id"]}
                result = await client.call_tool(tool, going_on, progress_callback=progress)
    return result


def _plain(words: str) -> str:
    """Words without Rich's markup."""
    return words.replace("[", "\\[")


@main.command()
@click.option("--forget", metavar="ID|--all", help="Delete one research, or all that are over, now")
@click.option("--caller", default="local", show_default=True, help="Whose: the name of an access token over HTTP")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many to list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@setting_flags(http=False)
def history(forget: str | None, caller: str, limit: int, as_json: bool, **flags: Any) -> None:
    """List research with its status, cost and age, and what was spent by day."""
    from parallel_mcp.research import Scope

    settings = _settings(flags)
    whose = Scope(caller, "", "")
    if forget is not None:
        one = None if forget in ("all", "--all") else forget
        gone = _stored(settings, lambda store: store.forget(whose, one))
        if one is not None and not gone:
            raise Failed(f"No research {one} is kept here; `parallel-mcp history` lists what is.")
        click.echo(f"Forgot {gone} research.")
        return
    rows = _stored(settings, lambda store: store.list(whose, None, limit))
    spent = _stored(settings, lambda store: store.spent(whose))
    if as_json:
        click.echo(
            json.dumps({"research": [_listed(row) for row in rows], "spent": [_day(day) for day in spent]}, indent=2)
        )
    else:
        _print_history(rows, spent)


def _stored(settings: Settings, read: Callable[[Any], Awaitable[T]]) -> T:
    from parallel_mcp.server import open_store

    async def run() -> T:
        async with open_store(settings) as store:
            return await read(store)

    return _run(run)


def _listed(row: "ResearchRun") -> dict[str, Any]:
    return {
        "research_id": row.research_id,
        "status": row.status,
        "model": row.question.model,
        "cost_usd": round(row.cost_usd, 6),
        "may_be_billed": row.may_be_billed,
        "created_at": datetime.fromtimestamp(row.created_at, UTC).isoformat(timespec="seconds"),
        "seconds": round(row.seconds, 1),
        "attempts": row.attempts,
        "question": row.question.text,
        "error": row.error,
    }


def _day(day: "Spent") -> dict[str, Any]:
    return {
        "day": day.day,
        "model": day.model,
        "requests": day.requests,
        "usd": round(day.usd, 6),
        "maybe_usd": round(day.maybe_usd, 6),
    }


def _print_history(rows: Any, spent: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table("id", "age", "status", "model", "cost", "question", box=None, title="Research", title_justify="left")
    for row in rows:
        cost = f"${row.cost_usd:.3f}" + ("?" if row.may_be_billed else "")
        question = _plain(clean(" ".join(row.question.text.split()), 70))
        table.add_row(
            row.research_id, _age(row.read_at - row.created_at), row.status, row.question.model, cost, question
        )
    console.print(table if rows else "No research is kept here yet.")
    if spent:
        totals = Table("day (UTC)", "model", "requests", "spent", "of it perhaps not billed", box=None)
        for day in spent:
            totals.add_row(day.day, day.model, str(day.requests), f"${day.usd:.3f}", f"${day.maybe_usd:.3f}")
        console.print()
        console.print(totals)


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8787, show_default=True, type=click.IntRange(0, 65535))
@click.option("--corpus", multiple=True, metavar="DIR|installed", help="Markdown, text or HTML")
@click.option("--latency", type=click.Choice(["none", "documented"]), default="none", show_default=True)
@click.option("--fault", "faults", multiple=True, metavar="KIND@RATE", help="Inject a fault, for example 429@0.1")
@click.option("--requests-per-minute", default=300, show_default=True, type=click.IntRange(0), help="0: no limit")
@click.option(
    "--empty", type=click.Choice(["null", "string", "absent"]), default="null", help='How "always empty" is sent'
)
@click.option("--done/--no-done", default=True, help="Whether a stream ends with [DONE]")
@click.option("--seed", type=int, help="Makes faults and latencies repeatable")
def sandbox(host: str, port: int, faults: tuple[str, ...], **options: Any) -> None:
    """Serve Parallel's Chat API on this machine, for any OpenAI client, from local documents."""
    import anyio

    from parallel_mcp import sandbox as sandboxes

    try:
        parsed = tuple(sandboxes.Fault.parse(fault) for fault in faults)
        whole = sandboxes.SandboxOptions(faults=parsed, **options)
        anyio.run(_serve_sandbox, whole, host, port)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise Failed(f"Cannot listen on {host}, port {port}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        pass


async def _serve_sandbox(options: "SandboxOptions", host: str, port: int) -> None:
    import anyio

    from parallel_mcp import sandbox as sandboxes

    async with sandboxes.running(options, host=host, port=port) as url:
        one, _ = sandboxes.example_questions()
        click.echo(f"Parallel's Chat API, from documents on this machine, at {url} (any key). Try:", err=True)
        body = json.dumps({"model": "base", "messages": [{"role": "user", "content": one}]})
        click.echo(f"  curl {url}/chat/completions -H 'Authorization: Bearer any' -d '{body}'", err=True)
        await anyio.sleep_forever()


@main.command()
@setting_flags(http=True)
def doctor(**flags: Any) -> None:
    """Check key, endpoint, proxy, certificates and store, and say what to do. Spends nothing."""
    import anyio

    settings = _settings(flags)
    if anyio.run(_examined, settings):
        raise SystemExit(1)


async def _examined(settings: Settings) -> bool:
    from parallel_mcp import doctor as examination

    failed = False
    async for finding in examination.examine(settings):
        failed = failed or finding.verdict == "fail"
        click.echo(f"{finding.verdict:4}  {finding.what:12}  {clean(finding.words)}")
    return failed
