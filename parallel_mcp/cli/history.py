"""`history`: the stored research runs, and what was spent. Reading sends nothing."""

import json
import sys
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parallel_mcp.cli.asking import put_run
from parallel_mcp.cli.ending import Failed, Misused, reported, run
from parallel_mcp.cli.flags import command
from parallel_mcp.cli.options import OwnOptionsFirst, OwnOptionsFirstGroup, setting_flags, settings_of
from parallel_mcp.cli.output import Output, as_format, output_options
from parallel_mcp.settings import Settings
from parallel_mcp.text import clean

if TYPE_CHECKING:
    from parallel_mcp.research import ResearchRun, Scope, Spent, Store

T = TypeVar("T")

QUESTION_CHARS = 240
"""How much of a question the list shows; `history show` has all of it."""


@click.group(
    cls=OwnOptionsFirstGroup, short_help="List and show research runs, and what was spent", invoke_without_command=True
)
@click.option("--forget", metavar="ID|--all", help="Delete one research run, or all finished ones, now")
@click.option("--open", "opened", metavar="ID", help="Open one research run in the browser, as a page")
@click.option("--yes", is_flag=True, help="With --forget --all: do not ask for confirmation")
@click.option("--caller", default="local", show_default=True, help="Whose runs: over HTTP, the name of an access token")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many to list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; failures are JSON too")
@setting_flags(http=False)
@click.pass_context
def history(
    ctx: click.Context,
    /,
    forget: str | None,
    opened: str | None,
    yes: bool,
    caller: str,
    limit: int,
    as_json: bool,
    **flags: Any,
) -> None:
    """List research runs with their status, cost and age, and what was spent each day. Sends nothing."""
    from parallel_mcp.cli.runs import found
    from parallel_mcp.research import Scope

    whose = Scope(caller, "", "")
    ctx.obj = whose
    if ctx.invoked_subcommand is not None:
        return
    with reported(as_json=as_json):
        settings = settings_of(flags)
        if forget is not None:
            _forget(settings, whose, forget, yes=yes, as_json=as_json)
            return
        if opened is not None:
            _open(_stored(settings, lambda store: found(store, opened, whose)))
            return
        rows, spent = _stored(settings, lambda store: _listing(store, whose, limit))
        if as_json:
            listed = {"research": [_listed(row) for row in rows], "spent": [_day(day) for day in spent]}
            click.echo(clean(json.dumps(listed, ensure_ascii=False, indent=2)))
        elif sys.stdout.isatty():
            _show_list(rows, spent)
        else:
            _print_list(rows, spent)


@history.command(cls=OwnOptionsFirst)
@click.argument("research_id", metavar="ID")
@output_options
@setting_flags(http=False)
@click.pass_context
def show(
    ctx: click.Context, /, research_id: str, named: str | None, as_json: bool, path: str | None, **flags: Any
) -> None:
    """Show the research run ID: its question, answer and sources. Sends nothing.

    The first eight characters of an id are enough.
    """
    from parallel_mcp.cli.runs import found

    whose = ctx.obj
    as_json = as_json or bool(ctx.parent and ctx.parent.params.get("as_json"))
    with reported(as_json=as_json):
        output = Output.chosen(named, as_json, path)
        row = _stored(settings_of(flags), lambda store: found(store, research_id, whose))
        put_run(output, row, first=False, with_question=True)


def _stored(settings: Settings, read: "Callable[[Store], Awaitable[T]]") -> T:
    from parallel_mcp.server import open_store

    async def opened() -> T:
        async with open_store(settings) as store:
            return await read(store)

    return run(opened)


async def _listing(store: "Store", whose: "Scope", limit: int) -> "tuple[Sequence[ResearchRun], Sequence[Spent]]":
    return await store.list(whose, None, limit), await store.spent(whose)


