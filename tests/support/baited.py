"""An upstream in a thread, because the servers under test are asked synchronously."""

import json
from typing import Any

from starlette.responses import Response

from tests.support.upstream import Received, answered, chunk, completion, events

BAIT = "a" * 40 + "!"
"""What makes a catastrophic pattern catastrophic."""


def answer(received: Received) -> Response:
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
