"""One question over HTTP: pacing, timeouts, retries.

A request is retried only if it certainly never started (no connection) or was refused before the answer
began (429, 5xx): Chat has no idempotency key, so retrying anything else could be billed twice.
"""

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
import stamina

from parallel_mcp import chat, errors, telemetry
from parallel_mcp.client.api_key import ApiKey
from parallel_mcp.client.failures import LOWER_ERRORS, causes, map_exception, retry_after_seconds, retry_wait
from parallel_mcp.client.pacing import OnProgress, Pacing
from parallel_mcp.client.probe import KEY_ACCEPTED, PROBE_SECONDS, probe
from parallel_mcp.client.reading import AnswerProgress, read_answer, read_error_body
from parallel_mcp.client.transport import SENT
from parallel_mcp.client.understanding import understand
from parallel_mcp.errors import ParallelError, UpstreamError
from parallel_mcp.models import Answer, Question

logger = logging.getLogger(__name__)

MAX_RETRY_AFTER_SECONDS = 60.0
"""The longest wait that a `retry-after` may ask for before another attempt."""

# The prefix of a sandbox's interaction ids, and of no others: its answers cost nothing.
SANDBOX_ID = "sandbox-"

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

_GATEWAY_TIMED_OUT = frozenset({504, 524})


@dataclass(slots=True)
class SendTracker:
    """Records when a request leaves; until then nothing can be billed."""

    on_sent: Callable[[], None]
    sent: bool = False
    _socket: Any = None

    def extensions(self) -> dict[str, Any]:
        """The request extensions that report it: our own transport's, and httpcore2's for requests through a proxy."""
        return {SENT: self.mark_sent, "trace": self._trace}

    def mark_sent(self) -> None:
        """The request is leaving."""
        if not self.sent:
            self.sent = True
            self.on_sent()

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started") and info["request"].method == b"POST":
            self.mark_sent()
        elif event == "connection.connect_tcp.complete":
            self._socket = info["return_value"]
        elif event == "connection.start_tls.failed":
            # httpcore2 leaves the socket open if the handshake is cancelled.
            with anyio.CancelScope(shield=True):
                await self._socket.aclose()


