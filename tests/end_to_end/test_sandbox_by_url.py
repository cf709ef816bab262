"""A sandbox set as the base URL, as if it were Parallel."""

import pytest
from mcp import Client

from parallel_mcp import sandbox
from parallel_mcp.research import Scope
from parallel_mcp.server import build, open_store
from parallel_mcp.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("tool", ["web_answer", "deep_research"])
@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_its_answers_are_booked_as_free(tool: str, prefix: str, tmp_path: str) -> None:
    _, question = sandbox.example_questions()
    async with sandbox.running() as url:
        settings = Settings(
            api_key="k", base_url=f"{url}{prefix}", store=f"{tmp_path}/store.sqlite3", daily_budget_usd=0.02
        )
        for asked in (question, "What does the nonlocal statement do?", "How are names resolved?"):
            async with Client(build(settings)) as client:
                result = await client.call_tool(tool, {"question": asked})
            assert not result.is_error
            answer = result.structured_content if tool == "web_answer" else result.structured_content["answer"]
            assert answer["cost_usd"] == 0
    async with open_store(settings) as store:
        assert sum(day.usd for day in await store.spent(Scope("local", "", ""))) == 0
