"""Checks that the state machine that tests the stores catches broken ones, by removing one rule at a time.

Run as `python benchmarks/proofs.py [--examples N]`. Each mutant is a store's own source with one rule replaced; the
machine in `tests/support/machine.py` drives it until a promise is broken. The exit status is 0 only if every mutant is
caught and the true stores pass. Needs redis-server and the extra `test`.
"""

import argparse
import asyncio
import inspect
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from hypothesis import Phase, Verbosity, settings

sys.path.insert(0, str(Path(__file__).parent.parent))

from parallel_mcp.stores import redis, sqlite
from tests.support.redis_server import redis_running
from tests.support.store_machine import FOR_CI, Open, Wait, at_once, drive, in_memory, in_redis

Change = tuple[str, str]
"""A text that occurs exactly once in a store, and its replacement."""


@dataclass(frozen=True)
class Mutant:
    """A rule to remove from both stores."""

    without: str
    sqlite: Change
    redis: Change


MUTANTS = (
    Mutant(
        "the lease check",
        (
            "if row is None or not row.lapsed or (row.holder, row.due) != (seen.holder, seen.due):",
            'if row is None or row.status != "working":',
        ),
        ("if not lapsed(row) or not as_seen then", "if row.status ~= 'working' then"),
    ),
    Mutant(
        "the check that a lease is as it was seen",
        (" or (row.holder, row.due) != (seen.holder, seen.due):", ":"),
        ("if not lapsed(row) or not as_seen then", "if not lapsed(row) then"),
    ),
    Mutant(
        "the caller check",
        ("return row if row is not None and row.scope == scope else None", "return row"),
        ("return row and same_scope(row) and row or nil", "return row"),
    ),
    Mutant(
        "the caller check on deletion",
        (
            'f"DELETE FROM research WHERE {_SEEN_BY} AND',
            'f"DELETE FROM research WHERE (1 OR {_SEEN_BY}) AND',
        ),
        ("if row and seen(row) and (given.id or row", "if row and (given.id or row"),
    ),
    Mutant(
        "the first-answer rule",
        ('if row is None or row.status == "completed":', "if row is None:"),
        ("if row.status ~= 'completed' and given.answer then", "if given.answer then"),
    ),
    Mutant(
        "the rule that an answer counts whoever brings it",
        (
            "if end.answer is not None:\n                _complete(",
            "if end.answer is not None and row.holder == holder:\n                _complete(",
        ),
        (
            "if row.status ~= 'completed' and given.answer then",
            "if row.status ~= 'completed' and given.answer and row.holder == given.holder then",
        ),
    ),
    Mutant(
        "the rule that only its holder fails a row",
        ('elif row.status == "working" and row.holder == holder:', 'elif row.status == "working":'),
        (
            "elseif row.status == 'working' and row.holder == given.holder and not given.answer then",
            "elseif row.status == 'working' and not given.answer then",
        ),
    ),
    Mutant(
        "the limit of attempts",
        ("if row.attempts >= MOST_ATTEMPTS:", "if row.attempts >= 99:"),
        ("if row.attempts >= MOST then", "if row.attempts >= 99 then"),
    ),
    Mutant(
        "the budget",
        ("if spent + price > budget + 5e-6:", "if spent > budget + 5e-6:"),
        ("spent + price > tonumber(given.budget) + 5000", "spent > tonumber(given.budget) + 5000"),
    ),
    Mutant(
        "the refund of what was not sent",
        ('_settled(db, charge, "maybe" if sent else "unsent")', '_settled(db, charge, "maybe")'),
        ("settle_own(given.unsent and 'unsent' or 'maybe')", "settle_own('maybe')"),
    ),
    Mutant(
        "the waiters who keep a research run going",
        (
            'if db.execute("SELECT 1 FROM waiting WHERE id = ?", (research_id,)).fetchone():',
            'if db.execute("SELECT 1 FROM waiting WHERE id = ?", ("",)).fetchone():',
        ),
        ("if not waiting(row.id) then", "if true then"),
    ),
    Mutant(
        "the rule that a cancelled question is asked again",
        (
            "SET status = 'cancelled', key = NULL, due = NULL, finished_at = ?,\"\n"
            '                " may_be_billed = 1 WHERE id = ?",',
            "SET status = 'working', key = key, due = NULL, finished_at = ?,\"\n"
            '                " may_be_billed = 1 WHERE id = ?",',
        ),
        ("{ status = 'cancelled', finished", "{ status = 'working', finished"),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--examples", type=int, default=500, help="histories for each store (500)")
    given = parser.parse_args()
    if shutil.which("redis-server") is None:
        raise SystemExit("redis-server is not installed: apt-get install redis-server")
    wrong = 0
    with redis_running("--appendonly", "no") as server, asyncio.Runner() as runner:
        wait = runner.get_loop().run_until_complete
        wrong += not survives("SQLite unchanged", in_memory(), at_once, given.examples)
        wrong += not survives("Redis unchanged", in_redis(server.socket_url), wait, given.examples)
        for mutant in MUTANTS:
            store = in_memory(sqlite_with(mutant.sqlite))
            wrong += survives(f"SQLite without {mutant.without}", store, at_once, given.examples)
            store = in_redis(server.socket_url, changed(redis.lua(), mutant.redis))
            wrong += survives(f"Redis without {mutant.without}", store, wait, given.examples)
    print(f"{2 * len(MUTANTS) + 2} stores, {wrong} not as expected")
    raise SystemExit(1 if wrong else 0)


def survives(name: str, store: Open, wait: Wait, examples: int) -> bool:
    """Whether every promise holds. Prints the one that is broken."""
    how = settings(
        FOR_CI,
        max_examples=examples,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
    )
    began = time.monotonic()
    broken = None
    with quiet():
        try:
            drive(store, wait, how)
        except AssertionError as error:
            broken = (str(error).splitlines() or ["a row is not as expected"])[0]
    print(f"{'holds ' if broken is None else 'caught'} {name} ({time.monotonic() - began:.1f} s)", end="")
    print("" if broken is None else f": {broken}", flush=True)
    return broken is None


@contextmanager
def quiet() -> Iterator[None]:
    """Hypothesis prints a failing history to stdout, and these are meant to fail."""
    from hypothesis.reporting import with_reporter

    with with_reporter(lambda _: None):
        yield


def sqlite_with(change: Change) -> type[sqlite.SQLiteStore]:
    """The SQLite store, from its source with one text replaced."""
    module = ModuleType("mutated")
    exec(compile(changed(inspect.getsource(sqlite), change), "mutated", "exec"), vars(module))
    store: type[sqlite.SQLiteStore] = module.SQLiteStore
    return store


def changed(text: str, change: Change) -> str:
    """The text with one replacement. Raises ValueError unless there is exactly one place for it."""
    if text.count(change[0]) != 1:
        raise ValueError(f"stands {text.count(change[0])} times: {change[0]}")
    return text.replace(*change)


if __name__ == "__main__":
    main()
