"""The driver that compares servers, run on servers that need no npm. No figure is judged here."""

import json

import pytest

from benchmarks.beside import money, table
from benchmarks.beside.__main__ import METRICS, Found, measure, medians, tables, upstream
from benchmarks.beside.connection import Failed, judge
from benchmarks.beside.measures import Size

SERVERS = table.read()
LITTLE = Size(calls=5, rate_calls=20, in_flight=10, burst=10, burst_seconds=0.1)


@pytest.mark.parametrize(
    ("name", "kind", "transport"),
    [
        *[("ours", "research", "stdio"), ("ours", "answer", "http")],
        *[("minimal", "answer", "stdio"), ("bare", "research", "http")],
    ],
)
async def test_every_figure_is_measured_of_every_server(name: str, kind: str, transport: str) -> None:
    server = SERVERS[name]
    async with upstream() as stub:
        figures = await measure(server, transport, kind, set(METRICS), LITTLE, stub)
    assert figures["rate_failed"] == figures["burst_failed"] == 0
    assert figures["burst"] >= LITTLE.burst_seconds and figures["start"] < figures["first"]
    found: Found = {(transport, kind, name): [figures, figures]}
    assert medians([figures, figures]) == figures
    assert "of 20 calls failed" not in tables(found, [server], LITTLE)
    assert f"| tools/list, bytes | {figures['listed']:,.0f} |" in tables(found, [server], LITTLE)


def test_an_answer_to_another_question_and_an_error_are_failures() -> None:
    right = {"result": {"content": [{"type": "text", "text": "On matter 1 this is known."}], "isError": False}}
    judge(json.dumps(right).encode(), "matter 1")
    for wrong in ({"result": {**right["result"], "isError": True}}, {"error": {"message": "no"}}):
        with pytest.raises(Failed):
            judge(json.dumps(wrong).encode(), "matter 1")
    with pytest.raises(Failed):
        judge(json.dumps(right).encode(), "matter 2")


async def test_an_answer_costs_one_request_whatever_becomes_of_the_host() -> None:
    bills = await money.played([SERVERS["ours"], SERVERS["bare"]], seconds=1, days=1)
    prices = {event.__name__: bills["ours"].price((event,)) for event in money.TRACE}
    assert prices == dict.fromkeys(prices, 1.0)
    assert bills["bare"].price((money.twice_at_once,)) == bills["bare"].price((money.host_killed,)) == 2.0
