"""The cost for a normal call of each limit against attackers: python -m benchmarks.hardening [--write PAGE]

Each limit is exercised as in one normal call, alternating with and without it: the CPU of this process and its worker,
the minimum of several rounds. A pure addition has nothing to compare with. Also shown is its share of a complete call
over HTTP to the server as a process, measured in the same run.
"""

import argparse
import asyncio
import itertools
import json
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import SecretStr
from uvicorn.protocols.http.h11_impl import H11Protocol

from benchmarks.beside import measures, page, table
from benchmarks.beside.__main__ import upstream
from benchmarks.beside.connection import Posts, running
from benchmarks.beside.table import HERE
from parallel_mcp import chat, schemas
from parallel_mcp.cli.logs import Discreet, RateLimit
from parallel_mcp.client import understanding
from parallel_mcp.client.pacing import LocalWindow, Pacing
from parallel_mcp.compat import messages
from parallel_mcp.http.callers import AuthMiddleware
from parallel_mcp.http.connections import bounded
from parallel_mcp.models import Answer, Model, Question
from parallel_mcp.research import NewRun, Outcome, Principal, Scope, interactions, join_key
from parallel_mcp.settings import Settings
from parallel_mcp.stores import sqlite
from parallel_mcp.stores.private_file import make_private
from parallel_mcp.stores.sqlite import SQLiteStore
from parallel_mcp.text import clean

Call = Callable[[], Awaitable[object]]

ROUNDS = 15
SCOPE = Scope("ann", "payer", "https://api.example")
TOKEN = "0123456789abcdef0123456789abcdef"
WORDS = "The figures for this year are a third above those of the last. " * 64
SCHEMA = {
    "type": "object",
    "properties": {"figure": {"type": "string"}, "years": {"type": "array", "items": {"type": "integer"}}},
    "required": ["figure"],
}
BODY = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "web_answer", "arguments": {"question": "x"}},
    }
).encode()


@dataclass(frozen=True)
class Bound:
    """What a call does for it, and what it would do otherwise, or None if nothing."""

    name: str
    bounded: Call
    otherwise: Call | None = None
    calls: int = 500


def _called(work: Callable[[], object]) -> Call:
    async def call() -> object:
        return work()

    return call


def _cpu_ns() -> int:
    """The CPU of this process and of its worker, which is idle now."""
    lists = Path("/proc/self/task").glob("*/children")
    workers = [Path("/proc", pid, "schedstat") for file in lists for pid in file.read_text("utf-8").split()]
    return time.process_time_ns() + sum(int(file.read_text("utf-8").split()[0]) for file in workers)


async def _least_us(calls: Iterator[tuple[str, Call]], number: int) -> dict[str, float]:
    """Microseconds of CPU per call, by name. They take turns."""
    todo = list(calls)
    least = dict.fromkeys((name for name, _ in todo), float("inf"))
    for _ in range(ROUNDS):
        for name, call in todo:
            began = _cpu_ns()
            for _ in range(number):
                await call()
            least[name] = min(least[name], (_cpu_ns() - began) / number / 1000)
    return least


def _turns() -> Bound:
    pacing, window = Pacing(10**9), LocalWindow()
    turn = lambda: pacing.turn("payer", "ann", lambda _: None, None)  # noqa: E731
    return Bound("turns among the callers of a payer", turn, _called(lambda: window.take("payer", 10**9, 0)))


async def _rows(folder: Path, in_flight: int) -> Bound:
    stores = [SQLiteStore(folder / f"{name}-{in_flight}.sqlite3") for name in ("with", "without")]
    check, answer = sqlite._check_working, _answer()
    numbers = itertools.count()

    def new() -> NewRun:
        question = Question(text=f"matter {next(numbers)}", model=Model.BASE)
        key = join_key(SCOPE, question)
        return NewRun(SCOPE, key, question, "one", price_usd=0.01, budget_usd=None, reuse_seconds=600)

    async def run(store: SQLiteStore, checked: bool) -> None:
        sqlite._check_working = check if checked else lambda *_: None
        row, _ = await store.add_or_join(new())
        await store.finish(row.research_id, "one", Outcome(answer=answer))

    for store in stores:
        for _ in range(in_flight):
            await store.add_or_join(new())
    name = f"runs and bytes in flight of a caller, who has {in_flight:,} (deep_research)"
    return Bound(name, lambda: run(stores[0], True), lambda: run(stores[1], False), calls=150)


def _answer() -> Answer:
    reply = chat.Reply(WORDS[:2000], [], "interaction-1", whole=True)
    return chat.answer(Question(text="x", model=Model.BASE), reply, answer_citations=True, cost_usd=0.01, seconds=1.0)


def _validation() -> Bound:
    question = Question(text="x", model=Model.BASE, output_schema=SCHEMA)
    content = json.dumps({"figure": WORDS[:500], "years": [2024, 2025]})
    body = json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()

    def read() -> chat.Reading:
        reading = chat.Reading()
        reading.feed(body)
        return reading

    given: dict[str, Any] = {"answer_citations": True, "cost_usd": 0.01, "seconds": 1.0}
    return Bound(
        "a deadline for checking `data` (with output_schema)",
        lambda: understanding.understand(question, read(), broken=False, **given),
        _called(lambda: understanding._understood(question, read(), False, check=True, **given)),
        calls=60,
    )


