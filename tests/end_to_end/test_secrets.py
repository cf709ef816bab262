"""Keys, tokens and passwords are planted wherever one can be given, and searched for wherever one could leak.

Questions are searched for, too: they belong in results and rows, and in no log, span or process title.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import httpx2
import pytest
import redis as library
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from parallel_mcp.cli.logs import Discreet
from parallel_mcp.settings import Settings, SettingsError, read, variable
from tests.support.processes import Serve, process
from tests.support.redis_server import redis_running
from tests.support.telescope import Telescope
from tests.support.upstream import Received, Upstream, answered

pytestmark = pytest.mark.anyio

KEY = "sk-planted-key-4f81"
TOKEN = "tok-planted-ann-93c2"
WRONG = "tok-planted-wrong-77aa"
BROUGHT = "sk-planted-brought-5d0e"
REDIS = "planted-redis-password-1b"
PROXY = "planted-proxy-password-2c"
BASE = "planted-base-password-3d"
OTLP = "planted-otlp-header-4e"
SECRETS = (KEY, TOKEN, WRONG, BROUGHT, REDIS, PROXY, BASE, OTLP)
QUESTION = "Which planted quokka wrote the sonnet?"
QUOTED = "planted quokka"
# Each logs what the next one does, and more.
LEVELS = ("DEBUG", "WARNING")
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def clear_of_secrets(what: str, found: str | bytes) -> None:
    """Fail, naming the place, if it contains one of them in any encoding."""
    raw = found if isinstance(found, bytes) else found.encode("utf-8", "surrogatepass")
    for secret in SECRETS:
        for spelling in (secret, quote(secret, safe=""), secret[::-1], secret.encode().hex(), json.dumps(secret)[1:-1]):
            assert spelling.encode() not in raw, f"{secret} in {what}: {_around(raw, spelling.encode())!r}"


def clear_of_questions(what: str, found: str | bytes) -> None:
    raw = found if isinstance(found, bytes) else found.encode("utf-8", "surrogatepass")
    assert QUOTED.encode() not in raw, f"a question in {what}: {_around(raw, QUOTED.encode())!r}"


def _around(raw: bytes, found: bytes) -> bytes:
    at = raw.index(found)
    return raw[max(at - 300, 0) : at + 100]


# Everything that upstream may do, always repeating the key and the question it received.


def _repeating(received: Received) -> str:
    return f"{received.headers.get('authorization')} {received.question}" if received.body else "nothing"


class Broken:
    """A response that breaks off in the middle of a chunk."""

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"999")]})
        await send({"type": "http.response.body", "body": b'{"choices": [', "more_body": True})


FAULTS: dict[str, Any] = {
    "answer": answered,
    **{
        str(status): (
            lambda received, status=status: JSONResponse(
                {"error": {"message": _repeating(received), "ref_id": "r"}}, status, {"retry-after": "0"}
            )
        )
        for status in (400, 401, 402, 403, 404, 408, 422, 429, 500, 503)
    },
    "html": lambda received: HTMLResponse(f"<h1>{_repeating(received)}</h1>", 502),
    "no json": lambda received: Response(_repeating(received), media_type="application/json"),
    "no choices": lambda received: JSONResponse({"said": _repeating(received)}),
    "wrong types": lambda received: JSONResponse({"choices": [{"message": {"content": {"a": _repeating(received)}}}]}),
    "redirect": lambda received: Response(status_code=307, headers={"location": "http://127.0.0.1:1/elsewhere"}),
    "broken": lambda received: Broken(),
}


def _faulty(upstream: Upstream, fault: str) -> None:
    async def reply(received: Received) -> Any:
        return FAULTS[fault](received)

    upstream.reply = reply


async def _everything(client: Client, upstream: Upstream) -> str:
    """Take every path through the server. Returns every text that came out of it."""
    said: list[str] = []

    async def note(tool: str, **arguments: Any) -> None:
        try:
            said.append((await client.call_tool(tool, arguments)).model_dump_json())
        except MCPError as error:
            said.append(f"{error!r} {error.error.model_dump_json()}")

    for fault in FAULTS:
        _faulty(upstream, fault)
        await note("web_answer", question=f"{QUESTION} {fault}")
        await note("deep_research", question=f"{QUESTION} {fault}", model="lite")
    await note("web_answer", question=QUESTION, nonsense=QUESTION)
    await note("web_answer", question={"a": QUESTION})
    await note("web_answer", question=QUESTION, output_schema={"type": "object", "pattern": "(" * 50})
    await note("web_answer", question=QUESTION * 2000)
    await note("deep_research", question=QUESTION, research_id="0" * 24)
    await note("deep_research", research_id="0" * 24, cancel=True)
    await note("nonsense", question="no such tool")
    for uri in ("research://", "research://?before=nobody", "research://nobody/md", "research://nobody/json", "no://"):
        try:
            said.append((await client.read_resource(uri)).model_dump_json())
        except MCPError as error:
            said.append(repr(error))
    return "\n".join(said)


@asynccontextmanager
async def connected(url: str, **headers: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


def _log(caplog: pytest.LogCaptureFixture) -> str:
    """What the server's own handler would write for every logger, at the level that the test has set."""
    form = Discreet("%(levelname)s %(name)s: %(message)s")
    ours = [
        record for record in caplog.records if record.levelno >= logging.WARNING or record.name[:12] == "parallel_mcp"
    ]
    return "\n".join(form.format(record) for record in ours)


