"""One question over HTTP: pacing, timeouts, retries, and every failure as an error of ours.

A request is sent again only where it surely never started (no connection) or was refused before
an answer began (429, 5xx): Chat has no idempotency key, so anything else may be billed twice.
"""

import contextlib
import logging
import math
import socket
import ssl
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import quote

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx2
import stamina
from limits import RateLimitItemPerMinute
from limits.aio.storage import MovingWindowSupport, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from parallel_mcp import chat, errors, telemetry
from parallel_mcp.errors import UpstreamError
from parallel_mcp.models import Answer, Question

logger = logging.getLogger(__name__)

T = TypeVar("T")

CONNECT_SECONDS = 10.0
MOST_BYTES = 64 * 1024 * 1024
MOST_COMPLAINT_BYTES = 64 * 1024
MOST_WAIT_SECONDS = 60.0
"""Longest wait that a `retry-after` may ask for before another attempt."""

GRACE_SECONDS = 0.1
"""How long a cancelled request is read on, for an answer that has just arrived."""

PROOF_SECONDS = 10.0
"""How long it may take to find out whether a key is taken."""

_UNPROVEN = frozenset({401, 403, 429, 502, 503, 504, 524, 529})
"""Answers to an empty request that leave it open whether the key is taken, or say that it is not."""

OWN_WINDOW_SECONDS = 5.0
"""How long this process paces for itself before the shared window is asked again."""

SWEEP_SECONDS = 5.0
"""How often the connections of lanes that are not in use are looked at."""

_COMPLAINT_SECONDS = 0.5
_DRAIN_SECONDS = 0.2
_BIG_BYTES = 1024 * 1024
_GATEWAY_TIMED_OUT = frozenset({504, 524})

Told = Callable[[str], None]
"""Takes words of progress that a person can read; called often, must not block."""


# Idle connections are few, because each is looked at whenever a request ends; and they are kept shorter than a server
# keeps them (5 s is common), because a request on one that is just being closed is lost, and may be billed.
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=2.0)


def open_http(base_url: str) -> httpx2.AsyncClient:
    """The one HTTP client of a process. No limit on connections: pacing is the only limit.

    The system's certificate store and the usual proxy variables are honoured. Redirects are not
    followed, for they would carry the key to another host; cookies are not kept, for they would tie
    one caller's requests to another's. Raises ConnectFailed where the certificates cannot be read.
    """
    try:
        certificates = httpx2.create_ssl_context()
    except (OSError, ssl.SSLError):
        raise errors.ConnectFailed("SSL_CERT_FILE or SSL_CERT_DIR names no usable certificates") from None
    return httpx2.AsyncClient(
        base_url=base_url,
        verify=certificates,
        # The emptiest pattern: what the proxy variables say comes first.
        mounts={"": Lanes(certificates)},
        limits=_LIMITS,
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"user-agent": "parallel-mcp"},
    )


