"""One question over HTTP: retries, deadlines, pacing, secrets, cancellation. Single faults are in test_faults.py."""

import asyncio
import gc
import gzip
import json
import logging
import threading
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import pytest
from starlette.responses import JSONResponse, Response

from parallel_mcp import errors
from parallel_mcp.chat import CUT_SHORT
from parallel_mcp.client import ChatClient, Pacing, open_http
from parallel_mcp.client.failures import retry_wait
from parallel_mcp.errors import ParallelError
from parallel_mcp.models import PRICES, Answer, Question
from tests.support.upstream import Peer, RawUpstream, Received, Upstream, chunk, connections, events, raw_upstream

pytestmark = pytest.mark.anyio

KEY = "sk-parallel-0123456789/abcdef"
SPEED = Question(text="Why is the sky blue?", model="speed")
BASE = Question(text="Why is the sky blue?", model="base")


@dataclass
class Asking:
    """A client, and the progress it reported."""

    client: ChatClient
    on_progress: list[str] = field(default_factory=list)
    sent: int = 0

    async def __call__(self, question: Question = BASE, key: str = KEY, **more: Any) -> Answer:
        more.setdefault("on_progress", self.on_progress.append)
        return await self.client.ask(question, key, payer="p", caller="c", on_sent=self._sent, **more)

    def _sent(self) -> None:
        self.sent += 1

    async def failing(self, question: Question = BASE, key: str = KEY, **more: Any) -> errors.UpstreamError:
        with pytest.raises(errors.UpstreamError) as caught:
            await self(question, key, **more)
        return caught.value


@asynccontextmanager
async def asking(url: str, *, seconds: float = 10, pacing: Pacing | None = None, **more: Any) -> AsyncIterator[Asking]:
    timeouts = dict.fromkeys(PRICES, seconds)
    more.setdefault("backoff_seconds", 0)
    async with open_http(url) as http:
        yield Asking(ChatClient(http, pacing or Pacing(1_000_000), timeouts=timeouts, prices=PRICES, **more))


def refusing(*statuses: int, headers: dict[str, str] | None = None, body: Any = None) -> Callable[[Received], Any]:
    """Refuse once with each status, then answer."""
    left = list(statuses)

    async def reply(received: Received) -> Response:
        from tests.support.upstream import answered

        if not left:
            return answered(received)
        return JSONResponse(body or {"detail": "No"}, status_code=left.pop(0), headers=headers)

    return reply


# Requests


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_leaves_with_its_key_and_body(upstream: Upstream, stream: bool) -> None:
    async with asking(f"{upstream.url}/", stream=stream) as ask:
        answer = await ask()
    assert answer.content == "An answer to: Why is the sky blue?"
    assert (answer.interaction_id, answer.cost_usd, answer.warnings) == ("i-1", 0.010, ())
    [received] = upstream.received
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["content-type"] == "application/json"
    assert received.body["stream"] is stream
    assert ask.sent == 1


async def test_a_connection_serves_one_question_after_another() -> None:
    ports: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            ports.append(scope["client"][1])
            await (await receive_all(scope, receive))(scope, receive, send)

    async def receive_all(scope: Any, receive: Any) -> Response:
        while (await receive()).get("more_body"):
            pass
        return events(chunk("So."), "[DONE]")

    from tests.support.upstream import serving

    async with serving(app) as url, asking(url) as ask:
        for _ in range(3):
            await ask()
    assert len(set(ports)) == 1


async def test_no_cookie_of_one_caller_comes_back_with_another(upstream: Upstream) -> None:
    async def reply(_: Received) -> Response:
        return JSONResponse({"choices": [{"message": {"content": "So."}}]}, headers={"set-cookie": "who=one; path=/"})

    upstream.reply = reply
    async with asking(upstream.url) as ask:
        await ask()
        await ask(key="another-key-0123456789")
    assert all("cookie" not in received.headers for received in upstream.received)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
