"""Another OpenAI-compatible endpoint as base URL: its names, its sources, and no price of Parallel's."""

from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from parallel_mcp.models import Model, is_parallels
from parallel_mcp.research import Scope
from parallel_mcp.settings import Settings, SettingsError, read
from tests.support.clients import Connect, structured, text_of
from tests.support.upstream import Received, Upstream, completion
from tests.tools.test_results import answer_of, result_of, row_of

pytestmark = pytest.mark.anyio

NAMES = {"speed": "sonar", "base": "sonar-pro"}

# As Perplexity's and OpenAI's documentation shows them.
PERPLEXITY: dict[str, Any] = {
    "citations": ["https://a.example/1", "https://b.example/2"],
    "search_results": [{"title": "B", "url": "https://b.example/2", "date": "2026-01-01", "snippet": "It is so."}],
}
OPENAI = {
    "annotations": [
        {
            "type": "url_citation",
            "url_citation": {"url": "https://b.example/2", "title": "B", "start_index": 3, "end_index": 6},
            "exactQuote": "It is so.",
        }
    ]
}


@pytest.fixture
def perplexity(upstream: Upstream) -> Upstream:
    async def reply(_: Received) -> Response:
        return JSONResponse(completion("<think>Is it?</think>\n\nSo [2].", interaction_id=None, **PERPLEXITY))

    upstream.reply = reply
    return upstream


@pytest.mark.parametrize(("tool", "name"), [("web_answer", "sonar"), ("deep_research", "sonar-pro")])
async def test_an_answer_from_elsewhere_says_so_and_has_no_price(
    connect: Connect, perplexity: Upstream, tool: str, name: str
) -> None:
    async with connect(model_names=NAMES) as client:
        result = await client.call_tool(tool, {"question": "Why?"})
        found = await structured(client, tool, result)
    answer = found.get("answer", found)
    assert perplexity.received[0].body["model"] == name
    said = f"Answered by the model {name} at 127.0.0.1, not by Parallel. Its price is unknown."
    assert said in answer["warnings"]
    assert said in text_of(result)
    assert (answer["content"], answer["cost_usd"]) == ("So [2].", None)
    assert [(each["number"], each["url"], each["title"], each["excerpts"]) for each in answer["citations"]] == [
        (1, "https://a.example/1", None, []),
        (2, "https://b.example/2", "B", ["It is so."]),
    ]


async def test_a_price_that_is_given_is_charged_and_a_name_that_is_not_given_is_ours(
    connect: Connect, perplexity: Upstream
) -> None:
    async with connect(model_names={"base": "sonar-pro"}, prices={"speed": 0.25}) as client:
        answer = await structured(client, "web_answer", await client.call_tool("web_answer", {"question": "Why?"}))
    assert perplexity.received[0].body["model"] == "speed"
    assert answer["cost_usd"] == 0.25
    assert answer["warnings"][0] == "Answered by the model speed at 127.0.0.1, not by Parallel."


async def test_a_quote_in_an_annotation_is_an_excerpt(connect: Connect, upstream: Upstream) -> None:
    async def reply(_: Received) -> Response:
        whole = completion("So [1].", interaction_id=None)
        quoted = {**OPENAI["annotations"][0]["url_citation"], "exactQuote": "It is so."}  # type: ignore[dict-item]
        whole["choices"][0]["message"]["annotations"] = [{"type": "url_citation", "url_citation": quoted}]
        return JSONResponse(whole)

    upstream.reply = reply
    async with connect(model_names=NAMES) as client:
        answer = await structured(client, "web_answer", await client.call_tool("web_answer", {"question": "Why?"}))
    assert [(each["url"], each["title"], each["excerpts"]) for each in answer["citations"]] == [
        ("https://b.example/2", "B", ["It is so."])
    ]


async def test_parallels_own_answers_name_no_other_origin(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        result = await client.call_tool("web_answer", {"question": "Why?"})
    assert "not by Parallel" not in text_of(result)


@pytest.mark.parametrize(
    ("url", "parallels"),
    [
        ("https://api.parallel.ai", True),
        ("https://API.parallel.ai/v1", True),
        ("http://127.0.0.1:8787", True),
        ("http://[::1]:80", True),
        ("https://api.perplexity.ai", False),
        ("https://notparallel.ai", False),
        ("https://parallel.ai.example", False),
        ("https://notlocalhost", False),
    ],
)
def test_parallels_prices_hold_at_its_own_hosts_and_on_this_machine(url: str, parallels: bool) -> None:
    assert is_parallels(url) is parallels
    assert (Settings(base_url=url).known_prices["base"] == Model.BASE.price_usd) is parallels


def test_a_budget_that_could_not_be_kept_is_refused_by_name() -> None:
    elsewhere = {"PARALLEL_BASE_URL": "https://api.perplexity.ai", "PARALLEL_MCP_DAILY_BUDGET_USD": "5"}
    with pytest.raises(SettingsError, match=r"DAILY_BUDGET_USD .* PARALLEL_MCP_PRICES"):
        read(elsewhere)
    with pytest.raises(SettingsError, match="DAILY_BUDGET_USD"):
        read({**elsewhere, "PARALLEL_MCP_PRICES": "speed=0.005, lite=0.005"})
    settings, _ = read(
        {**elsewhere, "PARALLEL_MCP_PRICES": "speed=0.005, lite=0.005", "PARALLEL_MCP_MAX_MODEL": "lite"}
    )
    assert settings.known_prices["lite"] == 0.005


@pytest.mark.parametrize("given", ["mega=x", "speed", "speed=", "speed=a, Speed=b", "speed:a"])
def test_model_names_that_cannot_be_understood_are_refused_with_the_form(given: str) -> None:
    with pytest.raises(SettingsError, match=r"PARALLEL_MCP_MODEL_NAMES.*speed="):
        read({"PARALLEL_MCP_MODEL_NAMES": given})


def test_names_may_hold_what_services_put_into_them() -> None:
    settings, _ = read({"PARALLEL_MCP_MODEL_NAMES": "Speed = openai/gpt-5:online , core=llama3:8b@20260101"})
    assert settings.model_names == {"speed": "openai/gpt-5:online", "core": "llama3:8b@20260101"}


def test_where_the_price_is_not_known_nothing_is_said_to_be_free() -> None:
    scope = Scope("local", "payer", "https://api.perplexity.ai")
    stopped = row_of(status="cancelled", cost_usd=0.0, may_be_billed=True, scope=scope)
    assert "may have been billed" in text_of(result_of(stopped, cancelling=True))
    taken_over = row_of(answer_of("So.", cost_usd=None), attempts=2, cost_usd=0.0, scope=scope)
    assert "may have been billed too" in text_of(result_of(taken_over))
    assert taken_over.unpriced
    assert not row_of(status="cancelled", cost_usd=0.0, may_be_billed=False, scope=scope).unpriced
