"""A limit of requests per minute for each payer, and turns among the callers of one."""

import random

import anyio
import pytest

from parallel_mcp import errors
from parallel_mcp.client import Pacing
from parallel_mcp.client.pacing import LocalWindow

pytestmark = pytest.mark.anyio


class Clock:
    """A window's clock, which stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("parallel_mcp.client.pacing.time", clock)
    return clock


def unheard(_: str) -> None:
    pass


def test_the_window_rolls_and_is_counted_per_payer(clock: Clock) -> None:
    window = LocalWindow()
    assert [window.take("a", 2, 0) for _ in range(3)] == [0, 0, 60]
    assert window.take("b", 2, 0) == 0
    clock.now += 59
    assert window.take("a", 2, 0) == 1
    clock.now += 1
    assert window.take("a", 2, 0) == 0


def test_who_is_not_first_is_told_how_long_and_takes_nothing(clock: Clock) -> None:
    window = LocalWindow()
    for _ in range(3):
        assert window.take("a", 3, 0) == 0
        clock.now += 10
    assert [window.take("a", 3, ahead) for ahead in range(7)] == [30, 40, 50, 90, 100, 110, 150]
    clock.now += 30
    assert window.take("a", 3, 1) > 0
    assert window.take("a", 3, 0) == 0


def test_windows_of_payers_who_come_no_more_are_dropped(clock: Clock) -> None:
    window = LocalWindow()
    for number in range(1000):
        window.take(f"payer-{number}", 1, 0)
    clock.now += 59
    window.take("one", 1, 0)
    clock.now += 2
    assert window.take("one", 1, 0) > 0
    assert set(window._hits) == {"one"}


async def test_a_full_window_is_told_and_then_refused_by_name(clock: Clock) -> None:
    pacing, words = Pacing(2), list[str]()
    for _ in range(2):
        await pacing.turn("p", "c", words.append, 10)
    with pytest.raises(errors.PacingFull, match="PARALLEL_MCP_REQUESTS_PER_MINUTE") as caught:
        await pacing.turn("p", "c", words.append, 10)
    assert not caught.value.may_be_billed
    assert words == []
    with anyio.CancelScope() as scope:

        def cancel(said: str) -> None:
            words.append(said)
            scope.cancel()

        await pacing.turn("p", "c", cancel, None)
    assert words == ["Waiting 60 s: the limit of 2 requests a minute is reached"]


async def test_a_place_that_is_free_again_is_taken(clock: Clock) -> None:
    pacing = Pacing(1)
    await pacing.turn("p", "c", unheard, None)
    clock.now += 59.95
    with anyio.fail_after(10):
        await pacing.turn("p", "c", lambda _: setattr(clock, "now", clock.now + 1), None)


async def _order(per_minute: int, calls: list[str]) -> list[str]:
    """The callers in the order they get places, if all their calls wait at once."""
    pacing, order = Pacing(per_minute), list[str]()
    for _ in range(per_minute):
        await pacing.turn("p", "before", unheard, None)

    async def call(caller: str) -> None:
        await pacing.turn("p", caller, unheard, None)
        order.append(caller)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for caller in calls:
                group.start_soon(call, caller)
                await anyio.lowlevel.checkpoint()
    assert pacing._lines == {}
    return order


@pytest.fixture
def short_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parallel_mcp.client.pacing.WINDOW_SECONDS", 0.5)


async def test_a_burst_of_one_caller_delays_another_by_its_share_only(short_minute: None) -> None:
    order = await _order(20, ["burst"] * 12 + ["two", "two"] + ["three"])
    assert order[:5].count("two") == 2
    assert "three" in order[:4]
    assert order[5:] == ["burst"] * 10


async def test_who_gives_up_leaves_the_turn_to_the_next(short_minute: None) -> None:
    pacing, waits = Pacing(1), anyio.Event()
    await pacing.turn("p", "before", unheard, None)

    async def give_up() -> None:
        with anyio.CancelScope() as scope:

            def cancel(_: str) -> None:
                waits.set()
                scope.cancel()

            await pacing.turn("p", "a", cancel, None)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(give_up)
            await waits.wait()
            await pacing.turn("p", "b", unheard, None)
    assert pacing._lines == {}


async def test_every_call_gets_a_place_whatever_the_order(short_minute: None) -> None:
    callers = random.Random(4).choices("abcd", k=30)
    assert sorted(await _order(8, callers)) == sorted(callers)


async def test_while_shared_pacing_fails_this_process_counts_for_itself() -> None:
    async def failing(payer: str, per_minute: int, ahead: int) -> float:
        raise errors.StoreFailed("gone")

    pacing = Pacing(1, failing)
    await pacing.turn("p", "c", unheard, 0)
    with pytest.raises(errors.PacingFull):
        await pacing.turn("p", "c", unheard, 0)
