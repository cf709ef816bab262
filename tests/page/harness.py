"""A host of MCP Apps in Debian's Chromium: the official app bridge in the browser, our server over HTTP or a pipe."""

import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from playwright.async_api import Browser, FrameLocator, Page, async_playwright
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from parallel_mcp.http import application
from parallel_mcp.settings import Settings
from tests.support.upstream import serving

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PAGE = ROOT / "parallel_mcp" / "report" / "page"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# What a host gives a page that requests nothing, by the specification.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; media-src 'self' data:; connect-src 'none'; base-uri 'self'"
)


def missing() -> str | None:
    """What these tests need that this machine lacks."""
    if CHROMIUM is None:
        return "Chromium"
    for folder in (HERE, PAGE):
        if not (folder / "node_modules" / "esbuild").is_dir():
            return f"npm install --no-package-lock --prefix {folder.relative_to(ROOT)}"
    return None


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            await browser.close()


def bundled(entry: Path, *options: str) -> str:
    """A browser script, bundled from what npm installed beside it."""
    esbuild = next(
        folder / "node_modules" / ".bin" / "esbuild" for folder in (PAGE, HERE) if entry.is_relative_to(folder)
    )
    return subprocess.run(
        [str(esbuild), str(entry), "--bundle", "--log-level=error", *options],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


class Site:
    """The host's own pages, and the MCP server behind everything else."""

    def __init__(self, server: ASGIApp | None) -> None:
        self.server = server
        self.script = bundled(HERE / "host" / "host.js", "--format=esm")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = self._page(scope.get("path", ""))
        if page is not None:
            await page(scope, receive, send)
        elif self.server is not None:
            await self.server(scope, receive, send)
        elif scope["type"] == "http":
            await Response(status_code=404)(scope, receive, send)

    def _page(self, path: str) -> Response | None:
        if path == "/":
            return FileResponse(HERE / "host" / "index.html")
        if path == "/sandbox":
            html = (HERE / "host" / "sandbox.html").read_text("utf-8")
            return HTMLResponse(html, headers={"content-security-policy": POLICY})
        if path == "/host.js":
            return Response(self.script, media_type="text/javascript")
        return None


@dataclass
class Host:
    """A host with one page in it. `watch` has recorded what the browser did."""

    page: Page
    watch: "Watch"

    @property
    def view(self) -> FrameLocator:
        return self.page.frame_locator("#view").frame_locator("iframe")

    async def run(self, method: str, *arguments: Any) -> Any:
        script = f"(given) => host.{method}(...JSON.parse(given))"
        return await self.page.evaluate(script, json.dumps(arguments))

    async def stop_the_clock(self) -> None:
        """From now on, time passes only through `page.clock`."""
        now: int = await self.page.evaluate("Date.now()")
        await self.page.clock.pause_at(now + 1_000)

    async def log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = await self.page.evaluate("() => host.log")
        return [entry for entry in entries if entry["kind"] == kind]

    async def logged(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The log's entries of a kind, once there are this many."""
        script = "([kind, count]) => host.log.filter((entry) => entry.kind === kind).length >= count"
        await self.page.wait_for_function(script, arg=[kind, count])
        return await self.log(kind)


@dataclass
class Watch:
    """What a page did besides showing itself: requests, dialogs, windows, navigations, errors."""

    allowed: tuple[str, ...]
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    windows: list[str] = field(default_factory=list)
    navigations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.context.on("request", lambda request: self._request(request.url))
        page.context.on("page", lambda other: self.windows.append(other.url))
        page.on("dialog", self._dialog)
        page.on("framenavigated", lambda frame: self._navigated(frame.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)

    async def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()

    def _request(self, url: str) -> None:
        if not url.startswith(self.allowed):
            self.requests.append(url)

    def _navigated(self, url: str) -> None:
        if not url.startswith((*self.allowed, "about:srcdoc", "about:blank")):
            self.navigations.append(url)

    def assert_quiet(self) -> None:
        """Assert that nothing was requested, opened or left, and nothing went wrong."""
        seen = (self.requests, self.dialogs, self.windows, self.navigations, self.errors)
        assert seen == ([], [], [], [], []), seen


@asynccontextmanager
async def hosting(browser: Browser, settings: Settings, transport: str, **context: Any) -> AsyncIterator[Host]:
    """A host connected to a server with these settings, over `http` or `stdio`."""
    async with AsyncExitStack() as stack:
        server = application(settings) if transport == "http" else None
        url = await stack.enter_async_context(serving(Site(server)))
        page = await (await browser.new_context(**context)).new_page()
        stack.push_async_callback(page.context.close)
        watch = Watch((url, url.replace("127.0.0.1", "localhost")))
        watch.on(page)
        if transport == "stdio":
            await stack.enter_async_context(piped(page, settings))
        await page.clock.install()
        await page.goto(url)
        await page.wait_for_selector("html[data-ready]", state="attached")
        host = Host(page, watch)
        await host.run("connect", transport)
        yield host


@asynccontextmanager
async def piped(page: Page, settings: Settings) -> AsyncIterator[None]:
    """The server as a separate process, its pipes connected to the browser's client."""
    given = {name: str(value) for name, value in settings.model_dump(exclude_unset=True).items() if name != "api_key"}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    environment = {"PARALLEL_API_KEY": "k", "PATH": "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "parallel_mcp", *flags]
    async with await anyio.open_process(command, env=environment, stderr=None) as process:
        sender, receiver = process.stdin, process.stdout
        assert sender is not None and receiver is not None

        async def send(message: str) -> None:
            await sender.send(message.encode() + b"\n")

        async def relay() -> None:
            held = b""
            async for data in receiver:
                *lines, held = (held + data).split(b"\n")
                for line in lines:
                    await page.evaluate("(message) => pipe.receive(message)", line.decode())

        await page.expose_function("pipeSend", send)
        async with anyio.create_task_group() as group:
            group.start_soon(relay)
            yield
            group.cancel_scope.cancel()
        process.terminate()


def document(json_text: str) -> dict[str, Any]:
    """JSON text as an object."""
    found: dict[str, Any] = json.loads(json_text)
    return found
