"""`sandbox`: serves the Chat API on this machine."""

import json
from typing import TYPE_CHECKING, Any

import click

from parallel_mcp.cli.ending import cannot_listen

if TYPE_CHECKING:
    from parallel_mcp.sandbox import SandboxOptions

BIG = 200  # documents; indexing this many takes long enough to show progress


@click.command(short_help="Serve the Chat API here, from local documents")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8787, show_default=True, type=click.IntRange(0, 65535))
@click.option("--corpus", multiple=True, metavar="DIR|installed", help="Markdown, text or HTML")
@click.option("--latency", type=click.Choice(["none", "documented"]), default="none", show_default=True)
@click.option("--fault", "faults", multiple=True, metavar="KIND@RATE", help="Inject a fault, for example 429@0.1")
@click.option("--requests-per-minute", default=300, show_default=True, type=click.IntRange(0), help="0: no limit")
@click.option(
    "--empty", type=click.Choice(["null", "string", "absent"]), default="null", help='How to send "always empty" fields'
)
@click.option("--done/--no-done", default=True, help="Whether a stream ends with [DONE]")
@click.option("--seed", type=int, help="Makes faults and latencies repeatable")
@click.option(
    "--expose", "exposed", is_flag=True, help="Allow a --host that other machines reach; they can read the corpus"
)
def sandbox(host: str, port: int, faults: tuple[str, ...], **options: Any) -> None:
    """Serve Parallel's Chat API on this machine, for any OpenAI client, from local documents."""
    import anyio

    from parallel_mcp import sandbox as sandboxes

    try:
        parsed = tuple(sandboxes.Fault.parse(fault) for fault in faults)
        whole = sandboxes.SandboxOptions(faults=parsed, **options)
        sandboxes.check_host(whole, host)
        index_corpus(whole)
        anyio.run(_serve_sandbox, whole, host, port)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    except KeyboardInterrupt:
        pass


def index_corpus(options: "SandboxOptions") -> None:
    """Index the corpus, with a progress bar on a terminal if that takes long."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from parallel_mcp import sandbox as sandboxes

    console = Console(stderr=True)
    columns = (TextColumn("Indexing the corpus"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("", total=None, visible=False)
        sandboxes.prepare(
            options, lambda done, total: shown.update(task, completed=done, total=total, visible=total >= BIG)
        )


async def _serve_sandbox(options: "SandboxOptions", host: str, port: int) -> None:
    import anyio

    from parallel_mcp import sandbox as sandboxes

    async with sandboxes.running(options, host=host, port=port) as url:
        one, _ = sandboxes.example_questions()
        click.echo(f"Parallel's Chat API, from documents on this machine, at {url} (any key). Try:", err=True)
        body = json.dumps({"model": "base", "messages": [{"role": "user", "content": one}]})
        headers = "-H 'Authorization: Bearer any' -H 'Content-Type: application/json'"
        click.echo(f"  curl {url}/chat/completions {headers} -d '{body}'", err=True)
        await anyio.sleep_forever()