class Lanes(httpx2.AsyncBaseTransport):
    """Many small pools of connections in place of a large one.

    A pool looks at each of its connections whenever a request begins or ends, so that the work grows
    with the square of what is under way at once.
    """

    def __init__(self, certificates: ssl.SSLContext, lanes: int = 16, most_waiting: int = 20) -> None:
        self.lanes = [httpx2.AsyncHTTPTransport(verify=certificates, limits=_LIMITS) for _ in range(lanes)]
        self._waiting = [0] * lanes
        self._most_waiting = most_waiting
        self._swept = time.monotonic()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it by the first lane that is not full, so that connections are used again; else by the emptiest."""
        free = (lane for lane, waiting in enumerate(self._waiting) if waiting < self._most_waiting)
        lane = next(free, self._waiting.index(min(self._waiting)))
        self._waiting[lane] += 1
        try:
            await self._sweep()
            return await self.lanes[lane].handle_async_request(request)
        finally:
            self._waiting[lane] -= 1

    async def _sweep(self) -> None:
        """Now and then close what has expired, in every lane: a pool looks at its own only when it is used."""
        if time.monotonic() - self._swept < SWEEP_SECONDS:
            return
        self._swept = time.monotonic()
        for lane in self.lanes:
            for connection in lane._pool.connections:
                if connection.has_expired():
                    await connection.aclose()

    async def aclose(self) -> None:
        """Close all of them."""
        for lane in self.lanes:
            await lane.aclose()


class LocalWindow(Storage, MovingWindowSupport):
    """Moving windows in this process.

    `limits` has a storage for this, which starts a task and a thread at each hit and holds a lock
    meanwhile; here nothing waits, so nothing can be left over at shutdown or hold a request up.
    """

    STORAGE_SCHEME = ["async+parallel-local"]  # noqa: RUF012  # declared so in limits

    def __init__(self) -> None:
        super().__init__()
        self._hits: dict[str, list[float]] = {}
        self._swept = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        """None of its own."""
        return StorageError

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Note `amount` hits, unless that would make more than `limit` within `expiry` seconds."""
        now, hits = self._now(key, expiry)
        if len(hits) + amount > limit:
            return False
        hits.extend([now] * amount)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest hit that counts was, in Unix seconds, and how many count."""
        now, hits = self._now(key, expiry)
        return (hits[0] if hits else now), len(hits)

    def _now(self, key: str, expiry: int) -> tuple[float, list[float]]:
        """The time, and the hits that count; after the clock was set back, none of the future's."""
        now = time.time()
        if not 0 <= now - self._swept < expiry:
            # Payers that come no more must not be kept for ever.
            self._swept = now
            self._hits = {name: hits for name, hits in self._hits.items() if hits and now - expiry < hits[-1] <= now}
        hits = self._hits.setdefault(key, [])
        del hits[bisect_right(hits, now) :]
        del hits[: bisect_right(hits, now - expiry)]
        return now, hits

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Only for other strategies."""
        raise NotImplementedError

    async def get(self, key: str) -> int:
        """How many hits are kept."""
        return len(self._hits.get(key, ()))

    async def get_expiry(self, key: str) -> float:
        """Only for other strategies."""
        raise NotImplementedError

    async def check(self) -> bool:
        """It always works."""
        return True

    async def reset(self) -> int:
        """Forget every hit; how many windows there were."""
        count = len(self._hits)
        self._hits.clear()
        return count

    async def clear(self, key: str) -> None:
        """Forget one window."""
        self._hits.pop(key, None)


@dataclass(slots=True)
class Pacing:
    """At most `per_minute` requests a payer within any 60 seconds, counted in this process or where replicas share it.

    `shared` gives what they share, when it is first needed. It, and what it gives, raise limits' StorageError
    where that fails: then this process counts for itself, and asks again only after `OWN_WINDOW_SECONDS`.
    """

    per_minute: int
    shared: Callable[[], Storage] | None = None
    _own: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(LocalWindow()))
    _limiter: MovingWindowRateLimiter | None = None
    _again_at: float = 0.0

    async def turn(self, payer: str, told: Told, patience: float | None) -> None:
        """Wait for the payer's turn. Raises PacingFull rather than wait longer than `patience` seconds."""
        began = time.monotonic()
        try:
            while (wait := await self._hit(payer)) is not None:
                if patience is not None and time.monotonic() - began + wait > patience:
                    raise errors.PacingFull(self.per_minute, wait)
                told(f"Waiting {wait:.0f} s for a free place: {self.per_minute} requests a minute are used up")
                await anyio.sleep(wait)
        finally:
            telemetry.waited(time.monotonic() - began)

    async def _hit(self, payer: str) -> float | None:
        """None if the payer may send now; else the seconds until a place is free."""
        item = RateLimitItemPerMinute(self.per_minute)
        if self.shared is not None and time.monotonic() >= self._again_at:
            try:
                if self._limiter is None:
                    self._limiter = MovingWindowRateLimiter(self.shared())
                return await _taken(self._limiter, item, payer)
            except StorageError as error:
                self._again_at = time.monotonic() + OWN_WINDOW_SECONDS
                why = type(error.storage_error).__name__
                logger.warning("Requests are paced by this process alone, because the shared window failed: %s", why)
        return await _taken(self._own, item, payer)


