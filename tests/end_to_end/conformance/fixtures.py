"""The tools that the tasks scenarios call, as other names for the two tools of the real server.

`Renamed` wraps the server's own ASGI app and changes the name and arguments in a request; everything behind it is
what users run. `answer` is the Chat endpoint behind that: a question says how long its answer takes.
"""

import json
from collections.abc import Callable
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.upstream import Received, completion

Arguments = dict[str, Any]


def _research(question: str) -> tuple[str, Arguments]:
    return "deep_research", {"question": question, "model": "lite"}


FIXTURES: dict[str, Callable[[Arguments], tuple[str, Arguments]]] = {
    "greet": lambda given: ("web_answer", {"question": f"Hello, {given['name']}!"}),
    "slow_compute": lambda given: _research(f"after {given['seconds']} s {given['label']}"),
    "failing_job": lambda given: _research("refused after 1 s"),
    "protocol_error_job": lambda given: _research("refused after 1 s, differently"),
    # Nothing is confirmed here: it is a task that needs no input, whose tasks/update is acknowledged.
    "confirm_delete": lambda given: _research(f"after 1 s {given['filename']}"),
}


async def answer(received: Received) -> ASGIApp:
    """Answer with the question itself, or refuse, after the seconds that it names."""
    before, _, rest = received.question.partition("after ")
    if rest:
        await anyio.sleep(float(rest.split()[0]))
    if before == "refused ":
        return JSONResponse({"error": {"message": "This question is always refused"}}, 400)
    return JSONResponse(completion(received.question))


class Renamed:
    """An ASGI app that adds other names for the tools. `methods` are those of the requests so far."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.methods: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        request = json.loads(body)
        self.methods.append(request.get("method", ""))
        if request.get("method") == "tools/call" and request["params"]["name"] in FIXTURES:
            body, scope = _renamed(request, scope)
        await self._app(scope, _replayed(body, receive), send)


def _renamed(request: dict[str, Any], scope: Scope) -> tuple[bytes, Scope]:
    """The request with the tool's own name. A header that named another tool still does."""
    params = request["params"]
    fixture = params["name"]
    name, arguments = FIXTURES[fixture](params.get("arguments") or {})
    body = json.dumps({**request, "params": {**params, "name": name, "arguments": arguments}}).encode()
    new = {(b"mcp-name", fixture.encode()): name.encode()}
    headers = [(key, new.get((key, value), value)) for key, value in scope["headers"] if key != b"content-length"]
    return body, {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A receive function that returns the body first, then the original messages (the disconnect)."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay
