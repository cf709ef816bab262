"""The endpoint: Parallel's Chat API as documented, row by row.

`create_app` only assembles. A request goes through `_Chat`: key, rate, body, then `_reply`. Whatever wraps the response
(a fault, a client that leaves) is an ASGI app of its own.
"""

import hashlib
import html
import random
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from math import log
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from parallel_mcp.sandbox.answering import Engines
from parallel_mcp.sandbox.engine import Earlier, Model
from parallel_mcp.sandbox.faults import Draw, spoiled
from parallel_mcp.sandbox.interactions import Interactions
from parallel_mcp.sandbox.options import STATUS_KINDS, SandboxOptions
from parallel_mcp.sandbox.requests import read_request
from parallel_mcp.sandbox.traffic import Gone, RateWindow, Traffic, read_body, until_gone
from parallel_mcp.sandbox.wire import FAULTS, Refusal, ShapedReply, Stream, json_response, refused

PREFIXES = ("", "/v1", "/v1beta")

# Seconds until a model's first word: the median, the 90th percentile and the documented bounds.
LATENCY: Mapping[Model, tuple[float, float, float, float]] = {
    "speed": (3.0, 4.5, 1.0, 10.0),
    "lite": (45.0, 90.0, 10.0, 120.0),
    "base": (50.0, 120.0, 15.0, 180.0),
    "core": (90.0, 180.0, 60.0, 300.0),
}
WORD_PAUSE = 0.02  # seconds between words of `speed`, if the latency is as documented


class _Chat:
    """The ASGI app for all paths of the Chat API."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._engines = Engines(options)
        self._rate = RateWindow(options.requests_per_minute)
        self._interactions = Interactions(options.interactions)
        self._draw = Draw(options.faults, options.seed)
        self._dice = random.Random(options.seed)  # noqa: S311  no secret depends on it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: Starlette = scope["app"]
        traffic: Traffic = app.state.traffic
        traffic.note(requests=1, active=1)
        try:
            _wants_json(Request(scope))
            body = await read_body(Request(scope, receive))
            await until_gone(self._answer(Request(scope), body), traffic)(scope, receive, send)
        except Gone:
            traffic.note(abandoned=1)
        except Refusal as refusal:
            await refused(refusal)(scope, receive, send)
        finally:
            traffic.note(active=-1)

    def _answer(self, request: Request, body: bytes) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            kind = self._draw.next()
            try:
                if kind in STATUS_KINDS:
                    raise Refusal(int(kind), FAULTS[int(kind)])
                response = await self._respond(request, body)
            except Refusal as refusal:
                response = refused(refusal)
            await (spoiled(kind, response) if kind and kind not in STATUS_KINDS else response)(scope, receive, send)

        return app

    async def _respond(self, request: Request, body: bytes) -> ASGIApp:
        key = self._key_of(request)
        if not self._rate.take(key):
            limit = self._options.requests_per_minute
            raise Refusal(429, f"Rate limit exceeded: {limit} requests in 60 seconds for this key.")
        asked = read_request(body)
        earlier = await self._recall(key, asked.previous_interaction_id)
        reply, remembered = await self._engines.reply(asked, earlier)
        interaction_id = await anyio.to_thread.run_sync(self._interactions.remember, key, remembered)
        shape = ShapedReply(self._options.empty, asked.model, reply, interaction_id)
        if asked.stream:
            return Stream(shape, self._options.done, self._pauses(asked.model))
        await anyio.sleep(self._pauses(asked.model)[0])
        return json_response(200, shape.completion())

    def _key_of(self, request: Request) -> str:
        """Whose request it is: a digest of its key, or the same for all if the options set a key."""
        key = key_of(request)
        if self._options.key is None:
            return hashlib.sha256(key).hexdigest()
        if not secrets.compare_digest(key, self._options.key.encode()):
            raise Refusal(401, "This sandbox belongs to another process and accepts only that process's key.")
        return "local"

    async def _recall(self, key: str, interaction_id: str | None) -> Earlier | None:
        if not interaction_id:
            return None
        earlier = await anyio.to_thread.run_sync(self._interactions.recall, key, interaction_id)
        if earlier is None:
            raise Refusal(404, f"There is no interaction {interaction_id[:80]!r}.")
        return earlier

    def _pauses(self, model: Model) -> tuple[float, float]:
        """Seconds before the first word and between words."""
        if self._options.latency == "none":
            return 0.0, 0.0
        return latency(model, self._dice), WORD_PAUSE if model == "speed" else 0.0


def latency(model: Model, dice: random.Random) -> float:
    """Seconds until a model's first word: log-normal by median and 90th percentile, within the documented bounds."""
    median, ninetieth, least, most = LATENCY[model]
    return min(most, max(least, dice.lognormvariate(log(median), log(ninetieth / median) / 1.2816)))