async def _taken(limiter: MovingWindowRateLimiter, item: RateLimitItemPerMinute, payer: str) -> float | None:
    if await limiter.hit(item, payer):
        return None
    window = await limiter.get_window_stats(item, payer)
    return min(max(window.reset_time - time.time(), 0.05), item.get_expiry())


@dataclass(frozen=True, slots=True)
class _Secret:
    """A key that no representation and no traceback shows."""

    value: str = field(repr=False)

    def bearer(self) -> dict[str, str]:
        """The header that carries it. Raises KeyRefused where no header can."""
        if not (self.value and self.value.isascii() and self.value.isprintable()):
            raise errors.KeyRefused("it was not sent, because it has characters that a key cannot have")
        return {"authorization": f"Bearer {self.value}"}

    def hide(self, text: str) -> str:
        """A text without it, however it is written; one shorter than a real key is left alone."""
        if len(self.value) >= 8:
            for spelling in (self.value, repr(self.value)[1:-1], quote(self.value, safe="")):
                text = text.replace(spelling, "[key]")
        return text


@dataclass(slots=True)
class _Sending:
    """Notes when a request leaves, by the trace of the connection; until then nothing can be billed."""

    tell: Callable[[], None]
    begun: bool = False
    _socket: Any = None

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take one of httpcore2's trace events."""
        if event.endswith(".send_request_headers.started") and info["request"].method == b"POST":
            self.begin()
        elif event == "connection.connect_tcp.complete":
            self._socket = info["return_value"]
        elif event == "connection.start_tls.failed":
            # httpcore2 leaves the socket open where the handshake is cancelled.
            with anyio.CancelScope(shield=True):
                await self._socket.aclose()

    def begin(self) -> None:
        if not self.begun:
            self.begun = True
            self.tell()


