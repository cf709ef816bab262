"""No SDK at all: what the two tools cost if JSON is passed from end to end and nothing is checked.

python benchmarks/beside/servers/bare.py [HTTP PORT]; the Chat API is at PARALLEL_BASE_URL. It is the
table's lower bound, not a server to use: no validation, no errors, no cancellation, no second era.
"""

import asyncio
import json
import os
import sys
from typing import Any
from urllib.parse import urlsplit

_SCHEMA = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
_TOOLS = [{"name": name, "inputSchema": _SCHEMA} for name in ("web_answer", "deep_research")]
_MODELS = {"web_answer": "speed", "deep_research": "base"}
_UPSTREAM = urlsplit(os.environ["PARALLEL_BASE_URL"])

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_idle: list[Streams] = []


async def _body(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """The first line and the body of one HTTP message."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = head.partition("content-length:")[2].partition("\r\n")[0].strip()
    return head.partition("\r\n")[0], await reader.readexactly(int(length or 0))


async def _ask(model: str, question: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": question}]}).encode()
    head = (
        f"POST /chat/completions HTTP/1.1\r\nhost: {_UPSTREAM.netloc}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {os.environ['PARALLEL_API_KEY']}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    opened = _idle.pop() if _idle else await asyncio.open_connection(_UPSTREAM.hostname, _UPSTREAM.port)
    opened[1].write(head.encode() + body)
    _, answer = await _body(opened[0])
    _idle.append(opened)
    return str(json.loads(answer)["choices"][0]["message"]["content"])


async def _result(message: dict[str, Any]) -> dict[str, Any]:
    match message["method"]:
        case "initialize":
            version = message["params"]["protocolVersion"]
            server = {"name": "bare", "version": "1"}
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
        case "tools/list":
            return {"tools": _TOOLS}
        case "tools/call":
            called = message["params"]
            text = await _ask(_MODELS[called["name"]], called["arguments"]["question"])
            return {"content": [{"type": "text", "text": text}]}
    return {}


async def _reply(line: bytes) -> bytes:
    message = json.loads(line)
    if "id" not in message:
        return b""
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": await _result(message)}).encode()


async def _stdio() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    out, _ = await loop.connect_write_pipe(asyncio.Protocol, sys.stdout)

    async def answer(line: bytes) -> None:
        if reply := await _reply(line):
            out.write(reply + b"\n")

    calls: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        call = loop.create_task(answer(line))
        calls.add(call)
        call.add_done_callback(calls.discard)


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            _, body = await _body(reader)
            reply = await _reply(body)
            status = "200 OK" if reply else "202 Accepted"
            head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(reply)}\r\n\r\n"
            writer.write(head.encode() + reply)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _http(port: int) -> None:
    server = await asyncio.start_server(_connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_http(int(sys.argv[1])) if len(sys.argv) > 1 else _stdio())
