"""Each fault in the table, with the client alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from parallel_mcp.chat import CUT_SHORT, GARBLED
from parallel_mcp.client import ChatClient, Pacing, open_http
from parallel_mcp.errors import UpstreamError
from parallel_mcp.models import PRICES, Answer, Question
from parallel_mcp.text import clean
from tests.support.faults import FAULTS, TRIES, WORDS, Fault, Outcome, Place
from tests.support.faulty_places import places
from tests.support.upstream import RawUpstream, connections

pytestmark = pytest.mark.anyio

KEY = "sk-parallel-0123456789"


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[tuple[dict[Place, str], RawUpstream]]:
    async with places(tmp_path) as there:
        yield there


async def _outcome(fault: Fault, url: str, stream: bool, sent: list[str]) -> Answer | UpstreamError:
    """What one question gets. Nothing of it may be left afterwards."""
    async with open_http(url) as http:
        client = ChatClient(
            http,
            Pacing(1_000_000),
            timeouts=dict.fromkeys(PRICES, fault.seconds),
            prices=PRICES,
            stream=stream,
            attempts=TRIES,
            backoff_seconds=0,
        )
        question = Question(text=f"Why? [{fault.name}]", model="base")
        try:
            return await client.ask(
                question,
                KEY,
                payer="p",
                caller="c",
                on_progress=lambda _: None,
                on_sent=lambda: sent.append("request"),
            )
        except UpstreamError as error:
            return error
        finally:
            assert connections(http)[0] == 0


def check(outcome: Outcome, got: Answer | UpstreamError) -> None:
    if isinstance(outcome, type):
        assert type(got) is outcome, got
        assert clean(str(got)) == str(got)
        return
    assert isinstance(got, Answer), got
    assert (CUT_SHORT in got.warnings) is (outcome == "cut short")
    assert (GARBLED in got.warnings) is (outcome == "garbled")
    assert clean(got.model_dump_json()) == got.model_dump_json()
    if outcome == "cut short":
        assert got.content
        assert WORDS.startswith(got.content)
    elif outcome == "whole":
        assert got.content.startswith((WORDS, "So. ", "xxx"))


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "unstreamed"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_each_fault_gives_what_the_table_says(
    fault: Fault, stream: bool, far: tuple[dict[Place, str], RawUpstream]
) -> None:
    urls, answering = far
    before = asyncio.all_tasks()
    sent: list[str] = []
    # Five times what all attempts together may take.
    with anyio.fail_after(5 * (fault.seconds + 1) * fault.tries):
        got = await _outcome(fault, urls[fault.place], stream, sent)
        check(fault.outcome(stream), got)
        if isinstance(got, UpstreamError):
            assert got.may_be_billed is fault.may_be_billed
        requests = fault.tries if fault.place == "answering" else 0
        assert len(sent) == len(answering.received) == requests
        await answering.until(lambda upstream: upstream.open == 0)
    # The process pool that reads large answers stays, for the next one.
    left = [task for task in asyncio.all_tasks() - before if "process pool" not in task.get_name()]
    assert not [task for task in left if not task.get_name().startswith("tests.")]