@dataclass(frozen=True, slots=True)
class ChatClient:
    """Asks Parallel's Chat API over `http`.

    `timeouts` are seconds for a whole answer by model, `prices` US dollars a request. A gateway's
    timeout that comes later than `late_seconds` is not taken for a refusal: the work had begun.
    """

    http: httpx2.AsyncClient
    pacing: Pacing
    timeouts: Mapping[str, float]
    prices: Mapping[str, float]
    stream: bool = True
    answer_citations: bool = True
    attempts: int = 3
    backoff_seconds: float = 0.5
    late_seconds: float = 10.0

    async def ask(
        self,
        question: Question,
        key: str,
        *,
        payer: str,
        told: Told,
        sent: Callable[[], None],
        patience: float | None = None,
    ) -> Answer:
        """The answer to one question; one that broke off is given as far as it came, with a warning.

        `told` gets the words as they arrive; `sent` is called when a request leaves; `patience` is how
        many seconds to wait for pacing, or before another attempt. An answer that has arrived
        whole is given even to a task that is being cancelled. Raises UpstreamError or PacingFull.
        """
        secret = _Secret(key)
        del key  # A traceback with local variables must not show it.
        url = self.http.base_url
        with telemetry.asking(question.model, url.host, url.port, self.prices[question.model]) as traced:
            answer = await self._asked(question, secret, payer, told, traced.leaving(sent), patience)
            traced.answered()
            return answer

    async def _asked(
        self,
        question: Question,
        secret: _Secret,
        payer: str,
        told: Told,
        sent: Callable[[], None],
        patience: float | None,
    ) -> Answer:
        async for attempt in stamina.retry_context(
            on=self._again(told, patience),
            attempts=self.attempts,
            timeout=None,
            wait_initial=self.backoff_seconds,
            wait_max=10.0,
            wait_jitter=self.backoff_seconds,
        ):
            with attempt:
                await self.pacing.turn(payer, told, patience)
                return await _kept(partial(self._once, question, secret, told, _Sending(sent)))
        raise AssertionError("unreachable: retry_context ends in an answer or an error")

    async def prove(self, key: str) -> None:
        """Find out whether Parallel takes a key, with a request that has nothing in it and costs nothing.

        Raises KeyRefused, AccessRefused, or what keeps it from being found out. All unproven keys share
        one turn in pacing, so that whoever makes keys up slows down only those who are new.
        """
        secret = _Secret(key)
        del key
        await self.pacing.turn("unproven", _unheard, PROOF_SECONDS)
        status, failure = await empty_request(self.http, secret.value)
        if failure is not None and (status is None or status in _UNPROVEN):
            raise failure

    def _again(self, told: Told, patience: float | None) -> Callable[[Exception], bool | float]:
        left = self.attempts

        def again(error: Exception) -> bool | float:
            nonlocal left
            left -= 1
            if isinstance(error, UpstreamError):
                telemetry.attempt_failed(error.kind)
            wait = retry_wait(error, MOST_WAIT_SECONDS if patience is None else patience)
            if left and wait is not False and isinstance(error, UpstreamError):
                status = f" (HTTP {error.status})" if error.status else ""
                told(f"{error.headline}{status}; asking again")
            return wait

        return again

    async def _once(self, question: Question, secret: _Secret, told: Told, sending: _Sending) -> Answer:
        began = time.monotonic()
        reading = chat.Reading(secret.hide)
        failure = await self._failure(question, secret, told, sending, reading)
        if failure is not None and not isinstance(failure, _BROKEN_OFF):
            raise failure
        understand = partial(self._understood, question, reading, failure, time.monotonic() - began)
        return await anyio.to_thread.run_sync(understand) if reading.size > _BIG_BYTES else understand()

    def _understood(
        self, question: Question, reading: chat.Reading, failure: UpstreamError | None, seconds: float
    ) -> Answer:
        reply = reading.reply() if failure is None else reading.cut()
        if reply is None:
            assert failure is not None
            raise failure
        return chat.answer(
            question,
            reply,
            answer_citations=self.answer_citations,
            cost_usd=self.prices[question.model],
            seconds=seconds,
        )

    async def _failure(
        self, question: Question, secret: _Secret, told: Told, sending: _Sending, reading: chat.Reading
    ) -> UpstreamError | None:
        """What kept the response from arriving whole.

        Returned and not raised from what caused it: an error of httpx2 holds the request, with the key.
        """
        seconds = self.timeouts[question.model]
        try:
            with anyio.fail_after(seconds):
                await self._exchange(question, secret, told, sending, reading)
        except UpstreamError as error:
            return error
        except LOWER_ERRORS as error:
            logger.debug("A request failed: %s", " from ".join(type(cause).__name__ for cause in _causes(error)))
            return mapped(error, seconds, sent=sending.begun)
        return None

    async def _exchange(
        self, question: Question, secret: _Secret, told: Told, sending: _Sending, reading: chat.Reading
    ) -> None:
        """Send the question, and read what comes back."""
        began = time.monotonic()
        async with self._posted(question, secret, sending) as response:
            if not response.is_success:
                late = response.status_code in _GATEWAY_TIMED_OUT and time.monotonic() - began > self.late_seconds
                raise chat.refusal(
                    response.status_code,
                    await _complaint(response),
                    _retry_after(response),
                    hide=secret.hide,
                    may_be_billed=late or None,
                )
            await _read(response, reading, _Words(question, told, self.answer_citations))

    @asynccontextmanager
    async def _posted(self, question: Question, secret: _Secret, sending: _Sending) -> AsyncIterator[httpx2.Response]:
        request = self.http.build_request(
            "POST",
            "/chat/completions",
            json=chat.request(question, stream=self.stream, answer_citations=self.answer_citations),
            headers=secret.bearer(),
            extensions={"trace": sending.trace},
        )
        response = await self.http.send(request, stream=True)
        # A transport without a trace, such as a test's, has sent it by now too.
        sending.begin()
        try:
            yield response
        finally:
            with anyio.move_on_after(1, shield=True):
                await response.aclose()


