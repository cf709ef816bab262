"""Ten thousand hostile inputs in CI, a hundred thousand before a release: `HOSTILE_CASES=100000 pytest tests/hostile`.

Each goes to a real process. Whatever it writes back conforms to JSON-RPC and is fit for a model to see. Afterwards it
is alive, answers an ordinary question, and has used no more memory in the second half than in the first.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import hostile_strategies as strategies
from tests.support.hostile_targets import LEGACY, META, MODERN, Port, Tally, conforming, encoded, pipes, port

pytestmark = pytest.mark.usefixtures("deep_enough")

ERAS = pytest.mark.parametrize("era", [LEGACY, MODERN])
SHARES = {
    "arguments over stdio": 0.125,
    "arguments over HTTP": 0.075,
    "bytes at stdio": 0.15,
    "bytes at /mcp": 0.15,
    "requests to the sandbox": 0.15,
}
"""Each test's share of the cases. Tests that run for two eras count twice."""


def test_the_shares_make_up_the_whole() -> None:
    twice = SHARES["arguments over stdio"] + SHARES["arguments over HTTP"] + SHARES["bytes at stdio"]
    assert 2 * twice + SHARES["bytes at /mcp"] + SHARES["requests to the sandbox"] == pytest.approx(1.0)


BATCH = 16


class Batch:
    """Cases in flight at the same time. Their results are checked in batches."""

    def __init__(self, start: Callable[[Any], None], finish: Callable[[], None]) -> None:
        self._start = start
        self._finish = finish
        self._cases: list[Any] = []

    def throw(self, case: Any) -> None:
        self._cases.append(case)
        self._start(case)
        if len(self._cases) >= BATCH:
            self.finish()

    def finish(self) -> None:
        try:
            self._finish()
        except BaseException as error:
            error.add_note(f"It was one of: {self._cases!r:.20000}")
            raise
        self._cases.clear()


def _throw(strategy: st.SearchStrategy[Any], tally: Tally, batch: Batch) -> None:
    """Generate and send every case of a tally."""

    @given(case=strategy)
    @settings(
        max_examples=tally.cases,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def throw(case: Any) -> None:
        batch.throw(case)
        tally.count()

    throw()
    batch.finish()
    tally.check()


@contextmanager
def _threads(at: Callable[[Any], None]) -> Iterator[Batch]:
    """Send each case from one of a few threads."""
    with ThreadPoolExecutor(4) as pool:
        under_way: list[Future[None]] = []

        def finish() -> None:
            for future in under_way:
                future.result()
            under_way.clear()

        yield Batch(lambda case: under_way.append(pool.submit(at, case)), finish)


def _answered(result: dict[str, Any]) -> None:
    assert result["structuredContent"]["content"] == "An answer to: Why?"


ORDINARY = {"name": "web_answer", "arguments": {"question": "Why?"}}


@ERAS
def test_no_arguments_over_stdio_get_anything_but_a_result_or_an_error(
    tmp_path: Path, upstream_url: str, era: str
) -> None:
    with pipes(tmp_path, upstream_url, era) as victim:
        numbers: set[str] = set()

        def start(case: tuple[str, dict[str, Any]]) -> None:
            numbers.add(victim.send("tools/call", {"name": case[0], "arguments": case[1]}))

        def finish() -> None:
            victim.collect(numbers)
            numbers.clear()

        batch = Batch(start, finish)
        _throw(st.tuples(strategies.tools, strategies.arguments), Tally(victim, SHARES["arguments over stdio"]), batch)
        said = victim.ask("tools/call", ORDINARY)
        assert "result" in said, said
        _answered(said["result"])


@ERAS
def test_no_bytes_on_stdin_get_anything_but_json_rpc(tmp_path: Path, upstream_url: str, era: str) -> None:
    with pipes(tmp_path, upstream_url, era) as victim:
        batch = Batch(victim.write, victim.settle)
        _throw(strategies.raw_bytes, Tally(victim, SHARES["bytes at stdio"]), batch)
        said = victim.ask("tools/call", ORDINARY)
        assert "result" in said, said
        _answered(said["result"])


def _headers(era: str, method: str, name: str = "") -> dict[str, str]:
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": era,
    }
    return {**headers, "mcp-method": method, "mcp-name": name} if era == MODERN else headers


