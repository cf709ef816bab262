"""`history`: the research runs that are kept, and what was spent."""

import json
import sys
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parallel_mcp.cli import files
from parallel_mcp.cli.ending import Failed, run
from parallel_mcp.cli.options import setting_flags, settings_of
from parallel_mcp.cli.terminal import plain
from parallel_mcp.settings import Settings
from parallel_mcp.text import clean

if TYPE_CHECKING:
    from parallel_mcp.research import ResearchRun, Scope, Spent, Store

T = TypeVar("T")

PAGE = 200


@click.command()
@click.option("--forget", metavar="ID|--all", help="Delete one research, or all that are over, now")
@click.option("--open", "opened", metavar="ID", help="Open one research run in the browser, as a page")
@click.option("--caller", default="local", show_default=True, help="Whose: the name of an access token over HTTP")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many to list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@setting_flags(http=False)
def history(forget: str | None, opened: str | None, caller: str, limit: int, as_json: bool, **flags: Any) -> None:
    """List research with its status, cost and age, and what was spent by day."""
    from parallel_mcp.research import Scope

    settings = settings_of(flags)
    whose = Scope(caller, "", "")
    if forget is not None:
        one = None if forget in ("all", "--all") else forget
        gone = _stored(settings, lambda store: store.forget(whose, one))
        if one is not None and not gone:
            raise Failed(f"No research {one} is kept here; `parallel-mcp history` lists what is.")
        click.echo(f"Forgot {gone} research.")
        return
    if opened is not None:
        _open(_stored(settings, lambda store: _found(store, whose, opened)), opened)
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

    async def opened() -> T:
        async with open_store(settings) as store:
            return await read(store)

    return run(opened)


async def _found(store: "Store", whose: "Scope", research_id: str) -> "ResearchRun | None":
    """The caller's research run with this id, whoever paid for it."""
    before: str | None = None
    while page := await store.list(whose, before, PAGE):
        for row in page:
            if row.research_id == research_id:
                return row
        before = page[-1].research_id
    return None


def _open(row: "ResearchRun | None", research_id: str) -> None:
    """Show a research run in the browser, out of a file that only this user can read."""
    from parallel_mcp.report import FORMATS
    from parallel_mcp.tools import research_of

    if row is None:
        raise Failed(f"No research run {research_id} is kept here; `parallel-mcp history` lists what is.")
    file = Path(tempfile.mkdtemp(prefix="parallel-mcp-")) / f"{row.research_id}.html"
    files.write(file, FORMATS["html"].write(research_of(row)))
    if not webbrowser.open(file.as_uri()):
        click.echo("No browser was found; open this file with one:", err=True)
    click.echo(str(file))


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
        question = plain(clean(" ".join(row.question.text.split()), 70))
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
