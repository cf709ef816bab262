"""Drives the state machine over every kind of store."""

import itertools
import secrets
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from parallel_mcp.research import Store
from parallel_mcp.stores.sqlite import SQLiteStore, Work
from tests.support.machine import Stores
from tests.support.stores import Clock, ShiftedRedisStore

EXAMPLES = 500


STEPS = 32


FOR_CI = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


T = TypeVar("T")


Open = Callable[[AsyncExitStack, Clock], Callable[[], Store]]


Wait = Callable[[Coroutine[Any, Any, Any]], Any]


def inline(kind: type[SQLiteStore]) -> type[SQLiteStore]:
    """A SQLite store without its thread: the same transactions in a tenth of the time."""

    class Inline(kind):  # type: ignore[valid-type, misc]
        async def _run(self, work: Work[T], *, durable: bool = False) -> T:
            now = self._clock()
            with self._file.transaction(durable=durable) as db:
                self._sweep(db, now)
                result: T = work(db, now)
            return result

        async def close(self) -> None:
            self._file.close()

    return Inline


def in_memory(kind: type[SQLiteStore] = SQLiteStore) -> Open:
    """All workers share one database in memory."""
    kind = inline(kind)

    def opened(stack: AsyncExitStack, clock: Clock) -> Callable[[], Store]:
        store = kind(None, clock=clock)
        stack.push_async_callback(store.close)
        return lambda: store

    return opened


def in_a_file() -> Open:
    """Each worker has its own connection to one file."""
    kind = inline(SQLiteStore)
    shm = Path("/dev/shm")

    def opened(stack: AsyncExitStack, clock: Clock) -> Callable[[], Store]:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None))

        def make() -> Store:
            store = kind(Path(folder) / "research.sqlite3", clock=clock)
            stack.push_async_callback(store.close)
            return store

        return make

    return opened


def in_redis(url: str, script: str | None = None) -> Open:
    """Each history has its own keys."""
    run, numbers = secrets.token_hex(4), itertools.count()

    def opened(stack: AsyncExitStack, clock: Clock) -> Callable[[], Store]:
        store = ShiftedRedisStore(url, clock, prefix=f"machine-{run}-{next(numbers)}", script=script)
        stack.push_async_callback(store.close)
        return lambda: store

    return opened


def drive(opened: Open, wait: Wait, how: settings = FOR_CI) -> list[int]:
    """Run the machine. Returns how many steps each history had."""
    steps: list[int] = []
    kind = type("Driven", (Stores,), {"waits": staticmethod(wait), "open": staticmethod(opened), "steps": steps})
    run_state_machine_as_test(kind, settings=how, _min_steps=30)
    return steps


def at_once(call: Coroutine[Any, Any, Any]) -> Any:
    """The result of a call that waits for nothing."""
    try:
        call.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def long_enough(steps: list[int]) -> bool:
    return len([count for count in steps if count >= 30]) >= EXAMPLES