async def test_a_proxy_variable_is_honoured(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(peer: Peer) -> None:
        await peer.head(200, "text/event-stream")
        await peer.send("data: ", chunk("By proxy."), "\n\ndata: [DONE]\n\n")

    async with raw_upstream(answer) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        async with asking("http://no-such-host.invalid") as ask:
            assert (await ask()).content == "By proxy."
    assert proxy.received[0].headers["host"] == "no-such-host.invalid"


# Retries


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 520])
async def test_a_refusal_that_may_pass_is_tried_again(upstream: Upstream, status: int) -> None:
    upstream.reply = refusing(status, status)
    async with asking(upstream.url) as ask:
        assert (await ask()).content.startswith("An answer")
    assert len(upstream.received) == ask.sent == 3
    assert sum("asking again" in words for words in ask.on_progress) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 422, 307])
async def test_a_refusal_that_will_not_pass_is_not_tried_again(upstream: Upstream, status: int) -> None:
    upstream.reply = refusing(status)
    async with asking(upstream.url) as ask:
        assert (await ask.failing()).status == status
    assert len(upstream.received) == 1
    assert not ask.on_progress


async def test_a_body_that_was_compressed_twice_is_never_unpacked(upstream: Upstream) -> None:
    body = gzip.compress(gzip.compress(bytes(50_000_000)))

    async def reply(_: Received) -> Response:
        return Response(body, headers={"content-encoding": "gzip, gzip"})

    upstream.reply = reply
    async with asking(upstream.url) as ask:
        tracemalloc.start()
        try:
            assert isinstance(await ask.failing(), errors.AnswerUnreadable)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 5_000_000
    assert upstream.received[0].headers["accept-encoding"] == "gzip, deflate"


async def test_three_refusals_are_enough(upstream: Upstream) -> None:
    upstream.reply = refusing(*[503] * 9, body={"error": {"ref_id": "r-9", "message": "Busy"}})
    async with asking(upstream.url) as ask:
        error = await ask.failing()
    assert len(upstream.received) == 3
    assert "r-9" in str(error)
    assert not error.may_be_billed


async def test_a_gateway_that_gives_up_late_is_not_asked_again(upstream: Upstream) -> None:
    upstream.reply = refusing(504)
    async with asking(upstream.url, late_seconds=0) as ask:
        error = await ask.failing()
    assert len(upstream.received) == 1
    assert error.may_be_billed


IN_AN_HOUR = "the date in an hour"


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        *(("7", 7, 7), ("0", 0, 0), ("1.5", 1.5, 1.5), ("-3", 0, 0), ("soon", None, None), ("nan", None, None)),
        *(("inf", None, None), ("", None, None), (IN_AN_HOUR, 3000, 3601)),
    ],
)
async def test_retry_after_is_read_as_seconds_or_as_a_date(
    upstream: Upstream, given: str, least: float | None, most: float | None
) -> None:
    if given == IN_AN_HOUR:
        given = format_datetime(datetime.now(UTC) + timedelta(hours=1))
    upstream.reply = refusing(429, headers={"retry-after": given})
    async with asking(upstream.url, attempts=1) as ask:
        error = await ask.failing()
    if least is None or most is None:
        assert error.retry_after is None
    else:
        assert error.retry_after is not None
        assert least <= error.retry_after <= most


def test_a_wait_is_as_long_as_asked_and_not_longer_than_there_is_patience() -> None:
    assert retry_wait(errors.RateRefused(status=429), 60) is True
    assert retry_wait(errors.RateRefused(status=429, retry_after=7), 60) == 7
    assert retry_wait(errors.RateRefused(status=429, retry_after=61), 60) is False
    assert retry_wait(errors.ServiceFailed(status=503, retry_after=11), 10) is False
    assert retry_wait(errors.ServiceFailed(may_be_billed=True), 60) is False
    assert retry_wait(errors.ConnectFailed(), 60) is True
    assert retry_wait(errors.ConnectionLost(), 60) is False
    assert retry_wait(errors.PacingFull(300, 5), 60) is False


