"""One upstream for all compared servers: python -m benchmarks.beside.stub PORT

It implements as much of each service's API as its server needs, and answers all of them with the same text, so that no
server has more to read than another. It is plain asyncio, to use as little as possible of the machine being measured.
`POST /control` with `{"seconds": 3}` sets how long an answer takes; `POST /count` with `{"question": "..."}` returns
the number of requests for that question.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

WORDS = (
    "The service runs on three sites and keeps its records in two of them at any time. Each record is written "
    "twice before it counts, and a reader asks the nearer site first. The figures for this year are a third above "
    "those of the last, mostly because the second site was opened in May. Nobody has measured the third one yet. "
    "The operators expect the same growth for the year to come, and say that the costs grow more slowly. "
)
SOURCES: list[dict[str, Any]] = [
    {"url": f"https://example.com/report/{number}", "title": f"Report {number}", "excerpts": [WORDS[:180]]}
    for number in range(1, 9)
]
DELTAS = 20
INTERACTION = "interaction-1"


def answer(question: str) -> str:
    """What every service answers."""
    return f"On {question} this is known. {WORDS}"


def _chunk(delta: dict[str, str], **more: Any) -> str:
    choices = [{"index": 0, "delta": delta, "finish_reason": None}]
    return f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': choices, **more})}\n\n"


def _chat(body: dict[str, Any]) -> tuple[str, str, str]:
    """Parallel's Chat API: the question, the content type and the body of the answer."""
    question = body["messages"][-1]["content"]
    content = answer(question)
    if body.get("response_format", {}).get("type") == "json_schema":
        content = json.dumps({"answer": content, "citations": [source["url"] for source in SOURCES]})
    more: dict[str, Any] = {"interaction_id": INTERACTION, "basis": []}
    if body["model"] != "speed":
        more["basis"] = [{"field": "output", "reasoning": WORDS, "confidence": "high", "citations": SOURCES}]
    if not body.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": None}
        return question, "application/json", json.dumps({"choices": [choice], "created": 1, **more})
    step = -(-len(content) // DELTAS)
    deltas = [{"content": content[start : start + step]} for start in range(0, len(content), step)]
    events = [_chunk({"role": "assistant"}), *map(_chunk, deltas), _chunk({}, **more), "data: [DONE]\n\n"]
    return question, "text/event-stream", "".join(events)


def _perplexity(body: dict[str, Any]) -> tuple[str, str, str]:
    """Perplexity's Agent API. Its server always asks for a stream."""
    question = body["input"][-1]["content"]
    content = answer(question)
    found = [{"id": number, "url": source["url"]} for number, source in enumerate(SOURCES, 1)]
    step = -(-len(content) // DELTAS)
    deltas = [content[start : start + step] for start in range(0, len(content), step)]
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": content}]}
    output = [{"type": "search_results", "results": found}, message]
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "r-1"}},
        *({"type": "response.output_text.delta", "delta": delta} for delta in deltas),
        {"type": "response.completed", "response": {"id": "r-1", "status": "completed", "output": output}},
    ]
    lines = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return question, "text/event-stream", lines


def _search(body: dict[str, Any]) -> tuple[str, str, str]:
    """Exa's and Tavily's search, each of which reads its own fields. The text is spread over eight results."""
    question = body["query"]
    part = -(-len(WORDS) // len(SOURCES))
    results = []
    for number, source in enumerate(SOURCES):
        words = WORDS[number * part : (number + 1) * part]
        page = {"id": source["url"], "url": source["url"], "title": f"{source['title']} on {question}", "score": 0.9}
        results.append({**page, "content": words, "highlights": [words]})
    return question, "application/json", json.dumps({"requestId": "r-1", "query": question, "results": results})


def _tavily_research(body: dict[str, Any]) -> tuple[str, str, str]:
    """Tavily's research, started here and polled by GET every few seconds."""
    question = body["input"]
    return question, "application/json", json.dumps({"request_id": question.replace(" ", "_"), "status": "pending"})


ROUTES: dict[str, Callable[[dict[str, Any]], tuple[str, str, str]]] = {
    "/chat/completions": _chat,
    "/v1/agent": _perplexity,
    "/search": _search,
    "/research": _tavily_research,
}


class Upstream:
    """State that all connections share: how long an answer takes, and what was asked."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.seen: Counter[str] = Counter()

    def respond(self, method: str, path: str, body: bytes) -> tuple[float, str, str]:
        """The delay in seconds, the content type and the body."""
        if path == "/count":
            return 0, "application/json", json.dumps(self.seen[json.loads(body)["question"]])
        if path == "/control":
            self.seconds = json.loads(body)["seconds"]
            return 0, "application/json", "{}"
        if path.startswith("/research/"):
            question = path.removeprefix("/research/").replace("_", " ")
            return 0, "application/json", json.dumps({"status": "completed", "content": answer(question)})
        if method != "POST" or path not in ROUTES:
            return 0, "application/json", "{}"
        question, kind, text = ROUTES[path](json.loads(body))
        self.seen[question] += 1
        return self.seconds, kind, text


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive and one request at a time, like every client here."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._received = rest[length:]
        method, path, _ = lines[0].split(" ", 2)
        seconds, kind, text = self._upstream.respond(method, path.partition("?")[0], rest[:length])
        body = text.encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._send, head + body)
        else:
            self._send(head + body)

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def _serve(port: int) -> None:
    upstream = Upstream()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(upstream), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