async def empty_request(http: httpx2.AsyncClient, key: str) -> tuple[int | None, UpstreamError | None]:
    """What the endpoint says to a request with nothing in it, which costs nothing: its status and its refusal.

    No status where it could not be asked within `PROOF_SECONDS`; no refusal where it did not refuse.
    The error is returned and not raised from what caused it, which holds the key.
    """
    secret = _Secret(key)
    del key
    try:
        with anyio.fail_after(PROOF_SECONDS):
            headers = secret.bearer() if secret.value else {}
            async with http.stream("POST", "/chat/completions", json={}, headers=headers) as response:
                status, said, after = response.status_code, await _complaint(response), _retry_after(response)
    except UpstreamError as error:
        return None, error
    except LOWER_ERRORS as error:
        failure = mapped(error, PROOF_SECONDS)
        failure.may_be_billed = False
        return None, failure
    refused = None if status < 300 else chat.refusal(status, said, after, hide=secret.hide)
    return status, refused


def _unheard(_: str) -> None:
    """Nobody is told."""


async def _kept(work: Callable[[], Awaitable[T]]) -> T:
    """What the work gives; a cancellation reaches it `GRACE_SECONDS` later.

    A response may be whole in this machine's buffers when its reader is cancelled, and it was paid
    for: so the reader goes on for a moment, and what it then has is kept.
    """
    results: list[T] = []
    failure: Exception | None = None
    shield = anyio.CancelScope(shield=True)

    async def shorten() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            shield.deadline = min(shield.deadline, anyio.current_time() + GRACE_SECONDS)

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(shorten)
            with shield:
                # Errors are carried out of the group, which would wrap them.
                try:
                    results.append(await work())
                except UpstreamError as error:
                    # The frames that it came through hold upstream's words as they were.
                    failure = error.with_traceback(None)
                except Exception as error:
                    failure = error
            group.cancel_scope.cancel()
    except anyio.get_cancelled_exc_class():
        if not results:
            raise
    if failure is not None:
        raise failure
    if not results:
        await anyio.lowlevel.checkpoint()
    return results[0]


async def _read(response: httpx2.Response, reading: chat.Reading, words: "_Words") -> None:
    """Read a success to its end mark or its end. Raises UpstreamError where it is none."""
    async with contextlib.aclosing(response.aiter_bytes()) as parts:
        async for part in parts:
            words.add(reading.feed(part))
            if reading.size > MOST_BYTES:
                raise errors.AnswerUnreadable("it is larger than 64 MB")
            if reading.done:
                await _drain(parts)
                return


async def _drain(parts: AsyncIterator[bytes]) -> None:
    """Read on to the end for a moment, so that the connection can serve the next question."""
    with anyio.move_on_after(_DRAIN_SECONDS, shield=True), contextlib.suppress(*LOWER_ERRORS):
        async for _ in parts:
            pass


async def _complaint(response: httpx2.Response) -> bytes:
    """What comes of a refusal's body within a moment: its status alone says most."""
    said: list[bytes] = []
    size = 0
    with anyio.move_on_after(_COMPLAINT_SECONDS, shield=True), contextlib.suppress(*LOWER_ERRORS):
        async with contextlib.aclosing(response.aiter_bytes()) as parts:
            async for part in parts:
                said.append(part)
                size += len(part)
                if size >= MOST_COMPLAINT_BYTES:
                    break
    return b"".join(said)[:MOST_COMPLAINT_BYTES]


