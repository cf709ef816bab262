"""Spans and metrics, by OpenTelemetry's conventions. docs/telemetry.md lists them all.

Everything goes through OpenTelemetry's API, which does nothing until an exporter is set up.
None of it contains a key, a question or an answer.
"""

import logging
import re
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

logger = logging.getLogger(__name__)

NAME = "parallel-mcp"

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300, 600)

OTHER = "_OTHER"
"""OpenTelemetry's name for a value outside the known set."""

_METHOD = re.compile(r"[A-Za-z]{1,20}(/[A-Za-z_]{1,30}){0,3}")

_NAMES = {"tools/call": ("gen_ai.tool.name",), "prompts/get": ("gen_ai.prompt.name",)}


@dataclass(frozen=True, slots=True)
class _Instruments:
    calls: metrics.Counter
    call_seconds: metrics.Histogram
    chat_seconds: metrics.Histogram
    first_seconds: metrics.Histogram
    cost: metrics.Counter
    waiting: metrics.Histogram

    @classmethod
    def of(cls, meter: metrics.Meter) -> "_Instruments":
        def seconds(name: str, description: str) -> metrics.Histogram:
            return meter.create_histogram(
                name, unit="s", description=description, explicit_bucket_boundaries_advisory=_SECONDS
            )

        return cls(
            calls=meter.create_counter("parallel_mcp.tool.calls", unit="{call}", description="Calls of a tool"),
            call_seconds=seconds("mcp.server.operation.duration", "How long a call of a tool took"),
            chat_seconds=seconds("gen_ai.client.operation.duration", "How long Parallel took, with retries and pacing"),
            first_seconds=seconds(
                "gen_ai.client.operation.time_to_first_chunk", "From sending the last attempt to the first word"
            ),
            cost=meter.create_counter("parallel_mcp.cost", unit="{USD}", description="What answers cost"),
            waiting=seconds("parallel_mcp.pacing.wait.duration", "How long a request waited for pacing"),
        )


# Like loggers: created once, and idle until an exporter is set up.
_tracer = trace.get_tracer(NAME)

_instruments = _Instruments.of(metrics.get_meter(NAME))


@dataclass(slots=True)
class Call:
    """What is recorded about one tool call."""

    tool: str
    error: str | None = None

    def failed(self, kind: str) -> None:
        """The call ended in an error of this kind."""
        self.error = kind

    def gave(self, structured: Mapping[str, Any] | None) -> None:
        """Record the ids, model, status, cost and reuse of a result."""
        if structured is None:
            return
        answer = structured["answer"] if "research_id" in structured else structured
        research = structured if "research_id" in structured else {}
        found = {
            "parallel_mcp.research.id": research.get("research_id"),
            "parallel_mcp.research.status": research.get("status"),
            "parallel_mcp.attempts": research.get("attempts"),
            "gen_ai.request.model": structured.get("model"),
            "parallel_mcp.cost_usd": (answer or {}).get("cost_usd"),
            "parallel_mcp.reused": (answer or {}).get("reused"),
        }
        known = {name: value for name, value in found.items() if value is not None}
        trace.get_current_span().set_attributes(known)


@contextmanager
def called(tool: str) -> Iterator[Call]:
    """Wraps a tool call: adds attributes to the SDK's span and records the outcome as metrics."""
    call = Call(tool)
    began = time.monotonic()
    try:
        yield call
    except BaseException as error:
        call.error = type(error).__name__
        raise
    finally:
        attributes = {"mcp.method.name": "tools/call", "gen_ai.tool.name": tool, **_error(call.error)}
        if call.error is not None:
            trace.get_current_span().set_attribute("parallel_mcp.error.kind", call.error)
        _instruments.calls.add(1, attributes)
        _instruments.call_seconds.record(time.monotonic() - began, attributes)


