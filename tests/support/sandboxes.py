"""A sandbox on a real socket, and clients for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette

from parallel_mcp.sandbox import SandboxOptions, create_app, serving

QUESTION = "How does the with statement use a context manager?"


class Caller:
    """A client of a running sandbox, and the sandbox's app to inspect."""

    def __init__(self, client: httpx2.AsyncClient, app: Starlette, url: str) -> None:
        self.client = client
        self.app = app
        self.url = url

    async def chat(self, question: str = QUESTION, /, path: str = "/chat/completions", **body: Any) -> httpx2.Response:
        asked = {"model": "lite", "messages": [{"role": "user", "content": question}], **body}
        return await self.client.post(path, json=asked)


Start = Callable[..., AbstractAsyncContextManager[Caller]]


@asynccontextmanager
async def starting(options: SandboxOptions | None = None) -> AsyncIterator[Caller]:
    app = create_app(options)
    limits = httpx2.Limits(max_connections=400)
    async with (
        serving(app) as url,
        httpx2.AsyncClient(
            base_url=url, headers={"authorization": "Bearer any"}, timeout=None, limits=limits, trust_env=False
        ) as client,
    ):
        yield Caller(client, app, url)


def written(folder: Path, **texts: str) -> Path:
    """A folder of Markdown files, by their names."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, "utf-8")
    return folder
