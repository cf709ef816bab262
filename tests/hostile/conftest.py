"""An upstream in a thread, because the victims are asked one thing after another."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from starlette.responses import Response
from starlette.types import ASGIApp

from tests.upstream import Received, answered, chunk, completion, events, upstream_running

BAIT = "a" * 40 + "!"
"""What makes a catastrophic pattern catastrophic."""


@pytest.fixture(autouse=True, scope="package")
def deep_enough() -> Iterator[None]:
    """Room for the threads that write deep cases out: what is thrown may be too deep, not for us to throw it."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    yield
    sys.setrecursionlimit(usual)


@pytest.fixture(scope="package")
def upstream_url() -> Iterator[str]:
    """Where a Chat endpoint is that answers a schema with values which are hard on it."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(upstream_running()) as upstream:

        async def reply(received: Received) -> ASGIApp:
            upstream.received.clear()
            return _answer(received)

        upstream.reply = reply
        yield upstream.url


def _answer(received: Received) -> Response:
    schema = (received.body.get("response_format") or {}).get("json_schema", {}).get("schema", {})
    if not schema or "citations" in schema.get("properties", {}):
        return answered(received)
    content = json.dumps(_baited(schema))
    return events(chunk(content), "[DONE]") if received.body.get("stream") else _plain(content)


def _plain(content: str) -> Response:
    return Response(json.dumps(completion(content)), media_type="application/json")


def _baited(schema: dict[str, Any]) -> dict[str, Any]:
    values: list[Any] = [BAIT, {"a": BAIT, "b": [BAIT, {}]}, [[BAIT] * 3, 1, None], 7.5]
    return {name: values[number % len(values)] for number, name in enumerate(schema["properties"])}