async def test_a_long_retry_after_is_told_and_not_waited_for(upstream: Upstream) -> None:
    upstream.reply = refusing(429, headers={"retry-after": "3600"})
    async with asking(upstream.url) as ask:
        await ask.failing(SPEED, max_wait=10)
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "http://no-such-host.invalid", f"http://{'a' * 70}.invalid", "ftp://127.0.0.1"]
)
async def test_what_was_never_sent_is_neither_billed_nor_reported_as_sent(url: str) -> None:
    async with asking(url) as ask:
        error = await ask.failing()
    assert isinstance(error, errors.ConnectFailed)
    assert (ask.sent, error.may_be_billed) == (0, False)


async def test_an_answer_that_hangs_is_not_asked_for_again() -> None:
    async def answer(peer: Peer) -> None:
        await peer.gone()

    async with raw_upstream(answer) as upstream, asking(upstream.url, seconds=0.3) as ask:
        error = await ask.failing()
    assert (len(upstream.received), error.may_be_billed) == (1, True)
    assert "0.3 s" in str(error)


# Progress


async def test_the_words_of_an_answer_are_told_as_they_arrive() -> None:
    heard = anyio.Event()

    async def answer(peer: Peer) -> None:
        await peer.head(200, "text/event-stream")
        await peer.send("data: ", chunk('{"answer": "It is so'), "\n\n")
        await heard.wait()
        await peer.send("data: ", chunk('.", "citations": []}'), "\n\ndata: [DONE]\n\n")

    def on_progress(words: str) -> None:
        ask.on_progress.append(words)
        heard.set()

    async with raw_upstream(answer) as upstream, asking(upstream.url) as ask:
        with anyio.fail_after(10):
            answer_ = await ask(SPEED, on_progress=on_progress)
    assert answer_.content == "It is so."
    assert ask.on_progress[0] == "It is so"
    assert not any("{" in words for words in ask.on_progress)


# Cancellation


async def _cancelled_at_first_word(answer: Callable[[Peer], Any]) -> tuple[list[Answer], RawUpstream]:
    """Ask, and cancel as soon as a word has arrived."""
    got: list[Answer] = []

    async with raw_upstream(answer) as upstream, asking(upstream.url) as ask:
        with anyio.fail_after(10):
            with anyio.CancelScope() as scope:
                got.append(await ask(on_progress=lambda _: scope.cancel()))
            await upstream.until(lambda upstream: upstream.open == 0)
    return got, upstream


async def test_a_cancelled_request_is_closed_soon_and_gives_nothing() -> None:
    async def answer(peer: Peer) -> None:
        await peer.head(200, "text/event-stream")
        await peer.send(f"data: {chunk('It is')}\n\n")
        await peer.gone()

    got, upstream = await _cancelled_at_first_word(answer)
    assert got == []
    assert len(upstream.received) == 1


async def test_a_cancellation_reaches_a_request_that_has_no_answer_yet(upstream: Upstream) -> None:
    upstream.hold()
    async with asking(upstream.url) as ask:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await upstream.requests(1)
                group.cancel_scope.cancel()
            await upstream.until(lambda upstream: upstream.closed == 1)


async def test_a_deadline_gives_what_had_arrived_as_cut_short() -> None:
    async def answer(peer: Peer) -> None:
        await peer.head(200, "text/event-stream")
        await peer.send(f"data: {chunk('It is')}\n\n")
        await peer.gone()

    async with raw_upstream(answer) as upstream, asking(upstream.url, seconds=0.5) as ask:
        got = await ask()
    assert (got.content, got.warnings) == ("It is", (CUT_SHORT,))


async def test_nothing_is_left_running_after_calls_of_all_kinds(upstream: Upstream) -> None:
    before, threads = asyncio.all_tasks(), threading.active_count()
    async with asking(upstream.url) as ask:
        await ask()
        upstream.reply = refusing(503, 401)
        await ask.failing()
        assert connections(ask.client.http)[0] == 0
        started = [task for task in asyncio.all_tasks() - before if "uvicorn" not in repr(task)]
    assert [task for task in started if not task.done()] == []
    assert threading.active_count() == threads
    gc.collect()


# The key