@dataclass(frozen=True, slots=True)
class ChatClient:
    """Asks Parallel's Chat API over `http`.

    `timeouts` are seconds for a whole answer by model, `prices` are US dollars per request, None if unknown.
    `names` are what another service calls the models, and `elsewhere` makes each answer say where it is from. A gateway
    timeout that arrives after `late_seconds` is not treated as a refusal, because the work had begun.
    """

    http: httpx2.AsyncClient
    pacing: Pacing
    timeouts: Mapping[str, float]
    prices: Mapping[str, float | None]
    names: Mapping[str, str] = field(default_factory=dict)
    elsewhere: bool = False
    stream: bool = True
    answer_citations: bool = True
    attempts: int = 3
    backoff_seconds: float = 0.5
    late_seconds: float = 10.0
    _endpoint: httpx2.URL = field(init=False, repr=False)
    _headers: list[tuple[str, str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        endpoint = self.http.base_url.join("chat/completions")
        own = [("host", endpoint.netloc.decode()), ("content-type", "application/json")]
        object.__setattr__(self, "_endpoint", endpoint)
        object.__setattr__(self, "_headers", [*self.http.headers.multi_items(), *own])

    async def ask(
        self,
        question: Question,
        key: str,
        *,
        payer: str,
        caller: str,
        on_progress: OnProgress,
        on_sent: Callable[[], None],
        max_wait: float | None = None,
    ) -> Answer:
        """Answer one question. An answer that was cut off is returned as far as it came, with a warning.

        `on_progress` gets the words as they arrive; `on_sent` is called when a request leaves; `max_wait` is how
        many seconds to wait for pacing, or before another attempt. Raises UpstreamError or PacingFull.
        """
        secret = ApiKey(key)
        del key  # A traceback with local variables must not show it.
        url = self.http.base_url
        with telemetry.asking(question.model, url.host, url.port, self.prices[question.model]) as traced:
            asking = _Asking(question, secret, payer, caller, on_progress, traced.leaving(on_sent), max_wait)
            try:
                answer = await self._attempt(asking)
            except ParallelError as error:
                answer = await self._retried(asking, error)
            traced.answered()
            return answer

    async def _retried(self, asking: "_Asking", failure: ParallelError | None) -> Answer:
        """Retry after a failed first attempt. Stamina is entered only now, because most calls never need it."""
        async for attempt in stamina.retry_context(
            on=self._retry_hook(asking),
            attempts=self.attempts,
            timeout=None,
            wait_initial=self.backoff_seconds,
            wait_max=10.0,
            wait_jitter=self.backoff_seconds,
        ):
            with attempt:
                if failure is not None:
                    first, failure = failure, None
                    raise first
                return await self._attempt(asking)
        raise AssertionError("unreachable: retry_context ends in an answer or an error")

    async def _attempt(self, asking: "_Asking") -> Answer:
        await self.pacing.turn(asking.payer, asking.caller, asking.on_progress, asking.max_wait)
        try:
            return await self._once(asking.question, asking.secret, asking.on_progress, SendTracker(asking.on_sent))
        except UpstreamError as error:
            # The frames of its traceback hold upstream's text unredacted.
            raise error.with_traceback(None)  # noqa: B904  # it is the same error

    async def verify_key(self, key: str) -> None:
        """Check that Parallel accepts a key, with an empty request, which costs nothing.

        Raises KeyRefused, AccessRefused, or the error that prevented the check. All unproven keys share
        one payer in pacing, so that a flood of made-up keys slows down only new callers.
        """
        secret = ApiKey(key)
        del key
        await self.pacing.turn("unproven", "", _ignore, PROBE_SECONDS)
        status, failure = await probe(self.http, secret.value)
        if failure is not None and status not in KEY_ACCEPTED:
            raise failure

    def _retry_hook(self, asking: "_Asking") -> Callable[[Exception], bool | float]:
        left = self.attempts

        def hook(error: Exception) -> bool | float:
            nonlocal left
            left -= 1
            if isinstance(error, UpstreamError):
                telemetry.attempt_failed(error.kind)
            wait = retry_wait(error, MAX_RETRY_AFTER_SECONDS if asking.max_wait is None else asking.max_wait)
            if left and wait is not False and isinstance(error, UpstreamError):
                status = f" (HTTP {error.status})" if error.status else ""
                asking.on_progress(f"{error.headline}{status}; asking again")
            return wait

        return hook

    async def _once(self, question: Question, secret: ApiKey, on_progress: OnProgress, sending: SendTracker) -> Answer:
        began = time.monotonic()
        reading = chat.Reading(secret.hide)
        failure = await self._failure(question, secret, on_progress, sending, reading)
        if failure is not None and not isinstance(failure, _MID_ANSWER):
            raise failure
        answer = await understand(
            question,
            reading,
            broken=failure is not None,
            answer_citations=self.answer_citations,
            cost_usd=self.prices.get(question.model),
            seconds=time.monotonic() - began,
        )
        if answer is None:
            assert failure is not None
            raise failure
        if (answer.interaction_id or "").startswith(SANDBOX_ID):
            answer = answer.model_copy(update={"cost_usd": 0.0})
        if self.elsewhere:
            answer = answer.model_copy(update={"warnings": (self._origin(answer), *answer.warnings)})
        return answer

    def _origin(self, answer: Answer) -> str:
        name = self.names.get(answer.model, answer.model)
        price = " Its price is unknown." if answer.cost_usd is None else ""
        return f"Answered by the model {name} at {self.http.base_url.host}, not by Parallel.{price}"

    async def _failure(
        self, question: Question, secret: ApiKey, on_progress: OnProgress, sending: SendTracker, reading: chat.Reading
    ) -> UpstreamError | None:
        """The error that kept the response from arriving complete.

        It is returned rather than raised from its cause, because httpx2's errors hold the request, with the key.
        """
        seconds = self.timeouts[question.model]
        try:
            with anyio.fail_after(seconds):
                await self._exchange(question, secret, on_progress, sending, reading)
        except UpstreamError as error:
            return error
        except LOWER_ERRORS as error:
            logger.debug("A request failed: %s", " from ".join(type(cause).__name__ for cause in causes(error)))
            return map_exception(error, seconds, sent=sending.sent)
        return None

    async def _exchange(
        self, question: Question, secret: ApiKey, on_progress: OnProgress, sending: SendTracker, reading: chat.Reading
    ) -> None:
        """Send the question and read the response."""
        began = time.monotonic()
        async with self._posted(question, secret, sending) as response:
            if not response.is_success:
                late = response.status_code in _GATEWAY_TIMED_OUT and time.monotonic() - began > self.late_seconds
                raise chat.refusal(
                    response.status_code,
                    await read_error_body(response),
                    retry_after_seconds(response),
                    hide=secret.hide,
                    may_be_billed=late or None,
                )
            await read_answer(response, reading, AnswerProgress(question, on_progress, self.answer_citations))

    @asynccontextmanager
    async def _posted(self, question: Question, secret: ApiKey, sending: SendTracker) -> AsyncIterator[httpx2.Response]:
        # build_request would merge URL and headers for every request, at several times the CPU.
        name = self.names.get(question.model)
        asked = chat.request(question, stream=self.stream, answer_citations=self.answer_citations, name=name)
        body = _JSON.encode(asked).encode()
        headers = [*self._headers, ("content-length", str(len(body))), *secret.bearer().items()]
        request = httpx2.Request(
            "POST", self._endpoint, headers=headers, stream=httpx2.ByteStream(body), extensions=sending.extensions()
        )
        response = await self.http.send(request, stream=True)
        # A transport that supports neither extension, such as a test's, has sent it by now too.
        sending.mark_sent()
        try:
            yield response
        finally:
            if not response.is_closed:
                with anyio.move_on_after(1, shield=True):
                    await response.aclose()


@dataclass(frozen=True, slots=True)
class _Asking:
    """One call of `ask`."""

    question: Question
    secret: ApiKey
    payer: str
    caller: str
    on_progress: OnProgress
    on_sent: Callable[[], None]
    max_wait: float | None


def _ignore(_: str) -> None:
    pass


_MID_ANSWER = (errors.ConnectionLost, errors.AnswerTimedOut, errors.AnswerUnreadable)
"""Failures that may occur after part of the answer has arrived."""
