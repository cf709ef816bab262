"""The wire: Parallel's Chat API as its documents describe it, row by row.

`create_app` only assembles. A request goes through `_Chat`: key, rate, body, then `_reply`; what wraps the response (a
fault, a client that leaves) is an ASGI app of its own.
"""

import asyncio
import hashlib
import json
import random
import re
import socket
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
import uvicorn
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parallel_mcp.sandbox import corpus, faults, fields
from parallel_mcp.sandbox.engine import Engine, Model
from parallel_mcp.sandbox.options import STATUS_KINDS, SandboxOptions

PATHS = ("/chat/completions", "/v1beta/chat/completions")
BODY_BYTES = 10_000_000
KEPT_INTERACTIONS = 10_000
KEPT_KEYS = 10_000
THREADS = 4  # searches at once; more would only wait for one another

# Seconds until a model speaks: the median and the 90th percentile, and the documented bounds.
LATENCY: Mapping[Model, tuple[float, float, float, float]] = {
    "speed": (3.0, 4.5, 1.0, 10.0),
    "lite": (45.0, 90.0, 10.0, 120.0),
    "base": (50.0, 120.0, 15.0, 180.0),
    "core": (90.0, 180.0, 60.0, 300.0),
}
WORD_PAUSE = 0.02  # seconds between two words of `speed`, where latency is documented

Shape = Literal["parallel", "openai"]

# Which of the documented error bodies each status comes in.
SHAPES: Mapping[int, Shape] = {
    400: "parallel",
    401: "parallel",
    402: "parallel",
    403: "parallel",
    404: "openai",
    405: "openai",
    413: "openai",
    422: "parallel",
    429: "parallel",
    500: "parallel",
    503: "parallel",
}
_FAULTS = {
    "401": "The sandbox was told to refuse this key.",
    "402": "The sandbox was told that no credit is left.",
    "403": "The sandbox was told that this is not allowed.",
    "422": "The sandbox was told that this request does not validate.",
    "429": "The sandbox was told that the rate limit is exceeded.",
    "500": "The sandbox was told to fail.",
    "503": "The sandbox was told to be unavailable.",
}