def _forget(settings: Settings, whose: "Scope", name: str, *, yes: bool, as_json: bool) -> None:
    from parallel_mcp.cli.runs import found

    if name in ("all", "--all"):
        if not yes:
            _ask_first()
        gone = _stored(settings, lambda store: store.forget(whose, None))
    else:

        async def forget_one(store: "Store") -> int:
            return await store.forget(whose, (await found(store, name, whose)).research_id)

        gone = _stored(settings, forget_one)
    if as_json:
        click.echo(json.dumps({"forgotten": gone}))
    else:
        click.echo(f"Forgot {gone} research run{'' if gone == 1 else 's'}.")


def _open(row: "ResearchRun") -> None:
    """Open a research run in the browser, from a file that only this user can read."""
    from parallel_mcp.tools import research_of

    file = Path(tempfile.mkdtemp(prefix="parallel-mcp-")) / f"{row.research_id}.html"
    Output("html", file).put(as_format("html", research_of(row)))
    if not webbrowser.open(file.as_uri()):
        click.echo("No browser was found; open this file with one:", err=True)
    click.echo(str(file))


def _ask_first() -> None:
    if not sys.stdin.isatty():
        raise Misused("This deletes all stored answers: add --yes.")
    if not click.confirm("Delete every finished research run? What was spent stays listed", default=False, err=True):
        raise Failed("Nothing was deleted.")


def _listed(row: "ResearchRun") -> dict[str, Any]:
    return {
        "research_id": row.research_id,
        "status": row.status,
        "probably_interrupted": row.lapsed,
        "model": row.question.model,
        "cost_usd": None if row.unpriced else round(row.cost_usd, 6),
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


def _print_list(rows: "Sequence[ResearchRun]", spent: "Sequence[Spent]") -> None:
    """Print a line per run, for grep and awk: the full id first and the full question last."""
    from parallel_mcp.cli.runs import status_of

    for row in rows:
        question = clean(" ".join(row.question.text.split()))
        age = _age(row.read_at - row.created_at)
        click.echo("\t".join([row.research_id, age, status_of(row), row.question.model, _cost(row), question]))
    for day in spent:
        maybe = f"${day.maybe_usd:.3f} of that possibly not billed" if day.maybe_usd else ""
        click.echo("\t".join([day.day, day.model, str(day.requests), f"${day.usd:.3f}", maybe]).rstrip())
    if not rows:
        click.echo("There are no research runs yet.", err=True)


def _show_list(rows: "Sequence[ResearchRun]", spent: "Sequence[Spent]") -> None:
    from rich.text import Text

    from parallel_mcp.cli import page
    from parallel_mcp.cli.runs import SHORT, status_of

    if not rows:
        click.echo(f"There are no research runs yet. To start one:  {command('research QUESTION')}")
        return
    table = page.table("id", "age", "", "model", "cost", "question")
    for row in rows:
        table.add_row(
            Text(row.research_id[:SHORT]),
            Text(_age(row.read_at - row.created_at), "dim"),
            page.status(status_of(row)),
            Text(row.question.model, "dim"),
            Text(_cost(row), "dim"),
            Text(clean(" ".join(row.question.text.split()), QUESTION_CHARS)),
        )
    parts: list[Any] = [table]
    if spent:
        totals = page.table("day (UTC)", "model", "requests", "spent", "possibly not billed")
        for day in spent:
            maybe = f"${day.maybe_usd:.3f}" if day.maybe_usd else ""
            totals.add_row(day.day, day.model, str(day.requests), f"${day.usd:.3f}", maybe)
        parts.append(totals)
    page.show(page.stacked([*parts, Text(command("history show ID"), "dim")]))


def _cost(row: "ResearchRun") -> str:
    """The cost, with a question mark if it may not have been billed."""
    if row.unpriced:
        return "unknown"
    if row.cost_usd <= 0:
        return "free"
    return f"${row.cost_usd:.3f}" + ("?" if row.may_be_billed else "")


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
