"""Plays the cases to a model, with the real server behind it, and judges what the model did."""

import json
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
from mcp import Client
from mcp_types import CallToolResult, TextContent, Tool
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionToolParam
from openai.types.shared_params import FunctionDefinition

from evals.gate import Gate
from parallel_mcp import sandbox
from parallel_mcp.sandbox import Fault, SandboxOptions
from parallel_mcp.server import build
from parallel_mcp.settings import Settings

Channel = Literal["text", "structured"]
MOST_CALLS = 8


@dataclass(frozen=True)
class Expected:
    """The expected outcome of one turn; `cases.toml` explains the fields."""

    user: str
    tool: str
    calls_at_most: int = MOST_CALLS
    has: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict)
    follows_up: bool = False
    same_run: bool = False
    continues: bool = False
    quotes: bool = False
    says: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """One conversation; `cases.toml` explains the fields."""

    name: str
    turns: list[Expected]
    holds: bool = False
    fault: str | None = None
    described: bool = True


@dataclass(frozen=True)
class Call:
    """One call by the model, and its result."""

    tool: str
    arguments: dict[str, Any]
    result: CallToolResult

    @property
    def structure(self) -> dict[str, Any]:
        return dict(self.result.structured_content or {})

    @property
    def answer(self) -> dict[str, Any]:
        """The answer itself; in a research run's result it is nested."""
        return dict(self.structure.get("answer") or {} if "research_id" in self.structure else self.structure)


@dataclass(frozen=True)
class Done:
    """The model's calls in one turn, and its reply."""

    calls: list[Call]
    words: str


def cases() -> list[Case]:
    """All cases, in the file's order."""
    table = tomllib.loads((Path(__file__).parent / "cases.toml").read_text("utf-8"))
    found = []
    for name, row in table.items():
        turns = [Expected(**turn) for turn in row.pop("turn")]
        found.append(Case(name, turns, **row))
    return found


@asynccontextmanager
async def _server(case: Case) -> AsyncIterator[tuple[Client, Gate]]:
    """The server, with the sandbox behind it."""
    faults = (Fault(case.fault, 1.0),) if case.fault else ()
    async with AsyncExitStack() as stack:
        documents = await stack.enter_async_context(
            sandbox.running(SandboxOptions(requests_per_minute=0, faults=faults))
        )
        gate = Gate(documents)
        url = await stack.enter_async_context(sandbox.serving(gate.app()))
        settings = Settings(api_key="sandbox-key", base_url=url, store="memory:", wait_seconds=0.5)
        yield await stack.enter_async_context(Client(build(settings))), gate


async def play(case: Case, model: AsyncOpenAI, name: str, channel: Channel) -> list[Done]:
    """Play a case, and return what the model did in each turn."""
    async with _server(case) as (server, gate):
        tools = [_offered(tool, case.described) for tool in (await server.list_tools()).tools]
        messages: list[Any] = [{"role": "system", "content": server.instructions}]
        done = []
        for turn in case.turns:
            messages.append({"role": "user", "content": turn.user})
            calls: list[Call] = []
            while True:
                reply = await model.chat.completions.create(model=name, messages=messages, tools=tools)
                message = reply.choices[0].message
                messages.append(message.to_dict())
                if not message.tool_calls or len(calls) >= MOST_CALLS:
                    break
                for called in message.tool_calls:
                    assert called.type == "function"
                    arguments = json.loads(called.function.arguments)
                    result = await server.call_tool(called.function.name, arguments)
                    calls.append(Call(called.function.name, arguments, result))
                    text = shown(result, channel)
                    messages.append({"role": "tool", "tool_call_id": called.id, "content": text})
                    if calls[-1].structure.get("status") == "working" and not case.holds:
                        gate.open.set()
                        await _finished(server, calls[-1].structure["research_id"])
            done.append(Done(calls, message.content or ""))
        gate.open.set()
        await anyio.lowlevel.checkpoint()
        return done


async def _finished(server: Client, research_id: str) -> None:
    """Wait until a run has ended, by reading it, so that the machine's speed does not count against the model."""
    while True:
        (content,) = (await server.read_resource(f"research://{research_id}/json")).contents
        if json.loads(getattr(content, "text", ""))["status"] != "working":
            return
        await anyio.sleep(0.05)


def _offered(tool: Tool, described: bool) -> ChatCompletionToolParam:
    function: FunctionDefinition = {"name": tool.name, "parameters": tool.input_schema}
    if described:
        function["description"] = tool.description or ""
    return {"type": "function", "function": function}


def shown(result: CallToolResult, channel: Channel) -> str:
    """What the model sees of a result in a host that passes on this channel; an error has only text."""
    if channel == "structured" and result.structured_content is not None:
        return json.dumps(result.structured_content)
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def judged(case: Case, done: list[Done]) -> dict[str, bool]:
    """Every claim of the case, and whether it holds."""
    claims: dict[str, bool] = {}
    earlier: list[Call] = []
    for number, (turn, did) in enumerate(zip(case.turns, done, strict=True), 1):
        for claim, holds in _claims(turn, did, earlier).items():
            claims[f"{case.name}, turn {number}: {claim}"] = holds
        earlier += did.calls
    return claims


def _claims(turn: Expected, did: Done, earlier: list[Call]) -> dict[str, bool]:
    first = did.calls[0].arguments if did.calls else {}
    called = did.calls[0].tool if did.calls else ""
    claims = {
        f"calls {turn.tool or 'nothing'} first": called == turn.tool,
        f"takes at most {turn.calls_at_most} calls": len(did.calls) <= turn.calls_at_most,
        **{f"gives {name}": first.get(name) is not None for name in turn.has},
        **{f"does not give {name}": not first.get(name) for name in turn.lacks},
        **{f"gives {name}={value}": first.get(name) == value for name, value in turn.arguments.items()},
        **{f"says {words}": words in did.words for words in turn.says},
    }
    if turn.follows_up:
        before = [call.answer["interaction_id"] for call in earlier if call.answer]
        claims["continues from the last answer"] = bool(before) and first.get("follow_up_to") == before[-1]
    if turn.same_run:
        runs = [call.structure["research_id"] for call in earlier if "research_id" in call.structure]
        claims["names the last research run"] = bool(runs) and first.get("research_id") == runs[-1]
    if turn.continues:
        claims["continues a run by its id alone"] = _continued(did.calls)
    if turn.quotes:
        claims["quotes a source by number and URL"] = _quoted(did)
    return claims


def _continued(calls: list[Call]) -> bool:
    """A call returned "working", each such call was followed by one with only its id, and the last gave the answer."""
    working = [call for call in calls[:-1] if call.structure.get("status") == "working"]
    by_id = [{"research_id": call.structure["research_id"]} for call in working]
    follow = [{name: value for name, value in call.arguments.items() if value} for call in calls[1:]]
    return bool(working) and follow == by_id and bool(calls[-1].answer)


def _quoted(did: Done) -> bool:
    citations = did.calls[-1].answer.get("citations", []) if did.calls else []
    return any(f"[{one['number']}]" in did.words and one["url"] in did.words for one in citations)