class _Words:
    """Tells the words of an answer as they arrive, a few times a second and not for every delta."""

    every_seconds = 0.2
    most_chars = 50_000

    def __init__(self, question: Question, told: Told, answer_citations: bool) -> None:
        self._question = question
        self._told = told
        self._answer_citations = answer_citations
        self._content: list[str] = []
        self._size = 0
        self._last = float("-inf")

    def add(self, delta: str) -> None:
        if delta and not self._size:
            telemetry.first_word()
        self._size += len(delta)
        if self._size <= self.most_chars:
            self._content.append(delta)
        now = time.monotonic()
        if delta and now - self._last >= self.every_seconds:
            self._last = now
            self._told(self._said() or f"Receiving the answer: {self._size} characters so far")

    def _said(self) -> str:
        """The words so far; none of an answer that is too long to be read anew each time."""
        if self._size > self.most_chars:
            return ""
        content = "".join(self._content)
        return chat.said_so_far(self._question, content, answer_citations=self._answer_citations)


def retry_wait(error: Exception, most_seconds: float) -> bool | float:
    """Whether the request may go out again, or in how many seconds it should; False past `most_seconds`."""
    if isinstance(error, errors.ConnectFailed):
        return not error.lasting
    if not isinstance(error, errors.RateRefused | errors.ServiceFailed) or error.may_be_billed:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after <= most_seconds and error.retry_after


_BROKEN_OFF = (errors.ConnectionLost, errors.AnswerTimedOut, errors.AnswerUnreadable)
"""Failures that may come in the midst of an answer."""

LOWER_ERRORS = (
    OSError,  # with TimeoutError, and ssl.SSLError, which httpcore2 lets through in mid-stream
    UnicodeError,  # of a host name that no resolver takes
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    httpx2.CookieConflict,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
)
"""Everything that the layers below raise when a request fails."""

_WRONG_URL = (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.LocalProtocolError, UnicodeError)
_NEVER_SENT = (*_WRONG_URL, httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
_NOT_CHAT = (
    httpx2.SSEError,
    httpx2.DecodingError,
    httpx2.TooManyRedirects,
    httpx2.HTTPStatusError,
    httpx2.StreamError,
    httpx2.CookieConflict,
)


def mapped(error: Exception, seconds: float, *, sent: bool = True) -> UpstreamError:
    """The error of ours for one of `LOWER_ERRORS`, or for the deadline of `seconds`.

    `sent` is False where it is known that nothing had left. Texts of the layers below may hold URLs
    and are not repeated.
    """
    if isinstance(error, _NEVER_SENT) or not sent:
        return _not_connected(error, seconds)
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return errors.AnswerTimedOut(f"no whole answer within {seconds:g} s")
    if isinstance(error, _NOT_CHAT):
        return errors.AnswerUnreadable("its encoding is broken")
    return errors.ConnectionLost()


def _not_connected(error: Exception, seconds: float) -> errors.ConnectFailed:
    """Why no connection came about, in words; found along the chain of causes."""
    why, lasting = "the connection could not be made", False
    causes = _causes(error)
    certificate = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if isinstance(error, httpx2.ProxyError):
        why = "the proxy refused the connection"
    elif isinstance(error, TimeoutError | httpx2.TimeoutException):
        why = f"no connection within {min(seconds, CONNECT_SECONDS):g} s"
    elif isinstance(error, _WRONG_URL):
        why, lasting = "PARALLEL_BASE_URL is not a URL that can be asked", True
    elif certificate is not None:
        why, lasting = f"its certificate was not accepted ({certificate.verify_message})", True
    else:
        why = next((words for kind, words in _WHY.items() for cause in causes if isinstance(cause, kind)), why)
    failed = errors.ConnectFailed(why)
    failed.lasting = lasting
    return failed


_WHY: Mapping[type[BaseException], str] = {
    ssl.SSLError: "TLS could not be set up",
    socket.gaierror: "its name could not be resolved",
    ConnectionRefusedError: "the connection was refused",
}


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what it came from, outermost first; of a group, what its first member came from."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        grouped = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else None
        cause = grouped or cause.__cause__ or cause.__context__
    return found


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds from now; the header has them as a number or as a date."""
    given = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(given)
    except ValueError:
        seconds = _seconds_until(given)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    try:
        when = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return math.nan
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
