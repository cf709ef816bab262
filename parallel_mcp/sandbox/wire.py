"""Response bodies: answers, complete or streamed, and errors in the shapes that the Chat API uses."""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parallel_mcp.sandbox.engine import Model
from parallel_mcp.sandbox.fields import Reply

# The statuses whose body has OpenAI's shape. All others have the one that Parallel documents.
OPENAI = frozenset({404, 405, 413, 415, 421})
FAULTS: Mapping[int, str] = {
    401: "Injected fault: the key is rejected.",
    402: "Injected fault: no credit is left.",
    403: "Injected fault: access is denied.",
    422: "Injected fault: the request is invalid.",
    429: "Injected fault: the rate limit is exceeded.",
    500: "Injected fault: internal error.",
    503: "Injected fault: the service is unavailable.",
}


class Refusal(Exception):
    """A request is answered with an error status. The text is for the caller."""

    def __init__(self, status: int, message: str, detail: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ShapedReply:
    """A reply in both forms of the wire format."""

    empty: Literal["null", "string", "absent"]
    model: Model
    reply: Reply
    interaction_id: str

    def completion(self) -> dict[str, object]:
        """The body of an unstreamed answer."""
        usage = self._empties(
            "completion_tokens", "prompt_tokens", "total_tokens", "completion_tokens_details", "prompt_tokens_details"
        )
        said = {
            "role": "assistant",
            "content": self.reply.content,
            **self._empties("tool_calls", "refusal", "audio"),
        }
        return {
            **self._empties("id", "object", "model", "service_tier", "system_fingerprint"),
            "created": int(time.time()),
            "choices": [{"index": 0, "message": said, **self._empties("finish_reason", "logprobs")}],
            **({"usage": usage} if usage else {}),
            **self._ending(),
        }

    def chunks(self) -> Iterator[dict[str, object]]:
        """The events of a stream: the role, the content in pieces, and the end with the basis."""
        created = int(time.time())
        yield self._chunk(created, {"role": "assistant", "content": ""}, {"basis": [], "interaction_id": None})
        for piece in deltas(self.reply.content, self.model):
            yield self._chunk(created, {"content": piece}, {"basis": [], "interaction_id": None})
        yield self._chunk(created, {}, self._ending())

    def _chunk(self, created: int, delta: dict[str, str], ending: dict[str, object]) -> dict[str, object]:
        kind = "chat.completion.chunk"
        return {
            **self._empties("id", "model", "service_tier", "system_fingerprint"),
            "type": kind,
            "object": kind,
            "created": created,
            "choices": [{"index": 0, "delta": delta, **self._empties("finish_reason", "logprobs")}],
            **ending,
        }

    def _ending(self) -> dict[str, object]:
        return {"basis": self.reply.basis if self.model != "speed" else [], "interaction_id": self.interaction_id}

    def _empties(self, *names: str) -> dict[str, object]:
        if self.empty == "absent":
            return {}
        return dict.fromkeys(names, None if self.empty == "null" else "")


def deltas(content: str, model: Model) -> list[str]:
    """A text in the pieces that a stream sends: words for `speed`, about three for a research model."""
    if model == "speed":
        return re.findall(r"\s*\S+\s?", content) or [content]
    size = max(200, -(-len(content) // 3))
    return [content[start : start + size] for start in range(0, len(content), size)]


class Stream:
    """Server-sent events."""

    def __init__(self, shape: ShapedReply, done: bool, pauses: tuple[float, float]) -> None:
        self._shape = shape
        self._done = done
        self._pauses = pauses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  ASGI
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        first, between = self._pauses
        for number, chunk in enumerate(self._shape.chunks()):
            if number:
                await anyio.sleep(first if number == 1 else between)
            event = b"data: " + _dump(chunk) + b"\n\n"
            await send({"type": "http.response.body", "body": event, "more_body": True})
        last = b"data: [DONE]\n\n" if self._done else b""
        await send({"type": "http.response.body", "body": last, "more_body": False})


def _dump(value: object) -> bytes:
    # Escaped to ASCII, because property names in a caller's schema may have lone surrogates, which UTF-8 cannot encode.
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON."""
    return Response(_dump(value), status_code=status, headers=dict(headers or {}), media_type="application/json")


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """The error response for a refusal, in the shape of its status."""
    message = str(refusal)
    if refusal.status in OPENAI:
        error: dict[str, object] = {"message": message, "type": "invalid_request_error", "param": None}
        body: dict[str, object] = {"error": {**error, "code": refusal.status}}
    else:
        error = {"ref_id": str(uuid.uuid4()), "message": message, "detail": refusal.detail}
        body = {"type": "error", "error": error}
    return json_response(refusal.status, body, headers)