def _posted(victim: Port, era: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The response to a request over HTTP."""
    whole = {**params, "_meta": META} if era == MODERN else params
    body = encoded({"jsonrpc": "2.0", "id": 1, "method": method, "params": whole})
    said = victim.request("POST", "/mcp", body, _headers(era, method, params.get("name", "")))
    messages = _messages(*said)
    assert messages, said
    return messages[-1]


def _messages(status: int, kind: str, body: bytes) -> list[dict[str, Any]]:
    """The content of a response, which is never a server failure."""
    assert status < 500, (status, body)
    if kind.startswith("text/event-stream"):
        lines = [line[5:].strip() for line in body.splitlines() if line.startswith(b"data:")]
        return [conforming(json.loads(line)) for line in lines if line]
    if kind.startswith("application/json") and body and b'"jsonrpc"' in body[:200]:
        return [conforming(json.loads(body))]
    assert b"Traceback" not in body
    assert b"pydantic" not in body.lower()
    return []


@ERAS
def test_no_arguments_over_http_get_anything_but_a_result_or_an_error(
    tmp_path: Path, upstream_url: str, era: str
) -> None:
    with port(tmp_path, upstream_url, "http", "--store", str(tmp_path / "research.sqlite3")) as victim:

        def at(case: tuple[str, dict[str, Any]]) -> None:
            tool, arguments = case
            _posted(victim, era, "tools/call", {"name": tool, "arguments": arguments})

        cases, tally = st.tuples(strategies.tools, strategies.arguments), Tally(victim, SHARES["arguments over HTTP"])
        with _threads(at) as batch:
            _throw(cases, tally, batch)
        _answered(_posted(victim, era, "tools/call", ORDINARY)["result"])


_header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)
_accepted = st.sampled_from(["", "*/*", "application/json", "text/event-stream", "text/html", "application/json;q=0"])
_http_headers = st.builds(
    lambda era, accept, more: {**_headers(era, "tools/call", "web_answer"), **accept, **more},
    st.sampled_from([LEGACY, MODERN]),
    st.just({}) | _accepted.map(lambda accept: {"accept": accept}),
    st.dictionaries(
        st.sampled_from(
            [
                *("content-type", "accept", "mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name"),
                *(
                    "last-event-id",
                    "origin",
                    "authorization",
                    "x-api-key",
                    "traceparent",
                    "baggage",
                    "content-encoding",
                ),
            ]
        ),
        _header_values,
        max_size=2,
    ),
)
_http = st.tuples(
    st.sampled_from(["POST"] * 8 + ["GET", "DELETE", "PUT", "OPTIONS", "PATCH"]),
    st.sampled_from(["/mcp"] * 8 + ["/mcp/", "/", "/healthz", "/mcp?x=%ff", "/%2e%2e/mcp"]),
    strategies.raw_bytes,
    _http_headers,
)
_no_http = st.binary(max_size=300) | st.builds(
    lambda line, body: line + body,
    st.sampled_from(
        [
            *(b"POST /mcp HTTP/1.1\r\n\r\n", b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99\r\n\r\n"),
            *(b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n", b"GET /mcp HTTP/9.9\r\n"),
            *(
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n",
            ),
        ]
    ),
    st.binary(max_size=100),
)


def test_no_bytes_at_the_port_get_anything_but_a_refusal_or_json_rpc(tmp_path: Path, upstream_url: str) -> None:
    with port(tmp_path, upstream_url, "http", "--store", str(tmp_path / "research.sqlite3")) as victim:

        def at(case: Any) -> None:
            if isinstance(case, bytes):
                said = victim.raw(case)
                assert not said.startswith(b"HTTP/1.1 5"), said
            else:
                _messages(*victim.request(*case))

        with _threads(at) as batch:
            _throw(_http | _http | _no_http, Tally(victim, SHARES["bytes at /mcp"]), batch)
        _answered(_posted(victim, MODERN, "tools/call", ORDINARY)["result"])


def test_no_request_to_the_sandbox_gets_anything_but_an_answer_or_a_refusal(tmp_path: Path) -> None:
    with port(tmp_path, "http://127.0.0.1:1", "sandbox", "--requests-per-minute", "0") as victim:
        headers = {"authorization": "Bearer k", "content-type": "application/json"}

        def at(case: Any) -> None:
            body = case if isinstance(case, bytes) else encoded(case)
            path = ("/chat/completions", "/v1/chat/completions", "/v1beta/chat/completions")[len(body) % 3]
            status, _, said = victim.request("POST", path, body, headers)
            assert status in {200, 400, 404, 422}, (status, said)
            if not said.startswith(b"data:"):
                assert isinstance(json.loads(said), dict)

        requests = strategies.chat_requests | strategies.chat_requests | strategies.raw_bytes
        with _threads(at) as batch:
            _throw(requests, Tally(victim, SHARES["requests to the sandbox"]), batch)
        asked = encoded({"model": "lite", "messages": [{"role": "user", "content": "What is a context manager?"}]})
        assert victim.request("POST", "/chat/completions", asked, headers)[0] == 200
