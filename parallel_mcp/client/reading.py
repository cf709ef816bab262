"""Reading a response: an answer to its end with progress, or an error body for a moment."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable

import anyio
import anyio.lowlevel
import httpx2

from parallel_mcp import chat, errors, telemetry
from parallel_mcp.client.failures import LOWER_ERRORS
from parallel_mcp.client.pacing import OnProgress
from parallel_mcp.client.transport import AT_END
from parallel_mcp.models import Question

MAX_BYTES = 64 * 1024 * 1024

SLICE_BYTES = 16 * 1024
"""How much is parsed before other tasks get a turn. It takes 10 ms at worst."""

MAX_ERROR_BODY_BYTES = 64 * 1024

_ERROR_BODY_SECONDS = 0.5

_DRAIN_SECONDS = 0.2


async def read_answer(response: httpx2.Response, reading: chat.Reading, words: "AnswerProgress") -> None:
    """Read a successful response to its end or its end mark. Raises UpstreamError if it is not an answer."""
    encoded = "content-encoding" in response.headers
    async with contextlib.aclosing(response.aiter_bytes() if encoded else response.aiter_raw()) as parts:
        unbroken = 0  # Buffered parts arrive without giving other tasks a turn.
        async for part in parts:
            for start in range(0, len(part), SLICE_BYTES):
                if unbroken >= SLICE_BYTES:
                    unbroken = 0
                    await anyio.lowlevel.checkpoint()
                piece = part[start : start + SLICE_BYTES]
                words.add(reading.feed(piece))
                unbroken += len(piece)
            if reading.size > MAX_BYTES:
                raise errors.AnswerUnreadable("it is larger than 64 MB")
            if reading.done:
                await _drain(parts, response.extensions.get(AT_END))
                return


async def _drain(parts: AsyncIterator[bytes], at_end: Callable[[], bool] | None) -> None:
    """Try for a moment to read to the end, so that the connection can be reused."""
    if at_end is not None and at_end():
        async for _ in parts:
            pass
        return
    with anyio.move_on_after(_DRAIN_SECONDS, shield=True), contextlib.suppress(*LOWER_ERRORS):
        async for _ in parts:
            pass


async def read_error_body(response: httpx2.Response) -> bytes:
    """As much of a refusal's body as arrives within a moment; the status alone says most."""
    said: list[bytes] = []
    size = 0
    with anyio.move_on_after(_ERROR_BODY_SECONDS, shield=True), contextlib.suppress(*LOWER_ERRORS):
        async with contextlib.aclosing(response.aiter_bytes()) as parts:
            async for part in parts:
                said.append(part)
                size += len(part)
                if size >= MAX_ERROR_BODY_BYTES:
                    break
    return b"".join(said)[:MAX_ERROR_BODY_BYTES]


class AnswerProgress:
    """Reports the words of an answer as they arrive, a few times a second rather than for every delta."""

    every_seconds = 0.2
    most_chars = 50_000

    def __init__(self, question: Question, on_progress: OnProgress, answer_citations: bool) -> None:
        self._question = question
        self._on_progress = on_progress
        self._answer_citations = answer_citations
        self._content: list[str] = []
        self._size = 0
        self._last = float("-inf")

    def add(self, delta: str) -> None:
        """Take the next words of the answer."""
        if delta and not self._size:
            telemetry.first_word()
        self._size += len(delta)
        if self._size <= self.most_chars:
            self._content.append(delta)
        now = time.monotonic()
        if delta and now - self._last >= self.every_seconds:
            self._last = now
            self._on_progress(self._said() or f"Receiving the answer: {self._size} characters so far")

    def _said(self) -> str:
        """The words so far, or none if the answer is too long to parse again each time."""
        if self._size > self.most_chars:
            return ""
        content = "".join(self._content)
        return chat.said_so_far(self._question, content, answer_citations=self._answer_citations)