def key_of(request: Request) -> bytes:
    """The key in `Authorization: Bearer` or `x-api-key`. Raises Refusal (401) if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else ""
    key = key or request.headers.get("x-api-key", "").strip()
    if not key:
        raise Refusal(
            401, "No API key. Send one as 'Authorization: Bearer KEY' or in 'x-api-key'; any key will do here."
        )
    return key.encode("utf-8", "surrogateescape")


# Who may ask

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _wants_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refusal(415, "Send the body as JSON, with the header 'Content-Type: application/json'.")


# The app


class _App(Starlette):
    """Starlette behind a guard against requests that a web page makes a browser send.

    Those have a foreign Host, by DNS rebinding, or a foreign Origin.
    """

    exposed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The faults need the server's own `send`, which gives access to the socket.
        scope["sandbox.send"] = send
        if refusal := self._refusal(Request(scope).headers):
            await refused(refusal)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def _refusal(self, headers: Mapping[str, str]) -> Refusal | None:
        host = _host_of(f"//{headers.get('host', '')}")
        own = {*_LOOPBACK, host} if self.exposed else _LOOPBACK
        if host not in own:
            return Refusal(421, "The Host header does not name this machine: use 127.0.0.1 or localhost.")
        if "origin" in headers and _host_of(headers["origin"]) not in own:
            return Refusal(403, "Pages of other sites may not use this sandbox.")
        return None


def create_app(options: SandboxOptions | None = None) -> Starlette:
    """The sandbox as an ASGI app, with its `Traffic` in `state.traffic`. Reads nothing until the first question."""
    options = options or SandboxOptions()
    endpoint = _Chat(options)
    app = _App(
        routes=[
            Route("/", _page, methods=["GET"]),
            *(Route(f"{prefix}/chat/completions", endpoint, methods=["POST"]) for prefix in PREFIXES),
            *(Route(f"{prefix}/models", _models, methods=["GET"]) for prefix in PREFIXES),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _broken},
    )
    app.exposed = options.exposed
    app.state.traffic = Traffic()
    return app


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Parallel sandbox</title></head><body>
<h1>A sandbox of Parallel's Chat API</h1>
<p>It answers from documents on this machine, not from the web, and costs nothing. Any OpenAI client works with
it: use this address as its base URL, and any key.</p>
<pre>POST {url}chat/completions
GET  {url}models</pre>
<p>Models: {models}. The paths also work under /v1 and /v1beta. Served by parallel-mcp {version}.</p>
</body></html>
"""


async def _page(request: Request) -> Response:
    url = html.escape(str(request.base_url))
    return HTMLResponse(_PAGE.format(url=url, models=", ".join(LATENCY), version=version("parallel-mcp")))


async def _models(request: Request) -> Response:
    rows = [{"id": name, "object": "model", "created": 0, "owned_by": "parallel-mcp sandbox"} for name in LATENCY]
    return json_response(200, {"object": "list", "data": rows})


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {
        404: f"There is nothing at {request.url.path[:200]!r}. The Chat API is at /chat/completions.",
        405: f"{request.method[:20]} is not allowed here: use POST /chat/completions.",
    }
    return refused(Refusal(error.status_code, said.get(error.status_code, error.detail)), error.headers)


def _broken(request: Request, error: Exception) -> Response:
    return refused(Refusal(500, "The sandbox failed on this request. This is a bug in the sandbox."))