@asynccontextmanager
async def _connections() -> AsyncIterator[Bound]:
    """A request over a kept connection, with this protocol and with uvicorn's own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    servers = [
        uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None, access_log=False, http=protocol))
        for protocol in (bounded(1000), H11Protocol)
    ]
    serving = [asyncio.create_task(server._serve()) for server in servers]
    while not all(server.started for server in servers):
        await asyncio.sleep(0.01)
    posts = [Posts(server.servers[0].sockets[0].getsockname()[1]) for server in servers]
    yield Bound(
        "a deadline for headers, a limit of connections",
        lambda: posts[0].post("/", {}),
        lambda: posts[1].post("/", {}),
        calls=200,
    )
    for post, server in zip(posts, servers, strict=True):
        await post.close()
        server.should_exit = True
    await asyncio.gather(*serving)


def _logs() -> Bound:
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handlers = [logging.StreamHandler(StringIO()) for _ in range(2)]
    handlers[0].setFormatter(Discreet(form))
    # The slowest case: it counts, and skips nothing.
    handlers[0].addFilter(RateLimit(clock=iter(range(0, 10**9, 60)).__next__))
    handlers[1].setFormatter(logging.Formatter(form))

    def written(handler: logging.Handler) -> Callable[[], object]:
        return lambda: handler.handle(
            logging.LogRecord("a", logging.WARNING, __file__, 1, "The store failed: %s", ("disk full",), None)
        )

    return Bound("a cleaned, limited log, a line", _called(written(handlers[0])), _called(written(handlers[1])))


def _callers() -> Bound:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    settings = Settings(api_key=SecretStr("k"), access_tokens={"ann": SecretStr(TOKEN), "bob": SecretStr(TOKEN[::-1])})
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True, allowed_hosts=["127.0.0.1:*"], allowed_origins=["http://127.0.0.1:*"]
    )
    checked = AuthMiddleware(app, settings, security)
    headers = {"host": "127.0.0.1:1", "content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]

    def scope() -> dict[str, Any]:
        return {"type": "http", "method": "POST", "path": "/mcp", "headers": raw, "client": ("127.0.0.1", 1)}

    return Bound(
        "Host, Origin and token",
        lambda: checked(scope(), None, None),  # type: ignore[arg-type]
        lambda: app(scope(), None, None),
    )


def _bodies() -> Bound:
    return Bound(
        "a request that can be answered, whatever its bytes",
        _called(lambda: messages._is_unanswerable(messages.repaired(BODY))),
    )


def _ids() -> Bound:
    principal, answer = Principal(SCOPE, "key"), _answer()

    def both() -> None:
        marked = interactions.given(principal, answer)
        interactions.taken(principal, Question(text="x", model=Model.BASE, follow_up_to=marked.interaction_id))

    return Bound(
        "an interaction_id signed, and one checked", _called(both), _called(lambda: answer.model_copy(update={}))
    )


def _files(folder: Path) -> Bound:
    file = folder / "private.sqlite3"
    return Bound("links and owners of the store's files, once a process", _called(lambda: make_private(file)))


async def _measured(rounds: int) -> str:
    server = table.read(HERE / "servers.toml")["ours"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with upstream() as stub, running(server, "http", stub.url, name) as here:
            whole = {
                kind: min([(await measures.one_by_one(here, kind, 60))["cpu"] for _ in range(rounds)]) * 1000
                for kind in ("answer", "research")
            }
        async with _connections() as connections:
            bounds = [
                connections,
                _callers(),
                _bodies(),
                _turns(),
                await _rows(folder, 0),
                await _rows(folder, 1000),
                Bound("lint of an output_schema", _called(lambda: schemas.lint(SCHEMA))),
                _validation(),
                Bound(f"text without escapes, {len(WORDS):,} characters", _called(lambda: clean(WORDS))),
                _ids(),
                _logs(),
                _files(folder),
            ]
            lines = [await _line(bound, whole) for bound in bounds]
    return "\n".join(
        [
            page.circumstances([server], "benchmarks.hardening"),
            "",
            f"A whole call over HTTP takes {whole['answer']:,.0f} us of CPU (web_answer), "
            f"and {whole['research']:,.0f} us (deep_research).",
            "",
            "| CPU, us | with | without | cost | of a web_answer |",
            "|---|---|---|---|---|",
            *lines,
        ]
    )


async def _line(bound: Bound, whole: dict[str, float]) -> str:
    await bound.bounded()
    both = {"with": bound.bounded, "without": bound.otherwise}
    least = await _least_us(((name, call) for name, call in both.items() if call is not None), bound.calls)
    cost = max(least["with"] - least.get("without", 0.0), 0.0)
    without = f"{least['without']:,.1f}" if "without" in least else ""
    return f"| {bound.name} | {least['with']:,.1f} | {without} | {cost:,.1f} | {cost / whole['answer']:.1%} |"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="of the whole calls")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between the page's markers")
    given = parser.parse_args()
    text = asyncio.run(_measured(given.rounds))
    print(text)
    if given.write:
        page.write(given.write, "hardening", text)


if __name__ == "__main__":
    main()