@dataclass(slots=True)
class Chat:
    """One question to Parallel, with all attempts. The methods record what happens to it."""

    span: trace.Span
    attributes: dict[str, str | int]
    price_usd: float | None
    attempts: int = 0
    error: str | None = None
    billed: Literal["yes", "maybe", "no"] = "no"
    _sent: float | None = None
    _first: float | None = None

    def leaving(self, sent: Callable[[], None]) -> Callable[[], None]:
        """`sent`, recorded here too."""

        def leave() -> None:
            self.attempts += 1
            self._sent = time.monotonic()
            self.billed = "maybe"
            sent()

        return leave

    def first_word(self) -> None:
        """The first word of the answer has arrived."""
        if self._first is None and self._sent is not None:
            self._first = time.monotonic() - self._sent
            self.span.add_event("first_word")

    def failed(self, error: BaseException) -> None:
        """It ended in an error of ours, with its kind and whether it may be billed, or in a cancellation."""
        self.error = getattr(error, "kind", None) or type(error).__name__
        if hasattr(error, "may_be_billed"):
            self.billed = "maybe" if error.may_be_billed else "no"
        status = getattr(error, "status", None)
        if status is not None:
            self.span.set_attribute("http.response.status_code", status)

    def answered(self) -> None:
        """The answer has arrived."""
        self.billed = "yes"
        self.span.set_attribute("http.response.status_code", 200)

    def tell(self, seconds: float) -> None:
        """Record how it ended."""
        cost = self.price_usd if self.billed != "no" else 0.0
        self.span.set_attributes({"parallel_mcp.attempts": self.attempts, "parallel_mcp.billed": self.billed})
        if cost is not None:
            self.span.set_attribute("parallel_mcp.cost_usd", cost)
        if self.error is not None:
            self.span.set_attribute("error.type", self.error)
            self.span.set_status(StatusCode.ERROR)
        _instruments.chat_seconds.record(seconds, {**self.attributes, **_error(self.error)})
        if self._first is not None:
            _instruments.first_seconds.record(self._first, self.attributes)
        if cost:
            model = {"gen_ai.request.model": self.attributes["gen_ai.request.model"]}
            _instruments.cost.add(cost, {**model, "parallel_mcp.billed": self.billed})


_asking: ContextVar[Chat | None] = ContextVar("asking", default=None)


@contextmanager
def asking(model: str, host: str, port: int | None, price_usd: float | None) -> Iterator[Chat]:
    """Wraps one question to Parallel: a client span in the caller's trace, with duration and cost."""
    where: dict[str, str | int] = {"server.address": host, **({"server.port": port} if port else {})}
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "parallel",
        "gen_ai.request.model": model,
        **where,
    }
    began = time.monotonic()
    with _tracer.start_as_current_span(
        f"chat {model}",
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        chat = Chat(span, attributes, price_usd)
        token = _asking.set(chat)
        try:
            yield chat
        except BaseException as error:
            chat.failed(error)
            raise
        finally:
            _asking.reset(token)
            chat.tell(time.monotonic() - began)


def named(method: str, name: object, known: Container[object]) -> None:
    """Remove names that the caller made up from the SDK's span: such a name could be a question."""
    span = trace.get_current_span()
    if not _METHOD.fullmatch(method):
        span.update_name(OTHER)
        span.set_attribute("mcp.method.name", OTHER)
    elif isinstance(name, str) and name not in known:
        span.update_name(method)
        span.set_attributes(dict.fromkeys(_NAMES.get(method, ()), OTHER))


def attempt_failed(kind: str) -> None:
    """An attempt at the current question failed with an error of this kind."""
    chat = _asking.get()
    if chat is not None:
        chat.span.add_event("attempt_failed", {"error.type": kind, "parallel_mcp.attempt": chat.attempts})


def first_word() -> None:
    """A word of the answer to the current question has arrived."""
    chat = _asking.get()
    if chat is not None:
        chat.first_word()


def waited(seconds: float) -> None:
    """A request waited this many seconds for pacing."""
    _instruments.waiting.record(seconds)
    if seconds >= 0.001:
        trace.get_current_span().add_event("paced", {"parallel_mcp.pacing.wait_seconds": seconds})


Place = SpanContext
"""A reference to a span."""


def here() -> Place:
    """The current span."""
    return trace.get_current_span().get_span_context()


def joined(other: Place) -> None:
    """Link the current call, once, to the one whose request it is waiting for."""
    if not other.is_valid:
        return
    span = trace.get_current_span()
    known = [link.context for link in getattr(span, "links", ())]
    if span.get_span_context() != other and other not in known:
        span.add_link(other)


def _error(kind: str | None) -> dict[str, str]:
    return {} if kind is None else {"error.type": kind}
