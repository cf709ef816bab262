"""A local OpenAI-compatible endpoint whose model is a function of the conversation.

It serves Chat Completions and Responses, streamed or not, because agent frameworks differ in which they use.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class ToolSpec:
    """A tool as the model sees it."""

    name: str
    description: str
    parameters: JsonObject


@dataclass(frozen=True)
class Said:
    """One message: from the user, from the model, or a tool's result."""

    role: Literal["user", "model", "result"]
    text: str


@dataclass(frozen=True)
class Conversation:
    """What the model sees in one request."""

    system: str
    tools: tuple[ToolSpec, ...]
    said: tuple[Said, ...]

    @property
    def results(self) -> list[str]:
        """The texts of all tool results, in order."""
        return [said.text for said in self.said if said.role == "result"]

    def tool(self, name: str) -> str:
        """The name under which the framework offers a tool; some prefix it with the server's name."""
        return next(tool.name for tool in self.tools if tool.name.endswith(name))


@dataclass(frozen=True)
class Turn:
    """Either text, or a tool call."""

    text: str = ""
    tool: str = ""
    arguments: JsonObject = field(default_factory=dict)


Model = Callable[[Conversation], Turn]


class Endpoint:
    """The app, and every conversation it has seen."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._stored: dict[str, list[JsonObject]] = {}
        self.seen: list[Conversation] = []
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/responses", self._responses, methods=["POST"]),
            ]
        )

    def _turn(self, conversation: Conversation) -> tuple[Turn, str]:
        """The turn, and an id for it."""
        self.seen.append(conversation)
        return self._model(conversation), f"{len(self.seen):04}"

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        turn, number = self._turn(_from_messages(body["messages"], body.get("tools") or []))
        whole = {"id": f"chatcmpl-{number}", "created": 1, "model": body["model"]}
        message: JsonObject = {"role": "assistant", "content": turn.text or None}
        if turn.tool:
            called = {"name": turn.tool, "arguments": json.dumps(turn.arguments)}
            message["tool_calls"] = [{"index": 0, "id": f"call_{number}", "type": "function", "function": called}]
        reason = "tool_calls" if turn.tool else "stop"
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return JSONResponse({**whole, "object": "chat.completion", "choices": [choice], "usage": usage})
        chunk = {**whole, "object": "chat.completion.chunk"}
        first = {"index": 0, "delta": message, "finish_reason": None}
        last = {"index": 0, "delta": {}, "finish_reason": reason}
        return _events({**chunk, "choices": [first]}, {**chunk, "choices": [last], "usage": usage})

    async def _responses(self, request: Request) -> Response:
        body = await request.json()
        given = body["input"]
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        items = [*self._stored.get(body.get("previous_response_id") or "", ()), *items]
        system = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
        turn, number = self._turn(_from_messages([*system, *items], body.get("tools") or []))
        output = _output(turn, number)
        self._stored[f"resp_{number}"] = [*items, output]
        whole = {
            **{"id": f"resp_{number}", "object": "response", "created_at": 1, "model": body["model"]},
            **{"status": "completed", "output": [output], "error": None, "incomplete_details": None},
            **{"instructions": None, "metadata": {}, "parallel_tool_calls": False, "temperature": None, "top_p": None},
            **{"tool_choice": "auto", "tools": [], "usage": _USAGE},
        }
        if body.get("stream"):
            return _events(*_steps(whole, output), named=True)
        return JSONResponse(whole)


_USAGE = {
    **{"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
    **{"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
}


def _from_messages(messages: list[JsonObject], tools: list[JsonObject]) -> Conversation:
    """A conversation from either API: one has roles and tool messages, the other typed items."""
    system, said = [], []
    for message in messages:
        if message.get("type") == "function_call_output":
            said.append(Said("result", _words(message["output"])))
        elif (role := message.get("role")) in ("system", "developer"):
            system.append(_words(message["content"]))
        elif role in _ROLES and (text := _words(message.get("content"))):
            said.append(Said(_ROLES[role], text))
    specs = [tool.get("function", tool) for tool in tools if tool["type"] == "function"]
    shown = tuple(ToolSpec(spec["name"], spec.get("description") or "", spec["parameters"]) for spec in specs)
    return Conversation("\n".join(system), shown, tuple(said))


_ROLES: dict[str, Literal["user", "model", "result"]] = {"user": "user", "assistant": "model", "tool": "result"}


def _words(content: Any) -> str:
    """The plain text of a string or a list of parts."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or ())


def _output(turn: Turn, number: str) -> JsonObject:
    if turn.tool:
        called = {"name": turn.tool, "arguments": json.dumps(turn.arguments)}
        return {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": f"call_{number}",
            "status": "completed",
        } | called
    part = {"type": "output_text", "text": turn.text, "annotations": []}
    return {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": [part]}


def _steps(whole: JsonObject, output: JsonObject) -> Iterator[JsonObject]:
    """The events of a streamed response."""
    at = {"output_index": 0, "item_id": output["id"]}
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    if output["type"] == "function_call":
        added = {**output, "arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": 0, "item": added}
        yield {"type": "response.function_call_arguments.delta", **at, "delta": output["arguments"]}
        done = {"arguments": output["arguments"], "name": output["name"]}
        yield {"type": "response.function_call_arguments.done", **at, **done}
    else:
        part, text = output["content"][0], output["content"][0]["text"]
        added = {**output, "content": [], "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": 0, "item": added}
        yield {"type": "response.content_part.added", **at, "content_index": 0, "part": {**part, "text": ""}}
        yield {"type": "response.output_text.delta", **at, "content_index": 0, "delta": text, "logprobs": []}
        yield {"type": "response.output_text.done", **at, "content_index": 0, "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **at, "content_index": 0, "part": part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": output}
    yield {"type": "response.completed", "response": whole}


def _events(*events: JsonObject, named: bool = False) -> Response:
    """An event stream. In Responses, events are named and numbered; in Chat Completions, they end with [DONE]."""

    async def lines() -> Any:
        for number, event in enumerate(events):
            name = f"event: {event['type']}\n" if named else ""
            data = {**event, "sequence_number": number} if named else event
            yield f"{name}data: {json.dumps(data)}\n\n"
        if not named:
            yield "data: [DONE]\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")
