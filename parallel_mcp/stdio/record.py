"""`python -m parallel_mcp.stdio.record` writes `snapshot.json`: the server's answers to what every client asks.

It has the server's own bytes for each combination of the settings in the snapshot's key and each protocol version.
"""

import itertools
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

from parallel_mcp.compat.lowlevel import lowlevel
from parallel_mcp.server import NAME, Server, build
from parallel_mcp.settings import Settings, stdio_flags
from parallel_mcp.stdio.snapshot import FILE, HANDSHAKES, KEY, LISTS, MODERN
from parallel_mcp.stdio.wire import Item, encoded

CLIENT = {"name": "snapshot", "version": "0"}
_HEAD = b'{"jsonrpc":"2.0","id":0,'


def combinations() -> Iterator[tuple[str, ...]]:
    """Every valid combination of the key's values."""
    for values in itertools.product(*KEY.values()):
        try:
            Settings.model_validate(chosen(values))
        except ValidationError:
            continue
        yield values


def chosen(values: tuple[str, ...]) -> dict[str, str]:
    """The settings of a combination, without those that are not set."""
    return {name: value for name, value in zip(KEY, values, strict=True) if value}


def dialogues() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """For each protocol version, the messages of a client that asks for everything. Every request has the id 0."""
    for handshake in HANDSHAKES:
        hello = {"protocolVersion": handshake, "capabilities": {}, "clientInfo": CLIENT}
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        lists = [_request(method, {}) for method in LISTS]
        yield handshake, [_request("initialize", hello), initialized, *lists]
    for modern in MODERN:
        prefix = "io.modelcontextprotocol/"
        meta = {prefix + "protocolVersion": modern, prefix + "clientCapabilities": {}, prefix + "clientInfo": CLIENT}
        # Discovery comes last, because it does not decide the era.
        yield modern, [_request(method, {"_meta": meta}) for method in (*LISTS, "server/discover")]


def _request(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 0, "method": method, "params": params}


async def recorded() -> dict[str, Any]:
    """The content of the file."""
    found: dict[str, dict[str, int]] = {}
    texts: dict[str, int] = {}
    for values in combinations():
        said = await answers(Settings.model_validate({**chosen(values), "store": "memory:"}))
        for asked, text in said.items():
            found.setdefault(asked, {})[",".join(values)] = texts.setdefault(text, len(texts))
    # If all combinations have the same answer, only its index is kept.
    indexes = {asked: by if len(set(by.values())) > 1 else next(iter(by.values())) for asked, by in found.items()}
    return {"version": version(NAME), "flags": stdio_flags(), "answers": indexes, "texts": list(texts)}


async def answers(settings: Settings) -> dict[str, str]:
    """The answer to each method of each protocol version: the line after its id."""
    server = build(settings)
    said: dict[str, str] = {}
    for protocol, messages in dialogues():
        for method, line in await _exchanged(server, messages):
            said[f"{method} {protocol}"] = line.removeprefix(_HEAD).decode().rstrip("\n")
    return said


async def _exchanged(server: Server, messages: list[dict[str, Any]]) -> list[tuple[str, bytes]]:
    low = lowlevel(server)
    send, read = anyio.create_memory_object_stream[Item](len(messages))
    write, answered = anyio.create_memory_object_stream[SessionMessage](len(messages))
    lines: list[tuple[str, bytes]] = []
    async with low.lifespan(low) as app, anyio.create_task_group() as serving:
        serving.start_soon(lambda: serve_dual_era_loop(low, read, write, lifespan_state=app))
        for message in messages:
            await send.send(SessionMessage(jsonrpc_message_adapter.validate_python(message)))
            if "id" in message:
                lines.append((message["method"], encoded((await answered.receive()).message)))
        send.close()
    answered.close()
    return lines


def text(content: dict[str, Any]) -> str:
    """The file's text, with a line per answer, so that a diff is readable."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    Path(FILE).write_text(text(anyio.run(recorded)), "utf-8")