@pytest.mark.parametrize("mode", ["own key", "tokens", "brought"])
@pytest.mark.parametrize("kept", ["sqlite", "redis"])
async def test_in_this_process_nothing_planted_comes_out(
    served: Serve,
    upstream: Upstream,
    telescope: Telescope,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    mode: str,
    kept: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    settings: dict[str, Any] = {"api_key": KEY, "requests_per_minute": 10_000, "log_level": "DEBUG"}
    headers = {}
    if mode == "tokens":
        settings |= {"access_tokens": f"ann:{TOKEN}"}
        headers = {"authorization": f"Bearer {TOKEN}"}
    elif mode == "brought":
        settings |= {"bring_your_own_key": True}
        headers = {"x-api-key": BROUGHT}
    with _store(kept, tmp_path) as store:
        async with served(**settings, store=store) as url:
            async with connected(f"{url}/mcp", **headers) as client:
                clear_of_secrets("a result", await _everything(client, upstream))
            async with httpx2.AsyncClient() as http:
                for sent in ({"x-api-key": WRONG}, {"x-api-key": WRONG, "authorization": f"Bearer {KEY}"}):
                    for path in ("/mcp", "/healthz", f"/{WRONG}"):
                        response = await http.post(f"{url}{path}", headers=sent, content=QUESTION)
                        clear_of_secrets("a refusal", response.text + str(response.headers))
        _kept_nothing_planted(store, tmp_path)
    clear_of_secrets("a span", telescope.everything())
    clear_of_questions("a span", telescope.everything())
    clear_of_secrets("the log", _log(caplog))
    clear_of_questions("the log", _log(caplog))
    assert telescope.spans("chat speed")


@contextmanager
def _store(kept: str, folder: Path) -> Iterator[str]:
    """The URL of a store. Redis's contains a password."""
    if kept == "sqlite":
        yield str(folder / "research.sqlite3")
        return
    with redis_running() as server:
        with library.Redis(port=server.port) as client:
            client.config_set("requirepass", REDIS)
        yield f"redis://:{REDIS}@127.0.0.1:{server.port}"


def _kept_nothing_planted(store: str, folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    for file in files:
        clear_of_secrets(file.name, file.read_bytes())
    if not store.startswith("redis:"):
        assert any(QUOTED.encode() in file.read_bytes() for file in files)
        return
    with library.Redis.from_url(store) as client:
        values = [(name, client.dump(name) or b"", _readable(client, name)) for name in client.scan_iter("*")]
    for name, dump, value in values:
        clear_of_secrets("Redis", name + dump)
        clear_of_secrets("Redis", repr(value))
    assert any(QUOTED in repr(value) for _, _, value in values)


def _readable(client: library.Redis, name: bytes) -> Any:
    """A value that DUMP may have compressed."""
    kind = client.type(name)
    if kind == b"hash":
        return client.hgetall(name)
    if kind == b"zset":
        return client.zrange(name, 0, -1)
    if kind == b"list":
        return client.lrange(name, 0, -1)
    if kind == b"set":
        return client.smembers(name)
    return client.get(name)


# Real processes


def _planted(upstream: Upstream, folder: Path, level: str, **more: str) -> dict[str, str]:
    return {
        "PARALLEL_API_KEY": KEY,
        "PARALLEL_BASE_URL": upstream.url,
        "PARALLEL_MCP_STORE": str(folder / "research.sqlite3"),
        "PARALLEL_MCP_LOG_LEVEL": level,
        "HTTPS_PROXY": f"http://user:{PROXY}@127.0.0.1:1",
        "NO_PROXY": "127.0.0.1",
        "OTEL_TRACES_EXPORTER": "console, otlp",
        "OTEL_METRICS_EXPORTER": "console",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:{OTLP}@127.0.0.1:1",
        # Not encoded as the SDK expects, which it logs.
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization Bearer {OTLP}",
        "HOME": str(folder),
        **more,
    }


def _titles(running: anyio.abc.Process) -> bytes:
    return Path(f"/proc/{running.pid}/cmdline").read_bytes() + Path(f"/proc/{running.pid}/comm").read_bytes()


async def _heard(stream: Any) -> bytes:
    with anyio.fail_after(60):
        return b"".join([part async for part in stream])


@pytest.mark.parametrize("level", LEVELS)
async def test_the_stdio_server_lets_nothing_planted_out(upstream: Upstream, tmp_path: Path, level: str) -> None:
    if level == "DEBUG":
        (tmp_path / "key").write_text(KEY)  # before anything runs
    environment = _planted(upstream, tmp_path / "kept", level)
    if level == "DEBUG":
        del environment["PARALLEL_API_KEY"]
        environment["PARALLEL_API_KEY_FILE"] = str(tmp_path / "key")
    # Read the process's output while it works, because a full pipe would block it.
    said: dict[str, bytes] = {}
    # Without a front, which would exit at once with its stderr. The last output is needed here.
    async with process("--no-front", **environment) as running, anyio.create_task_group() as group:

        async def hear(name: str, stream: Any) -> None:
            said[name] = await _heard(stream)

        group.start_soon(hear, "stderr", running.stderr)
        assert running.stdin is not None
        assert running.stdout is not None
        heard = b""

        async def call(number: int, message: Any) -> None:
            nonlocal heard
            assert running.stdin is not None
            assert running.stdout is not None
            line = json.dumps(message) if not isinstance(message, str) else message
            await running.stdin.send(line.encode() + b"\n")
            with anyio.fail_after(60):
                while not re.search(rb'"id":\s?%d\b' % number, heard):
                    heard += await running.stdout.receive()

        await call(1, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
        clear_of_secrets("the process's title", _titles(running))
        number = 1
        for fault in FAULTS:
            _faulty(upstream, fault)
            for tool in ("web_answer", "deep_research"):
                number += 1
                given = {"name": tool, "arguments": {"question": f"{QUESTION} {fault}"}}
                await call(number, {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": given})
        for params in ({"name": QUESTION}, {"name": "web_answer", "arguments": QUESTION}, {"arguments": QUESTION}):
            number += 1
            await call(number, {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
        await running.stdin.send(f"{QUESTION} is no JSON\n".encode())
        await running.stdin.send(
            json.dumps({"jsonrpc": "2.0", "method": "no/such", "params": [QUESTION]}).encode() + b"\n"
        )
        number += 1
        await call(number, {"jsonrpc": "2.0", "id": number, "method": "ping"})
        await running.stdin.aclose()
        heard += await _heard(running.stdout)
        with anyio.fail_after(10):
            await running.wait()
    clear_of_secrets("stdout", heard)
    clear_of_secrets("stderr", said["stderr"])
    clear_of_questions("stderr", said["stderr"])
    assert b'"name": "chat speed"' in said["stderr"]
    for file in (tmp_path / "kept").rglob("*"):
        if file.is_file():
            clear_of_secrets(file.name, file.read_bytes())


@pytest.mark.parametrize(("mode", "level"), [("tokens", "DEBUG"), ("brought", "WARNING"), ("brought", "DEBUG")])
async def test_the_http_server_lets_nothing_planted_out(
    upstream: Upstream, tmp_path: Path, level: str, mode: str
) -> None:
    more = {"PARALLEL_MCP_REQUESTS_PER_MINUTE": "10000"}
    if mode == "tokens":
        (tmp_path / "tokens").write_text(f"ann:{TOKEN}")  # before anything runs
        more |= {"PARALLEL_MCP_ACCESS_TOKENS_FILE": str(tmp_path / "tokens")}
    else:
        more |= {"PARALLEL_MCP_BRING_YOUR_OWN_KEY": "true"}
    headers = {"authorization": f"Bearer {TOKEN if mode == 'tokens' else BROUGHT}"}
    said = b""
    environment = _planted(upstream, tmp_path / "kept", level, **more)
    async with process("http", "--port", "0", **environment) as running, anyio.create_task_group() as group:
        assert running.stderr is not None
        with anyio.fail_after(30):
            while b"/mcp" not in said:
                said += await running.stderr.receive()
        url = re.search(r"http://\S+", said.decode())
        assert url is not None
        later: list[bytes] = []

        async def hear() -> None:
            later.append(await _heard(running.stderr))

        group.start_soon(hear)
        async with connected(url[0], **headers) as client:
            clear_of_secrets("a result", await _everything(client, upstream))
        clear_of_secrets("the process's title", _titles(running))
        async with httpx2.AsyncClient() as http:
            for odd in (b"{", QUESTION.encode(), b'{"jsonrpc": "2.0", "id": 1, "method": 7}', b"\xff"):
                for wrong in (
                    headers,
                    {"x-api-key": WRONG},
                    {**headers, "x-api-key": WRONG},
                    {"origin": "http://evil"},
                ):
                    kind = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
                    response = await http.post(url[0], content=odd, headers={**kind, **wrong})
                    clear_of_secrets("a refusal", response.text + str(response.headers))
        running.terminate()
        with anyio.fail_after(20):
            await running.wait()
    stderr = said + b"".join(later)
    clear_of_secrets("stderr", stderr)
    clear_of_questions("stderr", stderr)
    for file in (tmp_path / "kept").rglob("*"):
        if file.is_file():
            clear_of_secrets(file.name, file.read_bytes())


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["answer", "Why?"], {}),
        (["answer", "Why?", "--json"], {"PARALLEL_BASE_URL": "https://127.0.0.2:1"}),
        (["answer", "Why?"], {"PARALLEL_BASE_URL": "https://parallel.invalid"}),
        (["answer", "Why?"], {"PARALLEL_BASE_URL": f"https://user:{BASE}@parallel.invalid"}),
        (["answer", "Why?"], {"PARALLEL_BASE_URL": f"https://parallel.invalid/?key={BASE}"}),
        (["answer", "Why?"], {"PARALLEL_API_KEY": f"{KEY} \x07"}),
        (["answer", "Why?"], {"PARALLEL_API_KEY": "", "PARALLEL_API_KEY_FILE": f"/nowhere/{KEY}"}),
        (["research", "Why?"], {"PARALLEL_MCP_STORE": f"redis://user:{REDIS}@127.0.0.1:1"}),
        (["research", "Why?"], {"PARALLEL_MCP_STORE": f"redis://user:{REDIS}@127.0.0.1:port"}),
        (["history"], {"PARALLEL_MCP_STORE": f"rediss://user:{REDIS}@127.0.0.1:1/none"}),
        (["doctor"], {}),
        (["doctor"], {"PARALLEL_BASE_URL": "https://parallel.invalid"}),
        (["doctor"], {"PARALLEL_MCP_STORE": f"redis://user:{REDIS}@127.0.0.1:1"}),
        (["http", "--host", "0.0.0.0"], {}),
        (["http", "--port", "99999"], {"PARALLEL_MCP_ACCESS_TOKENS": f"{TOKEN}"}),
        (["http"], {"PARALLEL_MCP_ACCESS_TOKENS": f"a:{TOKEN}, a:{WRONG}"}),
        (["http"], {"PARALLEL_MCP_ACCESS_TOKENS": f"a:{TOKEN} \u00e4"}),
        (["http"], {"PARALLEL_MCP_ACCESS_TOKENS": f"a:{TOKEN}", "PARALLEL_MCP_BRING_YOUR_OWN_KEY": "true"}),
        (["--help"], {}),
        (["no-such-command"], {}),
    ],
)
async def test_no_command_lets_anything_planted_out(
    upstream: Upstream, tmp_path: Path, arguments: list[str], more: dict[str, str]
) -> None:
    environment = _planted(upstream, tmp_path, "DEBUG", **more)
    command = [sys.executable, "-m", "parallel_mcp", *arguments]
    with anyio.fail_after(60):
        done = await anyio.run_process(command, env=environment, check=False)
    clear_of_secrets("the output", done.stdout + done.stderr)
    assert b"Traceback" not in done.stderr


async def test_a_crash_is_told_without_the_words_of_what_was_raised(upstream: Upstream, tmp_path: Path) -> None:
    """Tracebacks of Python and of loggers end in the exception's message, which may quote anything."""
    script = (
        "import parallel_mcp.cli as cli\n"
        "import parallel_mcp.cli.history as history\n"
        f"def crash(*_): raise RuntimeError({KEY!r} + {QUESTION!r}) from ValueError({KEY!r})\n"
        "history._print_list = crash\n"
        "cli.main(['history'])"
    )
    with anyio.fail_after(60):
        command = [sys.executable, "-c", script]
        done = await anyio.run_process(command, env=_planted(upstream, tmp_path, "DEBUG"), check=False)
    assert done.returncode == 1
    clear_of_secrets("a crash", done.stderr)
    clear_of_questions("a crash", done.stderr)
    assert b"ValueError" in done.stderr
    assert b"RuntimeError" in done.stderr
    assert b"history.py" in done.stderr


# Texts of exceptions, and the settings


@pytest.mark.parametrize("name", ["api_key", "access_tokens", "base_url", "store", "port", "host", "max_model"])
def test_no_settings_error_and_no_picture_of_the_settings_shows_a_value(name: str) -> None:
    wrong = {
        "api_key": f"{KEY} x",
        "access_tokens": TOKEN,
        "base_url": f"https://u:{BASE}@h",
        "store": f"redis://:{REDIS}@h",
        "port": KEY,
        "host": KEY + "\x00",
        "max_model": KEY,
    }
    try:
        settings, _ = read({variable(name): wrong[name]})
    except SettingsError as error:
        clear_of_secrets("an error", "".join(traceback.format_exception(error)) + repr(error))
    else:
        if name in ("store", "api_key", "access_tokens"):
            clear_of_secrets("the settings", repr(settings) + str(settings))


def test_the_settings_show_no_secret() -> None:
    settings = Settings(api_key=KEY, access_tokens=f"ann:{TOKEN}", store=f"redis://:{REDIS}@h")
    clear_of_secrets("the settings", f"{settings!r} {settings}")


def test_a_logged_exception_shows_where_and_what_and_not_its_words() -> None:
    try:
        try:
            raise ValueError(KEY)
        except ValueError as error:
            raise ExceptionGroup(KEY, [RuntimeError(QUESTION)]) from error
    except ExceptionGroup:
        on_progress = Discreet().formatException(sys.exc_info())
    clear_of_secrets("a traceback", on_progress.replace("test_secrets", ""))
    assert "ExceptionGroup" in on_progress
    assert "RuntimeError" in on_progress
