"""Holds the sandbox's research runs back, so that one is seen working without relying on the clock."""

from typing import Any

import anyio
import httpx2
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp


class Gate:
    """A gate in front of a sandbox: requests to a research model wait until `open` is set."""

    def __init__(self, sandbox: str) -> None:
        self.sandbox = sandbox
        self.open = anyio.Event()

    def app(self) -> ASGIApp:
        """The Chat API behind the gate."""

        async def chat(scope: Any, receive: Any, send: Any) -> None:
            request = Request(scope, receive)
            body = await request.json()
            if body["model"] != "speed":
                await self.open.wait()
            headers = {"authorization": request.headers["authorization"]}
            async with httpx2.AsyncClient(timeout=30) as http:
                answer = await http.post(f"{self.sandbox}/chat/completions", json=body, headers=headers)
            kind = answer.headers["content-type"]
            await Response(answer.content, answer.status_code, media_type=kind)(scope, receive, send)

        return chat