def _everything(error: BaseException) -> Iterator[str]:
    """Everything that a log or a traceback could show of an error, with the local variables of our own frames."""
    seen: list[BaseException | None] = [None]
    cause: BaseException | None = error
    while cause not in seen:
        assert cause is not None
        seen.append(cause)
        yield from (str(cause), repr(cause), repr(cause.args), repr(vars(cause)))
        for frame in traceback.TracebackException.from_exception(cause, capture_locals=True).stack:
            if "parallel_mcp" in frame.filename:
                yield repr(frame.locals)
        cause = cause.__cause__ or cause.__context__
    yield "".join(traceback.format_exception(error))


SPELLINGS = {
    "plainly": lambda key: json.dumps({"error": {"message": f"bad key {key}", "ref_id": key, "detail": {"key": key}}}),
    "with escapes": lambda key: '{"detail": "' + "".join(f"\\u{ord(sign):04x}" for sign in key) + '"}',
    "in UTF-16": lambda key: json.dumps({"detail": key}).encode("utf-16"),
    "beside bad bytes": lambda key: b'{"detail": "\xff\xfe ' + key.encode() + b' \xe9"}',
    "split by control characters": lambda key: json.dumps({"detail": "\x00".join(key)}),
    "at a cut": lambda key: json.dumps({"detail": "x" * (490 - len(key)) + key}),
    "in FastAPI's way": lambda key: json.dumps({"detail": [{"loc": ["header", key], "msg": key, "input": key}]}),
    "in HTML": lambda key: f"<html>{key}</html>",
    "in a header that is no header": lambda key: f"{key}: {key}",
}


@pytest.mark.parametrize("status", [200, 401, 422, 503])
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_the_key_is_in_no_error_and_in_no_log(
    status: int, spelling: str, caplog: pytest.LogCaptureFixture
) -> None:
    spelled: Any = SPELLINGS[spelling]
    body = spelled(KEY)
    body = body.encode() if isinstance(body, str) else body

    async def answer(peer: Peer) -> None:
        await peer.head(status, "application/json", f"x-key: {'' if status == 401 else 'none'}")
        await peer.send(body)

    caplog.set_level(logging.DEBUG)
    async with raw_upstream(answer) as upstream, asking(upstream.url) as ask:
        error = await ask.failing()
    for text in _everything(error):
        assert KEY not in text
        assert KEY[:12] not in text
    for record in caplog.records:
        assert KEY not in repr(vars(record)) + record.getMessage()
        assert BASE.text not in repr(vars(record)) + record.getMessage()


@pytest.mark.parametrize("kind", ["reset", "hang", "refused"])
async def test_the_errors_of_lower_layers_hold_the_request_and_are_not_chained(kind: str) -> None:
    async def answer(peer: Peer) -> None:
        await (peer.reset() if kind == "reset" else peer.gone())

    async with raw_upstream(answer) as upstream:
        url = "http://127.0.0.1:9" if kind == "refused" else upstream.url
        async with asking(url, seconds=0.3) as ask:
            error = await ask.failing()
    chain: BaseException | None = error
    while chain is not None:
        assert isinstance(chain, ParallelError)
        chain = chain.__cause__ or chain.__context__
    assert not any(KEY in text for text in _everything(error))


@pytest.mark.parametrize("key", ["", "two\nlines-0123456789", "schlüssel-0123456789", "nul\x00-0123456789"])
async def test_a_key_that_no_header_can_carry_is_not_sent_and_not_shown(upstream: Upstream, key: str) -> None:
    async with asking(upstream.url) as ask:
        error = await ask.failing(key=key)
    assert isinstance(error, errors.KeyRefused)
    assert upstream.received == []
    assert not any(key and key in text for text in _everything(error))


# Many at once


async def test_300_questions_are_upstream_all_at_the_same_time(upstream: Upstream) -> None:
    gate = upstream.hold()
    # Five times the 4.5 s within which 300 answers of 3 s are due. benchmarks/concurrency.py measures it.
    with anyio.fail_after(22.5):
        async with asking(upstream.url, seconds=60) as ask, anyio.create_task_group() as group:
            for number in range(300):
                group.start_soon(ask, SPEED.model_copy(update={"text": f"Why {number}?"}))
            await upstream.requests(300)
            gate.set()
    assert {received.question for received in upstream.received} == {f"Why {number}?" for number in range(300)}
