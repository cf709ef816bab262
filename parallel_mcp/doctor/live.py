"""One paid question, to check whether the reply still has the expected shape."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2

from parallel_mcp import chat
from parallel_mcp.chat import Events
from parallel_mcp.client import open_http
from parallel_mcp.client.api_key import ApiKey
from parallel_mcp.client.failures import LOWER_ERRORS, map_exception, retry_after_seconds
from parallel_mcp.client.reading import read_error_body
from parallel_mcp.doctor.finding import Finding
from parallel_mcp.errors import UpstreamError
from parallel_mcp.models import Model, Question
from parallel_mcp.settings import Settings
from parallel_mcp.text import clean

QUESTION = Question(text="What is the capital of France?", model=Model.SPEED)

_TEXT_OR_NONE = frozenset({"string", "null", "absent"})
_NUMBER_OR_NONE = frozenset({"number", "null", "absent"})
_LIST_OR_NONE = frozenset({"array", "null", "absent"})
_EMPTY = frozenset({"string", "number", "null", "object", "array", "boolean", "absent"})

# Each place in a reply, with the kinds of value that are understood there. What the documentation calls "always empty"
# may be anything. A place that is not listed here is new.
_BOTH: Mapping[str, frozenset[str]] = {
    "": frozenset({"object"}),
    "id": _EMPTY,
    "object": _EMPTY,
    "type": _EMPTY,
    "model": _EMPTY,
    "service_tier": _EMPTY,
    "system_fingerprint": _EMPTY,
    "created": _NUMBER_OR_NONE,
    "usage": _EMPTY,
    "interaction_id": _TEXT_OR_NONE,
    "basis": _LIST_OR_NONE,
    "basis[]": frozenset({"object", "absent"}),
    "choices": frozenset({"array"}),
    "choices[]": frozenset({"object", "absent"}),
    "choices[].index": _NUMBER_OR_NONE,
    "choices[].finish_reason": _TEXT_OR_NONE,
    "choices[].logprobs": _EMPTY,
}
_PLACE_CHARS = 80
_IGNORED_BELOW = ("usage", "choices[].logprobs", "basis[]")


def expected(*, stream: bool) -> Mapping[str, frozenset[str]]:
    """The places in a reply, or in a stream's events, and the kinds of value that are understood in each."""
    message = "choices[].delta" if stream else "choices[].message"
    needed = frozenset({"string", "null", "absent"}) if stream else frozenset({"string"})
    return {
        **_BOTH,
        message: frozenset({"object", "absent"}) if stream else frozenset({"object"}),
        f"{message}.role": _TEXT_OR_NONE,
        f"{message}.content": needed,
        **{f"{message}.{name}": _EMPTY for name in ("tool_calls", "refusal", "audio", "function_call", "annotations")},
    }


@dataclass(frozen=True, slots=True)
class Reply:
    """A response: its status, its content type, and the JSON values in it."""

    status: int
    content_type: str
    values: tuple[Any, ...]


async def examine_live(settings: Settings) -> Finding:
    """Ask the question, which is paid for, and report on the reply."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    try:
        async with open_http(settings.base_url) as http:
            reply = await ask(http, key, stream=settings.stream, name=settings.model_names.get(QUESTION.model))
    except UpstreamError as error:
        return Finding("live", "fail", str(error))
    found = differences(reply, stream=settings.stream)
    if not found:
        return Finding("live", "ok", f"HTTP {reply.status}; the reply has the expected shape")
    return Finding("live", "note", "the reply differs from what was expected, please report it: " + "; ".join(found))


async def ask(
    http: httpx2.AsyncClient,
    key: str,
    *,
    stream: bool,
    name: str | None = None,
    seconds: float = Model.SPEED.timeout_seconds,
) -> Reply:
    """Ask the question. Raises UpstreamError; if it was refused it is not billed, otherwise it may be."""
    secret = ApiKey(key)
    del key
    body = chat.request(QUESTION, stream=stream, answer_citations=True, name=name)
    try:
        with anyio.fail_after(seconds):
            async with http.stream("POST", "/chat/completions", json=body, headers=secret.bearer()) as response:
                if not response.is_success:
                    said, after = await read_error_body(response), retry_after_seconds(response)
                    raise chat.refusal(response.status_code, said, after, hide=secret.hide)
                body_read = await response.aread()
                content_type = response.headers.get("content-type", "").partition(";")[0]
                return Reply(response.status_code, content_type, tuple(_values(body_read, content_type)))
    except LOWER_ERRORS as error:
        failure = map_exception(error, seconds)
    # Not raised from its cause, which holds the key.
    raise failure


def _values(body: bytes, content_type: str) -> Iterator[Any]:
    if content_type != "text/event-stream":
        yield _parsed(body.decode("utf-8", "replace"))
        return
    events = Events()
    for event in [*events.feed(body), *events.end()]:
        if event.data.strip() != "[DONE]":
            yield _parsed(event.data)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def differences(reply: Reply, *, stream: bool) -> list[str]:
    """How the reply's shape differs from the expected one, for a bug report: places and kinds, but no values."""
    wanted = "text/event-stream" if stream else "application/json"
    found = [] if reply.content_type == wanted else [f"content-type is {reply.content_type or 'absent'}, not {wanted}"]
    table = expected(stream=reply.content_type == "text/event-stream")
    kinds: dict[str, set[str]] = {}
    for value in reply.values:
        for place, kind in _places(value, ""):
            kinds.setdefault(place, set()).add(kind)
    new = sorted(kinds.keys() - table.keys())
    found += [f"{clean(place, _PLACE_CHARS)} is new: {_or(kinds[place])}" for place in new]
    for place, understood in table.items():
        strange = kinds.get(place, {"absent"}) - understood
        if strange:
            found.append(f"{place or 'the reply'} is {_or(strange)}, not {_or(understood - {'absent'})}")
    return found


def _places(value: Any, place: str) -> Iterator[tuple[str, str]]:
    yield place, _kind(value)
    if place in _IGNORED_BELOW:
        return
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for item in value:
            yield from _places(item, f"{place}[]")


def _kind(value: Any) -> str:
    for kind, name in ((bool, "boolean"), (int | float, "number"), (str, "string"), (list, "array"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "null"


def _or(kinds: Any) -> str:
    return " or ".join(sorted(kinds))
