"""The cost of a run as the store fills, and of an answer as it grows: python -m benchmarks.growth [--write PAGE]

The process's CPU per transaction of the store, the minimum of several rounds. The rows are in a SQLite file and there
is a daily budget, so that the ledger's total is read, too.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import anyio

from parallel_mcp import chat
from parallel_mcp.models import Answer, Model, Question
from parallel_mcp.research import NewRun, Outcome, Scope, join_key
from parallel_mcp.stores.sqlite import SQLiteStore

SCOPE = Scope("local", "payer", "https://api.example")
ROWS = (10, 100, 1_000, 10_000, 100_000)
KILOBYTES = (1, 10, 100, 1_000)
CALLS, ROUNDS = 60, 9
MARKERS = ("<!-- growth -->", "<!-- /growth -->")


def _run(number: int) -> NewRun:
    question = Question(text=f"matter {number:09}", model=Model.BASE)
    key = join_key(SCOPE, question)
    return NewRun(SCOPE, key, question, "one", price_usd=0.01, budget_usd=1e9, reuse_seconds=600)


def _answer(kilobytes: int) -> Answer:
    content = "The figures for this year are a third above those of the last. " * (16 * kilobytes)
    reply = chat.Reply(content[: kilobytes * 1000], [], None, whole=True)
    return chat.answer(Question(text="x", model=Model.BASE), reply, answer_citations=True, cost_usd=0.01, seconds=1.0)


def _fill(path: Path, rows: int) -> None:
    """Copy the existing row and ledger line until there are this many."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN")
        for table, own in (("research", "id, key"), ("ledger", "number")):
            columns = [line[1] for line in db.execute(f"PRAGMA table_info({table})")]
            there = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for number in range(there, rows):
                new = {"id": f"'copy-{number}'", "key": f"'copy-{number}'", "number": "NULL"}
                values = ", ".join(new[name] if name in own.split(", ") else name for name in columns)
                db.execute(f"INSERT INTO {table} SELECT {values} FROM {table} ORDER BY rowid LIMIT 1")
        db.execute("COMMIT")


async def _cpu_us(call: Callable[[], Awaitable[object]]) -> float:
    least = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CALLS):
            await call()
        least = min(least, (time.process_time() - began) / CALLS)
    return least * 1e6


async def _stored(path: Path) -> dict[str, float]:
    """The steps of a run, in microseconds of CPU."""
    store, answer, number = SQLiteStore(path), _answer(1), int(time.time() * 1000) % 10**6 * 1000

    async def whole() -> None:
        nonlocal number
        number += 1
        row, _ = await store.add_or_join(_run(number))
        await store.finish(row.research_id, "one", Outcome(answer=answer))

    try:
        await whole()
        row, _ = await store.add_or_join(_run(number))
        return {
            "a run, added and finished": await _cpu_us(whole),
            "a look at it": await _cpu_us(lambda: store.get(row.research_id, SCOPE)),
            "a page of history": await _cpu_us(lambda: store.list(SCOPE)),
        }
    finally:
        await store.close()


async def _measured() -> str:
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "research.sqlite3"
        found: dict[int, dict[str, float]] = {}
        await _stored(path)
        for rows in ROWS:
            _fill(path, rows)
            found[rows] = await _stored(path)
    lines += ["| CPU by stored rows, us | " + " | ".join(f"{rows:,}" for rows in ROWS) + " |"]
    lines += ["|---" * (len(ROWS) + 1) + "|"]
    for step in found[ROWS[0]]:
        lines.append(f"| {step} | " + " | ".join(f"{found[rows][step]:.0f}" for rows in ROWS) + " |")
    lines += ["", "| CPU by kilobytes of answer, us | " + " | ".join(f"{size:,}" for size in KILOBYTES) + " |"]
    lines += ["|---" * (len(KILOBYTES) + 1) + "|"]
    costs = []
    for size in KILOBYTES:

        async def understood(size: int = size) -> None:
            _answer(size)

        costs.append(await _cpu_us(understood))
    lines.append("| an answer, understood | " + " | ".join(f"{cost:.0f}" for cost in costs) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables between the page's markers")
    given = parser.parse_args()
    tables = anyio.run(_measured)
    print(tables)
    if given.write is not None:
        before, _, rest = given.write.read_text("utf-8").partition(MARKERS[0])
        _, _, after = rest.partition(MARKERS[1])
        given.write.write_text(f"{before}{MARKERS[0]}\n{tables}\n{MARKERS[1]}{after}", "utf-8")


if __name__ == "__main__":
    main()