class Refusal(Exception):
    """A request that is answered with an error status. The text is for the caller."""

    def __init__(self, status: int, message: str, detail: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


# What is asked


class _Lenient(BaseModel):
    """Only what is named here is looked at; every other field is accepted whatever its value, and ignored."""

    model_config = ConfigDict(extra="ignore")


class _Said(_Lenient):
    role: Literal["system", "user", "assistant"]
    content: StrictStr
    name: StrictStr | None = None


class _JsonSchema(_Lenient):
    name: StrictStr
    description: StrictStr | None = None
    strict: StrictBool | None = None
    body: dict[str, Any] = Field(alias="schema")


class _TextFormat(_Lenient):
    type: Literal["text", "json_object"]


class _SchemaFormat(_Lenient):
    type: Literal["json_schema"]
    json_schema: _JsonSchema


class ChatRequest(_Lenient):
    """The fields that the Chat API acts on."""

    model: Model
    messages: Annotated[list[_Said], Field(min_length=1)]
    stream: StrictBool | None = None
    response_format: Annotated[_TextFormat | _SchemaFormat, Field(discriminator="type")] | None = None
    previous_interaction_id: StrictStr | None = None

    @property
    def schema_asked(self) -> dict[str, Any] | None:
        """The JSON schema that the answer is to follow, if one came."""
        return self.response_format.json_schema.body if isinstance(self.response_format, _SchemaFormat) else None

    @property
    def wants_json(self) -> bool:
        """Whether a JSON object without a schema was asked for."""
        return isinstance(self.response_format, _TextFormat) and self.response_format.type == "json_object"

    def asked(self) -> tuple[str, tuple[str, ...]]:
        """The question, and what was asked before it, newest first."""
        users = [said.content for said in self.messages if said.role == "user"] or [self.messages[-1].content]
        return users[-1], tuple(reversed(users[:-1]))


def read_request(body: bytes) -> ChatRequest:
    """Read a request body. Raises Refusal: 400 where it is not a JSON object, 422 where a field is wrong."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refusal(400, f"The request body is not JSON: {reason}") from error
    if not isinstance(data, dict):
        raise Refusal(400, "The request body must be a JSON object.")
    try:
        return ChatRequest.model_validate(data)
    except ValidationError as error:
        raise Refusal(422, *_explain(error)) from error


def _explain(error: ValidationError) -> tuple[str, object]:
    rows = [
        {"loc": ["body", *map(_plain, each["loc"])], "msg": _message(each["loc"], each["msg"]), "type": each["type"]}
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    place = ".".join(map(str, rows[0]["loc"][1:]))
    return f"Request validation error: {place}: {rows[0]['msg']}", {"errors": rows[:20]}


def _plain(part: int | str) -> int | str:
    return part if isinstance(part, int) else part.encode("utf-8", "replace").decode()


def _message(place: tuple[int | str, ...], message: str) -> str:
    if place and place[0] == "messages" and place[-1] == "content":
        return "content must be a string; arrays of parts (multimodal input) are not supported"
    return message


# What holds between requests


class RateWindow:
    """At most `limit` requests a key in any 60 seconds; 0 means no limit."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str) -> bool:
        """Count a request. False where the key has used up its minute; a refused request does not count."""
        if not self._limit:
            return True
        now = self._clock()
        seen = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        if len(self._seen) > KEPT_KEYS:
            self._seen.popitem(last=False)
        while seen and seen[0] <= now - 60.0:
            seen.popleft()
        if len(seen) >= self._limit:
            return False
        seen.append(now)
        return True


class Interactions:
    """What was asked under each interaction id, for follow-ups. The oldest are forgotten."""

    def __init__(self, kept: int = KEPT_INTERACTIONS) -> None:
        self._kept = kept
        self._asked: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()

    def remember(self, key: str, questions: tuple[str, ...]) -> str:
        """Keep a question, with those it follows (newest first), and give it an id."""
        made = f"sandbox-{uuid.uuid4().hex}"
        self._asked[key, made] = questions[:4]
        if len(self._asked) > self._kept:
            self._asked.popitem(last=False)
        return made

    def recall(self, key: str, interaction_id: str) -> tuple[str, ...]:
        """What was asked under an id of this key. Raises Refusal (404) where there is none."""
        try:
            return self._asked[key, interaction_id]
        except KeyError:
            raise Refusal(404, f"No interaction {interaction_id[:80]!r} is known here.") from None


@dataclass(slots=True)
class Traffic:
    """What went through a sandbox, and a way to wait for it."""

    requests: int = 0  # received
    active: int = 0  # being worked on
    abandoned: int = 0  # whose client left before the answer was whole
    _changed: anyio.Event | None = None

    def note(self, **changes: int) -> None:
        """Add to the counters, and wake whoever waits for them."""
        for name, by in changes.items():
            setattr(self, name, getattr(self, name) + by)
        if self._changed:
            self._changed.set()
            self._changed = None

    async def until(self, holds: "Callable[[Traffic], bool]") -> None:
        """Wait until the counters satisfy a condition."""
        while not holds(self):
            self._changed = self._changed or anyio.Event()
            await self._changed.wait()


@lru_cache(maxsize=1)
def _default_engine() -> Engine:
    # The index of what is installed is the same for every sandbox of a process, and takes half a second to build.
    return Engine(corpus.load())


class _Engines:
    """The engine over an app's corpus: made once, at the first question, in a worker thread."""

    def __init__(self, options: SandboxOptions) -> None:
        self._folders = options.corpus
        self._engine: Engine | None = None
        self._making = anyio.Lock()
        self._threads = anyio.CapacityLimiter(THREADS)

    async def reply(self, asked: ChatRequest, context: tuple[str, ...]) -> fields.Reply:
        """Answer in a worker thread. Raises Refusal (422) for a schema that the research models do not take."""
        engine = await self._ready()
        return await anyio.to_thread.run_sync(
            lambda: _reply(engine, asked, context), limiter=self._threads, abandon_on_cancel=True
        )

    async def _ready(self) -> Engine:
        async with self._making:
            if self._engine is None:
                self._engine = await anyio.to_thread.run_sync(self._make)
            return self._engine

    def _make(self) -> Engine:
        return Engine(corpus.load(self._folders)) if self._folders else _default_engine()


def _reply(engine: Engine, asked: ChatRequest, context: tuple[str, ...]) -> fields.Reply:
    question, before = asked.asked()
    schema = asked.schema_asked
    if schema is not None and asked.model != "speed":
        try:
            fields.check(schema)
        except fields.SchemaError as error:
            raise Refusal(422, f"response_format.json_schema.schema: {error}") from error
    return fields.reply(engine, question, (*before, *context), asked.model, schema, json_object=asked.wants_json)


# The endpoint


class _Chat:
    """The ASGI app of both paths."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._engines = _Engines(options)
        self._rate = RateWindow(options.requests_per_minute)
        self._interactions = Interactions()
        self._draw = faults.Draw(options.faults, options.seed)
        self._dice = random.Random(options.seed)  # noqa: S311  no secret hangs on it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: Starlette = scope["app"]
        traffic: Traffic = app.state.traffic
        app.state.requests += 1
        traffic.note(requests=1, active=1)
        try:
            body = await _read(Request(scope, receive))
            await _until_gone(self._answer(Request(scope), body), traffic)(scope, receive, send)
        except _Gone:
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
                    raise Refusal(int(kind), _FAULTS[kind])
                response = await self._respond(request, body)
            except Refusal as refusal:
                response = refused(refusal)
            await (faults.spoiled(kind, response) if kind and kind not in STATUS_KINDS else response)(
                scope, receive, send
            )

        return app

    async def _respond(self, request: Request, body: bytes) -> ASGIApp:
        key = key_of(request)
        if not self._rate.take(key):
            limit = self._options.requests_per_minute
            raise Refusal(429, f"Rate limit exceeded: {limit} requests in 60 seconds for this key.")
        asked = read_request(body)
        before = self._interactions.recall(key, asked.previous_interaction_id) if asked.previous_interaction_id else ()
        reply = await self._engines.reply(asked, before)
        question, earlier = asked.asked()
        interaction_id = self._interactions.remember(key, (question, *earlier, *before))
        shape = _Shape(self._options.empty, asked.model, reply, interaction_id)
        if asked.stream:
            return _Stream(shape, self._options.done, self._pauses(asked.model))
        await anyio.sleep(self._pauses(asked.model)[0])
        return _json(200, shape.completion())

    def _pauses(self, model: Model) -> tuple[float, float]:
        """Seconds before the first word, and between words."""
        if self._options.latency == "none":
            return 0.0, 0.0
        return latency(model, self._dice), WORD_PAUSE if model == "speed" else 0.0


def latency(model: Model, dice: random.Random) -> float:
    """Seconds until a model speaks: log-normal about the median and 90th percentile, inside the documented bounds."""
    median, ninetieth, least, most = LATENCY[model]
    return min(most, max(least, dice.lognormvariate(log(median), log(ninetieth / median) / 1.2816)))


class _Gone(Exception):
    """The client left."""


async def _read(request: Request) -> bytes:
    """The request's body. Raises Refusal (413) past BODY_BYTES, and _Gone where the client left in the midst of it."""
    pieces = bytearray()
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        size += len(message.get("body", b""))
        # A client reads the refusal only once it has sent its body: take it in, up to a point, and drop it.
        if size > 10 * BODY_BYTES:
            break
        if size <= BODY_BYTES:
            pieces += message.get("body", b"")
        more = message.get("more_body", False)
    if size > BODY_BYTES:
        raise Refusal(413, f"The request body is over {BODY_BYTES:,} bytes.")
    return bytes(pieces)


def _until_gone(app: ASGIApp, traffic: Traffic) -> ASGIApp:
    """The app, stopped as soon as its client has left."""

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        whole = False

        async def watch() -> None:
            message: Message = {"type": ""}
            while message["type"] != "http.disconnect":
                message = await receive()
            if not whole:
                traffic.note(abandoned=1)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            try:
                await app(scope, receive, send)
            except OSError:
                await anyio.sleep_forever()  # the socket is gone: the watcher is about to say so
            whole = True
            group.cancel_scope.cancel()

    return watched


def key_of(request: Request) -> str:
    """A digest of the key in `Authorization: Bearer` or `x-api-key`. Raises Refusal (401) where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else ""
    key = key or request.headers.get("x-api-key", "").strip()
    if not key:
        raise Refusal(
            401, "No API key: send it as 'Authorization: Bearer KEY' or in 'x-api-key'. Here any key will do."
        )
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


# What is answered


@dataclass(frozen=True, slots=True)
class _Shape:
    """One reply in the two forms of the wire."""

    empty: Literal["null", "string", "absent"]
    model: Model
    reply: fields.Reply
    interaction_id: str

    def completion(self) -> dict[str, object]:
        """The body of an answer that is not streamed."""
        usage = self._empties(
            "completion_tokens", "prompt_tokens", "total_tokens", "completion_tokens_details", "prompt_tokens_details"
        )
        said = {
            "role": "assistant",
            "content": self.reply.content,
            **self._empties("tool_calls", "refusal", "audio"),
        }
        return {
            **self._empties("id", "object", "model", "service_tier", "system_fingerprint"),
            "created": int(time.time()),
            "choices": [{"index": 0, "message": said, **self._empties("finish_reason", "logprobs")}],
            **({"usage": usage} if usage else {}),
            **self._ending(),
        }

    def chunks(self) -> Iterator[dict[str, object]]:
        """The events of a stream: the role, the content in pieces, and an ending with the basis."""
        created = int(time.time())
        yield self._chunk(created, {"role": "assistant", "content": ""}, {"basis": [], "interaction_id": None})
        for piece in deltas(self.reply.content, self.model):
            yield self._chunk(created, {"content": piece}, {"basis": [], "interaction_id": None})
        yield self._chunk(created, {}, self._ending())

    def _chunk(self, created: int, delta: dict[str, str], ending: dict[str, object]) -> dict[str, object]:
        kind = "chat.completion.chunk"
        return {
            **self._empties("id", "model", "service_tier", "system_fingerprint"),
            "type": kind,
            "object": kind,
            "created": created,
            "choices": [{"index": 0, "delta": delta, **self._empties("finish_reason", "logprobs")}],
            **ending,
        }

    def _ending(self) -> dict[str, object]:
        return {"basis": self.reply.basis if self.model != "speed" else [], "interaction_id": self.interaction_id}

    def _empties(self, *names: str) -> dict[str, object]:
        if self.empty == "absent":
            return {}
        return dict.fromkeys(names, None if self.empty == "null" else "")


def deltas(content: str, model: Model) -> list[str]:
    """A text in the pieces that a stream speaks it in: words for `speed`, three or so for a research model."""
    if model == "speed":
        return re.findall(r"\s*\S+\s?", content) or [content]
    size = max(200, -(-len(content) // 3))
    return [content[start : start + size] for start in range(0, len(content), size)]


class _Stream:
    """Server-sent events."""

    def __init__(self, shape: _Shape, done: bool, pauses: tuple[float, float]) -> None:
        self._shape = shape
        self._done = done
        self._pauses = pauses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        first, between = self._pauses
        for number, chunk in enumerate(self._shape.chunks()):
            if number:
                await anyio.sleep(first if number == 1 else between)
            event = b"data: " + _dump(chunk) + b"\n\n"
            await send({"type": "http.response.body", "body": event, "more_body": True})
        last = b"data: [DONE]\n\n" if self._done else b""
        await send({"type": "http.response.body", "body": last, "more_body": False})


def _dump(value: object) -> bytes:
    # Escaped to ASCII: a caller's schema may name a property by a lone surrogate, which UTF-8 cannot say.
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _json(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_dump(value), status_code=status, headers=dict(headers or {}), media_type="application/json")


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """The error body of a status, in the shape that SHAPES says."""
    message = str(refusal)
    if SHAPES.get(refusal.status, "openai") == "openai":
        kind = "invalid_request_error" if refusal.status < 500 else "server_error"
        body: dict[str, object] = {"error": {"message": message, "type": kind, "param": None, "code": refusal.status}}
    else:
        error = {"ref_id": str(uuid.uuid4()), "message": message, "detail": refusal.detail}
        body = {"type": "error", "error": error}
    return _json(refusal.status, body, headers)


# The app, and running it


class _App(Starlette):
    """Starlette, keeping for the faults the server's own `send`, which leads to the socket."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["sandbox.send"] = send
        await super().__call__(scope, receive, send)


def create_app(options: SandboxOptions | None = None) -> Starlette:
    """The sandbox as an ASGI app. Nothing is read until the first question.

    `app.state.requests` counts the chat requests received; `app.state.traffic` can be waited on. Raises ValueError
    where a folder of the corpus is not there.
    """
    options = options or SandboxOptions()
    for folder in corpus.folders_of(options.corpus):
        corpus.check_folder(folder)
    endpoint = _Chat(options)
    app = _App(
        routes=[Route(path, endpoint, methods=["POST"]) for path in PATHS],
        exception_handlers={HTTPException: _http_error, Exception: _broken},
    )
    app.state.requests = 0
    app.state.traffic = Traffic()
    return app


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {
        404: f"There is nothing at {request.url.path[:200]!r}. The Chat API is at {PATHS[0]} and {PATHS[1]}.",
        405: f"{request.method[:20]} is not allowed here: the Chat API takes POST.",
    }
    return refused(Refusal(error.status_code, said.get(error.status_code, error.detail)), error.headers)


def _broken(request: Request, error: Exception) -> Response:
    return refused(Refusal(500, "The sandbox failed on this request. That is a bug in the sandbox."))


@asynccontextmanager
async def running(
    options: SandboxOptions | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """A sandbox in this process and event loop. Yields its base URL. Raises OSError where the port is taken."""
    async with serving(create_app(options), host=host, port=port) as url:
        yield url


@asynccontextmanager
async def serving(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve any app in this event loop. On leaving, whatever is in flight is dropped.

    No signal handler is installed and nothing is written to stdout: the process belongs to somebody else.
    """
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none", backlog=2048)
    listener = _listen(host, port)
    # Not Server.serve(): it takes over the process's signals and looks only every 100 ms whether it should stop.
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{name}:{listener.getsockname()[1]}"
    finally:
        with anyio.CancelScope(shield=True):
            await _stop(server)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


async def _stop(server: uvicorn.Server) -> None:
    """Drop every connection; the apps behind them see their client gone, and end."""
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    tasks = list(server.server_state.tasks)
    if tasks:
        _, left = await asyncio.wait(tasks, timeout=2.0)
        for task in left:
            task.cancel()
