"""A real nginx in front of our server, and calls through it, byte by byte."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import anyio
import httpx2

VERSIONS = {"modern": "2026-07-28", "legacy": "2025-11-25"}

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr crit;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {target};
            proxy_http_version 1.1;
            proxy_read_timeout {idle}s;
        }}
    }}
}}
"""


def nginx_program() -> str | None:
    """The path of nginx, which Debian keeps out of a user's PATH."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


@asynccontextmanager
async def nginx(target: str, idle_seconds: int) -> AsyncIterator[str]:
    """nginx on a free port, which gives up on a server that sends nothing for `idle_seconds`. Yields its URL."""
    program = nginx_program()
    assert program is not None
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), _free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(folder=folder, port=port, target=target, idle=idle_seconds), "utf-8"
        )
        command = [program, "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
        async with await anyio.open_process(command, stdin=None, stdout=None, stderr=subprocess.DEVNULL) as process:
            try:
                await _listening(process, port)
                yield f"http://127.0.0.1:{port}"
            finally:
                if process.returncode is None:
                    process.kill()


async def _listening(process: anyio.abc.Process, port: int) -> None:
    with anyio.fail_after(20):
        while True:
            assert process.returncode is None, "nginx did not start"
            try:
                await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
            except OSError:
                await anyio.sleep(0.05)
            else:
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class SilentCall:
    """A call of deep_research with `core`, and what has come back so far."""

    era: str
    with_token: bool
    parts: int = 0
    longest: float = 0.0
    status: int = 0
    body: bytes = b""
    broken: str | None = None

    @property
    def name(self) -> str:
        """Which of the four it is."""
        return f"{self.era}, {'with' if self.with_token else 'without'} a progress token"

    @property
    def question(self) -> str:
        """A question of its own, so that no call joins another."""
        return f"Why so silent, {self.name}?"

    async def run(self, url: str, idle_seconds: float, on_progress: Callable[[], None] = lambda: None) -> None:
        """Call `url` and take what comes. `idle_seconds` without a byte break off the call."""
        timeout = httpx2.Timeout(idle_seconds)
        try:
            async with (
                httpx2.AsyncClient(timeout=timeout) as http,
                http.stream("POST", f"{url}/mcp", content=json.dumps(self._message()), headers=self._headers()) as got,
            ):
                self.status = got.status_code
                last = anyio.current_time()
                async for part in got.aiter_raw():
                    now = anyio.current_time()
                    self.longest, last = max(self.longest, now - last), now
                    self.parts += 1
                    self.body += part
                    on_progress()
        except httpx2.HTTPError as error:
            self.broken = type(error).__name__
        on_progress()

    def result(self) -> dict[str, Any]:
        """The result, in the last event or as plain JSON."""
        assert self.broken is None, f"{self.name}: {self.broken} after {self.body[-300:]!r}"
        assert self.status == 200, f"{self.name}: HTTP {self.status}"
        events = [line[5:] for line in self.body.splitlines() if line.startswith(b"data:") and line[5:].strip()]
        return dict(json.loads((events or [self.body])[-1])["result"])

    def _headers(self) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSIONS[self.era],
        }
        modern = {"mcp-method": "tools/call", "mcp-name": "deep_research"}
        return {**headers, **modern} if self.era == "modern" else headers

    def _message(self) -> dict[str, Any]:
        meta: dict[str, Any] = {"progressToken": 1} if self.with_token else {}
        if self.era == "modern":
            meta |= {
                "io.modelcontextprotocol/protocolVersion": VERSIONS["modern"],
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "silence", "version": "1"},
            }
        arguments = {"question": self.question, "model": "core"}
        params = {"name": "deep_research", "arguments": arguments, "_meta": meta}
        return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@dataclass
class SilentCalls:
    """One call per era, with and without a progress token, all at the same time."""

    calls: list[SilentCall] = field(
        default_factory=lambda: [SilentCall(era, token) for era, token in product(VERSIONS, (True, False))]
    )
    _news: anyio.Event = field(default_factory=anyio.Event)

    async def run(self, url: str, idle_seconds: float) -> None:
        """Make them, until each has ended."""
        async with anyio.create_task_group() as group:
            for call in self.calls:
                group.start_soon(call.run, url, idle_seconds, self._tell)

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def until_each_has(self, parts: int) -> None:
        """Wait until each call has received so many pieces, or has ended without."""
        while any(call.parts < parts and call.broken is None for call in self.calls):
            await self._news.wait()
