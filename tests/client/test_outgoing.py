"""Requests go to Parallel and nowhere else, whatever a caller or an answer says."""

from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.responses import Response

from tests.support.processes import Serve
from tests.support.upstream import Received, Upstream, upstream_running

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("brings", [True, False], ids=["brought key", "own key"])
async def test_a_redirect_takes_no_key_and_no_question_to_another_host(
    served: Serve, upstream: Upstream, status: int, brings: bool
) -> None:
    async with upstream_running() as elsewhere:

        async def reply(_: Received) -> Response:
            return Response(status_code=status, headers={"location": f"{elsewhere.url}/chat/completions"})

        upstream.reply = reply
        async with (
            served(bring_your_own_key=brings) as url,
            httpx2.AsyncClient(headers={"x-api-key": "callers-key"}) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
        ):
            for tool in ("web_answer", "deep_research"):
                assert (await client.call_tool(tool, {"question": "Why?"})).is_error
        assert upstream.received
        assert not elsewhere.received


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "URL/schema.json"}}},
        {"type": "object", "$ref": "URL/schema.json"},
        {"$schema": "URL/dialect.json", "type": "object", "properties": {"a": {"type": "string"}}},
        {"$id": "URL/base.json", "type": "object", "properties": {"a": {"$ref": "other.json"}}},
        {"type": "object", "properties": {"a": {"$dynamicRef": "URL/schema.json#a"}}},
    ],
)
async def test_a_callers_schema_has_nothing_fetched(served: Serve, upstream: Upstream, schema: dict[str, Any]) -> None:
    async with upstream_running() as elsewhere:

        def placed(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: placed(inner) for name, inner in value.items()}
            return value.replace("URL", elsewhere.url) if isinstance(value, str) else value

        async with served() as url, Client(f"{url}/mcp") as client:
            await client.call_tool("web_answer", {"question": "Why?", "output_schema": placed(schema)})
        assert not elsewhere.received
